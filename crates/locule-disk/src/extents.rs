//! How many pieces a file is in. A clone costs by the piece, and so does every look at the map of a file.

use std::fs::File;
use std::io;
use std::os::fd::AsRawFd as _;
use std::path::Path;

use crate::DiskError;
use crate::files::{copy_extents, create_private};

const FS_IOC_FIEMAP: libc::c_ulong = 0xc020_660b;

/// `struct fiemap` of the kernel without room for extents: then it only counts them.
#[repr(C)]
struct Fiemap {
    start: u64,
    length: u64,
    flags: u32,
    mapped_extents: u32,
    extent_count: u32,
    reserved: u32,
}

/// Extents of a file, shared ones and its own. Blocks.
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
        // SAFETY: the kernel reads and writes one `struct fiemap` there, which lives longer than the call.
        #[expect(unsafe_code, reason = "ioctl")]
        let result = unsafe { libc::ioctl(file.as_raw_fd(), FS_IOC_FIEMAP, &raw mut map) };
        if result < 0 {
            return Err(io::Error::last_os_error());
        }
        Ok(map.mapped_extents)
    };
    counted().map_err(DiskError::file("count the extents of", path))
}

/// Writes the same content into a new file from beginning to end, holes kept as holes, and makes it durable: what was in many
/// pieces is in few, and shares none. Ends early, as `Interrupted`, once `go_on` says so. What is half done is removed. Blocks.
pub fn rewrite(from: &Path, to: &Path, go_on: impl Fn() -> bool) -> Result<(), DiskError> {
    let written = || -> io::Result<()> {
        let source = File::open(from)?;
        let target = create_private(to)?;
        copy_extents(&source, &target, source.metadata()?.len(), go_on)?;
        target.sync_all()
    };
    written().map_err(|error| {
        let _ = std::fs::remove_file(to);
        DiskError::file("rewrite", from)(error)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::FileExt as _;

    /// Every second block written, in an order that no filesystem can put side by side.
    fn in_pieces(path: &Path) -> Vec<u8> {
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
    fn what_is_rewritten_is_the_same() {
        let folder = tempfile::tempdir().unwrap();
        let (from, to) = (folder.path().join("a"), folder.path().join("b"));
        let content = in_pieces(&from);
        assert!(extents(&from).unwrap() >= 128);
        rewrite(&from, &to, || true).unwrap();
        assert!(std::fs::read(&to).unwrap() == content);
        let allocated = crate::allocated_bytes(&to).unwrap();
        assert!(allocated < 2 << 20, "holes stay holes: {allocated}");
    }

    #[test]
    fn what_is_told_to_end_leaves_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let (from, to) = (folder.path().join("a"), folder.path().join("b"));
        in_pieces(&from);
        rewrite(&from, &to, || false).unwrap_err();
        assert!(!to.exists());
    }
}
