//! The CA of the hosts as an operator copies it: a hash of its public key.

use std::fmt;
use std::str::FromStr;

use rustls::pki_types::CertificateDer;
use rustls::server::ParsedCertificate;
use sha2::{Digest as _, Sha256};

const PREFIX: &str = "sha256:";

/// The SHA-256 of the `SubjectPublicKeyInfo` of a CA, printed as `sha256:` and 64 hexadecimal digits. The certificate of the CA may
/// change; its key does not.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct CaPin([u8; 32]);

/// Text that is not a pin.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the hash of a CA is `sha256:` and 64 hexadecimal digits in lower case")]
pub struct ParsePinError;

impl CaPin {
    pub fn of_certificate(ca: &CertificateDer<'_>) -> Result<Self, rustls::Error> {
        let key = ParsedCertificate::try_from(ca)?.subject_public_key_info();
        Ok(Self(Sha256::digest(key).into()))
    }

    /// Whether a certificate has the key of this pin. Says nothing of the rest of the certificate.
    pub(super) fn is_of(&self, certificate: &CertificateDer<'_>) -> bool {
        Self::of_certificate(certificate).is_ok_and(|pin| pin == *self)
    }
}

impl fmt::Display for CaPin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{PREFIX}{}", hex::encode(self.0))
    }
}

impl fmt::Debug for CaPin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for CaPin {
    type Err = ParsePinError;

    fn from_str(text: &str) -> Result<Self, ParsePinError> {
        let digits = text.strip_prefix(PREFIX).ok_or(ParsePinError)?;
        let is_lower = digits.bytes().all(|digit| !digit.is_ascii_uppercase());
        let mut hash = [0; 32];
        hex::decode_to_slice(digits, &mut hash).map_err(|_| ParsePinError)?;
        is_lower.then_some(Self(hash)).ok_or(ParsePinError)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pin_reads_what_it_prints_and_nothing_else() {
        let text = format!("sha256:{}", "0a".repeat(32));
        assert_eq!(text.parse::<CaPin>().unwrap().to_string(), text);
        let digits = "0a".repeat(32);
        for bad in [
            String::new(),
            digits.clone(),
            format!("sha256:{}", &digits[1..]),
            format!("sha256:{digits}0a"),
            format!("sha256:{}", digits.to_uppercase()),
            format!("sha512:{digits}"),
            format!("sha256:{}é", &digits[2..]),
        ] {
            assert_eq!(bad.parse::<CaPin>(), Err(ParsePinError), "{bad}");
        }
    }
}
