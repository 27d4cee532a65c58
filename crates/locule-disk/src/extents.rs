//! Fragmentation of files: the cost of a clone, and of every read of a file's extent map, grows with the number of extents.

use std::fs::File;
use std::io;
use std::os::fd::AsRawFd as _;
use std::path::Path;

use locule_base::errors::FileError;

use crate::DiskError;
use crate::files::{copy_extents, create_private};

const FS_IOC_FIEMAP: libc::c_ulong = 0xc020_660b;

/// The kernel's `struct fiemap` without an array for extents: the kernel then only counts them.
#[repr(C)]
struct Fiemap {
    start: u64,
    length: u64,
    flags: u32,
    mapped_extents: u32,
    extent_count: u32,
    reserved: u32,
}

/// The number of extents of a file, shared ones included. Blocks.
pub fn extents(path: &Path) -> Result<u32, DiskError> {
    let counted = || -> io::Result<u32> {
        let file = File::open(path)?;
        let mut map = Fiemap {
            start: 0,
            length: u64::MAX,
            flags: 0,
            mapped_extents: 0,
            extent_count: 0,
            reserved: 0,
        };
        // SAFETY: the kernel reads and writes one `struct fiemap`, which outlives the call.
        #[expect(unsafe_code, reason = "ioctl")]
        let result = unsafe { libc::ioctl(file.as_raw_fd(), FS_IOC_FIEMAP, &raw mut map) };
        if result < 0 {
            return Err(io::Error::last_os_error());
        }
        Ok(map.mapped_extents)
    };
    counted().map_err(|source| FileError::on("count the extents of", path)(source).into())
}

/// Defragments a file: copies its content to a new file from beginning to end, keeps holes, and makes the copy durable. The
/// copy has few extents and shares none. Fails with `Interrupted` once `keep_going` returns false. A failure removes the
/// partial copy. Blocks.
pub fn rewrite(from: &Path, to: &Path, keep_going: impl Fn() -> bool) -> Result<(), DiskError> {
    let written = || -> io::Result<()> {
        let source = File::open(from)?;
        let target = create_private(to)?;
        copy_extents(&source, &target, source.metadata()?.len(), keep_going)?;
        target.sync_all()
    };
    written().map_err(|error| {
        let _ = std::fs::remove_file(to);
        FileError::on("rewrite", from)(error).into()
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::FileExt as _;

    /// Writes every second block, in an order that no filesystem can merge into large extents.
    fn write_fragmented(path: &Path) -> Vec<u8> {
        let file = File::create(path).unwrap();
        file.set_len(64 << 20).unwrap();
        for block in (0..256_u64).rev().filter(|block| block % 2 == 0) {
            let byte = u8::try_from(block).unwrap();
            file.write_all_at(&vec![byte; 4096], block * 4096).unwrap();
            file.sync_all().unwrap();
        }
        std::fs::read(path).unwrap()
    }

    #[test]
    fn a_rewritten_file_has_the_same_content_and_holes() {
        let folder = tempfile::tempdir().unwrap();
        let (from, to) = (folder.path().join("a"), folder.path().join("b"));
        let content = write_fragmented(&from);
        assert!(extents(&from).unwrap() >= 128);
        rewrite(&from, &to, || true).unwrap();
        assert!(std::fs::read(&to).unwrap() == content);
        let allocated = crate::allocated_bytes(&to).unwrap();
        assert!(allocated < 2 << 20, "holes stay holes: {allocated}");
    }

    #[test]
    fn an_interrupted_rewrite_leaves_no_file() {
        let folder = tempfile::tempdir().unwrap();
        let (from, to) = (folder.path().join("a"), folder.path().join("b"));
        write_fragmented(&from);
        rewrite(&from, &to, || false).unwrap_err();
        assert!(!to.exists());
    }
}
