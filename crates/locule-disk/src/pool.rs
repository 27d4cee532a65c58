//! The pool, which holds the files of a host: a folder on a filesystem with reflinks, or a preallocated file with XFS.

use std::fs::{self, File};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use locule_base::command::Command;
use locule_base::errors::FileError;
use nix::mount::{MntFlags, MsFlags, mount, umount2};

use crate::files::clone_file;
use crate::{DiskError, loopdev};

const MIB: u64 = 1024 * 1024;
const DEFAULT_BYTES_MIN: u64 = 8 * 1024 * MIB;
const BYTES_MIN: u64 = 1024 * MIB;
/// The pool is low when the free space falls below this share of its size, or below 512 MiB if that is less.
const LOW_WATER_SHARE: u64 = 10;
const LOW_WATER_BYTES_MAX: u64 = 512 * MIB;

#[derive(Debug, Clone, Copy, Default)]
pub struct PoolOptions {
    /// The size of the pool file, where one is needed. A quarter of the free disk space by default.
    pub size_bytes: Option<u64>,
}

/// An open pool.
#[derive(Debug)]
pub struct Pool {
    root: PathBuf,
    /// The loop-mounted file, where the data directory has no reflinks.
    file: Option<PathBuf>,
}

impl Pool {
    /// Opens the pool of a data directory, and creates it if there is none.
    pub async fn open(dir: &Path, options: PoolOptions) -> Result<Self, DiskError> {
        let root = dir.join("pool");
        fs::create_dir_all(&root).map_err(FileError::on("create", &root))?;
        let file = dir.join("pool.xfs");
        if !file.exists() && shares_extents(&root)? {
            return Ok(Self { root, file: None });
        }
        if !file.exists() {
            create(dir, &file, options).await?;
        }
        attach_and_mount(&file, &root)?;
        fs::set_permissions(&root, fs::Permissions::from_mode(0o700))
            .map_err(FileError::on("open", &root))?;
        Ok(Self {
            root,
            file: Some(file),
        })
    }

    /// Removes the pool of a data directory, with everything in it. Fails while a program uses a file of a mounted pool.
    pub fn remove(dir: &Path) -> Result<(), DiskError> {
        let (root, file) = (dir.join("pool"), dir.join("pool.xfs"));
        if let Some(device) = loopdev::find(&file) {
            if is_mount_of(&device, &root) {
                umount2(&root, MntFlags::empty())
                    .map_err(|error| FileError::on("unmount", &root)(error.into()))?;
            }
            // The unmount may have freed the device.
            if let Some(device) = loopdev::find(&file) {
                loopdev::detach(&device).map_err(FileError::on("detach", device))?;
            }
        }
        crate::remove_tree(&root).map_err(FileError::on("remove", &root))?;
        for file in [file, dir.join("pool.xfs.new")] {
            match fs::remove_file(&file) {
                Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                    return Err(FileError::on("remove", file)(error).into());
                }
                Ok(()) | Err(_) => {}
            }
        }
        Ok(())
    }

    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The size of the pool's filesystem.
    pub fn size_bytes(&self) -> Result<u64, DiskError> {
        let stat = statvfs(&self.root)?;
        Ok(stat.f_blocks * stat.f_frsize)
    }

    /// The free space of the pool.
    pub fn free_bytes(&self) -> Result<u64, DiskError> {
        free_bytes(&self.root)
    }

    /// Whether the free space is too small to start new work.
    pub fn is_low(&self) -> Result<bool, DiskError> {
        let stat = statvfs(&self.root)?;
        let low = (stat.f_blocks * stat.f_frsize / LOW_WATER_SHARE).min(LOW_WATER_BYTES_MAX);
        Ok(stat.f_bavail * stat.f_frsize < low)
    }

    /// Unmounts the pool and detaches the loop device. The mount ends when the last open file in it is closed.
    pub fn close(self) -> Result<(), DiskError> {
        let Some(file) = &self.file else {
            return Ok(());
        };
        umount2(&self.root, MntFlags::MNT_DETACH)
            .map_err(|e| FileError::on("unmount", &self.root)(e.into()))?;
        // Looked up after the unmount, which may have freed the device for another file.
        match loopdev::find(file) {
            Some(device) => Ok(loopdev::detach(&device).map_err(FileError::on("detach", device))?),
            None => Ok(()),
        }
    }
}

fn statvfs(path: &Path) -> Result<rustix::fs::StatVfs, FileError> {
    rustix::fs::statvfs(path)
        .map_err(|error| FileError::on("query the free space of", path)(error.into()))
}

fn free_bytes(path: &Path) -> Result<u64, DiskError> {
    let stat = statvfs(path)?;
    Ok(stat.f_bavail * stat.f_frsize)
}

/// Whether the filesystem of a folder shares extents, found out by a clone: no other test is reliable.
fn shares_extents(folder: &Path) -> Result<bool, DiskError> {
    let (from, to) = (folder.join(".probe-a"), folder.join(".probe-b"));
    let written = fs::write(&from, [1; 4096]).map_err(FileError::on("write", &from));
    let cloned = match written {
        Ok(()) => clone_file(&from, &to),
        Err(error) => Err(error.into()),
    };
    for probe in [&from, &to] {
        let _ = fs::remove_file(probe);
    }
    match cloned {
        Ok(_) => Ok(true),
        // The filesystem is full, but its files show that an earlier probe succeeded. Freeing space needs a running agent.
        Err(error) if error.is_full() && is_not_empty(folder) => Ok(true),
        Err(error) if error.is_full() => Err(error),
        Err(_) => Ok(false),
    }
}

fn is_not_empty(folder: &Path) -> bool {
    fs::read_dir(folder).is_ok_and(|mut entries| entries.next().is_some())
}

/// Creates the pool file. It is preallocated, so that a full disk around the pool cannot make writes in the pool fail.
async fn create(dir: &Path, file: &Path, options: PoolOptions) -> Result<(), DiskError> {
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
    // Created under another name: a crash leaves no pool instead of a partial one.
    let unfinished = dir.join("pool.xfs.new");
    let _ = fs::remove_file(&unfinished);
    let target = File::create(&unfinished).map_err(FileError::on("create", &unfinished))?;
    fs::set_permissions(&unfinished, fs::Permissions::from_mode(0o600))
        .map_err(FileError::on("create", &unfinished))?;
    rustix::fs::fallocate(&target, rustix::fs::FallocateFlags::empty(), 0, size)
        .map_err(|e| FileError::on("preallocate", &unfinished)(e.into()))?;
    let format = Command::new("mkfs.xfs")
        .args(["-q", "-K", "-s", "size=4096", "-m", "reflink=1"])
        .arg(&unfinished);
    format.timeout(Duration::from_mins(2)).run().await?;
    target
        .sync_all()
        .map_err(FileError::on("write", &unfinished))?;
    fs::rename(&unfinished, file).map_err(FileError::on("create", file))?;
    crate::sync_dir(dir).map_err(FileError::on("write", dir))?;
    Ok(())
}

/// Idempotent: a mount of an earlier agent process is used as it is. XFS replays its log at the first mount after a crash.
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
        // The error of the mount is the one to report.
        let _ = loopdev::detach(&device);
    }
    mounted.map_err(|error| FileError::on("mount the pool on", root)(error.into()))?;
    Ok(())
}

fn is_mount_of(device: &Path, root: &Path) -> bool {
    let (Ok(device), Ok(root)) = (fs::metadata(device), fs::metadata(root)) else {
        return false;
    };
    device.rdev() == root.dev()
}
