//! Guest memory that many VMMs map and none can change.

use std::fs::File;
use std::io;
use std::os::fd::OwnedFd;

use rustix::fs::{MemfdFlags, SealFlags, SeekFrom, seek};

/// Copies the data extents of the memory file `image` into a memfd and seals the memfd against writes for good.
pub fn seal_memory(image: &File) -> io::Result<OwnedFd> {
    let length = image.metadata()?.len();
    let memfd = rustix::fs::memfd_create(
        c"locule-memory",
        MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING,
    )?;
    rustix::fs::ftruncate(&memfd, length)?;
    let mut at = 0;
    while at < length {
        let data = match seek(image, SeekFrom::Data(at)) {
            Ok(data) => data,
            // The rest of the file is a hole.
            Err(rustix::io::Errno::NXIO) => break,
            Err(error) => return Err(error.into()),
        };
        let end = seek(image, SeekFrom::Hole(data))?;
        copy(image, &memfd, data, end)?;
        at = end;
    }
    let seals = SealFlags::WRITE | SealFlags::SHRINK | SealFlags::GROW | SealFlags::SEAL;
    rustix::fs::fcntl_add_seals(&memfd, seals)?;
    Ok(memfd)
}

fn copy(from: &File, to: &OwnedFd, start: u64, end: u64) -> io::Result<()> {
    let mut buffer = vec![0; 1024 * 1024];
    let mut at = start;
    while at < end {
        let part = usize::try_from(end - at)
            .unwrap_or(usize::MAX)
            .min(buffer.len());
        let count = rustix::io::pread(from, &mut buffer[..part], at)?;
        if count == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let mut written = 0;
        while written < count {
            written += rustix::io::pwrite(to, &buffer[written..count], at + written as u64)?;
        }
        at += count as u64;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{Seek as _, Write as _};

    #[test]
    fn sealed_memory_has_the_bytes_of_the_file_and_refuses_writes() {
        let mut image = tempfile::tempfile().unwrap();
        image.set_len(4 << 20).unwrap();
        image.seek(io::SeekFrom::Start(1 << 20)).unwrap();
        image.write_all(&[7; 5000]).unwrap();
        let sealed = seal_memory(&image).unwrap();
        let mut bytes = vec![0; 4 << 20];
        assert_eq!(
            rustix::io::pread(&sealed, &mut bytes, 0).unwrap(),
            bytes.len()
        );
        assert!(bytes[1 << 20..][..5000].iter().all(|byte| *byte == 7));
        assert_eq!(bytes.iter().filter(|byte| **byte != 0).count(), 5000);
        assert_eq!(
            rustix::io::pwrite(&sealed, &[1], 0),
            Err(rustix::io::Errno::PERM)
        );
    }
}
