//! The end of a sandbox: written down first, cleaned up after.

use std::sync::Arc;

use locule_base::failpoint::reached;

use super::{LifecycleError, Vm};
use crate::golden::blocking;
use crate::host::Host;
use crate::ledger::Tombstone;
use crate::manifest::{Held, Manifest};

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
