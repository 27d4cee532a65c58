//! Pause: the state of the sandbox is durable on disk before the pause is reported.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::time::Duration;

use locule_base::errors::chain;
use locule_base::failpoint::reached;
use locule_disk::{clone_file, sync_dir};

use crate::blocking::blocking;
use crate::error::HostError;
use crate::guest::GuestClient;
use crate::host::Host;
use crate::manifest::{Manifest, ManifestState};
use crate::vm::Vm;

/// Pauses a running sandbox. Success: the manifest says `paused`, durably, and the VM is released. Failure before that commit:
/// the VM continues, thawed, and is returned with the error.
pub(crate) async fn pause(
    host: &Host,
    manifest: &mut Manifest,
    mut vm: Vm,
    reason: Option<String>,
) -> Result<(), (Vm, HostError)> {
    let snapshot = vm.snapshot.map_or(1, |snapshot| snapshot + 1);
    // A commit that failed at its last step may have left a manifest that names the new snapshot.
    let mut is_named = false;
    let captured = match capture(host, manifest, &mut vm, snapshot).await {
        Ok(unresponsive) => {
            let mut paused = manifest.clone();
            paused.state = ManifestState::Paused { snapshot };
            paused.reason = reason;
            paused.last_error = None;
            paused.unresponsive = unresponsive;
            let committed = host.ledger.commit(&paused).await;
            is_named = committed.is_err() && host.ledger.commit(manifest).await.is_err();
            committed.map(|()| paused)
        }
        Err(error) => Err(error),
    };
    match captured {
        Ok(paused) => {
            reached("pause", "committed");
            *manifest = paused;
            let old = vm.snapshot;
            vm.release(host).await;
            reached("pause", "the VM is released");
            let folder = host.ledger.folder(manifest.sandbox);
            // The snapshot has its own clone of the working disk.
            let working_disk = folder.join("disk");
            discard(snapshot_files(&folder, old).chain([working_disk])).await;
            reached("pause", "the old snapshot is removed");
            Ok(())
        }
        Err(error) => {
            continue_vm(host, manifest, &mut vm).await;
            if !is_named {
                let folder = host.ledger.folder(manifest.sandbox);
                discard(snapshot_files(&folder, Some(snapshot))).await;
            }
            Err((vm, error))
        }
    }
}

/// Writes the snapshot with this number. Returns whether the guest failed to freeze.
async fn capture(
    host: &Host,
    manifest: &Manifest,
    vm: &mut Vm,
    snapshot: u32,
) -> Result<bool, HostError> {
    let guest = GuestClient::new(&vm.net, &manifest.control_key, &host.clock);
    let frozen = guest.freeze().await;
    let unresponsive = !matches!(frozen, Ok(true));
    reached("pause", "frozen");
    let stopping = host.clock.monotonic();
    vm.machine.stop().await?;
    reached("pause", "stopped");
    let folder = host.ledger.folder(manifest.sandbox);
    let base = match vm.snapshot {
        Some(old) => folder.join(format!("memory.{old}")),
        None => host
            .template_snapshot_dir()
            .join(&manifest.template_snapshot)
            .join("memory"),
    };
    let working_disk = folder.join("disk");
    let name = move |what: &str| folder.join(format!("{what}.{snapshot}"));
    let devices =
        File::create(name("devices")).map_err(HostError::io("create the device state"))?;
    vm.machine.save_devices(devices).await?;
    reached("pause", "the devices are saved");
    let memory = {
        let target = name("memory");
        blocking(move || Ok(clone_file(&base, &target)?)).await?
    };
    reached("pause", "the base memory is cloned");
    let stats = vm.machine.capture_memory(memory).await?;
    reached("pause", "the memory is captured");
    let disk = name("disk");
    // The VMM does not write the working disk while the VM is stopped.
    blocking(move || {
        clone_file(&working_disk, &disk)
            .map(drop)
            .map_err(Into::into)
    })
    .await?;
    let written = host.clock.monotonic();
    let files = ["memory", "devices", "disk"].map(name);
    blocking(move || make_durable(&files)).await?;
    reached("pause", "the snapshot is durable");
    tracing::info!(
        sandbox.id = %manifest.sandbox,
        stopped_us = microseconds(written.saturating_sub(stopping)),
        fsync_us = microseconds(host.clock.monotonic().saturating_sub(written)),
        dirty_pages = stats.dirty_pages,
        written_bytes = stats.bytes,
        "a snapshot was written"
    );
    Ok(unresponsive)
}

fn microseconds(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
}

/// Puts the whole snapshot on the disk.
fn make_durable(files: &[PathBuf; 3]) -> Result<(), HostError> {
    let folder = files[0].parent().unwrap_or(Path::new("."));
    for file in files {
        locule_disk::sync_file(file).map_err(HostError::io("write the snapshot"))?;
    }
    sync_dir(folder).map_err(HostError::io("write the snapshot"))
}

/// After a failed pause the sandbox continues as before the pause.
async fn continue_vm(host: &Host, manifest: &Manifest, vm: &mut Vm) {
    if let Err(error) = vm.machine.cont().await {
        tracing::error!(sandbox.id = %manifest.sandbox, error = chain(&error), "the VM of a sandbox cannot continue after a failed pause");
        return;
    }
    let guest = GuestClient::new(&vm.net, &manifest.control_key, &host.clock);
    if let Err(error) = guest.thaw().await {
        tracing::error!(sandbox.id = %manifest.sandbox, error = chain(&error), "the guest of a sandbox cannot be thawed after a failed pause");
    }
}

fn snapshot_files(folder: &Path, snapshot: Option<u32>) -> impl Iterator<Item = PathBuf> {
    let files = snapshot.map(|snapshot| {
        ["memory", "devices", "disk"].map(|what| folder.join(format!("{what}.{snapshot}")))
    });
    files.into_iter().flatten()
}

/// Removes files that are not, or no longer, part of the committed state. The next start removes what a crash leaves.
async fn discard(files: impl Iterator<Item = PathBuf>) {
    let files: Vec<_> = files.collect();
    let removed = blocking(move || {
        for file in files {
            let _ = fs::remove_file(file);
        }
        Ok(())
    });
    let _ = removed.await;
}
