//! The end of a sandbox: written down first, cleaned up after.

use std::sync::Arc;
use std::time::Duration;

use locule_base::errors::chain;
use locule_base::failpoint::reached;

use super::{LifecycleError, Vm};
use crate::golden::blocking;
use crate::host::Host;
use crate::ledger::Tombstone;
use crate::manifest::{Held, Manifest};

/// What cannot be removed now is tried again after this.
const AGAIN: Duration = Duration::from_secs(5);

/// Commits the end with its reason. Until this succeeds nothing of the sandbox is touched.
pub(crate) async fn bury(
    host: &Arc<Host>,
    manifest: &mut Manifest,
    reason: &str,
) -> Result<(), LifecycleError> {
    let mut buried = manifest.clone();
    buried.held = Held::Stopped;
    buried.reason = Some(reason.to_owned());
    buried.stopped_at = Some(host.clock.now());
    let (ledger, stone) = (host.ledger.clone(), Tombstone::of(&buried));
    blocking(move || {
        ledger
            .bury(&stone)
            .map_err(LifecycleError::io("write the tombstone"))
    })
    .await?;
    *manifest = buried;
    Ok(())
}

/// Gives back what a sandbox holds. For one that is buried, or that was never promised to anybody.
pub(crate) async fn clear(
    host: &Arc<Host>,
    manifest: &Manifest,
    vm: Option<Vm>,
) -> Result<(), LifecycleError> {
    if let Some(vm) = vm {
        vm.release(host).await;
        reached("destroy", "the VM is gone");
    }
    let (ledger, manifest) = (host.ledger.clone(), manifest.clone());
    blocking(move || {
        ledger
            .remove(&manifest)
            .map_err(LifecycleError::io("remove the sandbox's files"))
    })
    .await
}

/// As [`clear`], for one that is buried. Whatever will not go now goes later: on a full disk the tombstone that stands for
/// the files may find no room before those of others are gone.
pub(crate) async fn clear_by_and_by(host: &Arc<Host>, manifest: &Manifest, vm: Option<Vm>) {
    let Err(error) = clear(host, manifest, vm).await else {
        return;
    };
    tracing::error!(sandbox.id = %manifest.sandbox, error = chain(&error), "cannot clean up a sandbox; tried again");
    let (again, manifest) = (host.clone(), manifest.clone());
    host.tasks.spawn("clean up", |stop| async move {
        loop {
            tokio::select! {
                () = stop.cancelled() => return Ok(()),
                () = tokio::time::sleep(AGAIN) => {}
            }
            if clear(&again, &manifest, None).await.is_ok() {
                return Ok(());
            }
        }
    });
}
