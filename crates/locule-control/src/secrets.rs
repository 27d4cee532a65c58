//! Random secrets, and the hashes and keyed digests that stand for secrets.

use hmac::{Hmac, Mac as _};
use sha2::{Digest as _, Sha256};

const KEY_START: &str = "e2b_";
const KEY_DIGITS: usize = 40;

/// The one place where HMAC gets its key.
pub(crate) fn keyed(key: &[u8]) -> Hmac<Sha256> {
    #[expect(clippy::expect_used, reason = "HMAC takes a key of any length")]
    Hmac::<Sha256>::new_from_slice(key).expect("any key length")
}

/// The stored form of a secret that is random enough to be looked up by its hash.
pub(crate) fn secret_hash(secret: &str) -> String {
    hex::encode(Sha256::digest(secret.as_bytes()))
}

/// Whether a text looks like an API key. A login token never does.
pub(crate) fn starts_like_api_key(text: &str) -> bool {
    text.starts_with(KEY_START)
}

pub(crate) fn is_api_key(text: &str) -> bool {
    let is_digit = |byte: u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
    text.strip_prefix(KEY_START)
        .is_some_and(|rest| rest.len() == KEY_DIGITS && rest.bytes().all(is_digit))
}

/// Whether a text contains an API key at any position, of any team.
pub(crate) fn contains_api_key(text: &str) -> bool {
    let length = KEY_START.len() + KEY_DIGITS;
    text.match_indices(KEY_START)
        .any(|(at, _)| text.get(at..at + length).is_some_and(is_api_key))
}

/// A new API key, and the prefix that lists show of it.
pub(crate) fn new_api_key() -> (String, String) {
    let key = format!(
        "{KEY_START}{}",
        hex::encode(rand::random::<[u8; KEY_DIGITS / 2]>())
    );
    let prefix = key.chars().take(10).collect();
    (key, prefix)
}

/// The token in the link of an e-mail: 32 hexadecimal digits.
pub(crate) fn new_email_token() -> String {
    hex::encode(rand::random::<[u8; 16]>())
}

/// A registration token or a refresh token of a host: 64 hexadecimal digits.
pub(crate) fn new_host_token() -> String {
    hex::encode(rand::random::<[u8; 32]>())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_api_key_is_found_at_any_position_of_a_text() {
        let key = format!("e2b_{}", "0a".repeat(20));
        assert!(is_api_key(&key));
        for text in [key.clone(), format!("e2b_x{key}y")] {
            assert!(contains_api_key(&text), "{text}");
        }
        for text in ["", "e2b_", &key[..43], &key.to_uppercase(), "é2b_é"] {
            assert!(!contains_api_key(text), "{text}");
        }
    }
}
