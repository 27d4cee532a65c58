//! The rule by which memory and disk change, and the check that they follow it.
//!
//! Tick *n* writes the number *n* to one word of memory and to one block of the disk, both chosen by a hash of *n*. After
//! *n* ticks each word and block holds the last number that was written to it. So the check finds every page or block that is
//! older or newer than the others, or missing.

use std::collections::HashMap;
use std::os::fd::{BorrowedFd, RawFd};

use anyhow::{Context as _, Result, ensure};

use crate::memory::Memory;

const PAGE: usize = 4096;
/// The pages before it hold the guest's state.
const FIRST_PAGE: usize = 16;
/// Few enough that a snapshot stays small, many enough that runs of dirty pages have holes.
const PAGES: usize = 512;
const BLOCKS: u64 = 256;
/// Blocks are so far apart that each is an extent of its own.
const BLOCK_STRIDE: u64 = 16 * 1024;

/// Hashes a number (`SplitMix64`), so that neighbours are far apart.
fn mix(n: u64) -> u64 {
    let n = n.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let n = (n ^ (n >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let n = (n ^ (n >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    n ^ (n >> 31)
}

fn word_of(tick: u64, memory_bytes: usize) -> usize {
    let pages = (memory_bytes / PAGE - FIRST_PAGE).min(PAGES);
    let hash = usize::try_from(mix(tick) >> 8).unwrap_or(0);
    (FIRST_PAGE + hash % pages) * PAGE + (hash / pages % (PAGE / 8)) * 8
}

fn block_of(tick: u64) -> u64 {
    mix(!tick) % BLOCKS * BLOCK_STRIDE
}

/// The disk that the driver passed.
#[derive(Debug)]
pub(crate) struct Disk(pub(crate) RawFd);

impl Disk {
    fn fd(&self) -> BorrowedFd<'_> {
        // SAFETY: the driver passed the descriptor, and this process never closes it.
        #[expect(unsafe_code, reason = "a descriptor by number")]
        unsafe {
            BorrowedFd::borrow_raw(self.0)
        }
    }
}

/// Fills mebibyte `number` of the disk after the model's blocks. 0 fills none.
pub(crate) fn fill(number: u64, disk: &Disk) -> Result<()> {
    let content = vec![0xa5; if number == 0 { 0 } else { 1 << 20 }];
    let at = BLOCKS * BLOCK_STRIDE + (number << 20);
    let written = rustix::io::pwrite(disk.fd(), &content, at);
    ensure!(
        written.context("write the disk")? == content.len(),
        "the disk is full"
    );
    Ok(())
}

/// Writes the changes of tick `tick`.
pub(crate) fn apply(tick: u64, memory: &mut Memory, disk: &Disk) -> Result<()> {
    let written = rustix::io::pwrite(disk.fd(), &tick.to_le_bytes(), block_of(tick));
    ensure!(written.context("write the disk")? == 8, "the disk is full");
    memory.write_u64(word_of(tick, memory.bytes()), tick);
    Ok(())
}

/// Checks that memory and disk hold exactly the changes of `ticks` ticks.
pub(crate) fn check(ticks: u64, memory: &Memory, disk: &Disk) -> Result<()> {
    let (mut words, mut blocks) = (HashMap::new(), HashMap::new());
    for tick in 1..=ticks {
        words.insert(word_of(tick, memory.bytes()), tick);
        blocks.insert(block_of(tick), tick);
    }
    for (at, expected) in words {
        let found = memory.read_u64(at);
        ensure!(
            found == expected,
            "memory at {at:#x} holds {found}, not {expected}"
        );
    }
    for (at, expected) in blocks {
        let mut word = [0; 8];
        rustix::io::pread(disk.fd(), &mut word, at).context("read the disk")?;
        let found = u64::from_le_bytes(word);
        ensure!(
            found == expected,
            "the disk at {at:#x} holds {found}, not {expected}"
        );
    }
    Ok(())
}
