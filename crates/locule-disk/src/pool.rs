//! Where a host keeps its images: a folder on a filesystem with reflinks, or a preallocated XFS file of its own.

use std::fs::{self, File};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use locule_base::command::Command;
use nix::mount::{MntFlags, MsFlags, mount, umount2};

use crate::files::clone_file;
use crate::{DiskError, loopdev};

const MIB: u64 = 1024 * 1024;
const DEFAULT_BYTES_MIN: u64 = 8 * 1024 * MIB;
const BYTES_MIN: u64 = 1024 * MIB;
/// Under this share of the pool (or 512 MiB, whichever is less) nothing new is created.
const LOW_WATER_SHARE: u64 = 10;
const LOW_WATER_BYTES_MAX: u64 = 512 * MIB;

#[derive(Debug, Clone, Copy, Default)]
pub struct PoolOptions {
    /// Size of the pool file where one is needed. A quarter of the free space unless said.
    pub size_bytes: Option<u64>,
}

/// An open pool.
#[derive(Debug)]
pub struct Pool {
    root: PathBuf,
    /// The loop-mounted file, where the data directory itself has no reflinks.
    file: Option<PathBuf>,
}

impl Pool {
    /// Opens the pool of a data directory, making it the first time.
    pub async fn open(dir: &Path, options: PoolOptions) -> Result<Self, DiskError> {
        let root = dir.join("pool");
        fs::create_dir_all(&root).map_err(DiskError::file("create", &root))?;
        let file = dir.join("pool.xfs");
        if !file.exists() && shares_extents(&root)? {
            return Ok(Self { root, file: None });
        }
        if !file.exists() {
            make(dir, &file, options).await?;
        }
        attach_and_mount(&file, &root)?;
        fs::set_permissions(&root, fs::Permissions::from_mode(0o700))
            .map_err(DiskError::file("open", &root))?;
        Ok(Self {
            root,
            file: Some(file),
        })
    }

    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Bytes that can still be written.
    pub fn free_bytes(&self) -> Result<u64, DiskError> {
        free_bytes(&self.root)
    }

    /// Whether so little room is left that nothing new should be started.
    pub fn is_low(&self) -> Result<bool, DiskError> {
        let stat = rustix::fs::statvfs(&self.root)
            .map_err(|e| DiskError::file("look at", &self.root)(e.into()))?;
        let low = (stat.f_blocks * stat.f_frsize / LOW_WATER_SHARE).min(LOW_WATER_BYTES_MAX);
        Ok(stat.f_bavail * stat.f_frsize < low)
    }

    /// Unmounts and frees the loop device. Whatever still has a file open keeps the mount alive until it closes it.
    pub fn close(self) -> Result<(), DiskError> {
        let Some(file) = &self.file else {
            return Ok(());
        };
        umount2(&self.root, MntFlags::MNT_DETACH)
            .map_err(|e| DiskError::file("unmount", &self.root)(e.into()))?;
        // Looked up only now: it may have gone with the mount, and its number be somebody else's.
        match loopdev::find(file) {
            Some(device) => loopdev::detach(&device).map_err(DiskError::file("detach", device)),
            None => Ok(()),
        }
    }
}

fn free_bytes(path: &Path) -> Result<u64, DiskError> {
    let stat = rustix::fs::statvfs(path).map_err(|e| DiskError::file("look at", path)(e.into()))?;
    Ok(stat.f_bavail * stat.f_frsize)
}

/// Tries it: the only answer that counts.
fn shares_extents(folder: &Path) -> Result<bool, DiskError> {
    let (from, to) = (folder.join(".probe-a"), folder.join(".probe-b"));
    let written = fs::write(&from, [1; 4096]).map_err(DiskError::file("write", &from));
    let cloned = written.and_then(|()| clone_file(&from, &to));
    for probe in [&from, &to] {
        let _ = fs::remove_file(probe);
    }
    match cloned {
        Ok(_) => Ok(true),
        // Full of what could be cloned before: whoever frees some of it needs a running agent for that.
        Err(error) if error.is_full() && holds_something(folder) => Ok(true),
        Err(error) if error.is_full() => Err(error),
        Err(_) => Ok(false),
    }
}

fn holds_something(folder: &Path) -> bool {
    fs::read_dir(folder).is_ok_and(|mut entries| entries.next().is_some())
}

/// Preallocated, so that a full disk around the pool can never take the sandboxes in it down.
async fn make(dir: &Path, file: &Path, options: PoolOptions) -> Result<(), DiskError> {
    let free = free_bytes(dir)?;
    let size = match options.size_bytes {
        Some(size) if size < BYTES_MIN => {
            return Err(DiskError::TooSmall {
                min_mib: BYTES_MIN / MIB,
            });
        }
        Some(size) => size,
        None => (free / 4).max(DEFAULT_BYTES_MIN),
    };
    let size = size / MIB * MIB;
    if free < size + size / 20 {
        return Err(DiskError::InsufficientSpace {
            path: dir.to_owned(),
            free_mib: free / MIB,
            needed_mib: (size + size / 20) / MIB,
        });
    }
    // Made under another name: a crash in between leaves no pool, not half of one.
    let unfinished = dir.join("pool.xfs.new");
    let _ = fs::remove_file(&unfinished);
    let target = File::create(&unfinished).map_err(DiskError::file("create", &unfinished))?;
    fs::set_permissions(&unfinished, fs::Permissions::from_mode(0o600))
        .map_err(DiskError::file("create", &unfinished))?;
    rustix::fs::fallocate(&target, rustix::fs::FallocateFlags::empty(), 0, size)
        .map_err(|e| DiskError::file("preallocate", &unfinished)(e.into()))?;
    let format = Command::new("mkfs.xfs")
        .args(["-q", "-K", "-s", "size=4096", "-m", "reflink=1"])
        .arg(&unfinished);
    format.timeout(Duration::from_mins(2)).run().await?;
    target
        .sync_all()
        .map_err(DiskError::file("write", &unfinished))?;
    fs::rename(&unfinished, file).map_err(DiskError::file("create", file))?;
    crate::sync_dir(dir).map_err(DiskError::file("write", dir))
}

/// Idempotent: what an earlier life left mounted is used as it is. XFS replays its log when it is mounted after a crash.
fn attach_and_mount(file: &Path, root: &Path) -> Result<(), DiskError> {
    let device = match loopdev::find(file) {
        Some(device) => device,
        None => loopdev::attach(file).map_err(DiskError::NoLoopDevice)?,
    };
    if is_mount_of(&device, root) {
        return Ok(());
    }
    let flags = MsFlags::MS_NOATIME | MsFlags::MS_NODEV | MsFlags::MS_NOSUID;
    let mounted = mount(Some(&device), root, Some("xfs"), flags, Some("nodiscard"));
    if mounted.is_err() {
        // The first error is the one to tell.
        let _ = loopdev::detach(&device);
    }
    mounted.map_err(|e| DiskError::file("mount the pool on", root)(e.into()))
}

fn is_mount_of(device: &Path, root: &Path) -> bool {
    let (Ok(device), Ok(root)) = (fs::metadata(device), fs::metadata(root)) else {
        return false;
    };
    device.rdev() == root.dev()
}
