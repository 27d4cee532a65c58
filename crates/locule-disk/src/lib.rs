//! Files on a filesystem that shares extents.
//!
//! This crate owns the pool (the location of the files and the free space), cheap clones, and durable writes: a crash loses no
//! write that was acknowledged. It knows no sandbox: its callers name the files.

mod durable;
mod extents;
mod files;
mod loopdev;
mod pool;

pub use durable::{is_full, remove_tree, sync_dir, sync_file, write_durably};
pub use extents::{extents, own_bytes, rewrite};
pub use files::{allocated_bytes, clone_file, import_sparse};
pub use pool::{Pool, PoolOptions};

use std::io;
use std::path::PathBuf;

use locule_base::errors::FileError;

#[derive(Debug, thiserror::Error)]
pub enum DiskError {
    #[error(transparent)]
    File(#[from] FileError),
    #[error(
        "not enough disk space for the pool in {path}: {free_mib} MiB free, {needed_mib} MiB needed; free disk space or choose another --data-dir"
    )]
    InsufficientSpace {
        path: PathBuf,
        free_mib: u64,
        needed_mib: u64,
    },
    #[error("the pool is too small; its size must be at least {min_mib} MiB")]
    TooSmall { min_mib: u64 },
    #[error("format the pool")]
    Command(#[from] locule_base::command::CommandError),
    #[error("attach a loop device to the pool file")]
    NoLoopDevice(#[source] io::Error),
}

impl DiskError {
    /// Whether the operation failed for lack of disk space.
    pub fn is_full(&self) -> bool {
        match self {
            Self::File(error) => is_full(&error.source),
            Self::InsufficientSpace { .. } => true,
            Self::TooSmall { .. } | Self::Command(_) | Self::NoLoopDevice(_) => false,
        }
    }
}
