//! Extents of files. Fragmentation: the cost of a clone, and of every read of a file's extent map, grows with the number of extents.
//! Storage: a file occupies the extents that it shares with no other file.

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

/// Extents that are read by one call.
const EXTENTS_AT_ONCE: usize = 64;
/// `FIEMAP_EXTENT_LAST` and `FIEMAP_EXTENT_SHARED`.
const LAST: u32 = 0x1;
const SHARED: u32 = 0x2000;

/// The kernel's `struct fiemap_extent`.
#[repr(C)]
#[derive(Clone, Copy)]
struct Extent {
    logical: u64,
    physical: u64,
    length: u64,
    reserved: [u64; 2],
    flags: u32,
    reserved_flags: [u32; 3],
}

/// The kernel's `struct fiemap` with an array for extents.
#[repr(C)]
struct FiemapWithExtents {
    head: Fiemap,
    extents: [Extent; EXTENTS_AT_ONCE],
}

/// The disk space that the files of a folder occupy and share with no other file. Files that are removed meanwhile do not count.
/// Reads extent maps, no content. Blocks.
pub fn own_bytes(folder: &Path) -> Result<u64, DiskError> {
    let summed = || -> io::Result<u64> {
        let mut bytes = 0;
        for entry in std::fs::read_dir(folder)? {
            let entry = entry?;
            if !entry.file_type()?.is_file() {
                continue;
            }
            bytes += match File::open(entry.path()) {
                Ok(file) => own_bytes_of(&file)?,
                Err(error) if error.kind() == io::ErrorKind::NotFound => 0,
                Err(error) => return Err(error),
            };
        }
        Ok(bytes)
    };
    summed()
        .map_err(|source| FileError::on("read the extents of the files in", folder)(source).into())
}

fn own_bytes_of(file: &File) -> io::Result<u64> {
    let (mut bytes, mut start) = (0, 0);
    loop {
        let mut map = FiemapWithExtents {
            head: Fiemap {
                start,
                length: u64::MAX - start,
                flags: 0,
                mapped_extents: 0,
                extent_count: u32::try_from(EXTENTS_AT_ONCE).unwrap_or(u32::MAX),
                reserved: 0,
            },
            extents: [Extent {
                logical: 0,
                physical: 0,
                length: 0,
                reserved: [0; 2],
                flags: 0,
                reserved_flags: [0; 3],
            }; EXTENTS_AT_ONCE],
        };
        // SAFETY: the kernel reads and writes one `struct fiemap` with `extent_count` extents, which outlives the call.
        #[expect(unsafe_code, reason = "ioctl")]
        let result = unsafe { libc::ioctl(file.as_raw_fd(), FS_IOC_FIEMAP, &raw mut map) };
        if result < 0 {
            return Err(io::Error::last_os_error());
        }
        let mapped = usize::try_from(map.head.mapped_extents).unwrap_or(usize::MAX);
        let mapped = &map.extents[..mapped.min(EXTENTS_AT_ONCE)];
        let own = mapped.iter().filter(|extent| extent.flags & SHARED == 0);
        bytes += own.map(|extent| extent.length).sum::<u64>();
        match mapped.last() {
            Some(last) if last.flags & LAST == 0 => start = last.logical + last.length,
            _ => return Ok(bytes),
        }
    }
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
    fn the_own_bytes_of_a_folder_are_those_of_all_extents_of_its_files() {
        let folder = tempfile::tempdir().unwrap();
        write_fragmented(&folder.path().join("a"));
        std::fs::write(folder.path().join("b"), vec![1; 1 << 20]).unwrap();
        crate::sync_file(&folder.path().join("b")).unwrap();
        std::fs::create_dir(folder.path().join("c")).unwrap();
        // Every second of 256 blocks, in more extents than one call reads, and a mebibyte.
        assert_eq!(own_bytes(folder.path()).unwrap(), 128 * 4096 + (1 << 20));
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
