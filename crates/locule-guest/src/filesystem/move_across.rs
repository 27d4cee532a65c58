//! Moves a file or directory to another file system: copies it beside the destination, gives the copy the destination's name,
//! and removes the source.
//!
//! Types, owners, modes, times, extended attributes and holes are copied. Hard links become files of their own. No link is
//! followed below the two parent directories, so that a program which exchanges a directory for a link changes nothing else.

use std::ffi::{CStr, CString, OsString};
use std::fs::File;
use std::io::{self, Read as _, Seek as _};
use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

use rustix::fs::{
    AtFlags, CWD, Dir, FileType, Gid, Mode, OFlags, RenameFlags, SeekFrom, Stat, Timespec,
    Timestamps, Uid,
};
use rustix::io::Errno;

use super::remove::remove_tree;
use crate::attributes;

/// Limit of directories within each other. Each takes two descriptors while it is copied.
const DEPTH_MAX: usize = 256;

/// Moves `source` to `destination` as `renameat2` would with these flags.
pub(super) fn move_across(source: &Path, destination: &Path, flags: RenameFlags) -> io::Result<()> {
    // Before anything is copied; the rename at the end decides.
    if flags.contains(RenameFlags::NOREPLACE) && destination.symlink_metadata().is_ok() {
        return Err(io::ErrorKind::AlreadyExists.into());
    }
    let (from, name) = parent_of(source)?;
    let (to, new_name) = parent_of(destination)?;
    let stat = rustix::fs::statat(&from, &*name, AtFlags::SYMLINK_NOFOLLOW)?;
    if stat.st_dev != rustix::fs::fstat(&from)?.st_dev {
        return Err(mounted());
    }
    let copy = free_name(destination);
    let (_, copy_name) = parent_of(&copy)?;
    let copied = copy_entry(
        stat.st_dev,
        (from.as_fd(), &name),
        (to.as_fd(), &copy_name),
        0,
    );
    let placed = copied.and_then(|()| {
        rustix::fs::renameat_with(&to, &*copy_name, &to, &*new_name, flags)?;
        Ok(())
    });
    if let Err(error) = placed {
        // Nothing may be there yet.
        let _ = remove(&copy);
        return Err(error);
    }
    remove(source)
}

fn remove(path: &Path) -> io::Result<()> {
    if path.symlink_metadata()?.is_dir() {
        remove_tree(path)
    } else {
        std::fs::remove_file(path)
    }
}

fn mounted() -> io::Error {
    io::Error::new(
        io::ErrorKind::ResourceBusy,
        "a file system is mounted there",
    )
}

/// The open parent directory of a path, and the name in it.
fn parent_of(path: &Path) -> io::Result<(OwnedFd, CString)> {
    let invalid = || io::Error::from(io::ErrorKind::InvalidInput);
    let (Some(parent), Some(name)) = (path.parent(), path.file_name()) else {
        return Err(invalid());
    };
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let parent = rustix::fs::openat(CWD, parent, flags, Mode::empty())?;
    let name = CString::new(name.as_bytes()).map_err(|_| invalid())?;
    Ok((parent, name))
}

fn free_name(destination: &Path) -> PathBuf {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    loop {
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let name = OsString::from(format!(".locule-moved-{number:08x}"));
        let path = destination.with_file_name(name);
        if path.symlink_metadata().is_err() {
            return path;
        }
    }
}

/// A name in an open directory.
type Place<'a> = (BorrowedFd<'a>, &'a CStr);

fn copy_entry(device: u64, from: Place<'_>, to: Place<'_>, depth: usize) -> io::Result<()> {
    let stat = rustix::fs::statat(from.0, from.1, AtFlags::SYMLINK_NOFOLLOW)?;
    if stat.st_dev != device {
        return Err(mounted());
    }
    let open = |place: Place<'_>, flags: OFlags| {
        let flags = flags | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        rustix::fs::openat(place.0, place.1, flags, Mode::RUSR | Mode::WUSR)
    };
    let kind = FileType::from_raw_mode(stat.st_mode);
    match kind {
        FileType::Directory => {
            if depth == DEPTH_MAX {
                return Err(io::ErrorKind::InvalidFilename.into());
            }
            rustix::fs::mkdirat(to.0, to.1, Mode::RWXU)?;
            let source = open(from, OFlags::RDONLY | OFlags::DIRECTORY)?;
            let copy = open(to, OFlags::RDONLY | OFlags::DIRECTORY)?;
            for entry in Dir::read_from(&source)? {
                let entry = entry?;
                let name = entry.file_name();
                if !matches!(name.to_bytes(), b"." | b"..") {
                    copy_entry(
                        device,
                        (source.as_fd(), name),
                        (copy.as_fd(), name),
                        depth + 1,
                    )?;
                }
            }
            finish(&source, &copy, &stat)
        }
        FileType::RegularFile => {
            let mut source = File::from(open(from, OFlags::RDONLY)?);
            let mut copy = File::from(open(to, OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL)?);
            copy_content(&mut source, &mut copy)?;
            finish(&source.into(), &copy.into(), &stat)
        }
        FileType::Symlink => {
            let target = rustix::fs::readlinkat(from.0, from.1, Vec::new())?;
            rustix::fs::symlinkat(&*target, to.0, to.1)?;
            own(to, &stat)
        }
        FileType::Fifo | FileType::Socket | FileType::CharacterDevice | FileType::BlockDevice => {
            let mode = Mode::from_raw_mode(stat.st_mode);
            rustix::fs::mknodat(to.0, to.1, kind, mode, stat.st_rdev)?;
            own(to, &stat)?;
            rustix::fs::chmodat(to.0, to.1, mode, AtFlags::empty())?;
            Ok(())
        }
        FileType::Unknown => Err(io::ErrorKind::Unsupported.into()),
    }
}

/// Copies the bytes of a file that have been written, and leaves its holes.
fn copy_content(from: &mut File, to: &mut File) -> io::Result<()> {
    let length = from.metadata()?.len();
    let mut at = 0;
    while at < length {
        let start = match rustix::fs::seek(&*from, SeekFrom::Data(at)) {
            Ok(start) => start,
            // The rest is a hole.
            Err(Errno::NXIO) => break,
            // The file system does not tell.
            Err(_) => at,
        };
        let end = rustix::fs::seek(&*from, SeekFrom::Hole(start)).unwrap_or(length);
        from.seek(io::SeekFrom::Start(start))?;
        to.seek(io::SeekFrom::Start(start))?;
        io::copy(&mut from.take(end - start), to)?;
        at = end;
    }
    to.set_len(length)?;
    // What a program appended meanwhile.
    from.seek(io::SeekFrom::Start(length))?;
    to.seek(io::SeekFrom::Start(length))?;
    io::copy(from, to)?;
    Ok(())
}

/// Gives a copied file or directory the owner, the attributes, the mode and the times of the original.
fn finish(from: &OwnedFd, to: &OwnedFd, stat: &Stat) -> io::Result<()> {
    rustix::fs::fchown(
        to,
        Some(Uid::from_raw(stat.st_uid)),
        Some(Gid::from_raw(stat.st_gid)),
    )?;
    attributes::copy(from.as_fd(), to.as_fd(), |_| true);
    // After the owner, whose change removes the bits set-user-id and set-group-id.
    rustix::fs::fchmod(to, Mode::from_raw_mode(stat.st_mode))?;
    rustix::fs::futimens(to, &times(stat))?;
    Ok(())
}

fn own(place: Place<'_>, stat: &Stat) -> io::Result<()> {
    let flags = AtFlags::SYMLINK_NOFOLLOW;
    let (user, group) = (Uid::from_raw(stat.st_uid), Gid::from_raw(stat.st_gid));
    rustix::fs::chownat(place.0, place.1, Some(user), Some(group), flags)?;
    rustix::fs::utimensat(place.0, place.1, &times(stat), flags)?;
    Ok(())
}

fn times(stat: &Stat) -> Timestamps {
    let time = |seconds, nanoseconds: u64| Timespec {
        tv_sec: seconds,
        tv_nsec: nanoseconds.cast_signed(),
    };
    Timestamps {
        last_access: time(stat.st_atime, stat.st_atime_nsec),
        last_modification: time(stat.st_mtime, stat.st_mtime_nsec),
    }
}
