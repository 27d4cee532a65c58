//! A memory image that many VMMs may map and none can change.

use std::fs::File;
use std::io;
use std::os::fd::OwnedFd;

use rustix::fs::{MemfdFlags, SealFlags, SeekFrom, seek};

/// Copies the non-zero extents of `image` into a memfd and seals it against writes, for ever.
pub fn seal_image(image: &File) -> io::Result<OwnedFd> {
    let length = image.metadata()?.len();
    let memfd = rustix::fs::memfd_create(
        c"locule-image",
        MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING,
    )?;
    rustix::fs::ftruncate(&memfd, length)?;
    let mut at = 0;
    while at < length {
        let data = match seek(image, SeekFrom::Data(at)) {
            Ok(data) => data,
            // Only a hole is left.
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
        let wanted = usize::try_from(end - at)
            .unwrap_or(usize::MAX)
            .min(buffer.len());
        let count = rustix::io::pread(from, &mut buffer[..wanted], at)?;
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
    fn a_sealed_image_holds_the_same_bytes_and_refuses_writes() {
        let mut image = tempfile::tempfile().unwrap();
        image.set_len(4 << 20).unwrap();
        image.seek(io::SeekFrom::Start(1 << 20)).unwrap();
        image.write_all(&[7; 5000]).unwrap();
        let sealed = seal_image(&image).unwrap();
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
