//! Clones and copies.

use std::fs::File;
use std::io;
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::Path;

use rustix::fs::{SeekFrom, ioctl_ficlone, seek};

use crate::DiskError;

/// A new file that shares every extent with `from`: one call, no data moved. Fails where extents cannot be shared;
/// there is no silent copy. Blocks.
pub fn clone_file(from: &Path, to: &Path) -> Result<File, DiskError> {
    let source = File::open(from).map_err(DiskError::file("open", from))?;
    let target = create_private(to).map_err(DiskError::file("create", to))?;
    match ioctl_ficlone(&target, &source) {
        Ok(()) => Ok(target),
        Err(error) => {
            // An empty file is no clone.
            let _ = std::fs::remove_file(to);
            Err(DiskError::file("clone to", to)(error.into()))
        }
    }
}

/// A new, empty file that its owner alone may read and write.
pub(crate) fn create_private(path: &Path) -> io::Result<File> {
    File::options()
        .read(true)
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(path)
}

/// Copies a file from another filesystem, holes kept as holes, and makes it durable. Blocks.
pub fn import_sparse(from: &Path, to: &Path) -> Result<(), DiskError> {
    let source = File::open(from).map_err(DiskError::file("open", from))?;
    let length = source
        .metadata()
        .map_err(DiskError::file("look at", from))?
        .len();
    let target = File::create(to).map_err(DiskError::file("create", to))?;
    copy_extents(&source, &target, length, || true).map_err(DiskError::file("write", to))?;
    target.sync_all().map_err(DiskError::file("write", to))
}

/// Copies what is no hole, and asks before each step whether to go on.
pub(crate) fn copy_extents(
    source: &File,
    target: &File,
    length: u64,
    go_on: impl Fn() -> bool,
) -> io::Result<()> {
    target.set_len(length)?;
    let mut buffer = vec![0; 1024 * 1024];
    let mut at = 0;
    while at < length {
        let data = match seek(source, SeekFrom::Data(at)) {
            Ok(data) => data,
            // Only a hole is left.
            Err(rustix::io::Errno::NXIO) => break,
            Err(error) => return Err(error.into()),
        };
        let end = seek(source, SeekFrom::Hole(data))?;
        at = data;
        while at < end {
            if !go_on() {
                return Err(io::ErrorKind::Interrupted.into());
            }
            let wanted = usize::try_from(end - at)
                .unwrap_or(usize::MAX)
                .min(buffer.len());
            let count = rustix::io::pread(source, &mut buffer[..wanted], at)?;
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

/// Bytes a file occupies, shared extents included.
pub fn allocated_bytes(path: &Path) -> io::Result<u64> {
    Ok(std::fs::metadata(path)?.blocks() * 512)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{Read as _, Seek as _, Write as _};

    #[test]
    fn an_import_keeps_content_and_holes() {
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
