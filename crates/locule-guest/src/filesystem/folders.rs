//! The directories of one watch: the kernel's events, with paths relative to the watched root.
//!
//! There is one inotify instance per watch and one kernel watch per directory. A new directory joins a recursive watch. Files
//! that were created in it before it joined are reported as if the kernel had reported them.

use std::collections::{HashMap, HashSet};
use std::ffi::{OsStr, OsString};
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStringExt as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use locule_guest_api::proto::filesystem::EventType;
use rustix::fs::inotify::{self, ReadFlags, WatchFlags};
use rustix::io::Errno;

use crate::files::place::{Unfinished, unfinished};

/// Limit of directories in one recursive watch.
const FOLDERS_MAX: usize = 8192;
/// Limit of events in one read, twice what the kernel queues: a busy directory must not occupy its reader for ever.
const READ_MAX: usize = 32 * 1024;
/// Limit of renames of uploads whose second half is awaited.
const PLACED_MAX: usize = 64;
/// Fits several events that each have the longest name.
const BUFFER_BYTES: usize = 16 * 1024;

/// NFS, SMB 1 and 2, CIFS, 9P, Ceph, AFS, Coda, NCP, and FUSE, which may wrap any of them. The kernel does not report changes
/// that other machines make.
const NETWORK: [u32; 10] = [
    0x6969,
    0x517B,
    0xFE53_4D42,
    0xFF53_4D42,
    0x0102_1997,
    0x00C3_6400,
    0x5346_414F,
    0x7375_7245,
    0x564C,
    0x6573_5546,
];
/// proc, sysfs and cgroup2: thousands of directories that produce no events.
const KERNEL: [u32; 3] = [0x9FA0, 0x6265_6572, 0x6367_7270];

/// A watch to open.
#[derive(Debug, Clone)]
pub(super) struct WatchSpec {
    pub(super) root: PathBuf,
    pub(super) recursive: bool,
    pub(super) include_entry: bool,
    pub(super) network_mounts: bool,
}

/// A change, before the changed file is described.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Change {
    /// Relative to the root; empty for the root itself.
    pub(super) path: PathBuf,
    pub(super) kind: EventType,
}

#[derive(Debug)]
pub(super) struct Folders {
    spec: WatchSpec,
    device: u64,
    root_watch: i32,
    /// Paths relative to the root.
    by_watch: HashMap<i32, PathBuf>,
    /// Paths that were found in a directory that had just joined, and are reported: the kernel may report them again.
    reported: HashSet<PathBuf>,
    /// Complete uploads that are being renamed to their place, by the kernel's number of the rename.
    placed: HashMap<u32, Unfinished>,
}

/// The result of one read.
#[derive(Debug, Default)]
pub(super) struct Read {
    pub(super) changes: Vec<Change>,
    /// Events were lost: the kernel's queue overflowed, or the watch has more directories than its limit.
    pub(super) lost: bool,
    /// More events may be ready.
    pub(super) more: bool,
}

pub(super) fn is_network_mount(path: &Path) -> io::Result<bool> {
    Ok(NETWORK.contains(&file_system(path)?))
}

/// The magic number of the file system at `path`. Each has 32 bits; on some platforms the field is wider or signed.
fn file_system(path: &Path) -> io::Result<u32> {
    let number = rustix::fs::statfs(path)?.f_type;
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "magic numbers are 32 bits wide"
    )]
    Ok(number as u32)
}

impl Folders {
    /// Starts watching through `fd`, an inotify instance for this watch alone.
    pub(super) fn new(spec: WatchSpec, fd: BorrowedFd<'_>) -> io::Result<Self> {
        let mut folders = Self {
            device: spec.root.metadata()?.dev(),
            spec,
            root_watch: 0,
            by_watch: HashMap::new(),
            reported: HashSet::new(),
            placed: HashMap::new(),
        };
        let flags = interest();
        folders.root_watch = inotify::add_watch(fd, &folders.spec.root, flags)?;
        folders.join(fd, PathBuf::new(), None)?;
        Ok(folders)
    }

    fn absolute(&self, path: &Path) -> PathBuf {
        self.spec.root.join(path)
    }

    /// Adds a directory, and all below it if the watch is recursive. Files that are there already are added to `found`.
    fn join(
        &mut self,
        fd: BorrowedFd<'_>,
        folder: PathBuf,
        mut found: Option<&mut Vec<Change>>,
    ) -> io::Result<()> {
        let mut pending = vec![folder];
        while let Some(folder) = pending.pop() {
            if folder.as_os_str().is_empty() {
                self.by_watch.insert(self.root_watch, PathBuf::new());
            } else {
                let path = self.absolute(&folder);
                match inotify::add_watch(fd, &path, interest() | WatchFlags::DONT_FOLLOW) {
                    Ok(watch) => self.by_watch.insert(watch, folder.clone()),
                    Err(Errno::NOSPC) => return Err(Errno::NOSPC.into()),
                    // Removed or replaced in the meantime, or not watchable.
                    Err(_) => continue,
                };
            }
            if !self.spec.recursive {
                continue;
            }
            if self.by_watch.len() > FOLDERS_MAX {
                return Err(io::ErrorKind::QuotaExceeded.into());
            }
            self.scan(&folder, &mut pending, found.as_deref_mut());
        }
        Ok(())
    }

    fn scan(
        &mut self,
        folder: &Path,
        pending: &mut Vec<PathBuf>,
        mut found: Option<&mut Vec<Change>>,
    ) {
        for entry in std::fs::read_dir(self.absolute(folder))
            .into_iter()
            .flatten()
        {
            // An entry may be removed while it is examined.
            let Ok(entry) = entry else { continue };
            let Ok(meta) = entry.metadata() else { continue };
            if unfinished(entry.file_name().as_encoded_bytes()).is_some() {
                continue;
            }
            let path = folder.join(entry.file_name());
            if let Some(found) = &mut found
                && found.len() < READ_MAX
            {
                let kinds = [EventType::EVENT_TYPE_CREATE, EventType::EVENT_TYPE_WRITE];
                let written = meta.is_file() && meta.len() > 0;
                for kind in kinds.into_iter().take(if written { 2 } else { 1 }) {
                    let path = path.clone();
                    found.push(Change { path, kind });
                }
                self.reported.insert(path.clone());
            }
            if meta.is_dir() && self.may_enter(&entry.path(), meta.dev()) {
                pending.push(path);
            }
        }
    }

    /// Whether a recursive watch enters a directory: not if it is on a kernel or, unless permitted, a network file system.
    fn may_enter(&self, path: &Path, device: u64) -> bool {
        device == self.device
            || file_system(path).is_ok_and(|number| {
                !KERNEL.contains(&number)
                    && (self.spec.network_mounts || !NETWORK.contains(&number))
            })
    }

    /// Reads the events that the kernel has queued.
    pub(super) fn read(&mut self, fd: &OwnedFd) -> Read {
        let mut buffer = vec![MaybeUninit::uninit(); BUFFER_BYTES];
        let mut reader = inotify::Reader::new(fd, &mut buffer);
        let mut read = Read::default();
        let mut left = Vec::new();
        for _ in 0..READ_MAX {
            let event = match reader.next() {
                Ok(event) => event,
                Err(Errno::INTR) => continue,
                Err(_) => {
                    self.reported.clear();
                    self.leave(fd.as_fd(), left);
                    return read;
                }
            };
            let name = event
                .file_name()
                .map(|name| OsString::from_vec(name.to_bytes().to_vec()));
            if self.upload(
                event.wd(),
                event.events(),
                event.cookie(),
                name.as_deref(),
                &mut read,
            ) {
                continue;
            }
            self.take(fd, event.wd(), event.events(), name, &mut read, &mut left);
        }
        self.leave(fd.as_fd(), left);
        read.more = true;
        read
    }

    /// Reports an upload as if it had been written in place: its events while it is incomplete are dropped, and its rename is
    /// what a write of the file would have been. `true`: the event belongs to an upload.
    fn upload(
        &mut self,
        watch: i32,
        flags: ReadFlags,
        cookie: u32,
        name: Option<&OsStr>,
        read: &mut Read,
    ) -> bool {
        use EventType as E;
        let Some(name) = name else { return false };
        if let Some(upload) = unfinished(name.as_encoded_bytes()) {
            if flags.contains(ReadFlags::MOVED_FROM) {
                // A rename that leaves the watched directories has no second half.
                if self.placed.len() >= PLACED_MAX {
                    self.placed.clear();
                }
                self.placed.insert(cookie, upload);
            }
            return true;
        }
        let moved_to = flags.contains(ReadFlags::MOVED_TO);
        let Some(upload) = moved_to.then(|| self.placed.remove(&cookie)).flatten() else {
            return false;
        };
        let Some(folder) = self.by_watch.get(&watch) else {
            return true;
        };
        let path = folder.join(name);
        if self.reported.remove(&path) {
            return true;
        }
        let is_empty = self
            .absolute(&path)
            .metadata()
            .is_ok_and(|meta| meta.len() == 0);
        let kinds: &[E] = match upload {
            Unfinished::New if is_empty => &[E::EVENT_TYPE_CREATE, E::EVENT_TYPE_CHMOD],
            Unfinished::New => &[
                E::EVENT_TYPE_CREATE,
                E::EVENT_TYPE_CHMOD,
                E::EVENT_TYPE_WRITE,
            ],
            Unfinished::Replacing => &[E::EVENT_TYPE_WRITE],
        };
        for kind in kinds {
            read.changes.push(Change {
                path: path.clone(),
                kind: *kind,
            });
        }
        true
    }

    fn take(
        &mut self,
        fd: &OwnedFd,
        watch: i32,
        flags: ReadFlags,
        name: Option<OsString>,
        read: &mut Read,
        left: &mut Vec<(i32, PathBuf)>,
    ) {
        if flags.contains(ReadFlags::QUEUE_OVERFLOW) {
            read.lost = true;
        }
        if flags.contains(ReadFlags::IGNORED) {
            self.by_watch.remove(&watch);
            return;
        }
        let (Some(folder), Some(kind)) = (self.by_watch.get(&watch), kind(flags)) else {
            return;
        };
        let path = match name {
            Some(name) => folder.join(name),
            None if watch == self.root_watch => PathBuf::new(),
            // The parent of a directory below the root reports the same event.
            None => return,
        };
        if kind == EventType::EVENT_TYPE_CREATE && self.reported.remove(&path) {
            return;
        }
        let change = path.clone();
        read.changes.push(Change { path: change, kind });
        if !self.spec.recursive || !flags.contains(ReadFlags::ISDIR) {
            return;
        }
        if flags.contains(ReadFlags::MOVED_FROM) {
            let below = self.by_watch.iter().filter(|(_, at)| at.starts_with(&path));
            left.extend(below.map(|(watch, at)| (*watch, at.clone())));
        }
        // The kernel recognizes a renamed directory and returns the same watch number, now for its new path.
        let joined = if flags.contains(ReadFlags::CREATE) {
            self.join(fd.as_fd(), path, Some(&mut read.changes))
        } else if flags.contains(ReadFlags::MOVED_TO) {
            self.join(fd.as_fd(), path, None)
        } else {
            Ok(())
        };
        read.lost |= joined.is_err();
    }

    /// Removes the directories that were moved away and did not reappear elsewhere below the root.
    fn leave(&mut self, fd: BorrowedFd<'_>, left: Vec<(i32, PathBuf)>) {
        for (watch, path) in left {
            if self.by_watch.get(&watch) == Some(&path) {
                self.by_watch.remove(&watch);
                // The kernel may have removed the watch itself.
                let _ = inotify::remove_watch(fd, watch);
            }
        }
    }
}

fn interest() -> WatchFlags {
    WatchFlags::ONLYDIR
        | WatchFlags::CREATE
        | WatchFlags::MODIFY
        | WatchFlags::DELETE
        | WatchFlags::DELETE_SELF
        | WatchFlags::MOVE
        | WatchFlags::MOVE_SELF
        | WatchFlags::ATTRIB
}

fn kind(flags: ReadFlags) -> Option<EventType> {
    let kinds = [
        (
            ReadFlags::CREATE | ReadFlags::MOVED_TO,
            EventType::EVENT_TYPE_CREATE,
        ),
        (ReadFlags::MODIFY, EventType::EVENT_TYPE_WRITE),
        (
            ReadFlags::DELETE | ReadFlags::DELETE_SELF,
            EventType::EVENT_TYPE_REMOVE,
        ),
        (
            ReadFlags::MOVED_FROM | ReadFlags::MOVE_SELF,
            EventType::EVENT_TYPE_RENAME,
        ),
        (ReadFlags::ATTRIB, EventType::EVENT_TYPE_CHMOD),
    ];
    let found = kinds.into_iter().find(|(any, _)| flags.intersects(*any));
    found.map(|(_, kind)| kind)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn local_file_systems_are_not_network_mounts() {
        for local in ["/", "/proc", "/tmp"] {
            assert!(!is_network_mount(Path::new(local)).unwrap(), "{local}");
        }
        is_network_mount(Path::new("/no/such")).unwrap_err();
    }
}
