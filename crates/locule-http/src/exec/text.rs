//! Encoding of a stream's bytes as JSON text, chunk by chunk.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use locule_api::Encoding;

/// Encodes the chunks of one stream. In UTF-8, the first bytes of a character that is split between chunks are kept until the
/// rest arrives, and bytes that are not UTF-8 are replaced.
#[derive(Debug)]
pub(super) struct Text {
    encoding: Encoding,
    /// The first bytes of a character, at most three.
    pending: Vec<u8>,
}

impl Text {
    pub(super) fn new(encoding: Encoding) -> Self {
        Self {
            encoding,
            pending: Vec::new(),
        }
    }

    pub(super) fn push(&mut self, chunk: &[u8]) -> String {
        if self.encoding == Encoding::Base64 {
            return STANDARD.encode(chunk);
        }
        let mut bytes = std::mem::take(&mut self.pending);
        bytes.extend_from_slice(chunk);
        let keep = unfinished(&bytes);
        self.pending = bytes.split_off(bytes.len() - keep);
        String::from_utf8_lossy(&bytes).into_owned()
    }

    /// The text of the pending bytes, when the stream has ended.
    pub(super) fn finish(&mut self) -> String {
        let rest = std::mem::take(&mut self.pending);
        String::from_utf8_lossy(&rest).into_owned()
    }
}

/// The number of bytes at the end that may be the beginning of a character.
pub(super) fn unfinished(bytes: &[u8]) -> usize {
    let tail = &bytes[bytes.len().saturating_sub(3)..];
    (1..=tail.len())
        .find(|length| {
            let end = &tail[tail.len() - length..];
            std::str::from_utf8(end)
                .is_err_and(|error| error.valid_up_to() == 0 && error.error_len().is_none())
        })
        .unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_character_split_between_chunks_is_decoded_whole() {
        let mut text = Text::new(Encoding::Utf8);
        let out: String = "aé€𝄞z"
            .as_bytes()
            .chunks(1)
            .map(|byte| text.push(byte))
            .collect();
        assert_eq!(out, "aé€𝄞z");
        assert_eq!(text.finish(), "");
    }

    #[test]
    fn invalid_utf_8_is_replaced_without_waiting() {
        let mut text = Text::new(Encoding::Utf8);
        assert_eq!(text.push(&[b'a', 0xff]), "a\u{fffd}");
        assert_eq!(text.push(&[0xe2]), "");
        assert_eq!(text.finish(), "\u{fffd}");
    }

    #[test]
    fn base64_preserves_every_byte() {
        assert_eq!(Text::new(Encoding::Base64).push(&[0xff]), "/w==");
    }
}

#[cfg(test)]
mod fuzz {
    use super::*;

    #[test]
    fn chunks_decode_to_the_same_text_as_the_whole() {
        locule_fuzz::fuzz(
            &["a\u{e9}\u{20ac}\u{1d11e}z", "\u{10ffff}\u{800}\u{7f}"],
            |bytes| {
                let mut text = Text::new(Encoding::Utf8);
                // The first byte of the input chooses the length of a chunk.
                let cut = bytes.first().map_or(1, |byte| usize::from(byte % 7) + 1);
                let mut decoded: String = bytes.chunks(cut).map(|chunk| text.push(chunk)).collect();
                assert!(text.pending.len() <= 3);
                decoded += &text.finish();
                assert_eq!(
                    decoded.replace('\u{fffd}', ""),
                    String::from_utf8_lossy(bytes).replace('\u{fffd}', "")
                );
                (
                    std::str::from_utf8(bytes).is_ok(),
                    decoded.chars().count() / 4,
                )
            },
        );
    }
}
