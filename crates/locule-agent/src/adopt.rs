//! What an agent finds when it starts: VMs that continued to run, operations that a crash cut, leftovers.
//!
//! | manifest | VMM | the sandbox is then |
//! |---|---|---|
//! | running | runs, and its guest accepts the control key | adopted, thawed |
//! | running | has exited, or its guest refuses the control key | stopped, `vm_lost` |
//! | paused | – | paused |
//! | creating | – | removed: its creation was not acknowledged |
//! | none | – | removed |
//! | not readable | – | left as it is, and logged: of another version, or the disk is broken |
//! | with a tombstone | – | removed: the removal is repeated |
//!
//! A slot belongs to one sandbox. Where several manifests name the slot of a running VM, they are tried one after the other, and
//! the control key decides which sandbox owns the VM. A VM that refuses every key is ended.

use std::cmp::Reverse;
use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use futures::stream::{self, StreamExt as _};
use locule_base::errors::chain;
use locule_base::failpoint::reached;
use locule_base::processes;
use locule_vmm::VmmHandle;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::blocking::blocking;
use crate::error::HostError;
use crate::guest::GuestClient;
use crate::host::Host;
use crate::ledger::Entry;
use crate::lifecycle::{remove, remove_eventually, write_tombstone};
use crate::manifest::{Manifest, ManifestState};
use crate::registry::Registry;
use crate::template_snapshot::{EVICTED, TemplateSnapshots};
use crate::vm::Vm;

/// Each adoption waits for a guest to answer; one that does not answer must not hold up the others.
const ADOPTED_TOGETHER: usize = 8;

/// A killed process has exited after this, unless the kernel holds it.
const EXIT_TIMEOUT: Duration = Duration::from_secs(10);

/// Adopts every sandbox of the ledger and removes leftovers.
pub(crate) async fn adopt(host: &Arc<Host>, registry: &Registry) -> Result<(), HostError> {
    let (mut keep, mut vmms) = (HashSet::new(), HashSet::new());
    let (mut active, mut ended) = (Vec::new(), Vec::new());
    for (folder, entry) in host.ledger.read_all().await? {
        match entry {
            Entry::Active(manifest) => active.push(*manifest),
            Entry::Destroyed(manifest) | Entry::Ended(manifest) => ended.push(manifest),
            Entry::Leftover => {
                blocking(move || remove_folder(&folder)).await?;
            }
            Entry::Unreadable(error) => tracing::error!(
                folder = %folder.display(),
                error = chain(&error),
                "the manifest of a sandbox cannot be read; its files are left as they are"
            ),
        }
    }
    let snapshots = &registry.shared.vm_source.template_snapshots;
    let adopted = stream::iter(by_slot(active)).map(|group| adopt_group(host, snapshots, group));
    let mut adopted = adopted.buffer_unordered(ADOPTED_TOGETHER);
    while let Some(group) = adopted.next().await {
        for (manifest, vm) in group? {
            keep.extend(vm.as_ref().map(|vm| vm.slot.number()));
            vmms.extend(vm.as_ref().map(|vm| vm.machine.handle().pid));
            registry.adopt(manifest, vm);
        }
        reached("adopt", "the sandboxes of a slot are adopted");
    }
    drop(adopted);
    end_orphans(host, vmms).await;
    // Their files occupy the disk until here.
    for manifest in ended {
        remove_eventually(host, &manifest, None).await;
    }
    sweep(host, &keep).await?;
    snapshots.open().await
}

fn slot_of(manifest: &Manifest) -> Option<u16> {
    match manifest.state {
        ManifestState::Running { slot, .. } => Some(slot),
        ManifestState::Creating
        | ManifestState::Resuming { .. }
        | ManifestState::Paused { .. }
        | ManifestState::Stopped => None,
    }
}

/// Manifests that name the same slot form a group, the last started first: a guest that does not answer counts as its guest.
fn by_slot(mut active: Vec<Manifest>) -> Vec<Vec<Manifest>> {
    active.sort_by_key(|manifest| (slot_of(manifest), Reverse(manifest.started_at)));
    let same = |a: &Manifest, b: &Manifest| slot_of(a).is_some() && slot_of(a) == slot_of(b);
    active.chunk_by(same).map(<[_]>::to_vec).collect()
}

async fn adopt_group(
    host: &Arc<Host>,
    snapshots: &TemplateSnapshots,
    group: Vec<Manifest>,
) -> Result<Vec<(Manifest, Option<Vm>)>, HostError> {
    let mut adopted = Vec::new();
    for manifest in group {
        adopted.extend(adopt_one(host, snapshots, manifest).await?);
    }
    Ok(adopted)
}

/// `None`: the sandbox has ended.
async fn adopt_one(
    host: &Arc<Host>,
    snapshots: &TemplateSnapshots,
    mut manifest: Manifest,
) -> Result<Option<(Manifest, Option<Vm>)>, HostError> {
    match manifest.state.clone() {
        ManifestState::Paused { snapshot } | ManifestState::Resuming { snapshot, .. } => {
            manifest.state = ManifestState::Paused { snapshot };
            remove_uncommitted(host, &manifest, Some(snapshot), false).await;
            Ok(Some((manifest, None)))
        }
        ManifestState::Running {
            slot,
            vmm,
            snapshot,
        } => {
            if let Some(mut vm) = adopt_vm(host, &manifest, slot, &vmm, snapshot).await {
                if snapshot.is_none() {
                    vm.template = Some(snapshots.adopt(&manifest.template_snapshot));
                }
                remove_uncommitted(host, &manifest, snapshot, true).await;
                Ok(Some((manifest, Some(vm))))
            } else {
                tracing::warn!(sandbox.id = %manifest.sandbox, "the VM of a sandbox is lost; the sandbox is stopped");
                write_tombstone(host, &mut manifest, "vm_lost").await?;
                remove_eventually(host, &manifest, None).await;
                Ok(None)
            }
        }
        ManifestState::Creating | ManifestState::Stopped => {
            remove(host, &manifest, None).await?;
            Ok(None)
        }
    }
}

/// The running VM of a manifest, thawed: an agent that was killed during a pause left the guest frozen or stopped. `None`: there
/// is no VM, or the VM belongs to another sandbox and is left as it is.
async fn adopt_vm(
    host: &Host,
    manifest: &Manifest,
    slot: u16,
    vmm: &VmmHandle,
    snapshot: Option<u32>,
) -> Option<Vm> {
    let slot = host.slots.claim(slot)?;
    let machine = host.vmm.adopt(vmm).await.ok()?;
    let net = host.net.adopt(slot.number()).ok()?;
    let mut vm = Vm {
        machine,
        net: Arc::new(net),
        slot,
        snapshot,
        template: None,
        promise: Some(host.promises.adopt(manifest.memory_mib)),
    };
    reached("adopt", "the VM is adopted");
    let answers = async {
        if !vm.machine.is_running().await? {
            vm.machine.cont().await?;
        }
        reached("adopt", "the VM runs");
        let guest = GuestClient::new(&vm.net, &manifest.control_key, &host.clock);
        guest.thaw().await?;
        Ok::<_, HostError>(())
    };
    if let Err(error) = answers.await {
        if matches!(&error, HostError::Guest(error) if error.is_wrong_key()) {
            tracing::error!(sandbox.id = %manifest.sandbox, slot = vm.slot.number(), "the guest in the slot of a sandbox refuses the sandbox's control key: the VM belongs to another sandbox");
            return None;
        }
        // The VM runs, whatever the state of its guest agent.
        tracing::warn!(sandbox.id = %manifest.sandbox, error = chain(&error), "a running VM was adopted, but its guest agent does not answer");
    }
    Some(vm)
}

/// Removes the files of a pause that was not committed, the working disk of a resume that was not, and half-written manifests.
/// A file that stays occupies the disk, and has no other effect.
async fn remove_uncommitted(host: &Host, manifest: &Manifest, snapshot: Option<u32>, runs: bool) {
    let snapshot_files = snapshot.into_iter().flat_map(|snapshot| {
        ["memory", "devices", "disk"].map(|what| format!("{what}.{snapshot}"))
    });
    let kept: HashSet<String> = snapshot_files
        .chain(["manifest.json", "console.log", "vmm.log"].map(str::to_owned))
        .chain(runs.then(|| "disk".to_owned()))
        .collect();
    let folder = host.ledger.folder(manifest.sandbox);
    let removed = remove_others(folder, move |path| {
        let name = path.file_name().unwrap_or_default();
        kept.contains(name.to_string_lossy().as_ref())
    });
    if let Err(error) = removed.await {
        tracing::warn!(sandbox.id = %manifest.sandbox, error = chain(&error), "files of an operation that was not committed cannot be removed");
    }
}

/// Ends every process of the user ids of this instance but the adopted VMMs: VMMs that no manifest owns. They have exited when
/// this returns. A VMM that its guest controls can change its name and its arguments, but not its user id.
async fn end_orphans(host: &Host, adopted: HashSet<u32>) {
    let (uids, adopted) = (host.net.uids(), Arc::new(adopted));
    let orphans = async || {
        let (uids, adopted) = (uids.clone(), adopted.clone());
        let found = blocking(move || {
            let all = processes::of_users(&uids).into_iter();
            Ok(all.filter(|pid| !adopted.contains(pid)).collect::<Vec<_>>())
        });
        found.await.unwrap_or_default()
    };
    for pid in orphans().await {
        tracing::warn!(pid, "ending a VMM that belongs to no sandbox");
        if let Ok(pid) = i32::try_from(pid) {
            // The process may have exited already.
            let _ = kill(Pid::from_raw(pid), Signal::SIGKILL);
        }
    }
    let exited = async {
        while !orphans().await.is_empty() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    if tokio::time::timeout(EXIT_TIMEOUT, exited).await.is_err() {
        tracing::error!("a VMM that belongs to no sandbox does not exit after SIGKILL");
    }
    reached("adopt", "VMMs without a sandbox are ended");
}

/// Removes control sockets, networks, pooled VMs and unfinished template snapshots of this instance that no manifest owns, and
/// root filesystems of other bundles.
async fn sweep(host: &Host, keep: &HashSet<u16>) -> Result<(), HostError> {
    let kept: HashSet<PathBuf> = keep.iter().map(|slot| host.control_socket(*slot)).collect();
    remove_others(host.config.control_dir(), move |path| kept.contains(path)).await?;
    for (slot, error) in host.net.sweep(keep).await {
        tracing::warn!(
            slot,
            error = chain(&error),
            "the network of a VM that ended cannot be removed; other slots are used first"
        );
        host.slots.put_aside(slot);
    }
    reached("adopt", "networks without a sandbox are removed");
    remove_others(host.warm_pool_dir(), |_| false).await?;
    remove_others(host.template_snapshot_dir(), |path| {
        path.extension()
            .is_none_or(|extension| extension != "new" && extension != EVICTED)
    })
    .await?;
    let bundle = host.bundle.clone();
    remove_others(host.pool.root().join("images"), move |path| {
        let name = path.file_name().and_then(|name| name.to_str());
        name.is_some_and(|name| bundle.has_content(name))
    })
    .await
}

/// Removes the entries of a folder that are not to be kept.
async fn remove_others(
    folder: PathBuf,
    keep: impl Fn(&Path) -> bool + Send + 'static,
) -> Result<(), HostError> {
    blocking(move || {
        let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
        for path in entries.map(|entry| entry.path()).filter(|path| !keep(path)) {
            if path.is_dir() {
                remove_folder(&path)?;
            } else {
                std::fs::remove_file(&path).map_err(HostError::io("remove a leftover"))?;
            }
        }
        Ok(())
    })
    .await
}

fn remove_folder(folder: &Path) -> Result<(), HostError> {
    locule_disk::remove_tree(folder).map_err(HostError::io("remove a leftover"))
}
