//! Which pages of guest memory belong to this machine alone, and their copy into an image.
//!
//! While the machine is stopped, a page of its private memory mapping that is present and anonymous, or swapped out, was
//! written since the restore. Nothing else was. The VMM is not asked: this works for any of them. A page of zeros is
//! dirty like any other; copying too much is harmless, copying too little is corruption.

mod pagemap;

use std::fs::File;
use std::io;
use std::ops::Range;

use crate::machine::MemoryFile;

/// Runs of dirty pages are rounded out to this, so that an image does not fall into single-page extents.
const GRAIN: u64 = 64 * 1024;
const BUFFER_BYTES: usize = 1024 * 1024;

/// What a capture copied.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct CaptureStats {
    /// Pages that were really dirty.
    pub dirty_pages: u64,
    /// Contiguous runs written.
    pub runs: u64,
    /// Bytes written, neighbours included.
    pub bytes: u64,
}

#[derive(Debug, thiserror::Error)]
pub enum CaptureError {
    #[error("read the memory map of process {pid}")]
    Maps { pid: u32, source: io::Error },
    #[error("guest memory is mapped as {found} bytes instead of {expected}")]
    Unexpected { expected: u64, found: u64 },
    #[error("find the dirty pages")]
    Scan(#[source] io::Error),
    #[error("read a dirty page")]
    Read(#[source] io::Error),
    #[error("write the image")]
    Write(#[source] io::Error),
}

/// One mapping of the memory file: addresses in the process, and where they lie in the file.
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

/// A line of `/proc/PID/maps`, if it is a mapping of the memory file.
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

/// Rounds runs out to the grain, within the mapping, and joins those that then touch.
fn round_out(runs: &[Range<u64>], within: &Range<u64>) -> Vec<Range<u64>> {
    let mut rounded: Vec<Range<u64>> = Vec::new();
    for run in runs {
        // The grain counts from the mapping's start: file offsets are what should be aligned.
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
        let wanted = usize::try_from(run.end - at)
            .unwrap_or(usize::MAX)
            .min(buffer.len());
        let count = rustix::io::pread(memory, &mut buffer[..wanted], at)
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
    fn only_the_memory_file_is_found_in_a_map() {
        let memory = MemoryFile {
            device: rustix::fs::makedev(0, 1),
            inode: 77,
            bytes: 0,
        };
        let line = "7f0000000000-7f0010000000 rw-p 00001000 00:01 77 /memfd:locule-image (deleted)";
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
