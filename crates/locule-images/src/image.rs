//! One image in the form in which it travels, as it is or packed.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt as _;

use sha2::{Digest as _, Sha256};

use crate::packed::Blocks;

const CHUNK_BYTES: usize = 256 * 1024;

/// An image whose travelling form is read in parts.
#[derive(Debug)]
pub struct Image {
    file: File,
    form: Form,
}

#[derive(Debug)]
enum Form {
    Plain { bytes: u64 },
    Packed(Blocks),
}

impl Image {
    /// An image that travels as it is.
    pub fn plain(file: File) -> io::Result<Self> {
        let bytes = file.metadata()?.len();
        let form = Form::Plain { bytes };
        Ok(Self { file, form })
    }

    /// A disk image that travels without its holes. Reads the file. Blocks.
    pub fn packed(file: File) -> io::Result<Self> {
        let form = Form::Packed(Blocks::of(&file)?);
        Ok(Self { file, form })
    }

    /// The length of the travelling form.
    pub fn size_bytes(&self) -> u64 {
        match &self.form {
            Form::Plain { bytes } => *bytes,
            Form::Packed(blocks) => blocks.packed_bytes(),
        }
    }

    /// Fills the buffer with the travelling form from a position on, and returns the length: less than the buffer's only at the end.
    /// Blocks.
    pub fn read_at(&self, buffer: &mut [u8], position: u64) -> io::Result<usize> {
        let mut filled = 0;
        while filled < buffer.len() {
            let (rest, position) = (&mut buffer[filled..], position + filled as u64);
            let count = match &self.form {
                Form::Plain { .. } => self.file.read_at(rest, position)?,
                Form::Packed(blocks) => blocks.read_at(&self.file, rest, position)?,
            };
            if count == 0 {
                break;
            }
            filled += count;
        }
        Ok(filled)
    }

    /// The hash that names the image, in hexadecimal. Blocks.
    pub fn sha256(&self) -> io::Result<String> {
        let mut hash = Sha256::new();
        let mut buffer = vec![0; CHUNK_BYTES];
        let mut position = 0;
        loop {
            let count = self.read_at(&mut buffer, position)?;
            hash.update(&buffer[..count]);
            if count < buffer.len() {
                return Ok(hex::encode(hash.finalize()));
            }
            position += count as u64;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::MetadataExt as _;

    use proptest::prelude::*;

    use super::*;
    use crate::packed::BLOCK_BYTES;
    use crate::unpack;

    fn disk(write: impl FnOnce(&File)) -> File {
        let file = tempfile::tempfile().unwrap();
        file.set_len(10 * BLOCK_BYTES).unwrap();
        write(&file);
        file
    }

    fn packed(write: impl FnOnce(&File)) -> Image {
        Image::packed(disk(write)).unwrap()
    }

    fn name(write: impl FnOnce(&File)) -> String {
        packed(write).sha256().unwrap()
    }

    /// The whole travelling form, read in parts of this length.
    fn form(image: &Image, part: usize) -> Vec<u8> {
        let mut form = Vec::new();
        let mut buffer = vec![0; part];
        loop {
            let count = image.read_at(&mut buffer, form.len() as u64).unwrap();
            form.extend_from_slice(&buffer[..count]);
            if count < part {
                return form;
            }
        }
    }

    #[test]
    fn a_hole_and_written_zeros_have_the_same_name() {
        let sparse = name(|file| file.write_all_at(b"data", 3 * BLOCK_BYTES).unwrap());
        let written = name(|file| {
            let zeros = vec![0; 10 * usize::try_from(BLOCK_BYTES).unwrap()];
            file.write_all_at(&zeros, 0).unwrap();
            file.write_all_at(b"data", 3 * BLOCK_BYTES).unwrap();
        });
        assert_eq!(sparse, written);
    }

    #[test]
    fn content_offset_and_size_change_the_name() {
        let base = name(|file| file.write_all_at(b"data", 3 * BLOCK_BYTES).unwrap());
        let others = [
            name(|file| file.write_all_at(b"date", 3 * BLOCK_BYTES).unwrap()),
            name(|file| file.write_all_at(b"data", 4 * BLOCK_BYTES).unwrap()),
            name(|file| file.write_all_at(b"data", 3 * BLOCK_BYTES + 1).unwrap()),
            name(|file| {
                file.write_all_at(b"data", 3 * BLOCK_BYTES).unwrap();
                file.set_len(11 * BLOCK_BYTES).unwrap();
            }),
            name(|_| {}),
        ];
        for other in others {
            assert_ne!(base, other);
        }
    }

    #[test]
    fn a_plain_image_has_the_hash_of_its_bytes_as_its_name() {
        let file = tempfile::tempfile().unwrap();
        file.write_all_at(b"kernel", 0).unwrap();
        let image = Image::plain(file).unwrap();
        assert_eq!(image.size_bytes(), 6);
        assert_eq!(form(&image, 4), b"kernel");
        let hash = hex::encode(Sha256::digest(b"kernel"));
        assert_eq!(image.sha256().unwrap(), hash);
    }

    #[test]
    fn a_form_that_no_image_has_is_refused() {
        let image = packed(|file| {
            file.write_all_at(b"a", 0).unwrap();
            file.write_all_at(b"b", 2 * BLOCK_BYTES).unwrap();
        });
        let whole = form(&image, 1000);
        let refused = |form: &[u8]| {
            let to = tempfile::tempfile().unwrap();
            unpack(&mut &*form, form.len() as u64, &to).unwrap_err()
        };
        for length in [0, 7, 15, 100, whole.len() - 1] {
            refused(&whole[..length]);
        }
        let entry = 8 + usize::try_from(BLOCK_BYTES).unwrap();
        let swapped = [
            &whole[entry..2 * entry],
            &whole[..entry],
            &whole[2 * entry..],
        ]
        .concat();
        let twice = [&whole[..entry], &whole[..entry], &whole[2 * entry..]].concat();
        let crooked = [&[1], &whole[1..]].concat();
        let small = [&whole[..2 * entry], &BLOCK_BYTES.to_le_bytes()].concat();
        let short = [&whole[..20], &(1_u64 << 20).to_le_bytes()].concat();
        for form in [swapped, twice, crooked, small, short] {
            assert_eq!(refused(&form).kind(), io::ErrorKind::InvalidData);
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(48))]

        /// What was packed is unpacked as it was, with holes, however the form is read.
        #[test]
        fn a_disk_image_arrives_as_it_was_sent(
            writes in prop::collection::vec((0..12 * BLOCK_BYTES, 1..255_u8), 0..6),
            size in 0..13 * BLOCK_BYTES,
            part in 1..200_000_usize,
        ) {
            let source = tempfile::tempfile().unwrap();
            for (offset, byte) in writes {
                source.write_all_at(&[byte; 100], offset).unwrap();
            }
            source.set_len(size).unwrap();
            let read = |file: &File| {
                let mut bytes = vec![0; usize::try_from(size).unwrap()];
                file.read_exact_at(&mut bytes, 0).unwrap();
                bytes
            };
            let expected = read(&source);
            let image = Image::packed(source).unwrap();
            let form = form(&image, part);
            prop_assert_eq!(form.len() as u64, image.size_bytes());
            prop_assert_eq!(hex::encode(Sha256::digest(&form)), image.sha256().unwrap());
            let arrived = tempfile::tempfile().unwrap();
            unpack(&mut form.as_slice(), image.size_bytes(), &arrived).unwrap();
            prop_assert_eq!(arrived.metadata().unwrap().len(), size);
            prop_assert_eq!(read(&arrived), expected);
            prop_assert!(arrived.metadata().unwrap().blocks() * 512 <= image.size_bytes() + BLOCK_BYTES);
        }
    }
}
