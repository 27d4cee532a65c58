//! Guest memory: the file that the driver handed over, mapped as QEMU maps it.

use std::os::fd::{BorrowedFd, RawFd};

use anyhow::{Context as _, Result, ensure};
use rustix::mm::{MapFlags, ProtFlags, mmap};

/// Mapped for the life of the process.
#[derive(Debug)]
pub(crate) struct Memory {
    base: *mut u8,
    bytes: usize,
}

#[expect(
    unsafe_code,
    reason = "the mapping has one owner, which may be another thread"
)]
// SAFETY: nothing else in this process knows the mapping.
unsafe impl Send for Memory {}

impl Memory {
    pub(crate) fn map(fd: RawFd, bytes: usize, shared: bool) -> Result<Self> {
        let flags = if shared {
            MapFlags::SHARED
        } else {
            MapFlags::PRIVATE
        };
        // SAFETY: the descriptor is open for the life of the process: the driver handed it over and nobody closes it.
        #[expect(unsafe_code, reason = "a descriptor by number")]
        let file = unsafe { BorrowedFd::borrow_raw(fd) };
        let length = rustix::fs::fstat(file)
            .context("look at guest memory")?
            .st_size;
        ensure!(
            length.cast_unsigned() == bytes as u64,
            "guest memory has {length} bytes"
        );
        let protection = ProtFlags::READ | ProtFlags::WRITE;
        // SAFETY: a fresh mapping of a file that nobody truncates.
        #[expect(unsafe_code, reason = "mmap")]
        let base = unsafe { mmap(std::ptr::null_mut(), bytes, protection, flags, file, 0) };
        let base = base.context("map guest memory")?.cast();
        Ok(Self { base, bytes })
    }

    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Where a part of guest memory is mapped.
    fn place(&self, at: usize, length: usize) -> *mut u8 {
        assert!(at + length <= self.bytes, "inside guest memory");
        // SAFETY: inside the mapping, as was just checked.
        #[expect(unsafe_code, reason = "an offset into the mapping")]
        unsafe {
            self.base.add(at)
        }
    }

    pub(crate) fn read(&self, at: usize, length: usize) -> Vec<u8> {
        let place = self.place(at, length);
        // SAFETY: inside the mapping, which lives as long as `self`, and copied out at once.
        #[expect(unsafe_code, reason = "reads the mapping")]
        let slice = unsafe { std::slice::from_raw_parts(place, length) };
        slice.to_vec()
    }

    pub(crate) fn write(&mut self, at: usize, bytes: &[u8]) {
        let place = self.place(at, bytes.len());
        // SAFETY: inside the mapping, which only `self` writes.
        #[expect(unsafe_code, reason = "writes the mapping")]
        let slice = unsafe { std::slice::from_raw_parts_mut(place, bytes.len()) };
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
