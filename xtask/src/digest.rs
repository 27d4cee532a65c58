//! The digest that names a disk image by its content.
//!
//! A root filesystem is a file of several GiB that holds a few hundred MiB of data. The digest covers each block that is not
//! zero, with its offset, and the size of the file. It reads no holes, and it does not depend on where the file has holes.

use std::fs::File;
use std::os::unix::fs::FileExt as _;
use std::path::Path;

use anyhow::{Context as _, Result};
use rustix::fs::SeekFrom;
use rustix::io::Errno;
use sha2::{Digest as _, Sha256};

/// Blocks are aligned to their size, so that two files with other holes have the same blocks.
const BLOCK_BYTES: u64 = 64 * 1024;

/// The digest of a file, in hexadecimal.
pub(crate) fn of_file(path: &Path) -> Result<String> {
    let shown = || format!("cannot read {}", path.display());
    let file = File::open(path).with_context(shown)?;
    let size = file.metadata().with_context(shown)?.len();
    let mut digest = Sha256::new();
    let mut block = vec![0; usize::try_from(BLOCK_BYTES)?];
    let mut offset = 0;
    while let Some(data) = next_data(&file, offset).with_context(shown)? {
        offset = data - data % BLOCK_BYTES;
        let length = usize::try_from(BLOCK_BYTES.min(size - offset))?;
        let block = &mut block[..length];
        file.read_exact_at(block, offset).with_context(shown)?;
        if block.iter().any(|byte| *byte != 0) {
            digest.update(offset.to_le_bytes());
            digest.update(&*block);
        }
        offset += BLOCK_BYTES;
    }
    digest.update(size.to_le_bytes());
    Ok(hex::encode(digest.finalize()))
}

/// The offset of the first byte at or after `offset` that is in no hole.
fn next_data(file: &File, offset: u64) -> std::io::Result<Option<u64>> {
    match rustix::fs::seek(file, SeekFrom::Data(offset)) {
        Ok(data) => Ok(Some(data)),
        // There is no data up to the end of the file.
        Err(Errno::NXIO) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn digest_of(write: impl FnOnce(&File)) -> String {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("image");
        let file = File::create(&path).unwrap();
        file.set_len(10 * BLOCK_BYTES + 5).unwrap();
        write(&file);
        of_file(&path).unwrap()
    }

    #[test]
    fn a_hole_and_written_zeros_have_the_same_digest() {
        let sparse = digest_of(|file| file.write_all_at(b"data", 3 * BLOCK_BYTES).unwrap());
        let written = digest_of(|file| {
            file.write_all_at(&vec![0; 10 * 64 * 1024 + 5], 0).unwrap();
            file.write_all_at(b"data", 3 * BLOCK_BYTES).unwrap();
        });
        assert_eq!(sparse, written);
    }

    #[test]
    fn content_offset_and_size_change_the_digest() {
        let base = digest_of(|file| file.write_all_at(b"data", 3 * BLOCK_BYTES).unwrap());
        for other in [
            digest_of(|file| file.write_all_at(b"date", 3 * BLOCK_BYTES).unwrap()),
            digest_of(|file| file.write_all_at(b"data", 4 * BLOCK_BYTES).unwrap()),
            digest_of(|file| file.write_all_at(b"data", 3 * BLOCK_BYTES + 1).unwrap()),
            digest_of(|file| {
                file.write_all_at(b"data", 3 * BLOCK_BYTES).unwrap();
                file.set_len(10 * BLOCK_BYTES + 6).unwrap();
            }),
            digest_of(|_| {}),
        ] {
            assert_ne!(base, other);
        }
    }
}
