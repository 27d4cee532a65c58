//! A paused image whose memory is in many pieces is written anew while nobody needs the sandbox: each pause clones it, and a
//! clone costs by the piece.
//!
//! ```text
//! memory.7 ──► memory.7.new, fsync ──► renamed over memory.7, fsync of the folder
//! ```
//!
//! The content is the same before and after: a sandbox that is resumed meanwhile need not wait, it has the one or the other. What
//! removes the image waits until nobody writes it any more.

use std::path::{Path, PathBuf};

use locule_base::failpoint::reached;
use locule_disk::{DiskError, extents, rewrite, sync_dir};
use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;

use super::Driver;
use crate::golden::blocking;
use crate::lifecycle::LifecycleError;
use crate::manifest::Held;

/// What is known of the image that the sandbox is paused in.
#[derive(Debug, Default)]
pub(super) struct Pieces {
    /// Was looked at, and rewritten where it had to be.
    seen: Option<u32>,
    under_way: Option<Rewriting>,
}

#[derive(Debug)]
struct Rewriting {
    stop: CancellationToken,
    done: oneshot::Receiver<()>,
}

impl Pieces {
    /// The disk is needed for something else now.
    pub(super) fn stop(&self) {
        if let Some(rewriting) = &self.under_way {
            rewriting.stop.cancel();
        }
    }
}

impl Driver {
    /// Once for each image.
    pub(super) fn look_at_the_image(&mut self) {
        let Held::Paused { image } = self.manifest.held else {
            return;
        };
        if self.pieces.seen == Some(image) {
            return;
        }
        self.pieces.seen = Some(image);
        let (host, sandbox) = (self.host.clone(), self.manifest.sandbox);
        let stop = CancellationToken::new();
        let (tell, done) = oneshot::channel();
        self.pieces.under_way = Some(Rewriting {
            stop: stop.clone(),
            done,
        });
        let tasks = host.tasks.clone();
        tasks.spawn_detached("rewrite an image", async move {
            let one_at_a_time = stop.run_until_cancelled(host.rewrites.acquire()).await;
            let memory = host.ledger.folder(sandbox).join(format!("memory.{image}"));
            let rewritten = match host.pool.is_low() {
                Ok(false) if one_at_a_time.is_some() => {
                    let most = host.config.limits.image_extents_max;
                    blocking(move || rewrite_in_place(&memory, most, &stop)).await
                }
                // An image in pieces is slow; one that takes the last room is worse.
                Ok(_) => Ok(()),
                Err(error) => Err(error.into()),
            };
            if let Err(error) = rewritten {
                let error = locule_base::errors::chain(&error);
                tracing::warn!(sandbox.id = %sandbox, image, error, "an image stays in pieces");
            }
            drop(one_at_a_time);
            let _ = tell.send(());
        });
    }

    /// From here on nobody else touches the image.
    pub(super) async fn leave_the_image(&mut self) {
        self.pieces.stop();
        if let Some(rewriting) = self.pieces.under_way.take() {
            let _ = rewriting.done.await;
        }
    }
}

fn rewrite_in_place(
    memory: &Path,
    most: u32,
    stop: &CancellationToken,
) -> Result<(), LifecycleError> {
    let before = extents(memory)?;
    if before <= most {
        return Ok(());
    }
    let mut new = memory.as_os_str().to_owned();
    new.push(".new");
    let new = PathBuf::from(new);
    match rewrite(memory, &new, || !stop.is_cancelled()) {
        Err(DiskError::File { .. }) if stop.is_cancelled() => return Ok(()),
        written => written?,
    }
    reached("rewrite", "written");
    std::fs::rename(&new, memory).map_err(LifecycleError::io("put the image in place"))?;
    reached("rewrite", "in place");
    if let Some(folder) = memory.parent() {
        sync_dir(folder).map_err(LifecycleError::io("put the image in place"))?;
    }
    tracing::info!(image = %memory.display(), extents.before = before, extents.after = extents(memory)?, "an image was rewritten");
    Ok(())
}
