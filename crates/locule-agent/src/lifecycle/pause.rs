//! Pause: what the sandbox is, durable on disk, before anybody is told.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use locule_base::failpoint::reached;
use locule_disk::{clone_file, sync_dir};

use super::{LifecycleError, Vm};
use crate::golden::blocking;
use crate::guest;
use crate::host::Host;
use crate::manifest::{Held, Manifest};

/// Pauses a running sandbox. Success: the manifest says `paused`, durably, and the VM is gone. Failure before that commit:
/// the VM runs on, thawed, and is handed back with the reason.
pub(crate) async fn pause(
    host: &Arc<Host>,
    manifest: &mut Manifest,
    mut vm: Vm,
    reason: Option<String>,
) -> Result<(), (Vm, LifecycleError)> {
    let image = vm.image.map_or(1, |image| image + 1);
    // A commit that failed at its last step may have left a manifest that names the new image.
    let mut is_named = false;
    let captured = match capture(host, manifest, &mut vm, image).await {
        Ok(unresponsive) => {
            let mut paused = manifest.clone();
            paused.held = Held::Paused { image };
            paused.reason = reason;
            paused.last_error = None;
            paused.unresponsive = unresponsive;
            let committed = commit(host, &paused).await;
            is_named = committed.is_err() && commit(host, manifest).await.is_err();
            committed.map(|()| paused)
        }
        Err(error) => Err(error),
    };
    match captured {
        Ok(paused) => {
            reached("pause", "committed");
            *manifest = paused;
            let old = vm.image;
            vm.release(host).await;
            reached("pause", "the VM is gone");
            let folder = host.ledger.folder(manifest.sandbox);
            discard(&folder, old);
            // The image has its own clone of it.
            let _ = fs::remove_file(folder.join("disk"));
            reached("pause", "the old image is gone");
            Ok(())
        }
        Err(error) => {
            go_on(host, manifest, &mut vm).await;
            if !is_named {
                discard(&host.ledger.folder(manifest.sandbox), Some(image));
            }
            Err((vm, error))
        }
    }
}

async fn commit(host: &Host, manifest: &Manifest) -> Result<(), LifecycleError> {
    let (ledger, copy) = (host.ledger.clone(), manifest.clone());
    blocking(move || {
        ledger
            .commit(&copy)
            .map_err(LifecycleError::io("commit the manifest"))
    })
    .await
}

/// Writes the image with this number. Returns whether the guest failed to hold still.
async fn capture(
    host: &Host,
    manifest: &Manifest,
    vm: &mut Vm,
    image: u32,
) -> Result<bool, LifecycleError> {
    let frozen = guest::freeze(&vm.net, &manifest.control_key).await;
    let unresponsive = !matches!(frozen, Ok(true));
    reached("pause", "frozen");
    let stopping = host.clock.monotonic();
    vm.machine.stop().await?;
    reached("pause", "stopped");
    let folder = host.ledger.folder(manifest.sandbox);
    let base = match vm.image {
        Some(old) => folder.join(format!("memory.{old}")),
        None => host
            .pool
            .root()
            .join("golden")
            .join(&manifest.golden)
            .join("memory"),
    };
    let name = move |what: &str| folder.join(format!("{what}.{image}"));
    let devices =
        File::create(name("devices")).map_err(LifecycleError::io("create the device state"))?;
    vm.machine.save_devices(devices).await?;
    reached("pause", "the devices are saved");
    let memory = {
        let target = name("memory");
        blocking(move || clone_file(&base, &target).map_err(Into::into)).await?
    };
    reached("pause", "the base memory is cloned");
    let stats = vm.machine.capture_memory(memory).await?;
    reached("pause", "the memory is captured");
    let disk = (
        host.ledger.folder(manifest.sandbox).join("disk"),
        name("disk"),
    );
    // Nobody writes it while the machine is stopped.
    blocking(move || clone_file(&disk.0, &disk.1).map(drop).map_err(Into::into)).await?;
    let written = host.clock.monotonic();
    let files = ["memory", "devices", "disk"].map(name);
    blocking(move || make_durable(&files)).await?;
    reached("pause", "the image is durable");
    tracing::info!(
        sandbox.id = %manifest.sandbox,
        stopped_us = microseconds(written.saturating_sub(stopping)),
        fsync_us = microseconds(host.clock.monotonic().saturating_sub(written)),
        dirty_pages = stats.dirty_pages,
        written_bytes = stats.bytes,
        "an image was written"
    );
    Ok(unresponsive)
}

fn microseconds(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
}

/// Puts the whole image on the disk.
fn make_durable(files: &[PathBuf; 3]) -> Result<(), LifecycleError> {
    let folder = files[0].parent().unwrap_or(Path::new("."));
    for file in files {
        locule_disk::sync_file(file).map_err(LifecycleError::io("write the image"))?;
    }
    sync_dir(folder).map_err(LifecycleError::io("write the image"))
}

/// After a failed pause the sandbox runs as if nobody had asked.
async fn go_on(host: &Host, manifest: &Manifest, vm: &mut Vm) {
    if let Err(error) = vm.machine.cont().await {
        tracing::error!(sandbox.id = %manifest.sandbox, error = locule_base::errors::chain(&error), "cannot continue after a failed pause");
        return;
    }
    if let Err(error) = guest::thaw(&vm.net, &manifest.control_key, &host.clock).await {
        tracing::error!(sandbox.id = %manifest.sandbox, error = locule_base::errors::chain(&error), "cannot thaw after a failed pause");
    }
}

/// Removes an image that is not, or no longer, the committed one.
fn discard(folder: &Path, image: Option<u32>) {
    let Some(image) = image else { return };
    for what in ["memory", "devices", "disk"] {
        // The adoption sweep removes what a crash leaves here.
        let _ = fs::remove_file(folder.join(format!("{what}.{image}")));
    }
}
