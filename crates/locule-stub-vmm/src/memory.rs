//! Guest memory: the file that the driver passed, mapped as QEMU maps it.

use std::os::fd::{BorrowedFd, RawFd};

use anyhow::{Context as _, Result, ensure};
use rustix::mm::{MapFlags, ProtFlags, mmap};

/// A mapping that lasts until the process exits.
#[derive(Debug)]
pub(crate) struct Memory {
    base: *mut u8,
    bytes: usize,
}

#[expect(unsafe_code, reason = "the mapping has one owner, on any thread")]
// SAFETY: nothing else in this process uses the mapping.
unsafe impl Send for Memory {}

impl Memory {
    pub(crate) fn map(fd: RawFd, bytes: usize, shared: bool) -> Result<Self> {
        let flags = if shared {
            MapFlags::SHARED
        } else {
            MapFlags::PRIVATE
        };
        // SAFETY: the driver passed the descriptor, and this process never closes it.
        #[expect(unsafe_code, reason = "a descriptor by number")]
        let file = unsafe { BorrowedFd::borrow_raw(fd) };
        let length = rustix::fs::fstat(file)
            .context("read the size of guest memory")?
            .st_size;
        ensure!(
            length.cast_unsigned() == bytes as u64,
            "guest memory has {length} bytes, not {bytes}"
        );
        let protection = ProtFlags::READ | ProtFlags::WRITE;
        // SAFETY: a new mapping of a file that is never truncated.
        #[expect(unsafe_code, reason = "mmap")]
        let base = unsafe { mmap(std::ptr::null_mut(), bytes, protection, flags, file, 0) };
        let base = base.context("map guest memory")?.cast();
        Ok(Self { base, bytes })
    }

    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    /// The address at which a part of guest memory is mapped.
    fn address(&self, at: usize, length: usize) -> *mut u8 {
        assert!(at + length <= self.bytes, "inside guest memory");
        // SAFETY: inside the mapping, as checked above.
        #[expect(unsafe_code, reason = "an offset into the mapping")]
        unsafe {
            self.base.add(at)
        }
    }

    pub(crate) fn read(&self, at: usize, length: usize) -> Vec<u8> {
        let start = self.address(at, length);
        // SAFETY: inside the mapping, which outlives `self`; the bytes are copied at once.
        #[expect(unsafe_code, reason = "reads the mapping")]
        let slice = unsafe { std::slice::from_raw_parts(start, length) };
        slice.to_vec()
    }

    pub(crate) fn write(&mut self, at: usize, bytes: &[u8]) {
        let start = self.address(at, bytes.len());
        // SAFETY: inside the mapping, which only `self` writes to.
        #[expect(unsafe_code, reason = "writes the mapping")]
        let slice = unsafe { std::slice::from_raw_parts_mut(start, bytes.len()) };
        slice.copy_from_slice(bytes);
    }

    pub(crate) fn read_u64(&self, at: usize) -> u64 {
        let mut word = [0; 8];
        word.copy_from_slice(&self.read(at, 8));
        u64::from_le_bytes(word)
    }

    pub(crate) fn write_u64(&mut self, at: usize, value: u64) {
        self.write(at, &value.to_le_bytes());
    }
}
