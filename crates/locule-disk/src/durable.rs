//! Writing that survives a crash at any instruction: whole or not at all, and on the disk before it is told.

use std::fs::{self, File};
use std::hash::{BuildHasher as _, BuildHasherDefault, DefaultHasher};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::sync::{Mutex, PoisonError};

/// Two who write one file take turns: its temporary has one name, so that the next write takes over what a crash left.
static TURNS: [Mutex<()>; 64] = [const { Mutex::new(()) }; 64];

/// Writes `bytes` to `path` (mode 0600) so that a reader sees the old content or the new, also after a crash:
/// temporary file, fsync, rename, fsync of the folder. Blocks.
pub fn write_durably(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let folder = path.parent().ok_or(io::ErrorKind::InvalidInput)?;
    let name = path
        .file_name()
        .ok_or(io::ErrorKind::InvalidInput)?
        .to_string_lossy();
    let temporary = folder.join(format!(".{name}.new"));
    let hash = BuildHasherDefault::<DefaultHasher>::default().hash_one(path);
    let turn = &TURNS[usize::try_from(hash % TURNS.len() as u64).unwrap_or(0)];
    let _turn = turn.lock().unwrap_or_else(PoisonError::into_inner);
    let written = write_new(&temporary, bytes).and_then(|()| fs::rename(&temporary, path));
    if written.is_err() {
        // On a full disk half a file must not keep the room that others need.
        let _ = fs::remove_file(&temporary);
    }
    written?;
    sync_dir(folder)
}

fn write_new(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = File::options()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

/// Whether something failed for want of room, and would succeed once there is some.
pub fn is_full(error: &io::Error) -> bool {
    use io::ErrorKind::{QuotaExceeded, StorageFull};
    matches!(error.kind(), StorageFull | QuotaExceeded)
}

/// Makes a file's content and length durable. Blocks.
pub fn sync_file(path: &Path) -> io::Result<()> {
    File::open(path)?.sync_all()
}

/// Makes a folder's names durable. Blocks.
pub fn sync_dir(path: &Path) -> io::Result<()> {
    File::open(path)?.sync_all()
}

/// Removes a folder and everything in it. Absent is success. Blocks.
pub fn remove_tree(path: &Path) -> io::Result<()> {
    match fs::remove_dir_all(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_leftover_of_a_crash_does_not_matter() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("manifest.json");
        write_durably(&path, b"old").unwrap();
        fs::write(
            folder.path().join(".manifest.json.new"),
            b"half of something very long",
        )
        .unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"old");
        write_durably(&path, b"new").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"new");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn two_who_write_one_file_leave_one_of_their_contents() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("tombstone");
        std::thread::scope(|scope| {
            for letter in [b'a', b'b', b'c', b'd'] {
                let path = &path;
                scope.spawn(move || {
                    for _ in 0..20 {
                        write_durably(path, &[letter; 4096]).unwrap();
                    }
                });
            }
        });
        let left = fs::read(&path).unwrap();
        assert_eq!(left, vec![left[0]; 4096]);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn removing_what_is_not_there_succeeds() {
        remove_tree(Path::new("/no/such/folder")).unwrap();
    }
}
