//! The packed form of a disk image: each block that is not zero, after its offset, and at the end the size of the file.
//!
//! ```text
//! offset (8 bytes) · block (64 KiB) · offset · block · … · size (8 bytes)
//! ```
//!
//! Numbers are little-endian. Only the last block of a file can be shorter than the others. The form does not depend on where a file has
//! holes: two files with the same content have the same form.

use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::FileExt as _;

use rustix::fs::SeekFrom;
use rustix::io::Errno;

/// Blocks are aligned to their size.
pub(crate) const BLOCK_BYTES: u64 = 64 * 1024;
const NUMBER_BYTES: u64 = 8;
const ENTRY_BYTES: u64 = NUMBER_BYTES + BLOCK_BYTES;

/// Where the blocks of a file are that are not zero.
#[derive(Debug)]
pub(crate) struct Blocks {
    size: u64,
    offsets: Vec<u64>,
}

impl Blocks {
    /// Reads the file. Holes are skipped.
    pub(crate) fn of(file: &File) -> io::Result<Self> {
        let size = file.metadata()?.len();
        let mut offsets = Vec::new();
        let mut block = block_buffer();
        let mut offset = 0;
        while let Some(data) = next_data(file, offset)? {
            offset = data - data % BLOCK_BYTES;
            let block = &mut block[..length_of(BLOCK_BYTES.min(size - offset))];
            file.read_exact_at(block, offset)?;
            if block.iter().any(|byte| *byte != 0) {
                offsets.push(offset);
            }
            offset += BLOCK_BYTES;
        }
        Ok(Self { size, offsets })
    }

    /// The length of the packed form.
    pub(crate) fn packed_bytes(&self) -> u64 {
        self.entries_bytes() + NUMBER_BYTES
    }

    fn entries_bytes(&self) -> u64 {
        self.offsets
            .iter()
            .map(|offset| NUMBER_BYTES + self.block_bytes(*offset))
            .sum()
    }

    fn block_bytes(&self, offset: u64) -> u64 {
        BLOCK_BYTES.min(self.size - offset)
    }

    /// Reads a part of the packed form that lies within one number or one block, and returns its length.
    pub(crate) fn read_at(
        &self,
        file: &File,
        buffer: &mut [u8],
        position: u64,
    ) -> io::Result<usize> {
        let number = usize::try_from(position / ENTRY_BYTES).map_err(io::Error::other)?;
        let Some(offset) = self.offsets.get(number) else {
            let trailer = position.saturating_sub(self.entries_bytes());
            return Ok(copy_number(self.size, trailer, buffer));
        };
        let within = position % ENTRY_BYTES;
        if within < NUMBER_BYTES {
            return Ok(copy_number(*offset, within, buffer));
        }
        let (within, length) = (within - NUMBER_BYTES, self.block_bytes(*offset));
        if within >= length {
            // After a short last block, in the same place where a full block would be.
            let trailer = position - self.entries_bytes();
            return Ok(copy_number(self.size, trailer, buffer));
        }
        let count = buffer.len().min(length_of(length - within));
        file.read_exact_at(&mut buffer[..count], offset + within)?;
        Ok(count)
    }
}

fn copy_number(number: u64, from: u64, buffer: &mut [u8]) -> usize {
    let bytes = number.to_le_bytes();
    let rest = &bytes[length_of(from.min(NUMBER_BYTES))..];
    let count = rest.len().min(buffer.len());
    buffer[..count].copy_from_slice(&rest[..count]);
    count
}

/// Of at most the size of a block.
fn length_of(bytes: u64) -> usize {
    usize::try_from(bytes).unwrap_or(0)
}

fn block_buffer() -> Vec<u8> {
    vec![0; length_of(BLOCK_BYTES)]
}

/// The offset of the first byte at or after `offset` that is in no hole.
fn next_data(file: &File, offset: u64) -> io::Result<Option<u64>> {
    match rustix::fs::seek(file, SeekFrom::Data(offset)) {
        Ok(data) => Ok(Some(data)),
        // There is no data up to the end of the file.
        Err(Errno::NXIO) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

fn invalid(why: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, why)
}

fn read_number(from: &mut impl Read) -> io::Result<u64> {
    let mut bytes = [0; 8];
    from.read_exact(&mut bytes)?;
    Ok(u64::from_le_bytes(bytes))
}

/// Writes the disk image whose packed form has `packed_bytes` bytes into an empty file, with holes where the image is zero. Blocks.
pub fn unpack(from: &mut impl Read, packed_bytes: u64, to: &File) -> io::Result<()> {
    let too_short = || invalid("the packed image is too short");
    let mut rest = packed_bytes
        .checked_sub(NUMBER_BYTES)
        .ok_or_else(too_short)?;
    let mut block = block_buffer();
    // The end of the last block, and whether that block was a full one.
    let (mut end, mut is_full) = (0, true);
    while rest > 0 {
        let length = rest
            .min(ENTRY_BYTES)
            .checked_sub(NUMBER_BYTES)
            .ok_or_else(too_short)?;
        let offset = read_number(from)?;
        if offset < end || !offset.is_multiple_of(BLOCK_BYTES) {
            return Err(invalid("the blocks of the packed image are not in order"));
        }
        let block = &mut block[..length_of(length)];
        from.read_exact(block)?;
        to.write_all_at(block, offset)?;
        end = offset
            .checked_add(length)
            .ok_or_else(|| invalid("the packed image is too large"))?;
        is_full = length == BLOCK_BYTES;
        rest -= NUMBER_BYTES + length;
    }
    let size = read_number(from)?;
    if size < end || (!is_full && size != end) {
        return Err(invalid("the size of the packed image is wrong"));
    }
    to.set_len(size)
}
