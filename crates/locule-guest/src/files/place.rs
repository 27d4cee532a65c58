//! Where the bytes of an upload go: into a file beside the one that they are for, which takes its place once all are there.
//!
//! Until then the old file is as it was, also for a program that runs from it. A file in whose directory no other can be made,
//! such as one of the kernel, is written in place.

use std::fs::{File, OpenOptions, Permissions};
use std::io;
use std::os::fd::AsFd as _;
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _, fchown};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

use super::metadata::ATTRIBUTE_PREFIX;
use crate::attributes;
use crate::filesystem::make_dirs::make_dirs;
use crate::paths::{self, open_regular};
use crate::users::User;

/// How the names of unfinished files begin. Watches do not report them.
const PREFIX: &str = ".locule-upload-";
/// Ends the name of an unfinished file that replaces no other.
const NEW: &str = "-new";
const NEW_MODE: u32 = 0o644;
/// The kernel follows as many links.
const LINKS_MAX: usize = 40;

/// What the name of a file says about the upload that it belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unfinished {
    New,
    Replacing,
}

/// Whether a file of this name belongs to an upload under way.
pub(crate) fn unfinished(name: &[u8]) -> Option<Unfinished> {
    let rest = name.strip_prefix(PREFIX.as_bytes())?;
    Some(if rest.ends_with(NEW.as_bytes()) {
        Unfinished::New
    } else {
        Unfinished::Replacing
    })
}

/// A file that an upload writes and has not completed. Dropping the value unfinished removes the file.
#[derive(Debug)]
pub(super) struct Place(Option<Beside>);

#[derive(Debug)]
struct Beside {
    path: PathBuf,
    inode: u64,
    /// What the file becomes.
    target: PathBuf,
    mode: u32,
}

/// Opens the file to write. An existing file keeps its content, and gives its owner, mode and attributes to the new one.
pub(super) fn open(path: &Path, user: &User) -> io::Result<(File, Place)> {
    paths::check(path)?;
    match path.metadata() {
        Ok(meta) if meta.is_dir() => Err(io::ErrorKind::IsADirectory.into()),
        Ok(meta) if !meta.is_file() => Err(io::ErrorKind::InvalidInput.into()),
        Ok(meta) => match path
            .canonicalize()
            .and_then(|path| beside(&path, Some(&meta)))
        {
            Ok((file, place)) => {
                inherit(path, &file, &meta)?;
                Ok((file, place))
            }
            Err(error) if accepts_no_new_file(&error) => Ok((in_place(path)?, Place(None))),
            Err(error) => Err(error),
        },
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            if let Some(parent) = path.parent() {
                make_dirs(parent, user)?;
            }
            let (file, place) = beside(&target_of(path)?, None)?;
            fchown(&file, Some(user.uid), Some(user.gid))?;
            Ok((file, place))
        }
        Err(error) => Err(error),
    }
}

impl Place {
    /// Removes the content of a file that is written in place. Called after all checks.
    pub(super) fn empty(&self, file: &File) -> io::Result<()> {
        // A file of the kernel has no length, and may not accept to be shortened.
        if self.0.is_none() && file.metadata()?.len() > 0 {
            file.set_len(0)?;
        }
        Ok(())
    }

    /// Puts the complete file into its place.
    pub(super) fn finish(mut self, file: &File) -> io::Result<()> {
        let Some(beside) = &self.0 else {
            return Ok(());
        };
        // Only now: until here the file is its writer's alone. After the owner, whose change removes bits of the mode.
        file.set_permissions(Permissions::from_mode(beside.mode))?;
        match std::fs::rename(&beside.path, &beside.target) {
            Ok(()) => {
                self.0 = None;
                Ok(())
            }
            // A mount point, such as a single file of a volume, cannot be replaced.
            Err(error) if error.kind() == io::ErrorKind::ResourceBusy => {
                let mut from = File::open(&beside.path)?;
                let mut to = in_place(&beside.target)?;
                to.set_len(0)?;
                io::copy(&mut from, &mut to).map(drop)
            }
            Err(error) => Err(error),
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let Some(Beside { path, inode, .. }) = self.0.take() else {
            return;
        };
        let remove = move || {
            // Another file may have taken the path: only the one that this upload created is removed.
            if path.symlink_metadata().is_ok_and(|now| now.ino() == inode) {
                // Another process may have removed it first.
                let _ = std::fs::remove_file(&path);
            }
        };
        match tokio::runtime::Handle::try_current() {
            Ok(runtime) => drop(runtime.spawn_blocking(remove)),
            Err(_) => remove(),
        }
    }
}

/// The path that a link without a target, or a path that does not exist, stands for.
fn target_of(path: &Path) -> io::Result<PathBuf> {
    let mut target = path.to_owned();
    for _ in 0..LINKS_MAX {
        match std::fs::read_link(&target) {
            Ok(link) => {
                target.pop();
                target.push(link);
            }
            Err(_) => return Ok(target),
        }
    }
    Err(rustix::io::Errno::LOOP.into())
}

/// Creates a file in the directory of `target`, readable for no other user.
fn beside(target: &Path, old: Option<&std::fs::Metadata>) -> io::Result<(File, Place)> {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let end = if old.is_some() { "" } else { NEW };
    loop {
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let path = target.with_file_name(format!("{PREFIX}{number:08x}{end}"));
        let mut options = OpenOptions::new();
        match open_regular(&path, options.write(true).create_new(true).mode(0o600)) {
            Ok(file) => {
                let beside = Beside {
                    inode: file.metadata()?.ino(),
                    path,
                    target: target.to_owned(),
                    mode: old.map_or(NEW_MODE, |old| old.mode() & 0o7777),
                };
                return Ok((file, Place(Some(beside))));
            }
            // The name is taken, by an upload that was interrupted or by a file of the user: try the next one.
            Err(_) if path.symlink_metadata().is_ok() => {}
            Err(error) => return Err(error),
        }
    }
}

/// Gives the new file the owner and the attributes of the old one. Capabilities are left out, as after any write.
fn inherit(old: &Path, new: &File, meta: &std::fs::Metadata) -> io::Result<()> {
    fchown(new, Some(meta.uid()), Some(meta.gid()))?;
    let wanted = |name: &str| name != "security.capability" && !name.starts_with(ATTRIBUTE_PREFIX);
    if let Ok(old) = open_regular(old, OpenOptions::new().read(true)) {
        attributes::copy(old.as_fd(), new.as_fd(), wanted);
    }
    Ok(())
}

fn in_place(path: &Path) -> io::Result<File> {
    open_regular(path, OpenOptions::new().write(true))
}

fn accepts_no_new_file(error: &io::Error) -> bool {
    use io::ErrorKind::{NotFound, PermissionDenied, ReadOnlyFilesystem, Unsupported};
    matches!(
        error.kind(),
        NotFound | PermissionDenied | ReadOnlyFilesystem | Unsupported
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_of_an_unfinished_file_tells_whether_it_replaces_another() {
        let folder = tempfile::tempdir().unwrap();
        let target = folder.path().join("f");
        std::fs::write(&target, "old").unwrap();
        let meta = target.metadata().unwrap();
        for (old, expected) in [
            (None, Unfinished::New),
            (Some(&meta), Unfinished::Replacing),
        ] {
            let (_, place) = beside(&target, old).unwrap();
            let path = place.0.as_ref().unwrap().path.clone();
            let name = path.file_name().unwrap().as_encoded_bytes();
            assert_eq!(unfinished(name), Some(expected));
        }
        assert_eq!(unfinished(b".locule-uploads"), None);
        assert_eq!(unfinished(b"f"), None);
    }
}
