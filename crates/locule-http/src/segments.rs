//! Bytes that a request holds, in segments. A segment is charged to the team when it is made, and no buffer is larger than its
//! charge: one growing buffer would occupy up to twice its content, and three times while it moves.

use std::collections::VecDeque;

use crate::error::ApiError;
use crate::memory::Held;

const FIRST_BYTES: usize = 4 * 1024;
const MOST_BYTES: usize = 64 * 1024;

#[derive(Debug, Default)]
pub(crate) struct Segments {
    full: VecDeque<Vec<u8>>,
    /// The segment that is being filled.
    last: Vec<u8>,
    length: usize,
}

impl Segments {
    /// Copies the bytes: a chunk of one byte would keep the whole buffer that it is a part of.
    pub(crate) fn push(&mut self, mut bytes: &[u8], held: &mut Held) -> Result<(), ApiError> {
        while !bytes.is_empty() {
            if self.last.len() == self.last.capacity() {
                let size = self.length.clamp(FIRST_BYTES, MOST_BYTES);
                held.add(size)?;
                let full = std::mem::replace(&mut self.last, Vec::with_capacity(size));
                if !full.is_empty() {
                    self.full.push_back(full);
                }
            }
            let free = self.last.capacity() - self.last.len();
            let (now, later) = bytes.split_at(bytes.len().min(free));
            self.last.extend_from_slice(now);
            self.length += now.len();
            bytes = later;
        }
        Ok(())
    }

    pub(crate) const fn len(&self) -> usize {
        self.length
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &[u8]> {
        let all = self.full.iter().chain([&self.last]);
        all.map(Vec::as_slice)
    }

    /// Whether the whole is UTF-8, up to a character that `may_end_inside`. A character may be in two segments.
    pub(crate) fn is_utf8(&self, may_end_inside: bool) -> bool {
        let mut begun = Vec::new();
        for segment in self.iter() {
            begun.extend_from_slice(segment);
            match std::str::from_utf8(&begun) {
                Ok(_) => begun.clear(),
                Err(error) if error.error_len().is_none() => {
                    begun.drain(..error.valid_up_to());
                }
                Err(_) => return false,
            }
        }
        may_end_inside || begun.is_empty()
    }
}

impl IntoIterator for Segments {
    type Item = Vec<u8>;
    type IntoIter = std::iter::Chain<
        std::collections::vec_deque::IntoIter<Vec<u8>>,
        std::array::IntoIter<Vec<u8>, 1>,
    >;

    /// The segments; each is freed when it has been used.
    fn into_iter(self) -> Self::IntoIter {
        self.full.into_iter().chain([self.last])
    }
}

#[cfg(test)]
mod tests {
    use locule_ids::TeamId;
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;
    use crate::memory::MemoryBudget;

    fn segments(chunks: &[&[u8]]) -> (Segments, Held) {
        let mut held = MemoryBudget::new(64 << 20, 64 << 20).held_by(TeamId::random());
        let mut segments = Segments::default();
        for chunk in chunks {
            segments.push(chunk, &mut held).unwrap();
        }
        (segments, held)
    }

    proptest! {
        #[test]
        fn segments_hold_what_was_pushed(chunks in vec(vec(any::<u8>(), 0..9000), 0..40)) {
            let chunks: Vec<&[u8]> = chunks.iter().map(Vec::as_slice).collect();
            let (segments, _) = segments(&chunks);
            let whole = chunks.concat();
            prop_assert_eq!(segments.len(), whole.len());
            prop_assert_eq!(segments.is_utf8(false), std::str::from_utf8(&whole).is_ok());
            prop_assert_eq!(segments.into_iter().flatten().collect::<Vec<_>>(), whole);
        }

        #[test]
        fn text_is_utf_8_wherever_a_segment_ends(text in "[a\u{20ac}\u{1d11e}]{2000,6000}") {
            prop_assert!(segments(&[text.as_bytes()]).0.is_utf8(false));
            let begun = segments(&[text.as_bytes(), &[0xe2]]).0;
            prop_assert!(!begun.is_utf8(false) && begun.is_utf8(true));
        }
    }

    #[test]
    fn no_buffer_is_larger_than_its_charge() {
        for length in [1, 5000, 70_000, 3_000_000] {
            let (segments, held) = segments(&[&vec![b'x'; length]]);
            let capacity: usize = segments.into_iter().map(|one| one.capacity()).sum();
            assert!(capacity <= held.bytes(), "{length}: {capacity}");
            assert!(held.bytes() <= 2 * length.max(4096), "{length}");
        }
    }
}
