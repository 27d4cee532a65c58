//! The memory of a paused sandbox that is in many extents is rewritten while the sandbox is not used: each pause clones the file,
//! and the cost of a clone grows with the number of extents.
//!
//! ```text
//! memory.7 ──► memory.7.new, fsync ──► renamed over memory.7, fsync of the folder
//! ```
//!
//! The content is the same before and after: a resume in the meantime need not wait, and opens the one or the other file. An
//! operation that removes the snapshot waits until the rewrite has stopped.

use std::path::{Path, PathBuf};

use locule_base::failpoint::reached;
use locule_disk::{DiskError, extents, rewrite, sync_dir};
use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;

use super::Driver;
use crate::blocking::blocking;
use crate::error::HostError;
use crate::manifest::ManifestState;

/// What the driver knows of the snapshot that the sandbox is paused in.
#[derive(Debug, Default)]
pub(super) struct Defragmentation {
    /// The last snapshot that was examined.
    examined: Option<u32>,
    in_progress: Option<Rewrite>,
}

#[derive(Debug)]
struct Rewrite {
    stop: CancellationToken,
    done: oneshot::Receiver<()>,
}

impl Defragmentation {
    /// Another operation needs the disk now.
    pub(super) fn cancel(&self) {
        if let Some(rewrite) = &self.in_progress {
            rewrite.stop.cancel();
        }
    }
}

impl Driver {
    /// Examines each snapshot once, and starts the rewrite of its memory where that is needed.
    pub(super) fn defragment(&mut self) {
        let ManifestState::Paused { snapshot } = self.manifest.state else {
            return;
        };
        if self.defragmentation.examined == Some(snapshot) {
            return;
        }
        self.defragmentation.examined = Some(snapshot);
        let (host, sandbox) = (self.host.clone(), self.manifest.sandbox);
        let rewrites = self.rewrites.clone();
        let stop = CancellationToken::new();
        let (sender, done) = oneshot::channel();
        self.defragmentation.in_progress = Some(Rewrite {
            stop: stop.clone(),
            done,
        });
        let tasks = host.tasks.clone();
        tasks.spawn_detached("defragment a snapshot", async move {
            let permit = stop.run_until_cancelled(rewrites.acquire()).await;
            let folder = host.ledger.folder(sandbox);
            let memory = folder.join(format!("memory.{snapshot}"));
            let rewritten = match host.pool.is_low() {
                Ok(false) if permit.is_some() => {
                    let extents_max = host.config.limits.snapshot_extents_max;
                    blocking(move || rewrite_in_place(&memory, extents_max, &stop)).await
                }
                // A fragmented snapshot is slow; a rewrite that fills the disk is worse.
                Ok(_) => Ok(()),
                Err(error) => Err(error.into()),
            };
            if let Err(error) = rewritten {
                let error = locule_base::errors::chain(&error);
                tracing::warn!(sandbox.id = %sandbox, snapshot, error, "the memory of a paused sandbox cannot be defragmented; its next pauses stay slow");
            }
            drop(permit);
            // The driver may have exited.
            let _ = sender.send(());
        });
    }

    /// Returns when no rewrite uses the snapshot any more.
    pub(super) async fn stop_defragmenting(&mut self) {
        self.defragmentation.cancel();
        if let Some(rewrite) = self.defragmentation.in_progress.take() {
            let _ = rewrite.done.await;
        }
    }
}

fn rewrite_in_place(
    memory: &Path,
    extents_max: u32,
    stop: &CancellationToken,
) -> Result<(), HostError> {
    let before = extents(memory)?;
    if before <= extents_max {
        return Ok(());
    }
    let mut new = memory.as_os_str().to_owned();
    new.push(".new");
    let new = PathBuf::from(new);
    match rewrite(memory, &new, || !stop.is_cancelled()) {
        Err(DiskError::File { .. }) if stop.is_cancelled() => return Ok(()),
        written => written?,
    }
    reached("rewrite", "the new file is written");
    std::fs::rename(&new, memory)
        .map_err(HostError::io("rename the defragmented memory into place"))?;
    reached("rewrite", "the new file is in place");
    if let Some(folder) = memory.parent() {
        sync_dir(folder).map_err(HostError::io("rename the defragmented memory into place"))?;
    }
    tracing::info!(file = %memory.display(), extents.before = before, extents.after = extents(memory)?, "the memory of a paused sandbox was defragmented");
    Ok(())
}
