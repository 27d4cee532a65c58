//! Finds the pages that a VM wrote since its restore, and copies them into a memory file.
//!
//! While the VM is stopped, exactly those pages of its private memory mapping were written since the restore that are
//! present and anonymous, or swapped out. This needs no help of the VMM, so it works for every VMM. A written page of zeros
//! counts as dirty: copying too much is harmless, copying too little is corruption.

mod pagemap;

use std::fs::File;
use std::io;
use std::ops::Range;

use serde::{Deserialize, Serialize};

/// Runs of dirty pages are rounded out to this size, so that the file does not fragment into single-page extents.
const GRAIN: u64 = 64 * 1024;
const BUFFER_BYTES: usize = 1024 * 1024;

/// The file behind guest memory. It identifies the mapping of guest memory in the VMM's address space.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct MemoryFile {
    pub device: u64,
    pub inode: u64,
    pub bytes: u64,
}

/// The amount that a capture copied.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct CaptureStats {
    /// Pages that were dirty.
    pub dirty_pages: u64,
    /// Contiguous runs written.
    pub runs: u64,
    /// Bytes written, with the clean pages that rounding includes.
    pub bytes: u64,
}

#[derive(Debug, thiserror::Error)]
pub enum CaptureError {
    #[error("read the memory map of process {pid}")]
    Maps { pid: u32, source: io::Error },
    #[error("the VMM maps {found} bytes of guest memory instead of {expected}")]
    Unexpected { expected: u64, found: u64 },
    #[error("find the dirty pages of guest memory")]
    Scan(#[source] io::Error),
    #[error("read a dirty page of guest memory")]
    Read(#[source] io::Error),
    #[error("write the memory file")]
    Write(#[source] io::Error),
}

/// One mapping of a process.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Mapping {
    addresses: Range<u64>,
    offset: u64,
    device: u64,
    inode: u64,
}

impl Mapping {
    fn is_of(&self, memory: MemoryFile) -> bool {
        (self.device, self.inode) == (memory.device, memory.inode)
    }

    fn is_anonymous(&self) -> bool {
        (self.device, self.inode) == (0, 0)
    }
}

/// Copies the private pages of `memory`, as mapped by process `pid`, into `image` at their offsets. Blocks.
pub fn capture(pid: u32, memory: MemoryFile, image: &File) -> Result<CaptureStats, CaptureError> {
    let addresses = guest_memory(pid, memory)?;
    let source = File::open(format!("/proc/{pid}/mem")).map_err(CaptureError::Read)?;
    let dirty = pagemap::dirty_ranges(pid, addresses.clone()).map_err(CaptureError::Scan)?;
    let dirty_bytes: u64 = dirty.iter().map(|range| range.end - range.start).sum();
    let mut stats = CaptureStats {
        dirty_pages: dirty_bytes / pagemap::PAGE,
        ..CaptureStats::default()
    };
    let mut buffer = vec![0; BUFFER_BYTES];
    for run in round_out(&dirty, &addresses) {
        stats.runs += 1;
        stats.bytes += run.end - run.start;
        let offset = run.start - addresses.start;
        copy(&source, run, image, offset, &mut buffer)?;
    }
    Ok(stats)
}

/// Where process `pid` maps guest memory. Parts of it may be anonymous: covered [holes](crate::holes) of the file.
pub(crate) fn guest_memory(pid: u32, memory: MemoryFile) -> Result<Range<u64>, CaptureError> {
    let maps = std::fs::read_to_string(format!("/proc/{pid}/maps"))
        .map_err(|source| CaptureError::Maps { pid, source })?;
    find_guest_memory(&maps, memory).map_err(|found| CaptureError::Unexpected {
        expected: memory.bytes,
        found,
    })
}

/// The error is the number of bytes that are mapped from the start of guest memory on.
fn find_guest_memory(maps: &str, memory: MemoryFile) -> Result<Range<u64>, u64> {
    let mappings: Vec<_> = maps.lines().filter_map(parse_mapping).collect();
    let first = mappings.iter().find(|mapping| mapping.is_of(memory));
    let start = first.and_then(|first| first.addresses.start.checked_sub(first.offset));
    let start = start.ok_or(0_u64)?;
    let end = start.checked_add(memory.bytes).ok_or(0_u64)?;
    let mut at = start;
    for mapping in &mappings {
        let Range {
            start: from,
            end: to,
        } = mapping.addresses;
        if to <= at || at >= end {
            continue;
        }
        let is_part = if mapping.is_of(memory) {
            from == at && from - start == mapping.offset
        } else {
            // The kernel joins anonymous mappings, also with one that precedes or follows guest memory.
            from <= at && mapping.is_anonymous()
        };
        if !is_part {
            break;
        }
        at = to.min(end);
    }
    // A second mapping of the file would be memory that the guest may write elsewhere.
    let elsewhere = mappings.iter().any(|mapping| {
        mapping.is_of(memory) && (mapping.addresses.start < start || mapping.addresses.end > end)
    });
    if at == end && !elsewhere {
        Ok(start..end)
    } else {
        Err(at - start)
    }
}

/// Parses a line of `/proc/PID/maps`.
fn parse_mapping(line: &str) -> Option<Mapping> {
    let mut fields = line.split_whitespace();
    let (start, end) = fields.next()?.split_once('-')?;
    let (_mode, offset, device, inode) = (
        fields.next()?,
        fields.next()?,
        fields.next()?,
        fields.next()?,
    );
    let hex = |text| u64::from_str_radix(text, 16).ok();
    let (major, minor) = device.split_once(':')?;
    Some(Mapping {
        addresses: hex(start)?..hex(end)?,
        offset: hex(offset)?,
        device: rustix::fs::makedev(hex(major)?.try_into().ok()?, hex(minor)?.try_into().ok()?),
        inode: inode.parse().ok()?,
    })
}

/// Rounds runs out to the grain, within the mapping, and joins those that touch afterwards.
fn round_out(runs: &[Range<u64>], within: &Range<u64>) -> Vec<Range<u64>> {
    let mut rounded: Vec<Range<u64>> = Vec::new();
    for run in runs {
        // Counted from the start of the mapping, because offsets in the file must be aligned, not addresses.
        let low = within.start + (run.start - within.start) / GRAIN * GRAIN;
        let high =
            (within.start + (run.end - within.start).div_ceil(GRAIN) * GRAIN).min(within.end);
        match rounded.last_mut() {
            Some(last) if low <= last.end => last.end = last.end.max(high),
            _ => rounded.push(low..high),
        }
    }
    rounded
}

fn copy(
    memory: &File,
    run: Range<u64>,
    image: &File,
    mut offset: u64,
    buffer: &mut [u8],
) -> Result<(), CaptureError> {
    let mut at = run.start;
    while at < run.end {
        let length = usize::try_from(run.end - at)
            .unwrap_or(usize::MAX)
            .min(buffer.len());
        let count = rustix::io::pread(memory, &mut buffer[..length], at)
            .map_err(|e| CaptureError::Read(e.into()))?;
        if count == 0 {
            return Err(CaptureError::Read(io::ErrorKind::UnexpectedEof.into()));
        }
        let mut written = 0;
        while written < count {
            written += rustix::io::pwrite(image, &buffer[written..count], offset + written as u64)
                .map_err(|e| CaptureError::Write(e.into()))?;
        }
        at += count as u64;
        offset += count as u64;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const MAPS: &str = "\
555500000000-555500001000 r-xp 00000000 08:01 5 /usr/bin/qemu
7f0000000000-7f0000300000 rw-p 00000000 00:00 0
7f0000300000-7f0000400000 rw-p 00300000 00:01 77 /memfd:locule-memory (deleted)
7f0000400000-7f0000900000 rw-p 00000000 00:00 0
7f0000900000-7f0001000000 rw-p 00900000 00:01 77 /memfd:locule-memory (deleted)
7f0001000000-7f0001001000 ---p 00000000 00:00 0
";

    fn memory() -> MemoryFile {
        MemoryFile {
            device: rustix::fs::makedev(0, 1),
            inode: 77,
            bytes: 0x0100_0000,
        }
    }

    #[test]
    fn guest_memory_is_the_file_and_the_anonymous_memory_that_covers_its_holes() {
        let whole = 0x7f00_0000_0000..0x7f00_0100_0000;
        assert_eq!(find_guest_memory(MAPS, memory()), Ok(whole.clone()));
        let one = "7f0000000000-7f0001000000 rw-p 00000000 00:01 77 /memfd:locule-memory (deleted)";
        assert_eq!(find_guest_memory(one, memory()), Ok(whole.clone()));
        // The kernel joins anonymous mappings that touch.
        let joined = MAPS.replace("7f0000000000-7f0000300000", "7effff000000-7f0000300000");
        assert_eq!(find_guest_memory(&joined, memory()), Ok(whole));
    }

    #[test]
    fn guest_memory_with_a_gap_or_another_file_in_it_is_refused() {
        for (from, to) in [
            ("00:00 0\n7f0000900000", "08:01 9 /other\n7f0000900000"),
            ("7f0000400000-7f0000900000", "7f0000400000-7f0000800000"),
            ("00900000 00:01 77", "00800000 00:01 77"),
            (" 77 ", " 78 "),
            ("7f0000900000-7f0001000000", "7f0000900000-7f0001100000"),
        ] {
            let other = MAPS.replace(from, to);
            assert_ne!(other, MAPS);
            find_guest_memory(&other, memory()).unwrap_err();
        }
        assert_eq!(find_guest_memory("garbage", memory()), Err(0));
    }

    proptest! {
        #[test]
        fn rounding_covers_every_dirty_page_and_stays_inside(
            pages in proptest::collection::btree_set(0_u64..512, 0..40),
        ) {
            let within = 0x7000_0000..0x7000_0000 + 512 * pagemap::PAGE;
            let runs: Vec<_> = pages.iter().map(|page| {
                let start = within.start + page * pagemap::PAGE;
                start..start + pagemap::PAGE
            }).collect();
            let rounded = round_out(&runs, &within);
            for run in &runs {
                prop_assert!(rounded.iter().any(|r| r.start <= run.start && run.end <= r.end));
            }
            for pair in rounded.windows(2) {
                prop_assert!(pair[0].end < pair[1].start);
            }
            prop_assert!(rounded.iter().all(|r| r.start >= within.start && r.end <= within.end));
        }
    }
}
