//! Clones and copies of files.

use std::fs::File;
use std::io;
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::Path;

use locule_base::errors::FileError;
use rustix::fs::{SeekFrom, ioctl_ficlone, seek};

use crate::DiskError;

/// Creates a file that shares every extent with `from`, in one call and without moving data. Fails where the filesystem
/// cannot share extents; it never falls back to a copy. Blocks.
pub fn clone_file(from: &Path, to: &Path) -> Result<File, DiskError> {
    let source = File::open(from).map_err(FileError::on("open", from))?;
    let target = create_private(to).map_err(FileError::on("create", to))?;
    match ioctl_ficlone(&target, &source) {
        Ok(()) => Ok(target),
        Err(error) => {
            // The file is empty, not a clone.
            let _ = std::fs::remove_file(to);
            Err(FileError::on("clone to", to)(error.into()).into())
        }
    }
}

/// Creates an empty file that only its owner can read and write.
pub(crate) fn create_private(path: &Path) -> io::Result<File> {
    File::options()
        .read(true)
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(path)
}

/// Copies a file from another filesystem, keeps its holes, and makes the copy durable. Blocks.
pub fn import_sparse(from: &Path, to: &Path) -> Result<(), DiskError> {
    let source = File::open(from).map_err(FileError::on("open", from))?;
    let length = source
        .metadata()
        .map_err(FileError::on("read the metadata of", from))?
        .len();
    let target = File::create(to).map_err(FileError::on("create", to))?;
    copy_extents(&source, &target, length, || true).map_err(FileError::on("write", to))?;
    target.sync_all().map_err(FileError::on("write", to))?;
    Ok(())
}

/// Copies the data of a file but not its holes, while `keep_going` returns true.
pub(crate) fn copy_extents(
    source: &File,
    target: &File,
    length: u64,
    keep_going: impl Fn() -> bool,
) -> io::Result<()> {
    target.set_len(length)?;
    let mut buffer = vec![0; 1024 * 1024];
    let mut at = 0;
    while at < length {
        let data = match seek(source, SeekFrom::Data(at)) {
            Ok(data) => data,
            // The rest of the file is a hole.
            Err(rustix::io::Errno::NXIO) => break,
            Err(error) => return Err(error.into()),
        };
        let end = seek(source, SeekFrom::Hole(data))?;
        at = data;
        while at < end {
            if !keep_going() {
                return Err(io::ErrorKind::Interrupted.into());
            }
            let part = usize::try_from(end - at)
                .unwrap_or(usize::MAX)
                .min(buffer.len());
            let count = rustix::io::pread(source, &mut buffer[..part], at)?;
            if count == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            let mut written = 0;
            while written < count {
                written +=
                    rustix::io::pwrite(target, &buffer[written..count], at + written as u64)?;
            }
            at += count as u64;
        }
    }
    Ok(())
}

/// The disk space that a file occupies, shared extents included.
pub fn allocated_bytes(path: &Path) -> io::Result<u64> {
    Ok(std::fs::metadata(path)?.blocks() * 512)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{Read as _, Seek as _, Write as _};

    #[test]
    fn an_imported_file_has_the_same_content_and_holes() {
        let folder = tempfile::tempdir().unwrap();
        let (from, to) = (folder.path().join("a"), folder.path().join("b"));
        let mut file = File::create(&from).unwrap();
        file.set_len(64 << 20).unwrap();
        file.seek(io::SeekFrom::Start(40 << 20)).unwrap();
        file.write_all(&vec![9; 100_000]).unwrap();
        import_sparse(&from, &to).unwrap();
        assert_eq!(std::fs::metadata(&to).unwrap().len(), 64 << 20);
        assert!(allocated_bytes(&to).unwrap() < 1 << 20);
        let mut bytes = Vec::new();
        File::open(&to).unwrap().read_to_end(&mut bytes).unwrap();
        assert_eq!(bytes, std::fs::read(&from).unwrap());
    }
}
