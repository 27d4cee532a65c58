//! Signatures of file URLs. A signature proves that the holder of the access token made the download or upload link.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use sha2::{Digest as _, Sha256};

/// The operation that a link permits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operation {
    Read,
    Write,
}

/// Returns `v1_` and the Base64 of SHA-256 over `path:operation:username:token[:expiration]`. `path` is the raw query value.
pub fn sign(
    path: &str,
    operation: Operation,
    username: &str,
    token: &str,
    expiration: Option<i64>,
) -> String {
    let operation = match operation {
        Operation::Read => "read",
        Operation::Write => "write",
    };
    let mut text = format!("{path}:{operation}:{username}:{token}");
    if let Some(expiration) = expiration {
        text = format!("{text}:{expiration}");
    }
    format!(
        "v1_{}",
        STANDARD_NO_PAD.encode(Sha256::digest(text.as_bytes()))
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signature_covers_the_expiration_and_the_operation() {
        let plain = sign("/a b", Operation::Read, "user", "t", None);
        let dated = sign("/a b", Operation::Read, "user", "t", Some(1));
        assert!(plain.starts_with("v1_") && !plain.contains('='));
        assert_ne!(plain, dated);
        assert_ne!(plain, sign("/a b", Operation::Write, "user", "t", None));
    }
}
