//! The end of a sandbox: a tombstone first, then everything is given back.

use std::sync::Arc;
use std::time::Duration;

use locule_base::errors::chain;
use locule_base::failpoint::reached;

use crate::error::HostError;
use crate::host::Host;
use crate::ledger::Tombstone;
use crate::manifest::{Manifest, ManifestState};
use crate::vm::Vm;

/// A removal that failed is tried again after this.
const RETRY_AFTER: Duration = Duration::from_secs(5);

/// Commits the end of a sandbox with its reason. Until this succeeds nothing of the sandbox is touched.
pub(crate) async fn write_tombstone(
    host: &Host,
    manifest: &mut Manifest,
    reason: &str,
) -> Result<(), HostError> {
    let mut ended = manifest.clone();
    ended.state = ManifestState::Stopped;
    ended.reason = Some(reason.to_owned());
    ended.stopped_at = Some(host.clock.now());
    host.ledger.write_tombstone(Tombstone::of(&ended)).await?;
    *manifest = ended;
    Ok(())
}

/// Gives back everything that a sandbox holds. For a sandbox that has a tombstone, or whose creation was never acknowledged.
pub(crate) async fn remove(
    host: &Host,
    manifest: &Manifest,
    vm: Option<Vm>,
) -> Result<(), HostError> {
    if let Some(vm) = vm {
        vm.release(host).await;
        reached("destroy", "the VM is released");
    }
    host.ledger.remove(manifest).await
}

/// As [`remove`], for a sandbox that has a tombstone. What cannot be removed now is removed later: on a full disk the tombstone
/// that replaces the files may find no free block before the files of other sandboxes are removed.
pub(crate) async fn remove_eventually(host: &Arc<Host>, manifest: &Manifest, vm: Option<Vm>) {
    let Err(error) = remove(host, manifest, vm).await else {
        return;
    };
    tracing::error!(sandbox.id = %manifest.sandbox, error = chain(&error), "the files of a destroyed sandbox cannot be removed; removal is retried");
    let (retried, manifest) = (host.clone(), manifest.clone());
    host.tasks
        .spawn("remove a destroyed sandbox", |stop| async move {
            loop {
                tokio::select! {
                    () = stop.cancelled() => return Ok(()),
                    () = tokio::time::sleep(RETRY_AFTER) => {}
                }
                if remove(&retried, &manifest, None).await.is_ok() {
                    return Ok(());
                }
            }
        });
}
