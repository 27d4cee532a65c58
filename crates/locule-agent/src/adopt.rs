//! What an agent finds when it starts: VMs that ran on, operations that were cut, leftovers that nobody owns.
//!
//! | manifest | the VMM | becomes |
//! |---|---|---|
//! | running | alive, takes its key | adopted, thawed |
//! | running | gone, or refuses its key | stopped, `vm_lost` |
//! | paused | – | paused |
//! | creating | – | nothing: it was promised to nobody |
//! | none | – | nothing |
//! | not readable | – | left alone, and said: it is of another version, or the disk is broken |
//! | buried | – | nothing: its files are removed again |
//!
//! The slot of a running VM is one sandbox's. Should several manifests name it, they are tried one after the other, and the
//! control key decides whose it is. A VM that none of them opens is nobody's, and is ended.

use std::cmp::Reverse;
use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use futures::stream::{self, StreamExt as _};
use locule_base::failpoint::reached;
use locule_vmm::{VmmHandle, find_by_name};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::guest;
use crate::host::Host;
use crate::ledger::{Entry, sandbox_of};
use crate::lifecycle::{LifecycleError, Vm, bury, clear, clear_by_and_by};
use crate::manifest::{Held, Manifest};
use crate::registry::Registry;

/// Each waits for its guest to answer; one that does not must not hold up the others.
const ADOPTED_TOGETHER: usize = 8;

/// A killed process is gone after this, unless the kernel holds it.
const DYING: Duration = Duration::from_secs(10);

/// Takes over what lives and clears away the rest.
pub(crate) async fn adopt(host: &Arc<Host>, registry: &Registry) -> Result<(), LifecycleError> {
    let mut keep = HashSet::new();
    let found = host
        .ledger
        .read_all()
        .map_err(LifecycleError::io("read the ledger"))?;
    let (mut held, mut ended) = (Vec::new(), Vec::new());
    for (folder, entry) in found {
        match entry {
            Entry::Held(manifest) if host.ledger.is_buried(manifest.sandbox) => {
                ended.push(manifest);
            }
            Entry::Held(manifest) => held.push(*manifest),
            Entry::Ended(manifest) => ended.push(manifest),
            Entry::Leftover => remove_folder(&folder)?,
            Entry::Unreadable(_) if is_buried(host, &folder) => remove_folder(&folder)?,
            Entry::Unreadable(error) => tracing::error!(
                folder = %folder.display(),
                error = locule_base::errors::chain(&error),
                "the manifest of a sandbox cannot be read; its files are left as they are"
            ),
        }
    }
    let taken_up = stream::iter(by_slot(held)).map(|group| take_up_all(host, group));
    let mut taken_up = taken_up.buffer_unordered(ADOPTED_TOGETHER);
    while let Some(taken_up) = taken_up.next().await {
        for (manifest, vm) in taken_up? {
            keep.extend(vm.as_ref().map(|vm| vm.slot.number()));
            registry.adopt(manifest, vm);
        }
        reached("adopt", "a manifest is taken up");
    }
    drop(taken_up);
    end_orphans(host, &keep).await;
    // The room that their files hold comes back only now.
    for manifest in ended {
        clear_by_and_by(host, &manifest, None).await;
    }
    sweep(host, &keep).await
}

fn is_buried(host: &Host, folder: &Path) -> bool {
    sandbox_of(folder).is_some_and(|sandbox| host.ledger.is_buried(sandbox))
}

fn remove_folder(folder: &Path) -> Result<(), LifecycleError> {
    locule_disk::remove_tree(folder).map_err(LifecycleError::io("remove a leftover"))
}

fn slot_of(manifest: &Manifest) -> Option<u16> {
    match manifest.held {
        Held::Running { slot, .. } => Some(slot),
        Held::Creating | Held::Resuming { .. } | Held::Paused { .. } | Held::Stopped => None,
    }
}

/// Those that name one slot together, the last started first: a guest that says nothing is taken for its.
fn by_slot(mut held: Vec<Manifest>) -> Vec<Vec<Manifest>> {
    held.sort_by_key(|manifest| (slot_of(manifest), Reverse(manifest.started_at)));
    let same = |a: &Manifest, b: &Manifest| slot_of(a).is_some() && slot_of(a) == slot_of(b);
    held.chunk_by(same).map(<[_]>::to_vec).collect()
}

async fn take_up_all(
    host: &Arc<Host>,
    group: Vec<Manifest>,
) -> Result<Vec<(Manifest, Option<Vm>)>, LifecycleError> {
    let mut taken_up = Vec::new();
    for manifest in group {
        taken_up.extend(take_up(host, manifest).await?);
    }
    Ok(taken_up)
}

async fn take_up(
    host: &Arc<Host>,
    mut manifest: Manifest,
) -> Result<Option<(Manifest, Option<Vm>)>, LifecycleError> {
    match manifest.held.clone() {
        Held::Paused { image } | Held::Resuming { image, .. } => {
            manifest.held = Held::Paused { image };
            discard_others(host, &manifest, Some(image), false);
            Ok(Some((manifest, None)))
        }
        Held::Running { slot, vmm, image } => {
            if let Some(vm) = revive(host, &manifest, slot, &vmm, image).await {
                discard_others(host, &manifest, image, true);
                Ok(Some((manifest, Some(vm))))
            } else {
                tracing::warn!(sandbox.id = %manifest.sandbox, "its VM is gone");
                bury(host, &mut manifest, "vm_lost").await?;
                clear_by_and_by(host, &manifest, None).await;
                Ok(None)
            }
        }
        Held::Creating | Held::Stopped => {
            clear(host, &manifest, None).await?;
            Ok(None)
        }
    }
}

/// The living VM of a manifest, thawed: an agent that died during a pause left it frozen or stopped. `None`: there is none,
/// or it is another's, and left as it is.
async fn revive(
    host: &Host,
    manifest: &Manifest,
    slot: u16,
    vmm: &VmmHandle,
    image: Option<u32>,
) -> Option<Vm> {
    let slot = host.slots.claim(slot)?;
    let machine = host.vmm.adopt(vmm).await.ok()?;
    let net = host.net.adopt(slot.number()).ok()?;
    let mut vm = Vm {
        machine,
        net: Arc::new(net),
        slot,
        image,
    };
    reached("adopt", "the VM is held");
    let alive = async {
        if !vm.machine.is_running().await? {
            vm.machine.cont().await?;
        }
        reached("adopt", "the VM runs");
        guest::thaw(&vm.net, &manifest.control_key, &host.clock).await?;
        Ok::<_, LifecycleError>(())
    };
    if let Err(error) = alive.await {
        if matches!(&error, LifecycleError::Guest(error) if error.is_wrong_key()) {
            tracing::error!(sandbox.id = %manifest.sandbox, slot = vm.slot.number(), "the guest in its slot refuses its key: it is not its own");
            return None;
        }
        // It runs, whatever its guest agent thinks of it.
        tracing::warn!(sandbox.id = %manifest.sandbox, error = locule_base::errors::chain(&error), "adopted, but its guest does not answer");
    }
    Some(vm)
}

/// Removes the files of a pause that was not committed, the working disk of a resume that was not, half-written manifests.
/// What stays behind all the same wastes room, nothing else.
fn discard_others(host: &Host, manifest: &Manifest, image: Option<u32>, runs: bool) {
    let image_files = image
        .into_iter()
        .flat_map(|image| ["memory", "devices", "disk"].map(|what| format!("{what}.{image}")));
    let kept: HashSet<String> = image_files
        .chain(["manifest.json", "console.log", "vmm.log"].map(str::to_owned))
        .chain(runs.then(|| "disk".to_owned()))
        .collect();
    let folder = host.ledger.folder(manifest.sandbox);
    let is_kept = |path: &Path| {
        let name = path.file_name().unwrap_or_default();
        kept.contains(name.to_string_lossy().as_ref())
    };
    if let Err(error) = remove_others(&folder, is_kept) {
        tracing::warn!(sandbox.id = %manifest.sandbox, error = locule_base::errors::chain(&error), "leftovers stay");
    }
}

/// VMMs of this instance that no manifest owns. They are gone when this returns, and what they held with them.
async fn end_orphans(host: &Host, keep: &HashSet<u16>) {
    let prefix = format!("locule-{}-", host.config.instance);
    let orphans = || {
        find_by_name(|name| {
            name.strip_prefix(&prefix)
                .and_then(|slot| slot.parse().ok())
                .is_some_and(|slot: u16| !keep.contains(&slot))
        })
    };
    for pid in orphans() {
        tracing::warn!(pid, "ending a VMM that nobody owns");
        if let Ok(pid) = i32::try_from(pid) {
            // Gone already is fine.
            let _ = kill(Pid::from_raw(pid), Signal::SIGKILL);
        }
    }
    let gone = async {
        while !orphans().is_empty() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    if tokio::time::timeout(DYING, gone).await.is_err() {
        tracing::error!("a VMM that nobody owns does not end");
    }
    reached("adopt", "orphans are ended");
}

/// Control sockets, networks, waiting machines and half-made golden images of this instance that no manifest owns.
async fn sweep(host: &Host, keep: &HashSet<u16>) -> Result<(), LifecycleError> {
    let kept: HashSet<PathBuf> = keep.iter().map(|slot| host.control_socket(*slot)).collect();
    remove_others(&host.config.control_dir(), |path| kept.contains(path))?;
    host.net.sweep(keep).await?;
    reached("adopt", "networks are swept");
    remove_others(&host.warm_dir(), |_| false)?;
    let golden = host.pool.root().join("golden");
    remove_others(&golden, |path| {
        path.extension().is_none_or(|extension| extension != "new")
    })
}

/// Removes what of a folder is not to be kept.
fn remove_others(folder: &Path, keep: impl Fn(&Path) -> bool) -> Result<(), LifecycleError> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    for path in entries.map(|entry| entry.path()).filter(|path| !keep(path)) {
        if path.is_dir() {
            remove_folder(&path)?;
        } else {
            std::fs::remove_file(&path).map_err(LifecycleError::io("remove a leftover"))?;
        }
    }
    Ok(())
}
