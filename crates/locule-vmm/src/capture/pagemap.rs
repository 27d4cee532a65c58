//! Finds the private pages of a mapping: with the `PAGEMAP_SCAN` call on Linux 6.7 and later, else from the single entries
//! of `/proc/PID/pagemap`.

use std::fs::File;
use std::io;
use std::ops::Range;
use std::os::fd::AsRawFd as _;

pub(super) const PAGE: u64 = 4096;

const PAGEMAP_SCAN: libc::c_ulong = 0xc060_6610;
const IS_FILE: u64 = 1 << 2;
const IS_PRESENT: u64 = 1 << 3;
const IS_SWAPPED: u64 = 1 << 4;
/// The most regions that one call returns.
const REGIONS: usize = 4096;

#[repr(C)]
#[derive(Clone, Copy, Default)]
struct Region {
    start: u64,
    end: u64,
    categories: u64,
}

#[repr(C)]
#[derive(Default)]
struct ScanArgument {
    size: u64,
    flags: u64,
    start: u64,
    end: u64,
    walk_end: u64,
    regions: u64,
    regions_length: u64,
    max_pages: u64,
    category_inverted: u64,
    category_mask: u64,
    category_anyof_mask: u64,
    return_mask: u64,
}

/// The private pages of a mapping, as ascending address ranges.
pub(super) fn dirty_ranges(pid: u32, addresses: Range<u64>) -> io::Result<Vec<Range<u64>>> {
    let pagemap = File::open(format!("/proc/{pid}/pagemap"))?;
    match scan(&pagemap, addresses.clone()) {
        // The kernel does not have the call.
        Err(error) if matches!(error.raw_os_error(), Some(libc::ENOTTY | libc::EINVAL)) => {
            read_entries(&pagemap, addresses)
        }
        result => result,
    }
}

fn scan(pagemap: &File, addresses: Range<u64>) -> io::Result<Vec<Range<u64>>> {
    let mut ranges: Vec<Range<u64>> = Vec::new();
    let mut regions = vec![Region::default(); REGIONS];
    let mut start = addresses.start;
    while start < addresses.end {
        let mut argument = ScanArgument {
            size: size_of::<ScanArgument>() as u64,
            start,
            end: addresses.end,
            regions: regions.as_mut_ptr() as u64,
            regions_length: REGIONS as u64,
            // Not file-backed, and present or swapped.
            category_inverted: IS_FILE,
            category_mask: IS_FILE,
            category_anyof_mask: IS_PRESENT | IS_SWAPPED,
            return_mask: IS_PRESENT | IS_SWAPPED,
            ..ScanArgument::default()
        };
        // SAFETY: `argument` is the structure of PAGEMAP_SCAN; `regions` has the length that the argument names; both outlive the call.
        #[expect(unsafe_code, reason = "ioctl")]
        let count = unsafe { libc::ioctl(pagemap.as_raw_fd(), PAGEMAP_SCAN, &raw mut argument) };
        if count < 0 {
            return Err(io::Error::last_os_error());
        }
        for region in regions.iter().take(count.unsigned_abs() as usize) {
            push(&mut ranges, region.start..region.end);
        }
        if argument.walk_end <= start {
            return Err(io::Error::other("the page scan made no progress"));
        }
        start = argument.walk_end;
    }
    Ok(ranges)
}

fn read_entries(pagemap: &File, addresses: Range<u64>) -> io::Result<Vec<Range<u64>>> {
    let mut ranges = Vec::new();
    let mut entries = vec![0_u8; 512 * 8];
    let mut at = addresses.start;
    while at < addresses.end {
        let pages = ((addresses.end - at) / PAGE).min(512);
        let length = usize::try_from(pages * 8).map_err(io::Error::other)?;
        let count = rustix::io::pread(pagemap, &mut entries[..length], at / PAGE * 8)?;
        if count < 8 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        for entry in entries[..count / 8 * 8].chunks_exact(8) {
            let mut word = [0; 8];
            word.copy_from_slice(entry);
            if is_private(u64::from_ne_bytes(word)) {
                push(&mut ranges, at..at + PAGE);
            }
            at += PAGE;
        }
    }
    Ok(ranges)
}

/// Bit 63 present, bit 62 swapped, bit 61 file-backed or shared.
fn is_private(entry: u64) -> bool {
    entry >> 62 & 1 == 1 || (entry >> 63 & 1 == 1 && entry >> 61 & 1 == 0)
}

fn push(ranges: &mut Vec<Range<u64>>, next: Range<u64>) {
    match ranges.last_mut() {
        Some(last) if last.end == next.start => last.end = next.end,
        _ => ranges.push(next),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_scan_call_and_the_pagemap_entries_find_the_same_pages() {
        let file = tempfile::tempfile().unwrap();
        file.set_len(64 * PAGE).unwrap();
        let length = usize::try_from(64 * PAGE).unwrap();
        let flags = rustix::mm::MapFlags::PRIVATE;
        let protection = rustix::mm::ProtFlags::READ | rustix::mm::ProtFlags::WRITE;
        // SAFETY: a fresh private mapping of a file that is not truncated while it is mapped.
        #[expect(unsafe_code, reason = "mmap")]
        let base =
            unsafe { rustix::mm::mmap(std::ptr::null_mut(), length, protection, flags, &file, 0) }
                .unwrap();
        let dirty = [0_u64, 1, 5, 40, 63];
        for page in dirty {
            let offset = usize::try_from(page * PAGE).unwrap();
            // SAFETY: inside the mapping.
            #[expect(unsafe_code, reason = "a page of the mapping")]
            let page = unsafe { base.cast::<u8>().add(offset) };
            // Zero over zero: a written page is dirty, whatever its content.
            // SAFETY: writable memory that only this test uses.
            #[expect(unsafe_code, reason = "writes the page")]
            unsafe {
                page.write_volatile(0);
            }
        }
        let start = base as u64;
        let addresses = start..start + 64 * PAGE;
        let pagemap = File::open("/proc/self/pagemap").unwrap();
        let slow = read_entries(&pagemap, addresses.clone()).unwrap();
        let expected =
            [0..2_u64, 5..6, 40..41, 63..64].map(|r| start + r.start * PAGE..start + r.end * PAGE);
        assert_eq!(slow, expected);
        assert_eq!(dirty_ranges(std::process::id(), addresses).unwrap(), slow);
    }
}
