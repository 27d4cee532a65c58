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

/// One mapping of the memory file: the addresses in the process, and their offset in the file.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Mapping {
    addresses: Range<u64>,
    offset: u64,
}

/// Copies the private pages of `memory`, as mapped by process `pid`, into `image` at their offsets. Blocks.
pub fn capture(pid: u32, memory: MemoryFile, image: &File) -> Result<CaptureStats, CaptureError> {
    let maps = std::fs::read_to_string(format!("/proc/{pid}/maps"))
        .map_err(|source| CaptureError::Maps { pid, source })?;
    let mappings: Vec<_> = maps
        .lines()
        .filter_map(|line| parse_mapping(line, memory))
        .collect();
    let found = mappings
        .iter()
        .map(|mapping| mapping.addresses.end - mapping.addresses.start)
        .sum();
    if found != memory.bytes {
        return Err(CaptureError::Unexpected {
            expected: memory.bytes,
            found,
        });
    }
    let source = File::open(format!("/proc/{pid}/mem")).map_err(CaptureError::Read)?;
    let mut buffer = vec![0; BUFFER_BYTES];
    let mut stats = CaptureStats::default();
    for mapping in mappings {
        let dirty =
            pagemap::dirty_ranges(pid, mapping.addresses.clone()).map_err(CaptureError::Scan)?;
        stats.dirty_pages += dirty
            .iter()
            .map(|range| (range.end - range.start) / pagemap::PAGE)
            .sum::<u64>();
        for run in round_out(&dirty, &mapping.addresses) {
            stats.runs += 1;
            stats.bytes += run.end - run.start;
            copy(
                &source,
                run.clone(),
                image,
                run.start - mapping.addresses.start + mapping.offset,
                &mut buffer,
            )?;
        }
    }
    Ok(stats)
}

/// Parses a line of `/proc/PID/maps`. `None` if it is not a mapping of the memory file.
fn parse_mapping(line: &str, memory: MemoryFile) -> Option<Mapping> {
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
    let device = rustix::fs::makedev(hex(major)?.try_into().ok()?, hex(minor)?.try_into().ok()?);
    let same = device == memory.device && inode.parse() == Ok(memory.inode);
    same.then_some(Mapping {
        addresses: hex(start)?..hex(end)?,
        offset: hex(offset)?,
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

    #[test]
    fn only_mappings_of_the_memory_file_are_parsed() {
        let memory = MemoryFile {
            device: rustix::fs::makedev(0, 1),
            inode: 77,
            bytes: 0,
        };
        let line =
            "7f0000000000-7f0010000000 rw-p 00001000 00:01 77 /memfd:locule-memory (deleted)";
        let found = parse_mapping(line, memory).unwrap();
        assert_eq!(
            found,
            Mapping {
                addresses: 0x7f00_0000_0000..0x7f00_1000_0000,
                offset: 0x1000
            }
        );
        assert_eq!(parse_mapping(&line.replace(" 77 ", " 78 "), memory), None);
        assert_eq!(parse_mapping("garbage", memory), None);
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
