//! Durable writes: after a crash at any instruction a file has its old or its new content, and an acknowledged write is on
//! disk.

use std::fs::{self, File};
use std::hash::{BuildHasher as _, BuildHasherDefault, DefaultHasher};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::sync::{Mutex, PoisonError};

/// Serializes writes to the same file. Its temporary file has a fixed name, so that the next write replaces a leftover of a
/// crash.
static LOCKS: [Mutex<()>; 64] = [const { Mutex::new(()) }; 64];

/// Writes `bytes` to `path` (mode 0600) so that a reader sees either the old or the new content, also after a crash:
/// temporary file, fsync, rename, fsync of the folder. Blocks.
pub fn write_durably(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let folder = path.parent().ok_or(io::ErrorKind::InvalidInput)?;
    let name = path
        .file_name()
        .ok_or(io::ErrorKind::InvalidInput)?
        .to_string_lossy();
    let temporary = folder.join(format!(".{name}.new"));
    let hash = BuildHasherDefault::<DefaultHasher>::default().hash_one(path);
    let lock = &LOCKS[usize::try_from(hash % LOCKS.len() as u64).unwrap_or(0)];
    let _guard = lock.lock().unwrap_or_else(PoisonError::into_inner);
    let written = write_new(&temporary, bytes).and_then(|()| fs::rename(&temporary, path));
    if written.is_err() {
        // On a full disk a partial file must not take up space.
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

/// Whether an operation failed for lack of disk space.
pub fn is_full(error: &io::Error) -> bool {
    use io::ErrorKind::{QuotaExceeded, StorageFull};
    matches!(error.kind(), StorageFull | QuotaExceeded)
}

/// Makes the content and the length of a file durable. Blocks.
pub fn sync_file(path: &Path) -> io::Result<()> {
    File::open(path)?.sync_all()
}

/// Makes the entries of a folder durable. Blocks.
pub fn sync_dir(path: &Path) -> io::Result<()> {
    File::open(path)?.sync_all()
}

/// Removes a folder and everything in it. A missing folder is no error. Blocks.
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
    fn a_durable_write_replaces_the_leftover_of_a_crash() {
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
    fn concurrent_durable_writes_leave_the_content_of_one_of_them() {
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
    fn removing_a_missing_folder_succeeds() {
        remove_tree(Path::new("/no/such/folder")).unwrap();
    }
}
