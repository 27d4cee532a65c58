//! Removes a directory tree of any depth with a bounded stack and a bounded number of open directories.

use std::io;
use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};
use std::path::Path;

use rustix::fs::{AtFlags, Dir, Mode, OFlags};
use rustix::io::Errno;

/// Directories below this depth are moved to the top directory first, and emptied there.
const DEPTH_MAX: usize = 64;

/// Removes a directory and its contents. Links in it are removed, never followed.
pub(super) fn remove_tree(path: &Path) -> io::Result<()> {
    let top = rustix::fs::open(path, folder(), Mode::empty())?;
    let mut removal = Removal {
        top: top.as_fd(),
        moved_up: 0,
    };
    loop {
        let before = removal.moved_up;
        removal.empty(top.as_fd(), 0)?;
        // Reading the top directory may have missed what was moved into it meanwhile.
        if removal.moved_up == before {
            break;
        }
    }
    std::fs::remove_dir(path)
}

fn folder() -> OFlags {
    OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC
}

struct Removal<'a> {
    top: BorrowedFd<'a>,
    moved_up: u64,
}

impl Removal<'_> {
    fn empty(&mut self, dir: BorrowedFd<'_>, depth: usize) -> rustix::io::Result<()> {
        for entry in Dir::read_from(dir)? {
            let entry = entry?;
            let name = entry.file_name();
            if matches!(name.to_bytes(), b"." | b"..") {
                continue;
            }
            match rustix::fs::unlinkat(dir, name, AtFlags::empty()) {
                // Removed by another process.
                Ok(()) | Err(Errno::NOENT) => continue,
                Err(Errno::ISDIR | Errno::PERM) => {}
                Err(error) => return Err(error),
            }
            if depth == DEPTH_MAX {
                self.move_up(dir, name)?;
                continue;
            }
            let sub: OwnedFd = rustix::fs::openat(dir, name, folder(), Mode::empty())?;
            self.empty(sub.as_fd(), depth + 1)?;
            drop(sub);
            match rustix::fs::unlinkat(dir, name, AtFlags::REMOVEDIR) {
                Ok(()) | Err(Errno::NOENT) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    fn move_up(&mut self, dir: BorrowedFd<'_>, name: &std::ffi::CStr) -> rustix::io::Result<()> {
        loop {
            self.moved_up += 1;
            let free = format!(".locule-removed-{}", self.moved_up);
            match rustix::fs::renameat(dir, name, self.top, free.as_str()) {
                // The name is taken: try the next one.
                Err(Errno::NOTEMPTY | Errno::EXIST | Errno::NOTDIR) => {}
                done => return done,
            }
        }
    }
}
