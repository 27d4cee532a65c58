//! Files of sandboxes on a filesystem that shares extents.
//!
//! Owns the pool (where files live, how much room is left), cheap clones, and writing so that a crash loses nothing that
//! was acknowledged. Knows no sandbox: its callers name the files.

mod durable;
mod extents;
mod files;
mod loopdev;
mod pool;

pub use durable::{is_full, remove_tree, sync_dir, sync_file, write_durably};
pub use extents::{extents, rewrite};
pub use files::{allocated_bytes, clone_file, import_sparse};
pub use pool::{Pool, PoolOptions};

use std::io;
use std::path::PathBuf;

#[derive(Debug, thiserror::Error)]
pub enum DiskError {
    #[error("{action} {path}")]
    File {
        action: &'static str,
        path: PathBuf,
        source: io::Error,
    },
    #[error(
        "not enough disk space for the pool in {path}: {free_mib} MiB free, {needed_mib} MiB needed; free some, or use another --data-dir"
    )]
    InsufficientSpace {
        path: PathBuf,
        free_mib: u64,
        needed_mib: u64,
    },
    #[error("the pool size must be at least {min_mib} MiB")]
    TooSmall { min_mib: u64 },
    #[error("prepare the pool")]
    Command(#[from] locule_base::command::CommandError),
    #[error("no free loop device on this host")]
    NoLoopDevice(#[source] io::Error),
}

impl DiskError {
    /// Whether it failed for want of room, and would succeed once there is some.
    pub fn is_full(&self) -> bool {
        match self {
            Self::File { source, .. } => is_full(source),
            Self::InsufficientSpace { .. } => true,
            Self::TooSmall { .. } | Self::Command(_) | Self::NoLoopDevice(_) => false,
        }
    }

    pub(crate) fn file(
        action: &'static str,
        path: impl Into<PathBuf>,
    ) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |source| Self::File {
            action,
            path,
            source,
        }
    }
}
