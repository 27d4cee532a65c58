//! Certificate signing requests of hosts (PKCS #10, RFC 2986): only the public key is read.
//!
//! ```text
//! SEQUENCE
//! ├─ SEQUENCE                 what is signed
//! │  ├─ INTEGER, SEQUENCE     version and subject: not read
//! │  ├─ SEQUENCE              the public key: P-256, or the request is refused
//! │  └─ [0]                   attributes, such as names that the host asks for: not read
//! ├─ SEQUENCE                 ECDSA with SHA-256, or the request is refused
//! └─ BIT STRING               the signature, made with the private key
//! ```

use rcgen::{PKCS_ECDSA_P256_SHA256, PublicKeyData, SignatureAlgorithm};
use ring::signature::{ECDSA_P256_SHA256_ASN1, UnparsedPublicKey};
use rustls::pki_types::CertificateSigningRequestDer;
use rustls::pki_types::pem::PemObject as _;

/// A request with the names of a host has a few hundred bytes.
const PEM_BYTES_MAX: usize = 8 * 1024;

/// Why a signing request is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadCsr {
    #[error("the certificate signing request is longer than 8 KiB")]
    TooLong,
    #[error("the certificate signing request is not in PEM")]
    NotPem,
    #[error("the certificate signing request cannot be read")]
    Malformed,
    #[error(
        "the key of the certificate signing request is not an ECDSA key on the curve P-256 that signs with SHA-256"
    )]
    WrongKey,
    #[error("the certificate signing request is not signed with its own key")]
    WrongSignature,
}

/// The public key of a host, which has shown that it has the private key: a point of P-256, not compressed.
#[derive(Debug)]
pub(super) struct HostPublicKey(Vec<u8>);

impl HostPublicKey {
    pub(super) fn from_csr(pem: &str) -> Result<Self, BadCsr> {
        if pem.len() > PEM_BYTES_MAX {
            return Err(BadCsr::TooLong);
        }
        let csr = CertificateSigningRequestDer::from_pem_slice(pem.as_bytes());
        Self::from_der(&csr.map_err(|_| BadCsr::NotPem)?)
    }

    fn from_der(der: &[u8]) -> Result<Self, BadCsr> {
        let parts = Parts::read(der).ok_or(BadCsr::Malformed)?;
        let point = parts
            .public_key
            .strip_prefix(P256_POINT)
            .filter(|_| parts.algorithm == ECDSA_SHA256)
            .ok_or(BadCsr::WrongKey)?;
        // The verification refuses a point of another length, another form, or outside of the curve.
        UnparsedPublicKey::new(&ECDSA_P256_SHA256_ASN1, point)
            .verify(parts.signed, parts.signature)
            .map_err(|_| BadCsr::WrongSignature)?;
        Ok(Self(point.to_vec()))
    }
}

impl PublicKeyData for HostPublicKey {
    fn der_bytes(&self) -> &[u8] {
        &self.0
    }

    fn algorithm(&self) -> &'static SignatureAlgorithm {
        &PKCS_ECDSA_P256_SHA256
    }
}

const INTEGER: u8 = 0x02;
const BIT_STRING: u8 = 0x03;
const SEQUENCE: u8 = 0x30;
const ATTRIBUTES: u8 = 0xa0;

/// The content of a `SubjectPublicKeyInfo` up to the point: `id-ecPublicKey`, `prime256v1`, a bit string of 65 bytes.
const P256_POINT: &[u8] = &[
    0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x08, 0x2a, 0x86, 0x48,
    0xce, 0x3d, 0x03, 0x01, 0x07, 0x03, 0x42, 0x00,
];
/// The content of the `AlgorithmIdentifier` `ecdsa-with-SHA256`.
const ECDSA_SHA256: &[u8] = &[0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x02];

/// What a request has, apart from what is not read.
struct Parts<'a> {
    /// With its tag and length, as the signature covers it.
    signed: &'a [u8],
    public_key: &'a [u8],
    algorithm: &'a [u8],
    signature: &'a [u8],
}

impl<'a> Parts<'a> {
    fn read(der: &'a [u8]) -> Option<Self> {
        let mut outer = Elements(der);
        let mut request = Elements(outer.take(SEQUENCE)?.content);
        let signed = request.take(SEQUENCE)?;
        let algorithm = request.take(SEQUENCE)?.content;
        let signature = request.take(BIT_STRING)?.content;
        let mut info = Elements(signed.content);
        info.take(INTEGER)?;
        info.take(SEQUENCE)?;
        let public_key = info.take(SEQUENCE)?.content;
        info.take(ATTRIBUTES)?;
        let all_read = [&outer, &request, &info]
            .iter()
            .all(|elements| elements.0.is_empty());
        // The first byte of a bit string is the number of its unused bits.
        let signature = signature.strip_prefix(&[0]).filter(|_| all_read)?;
        Some(Self {
            signed: signed.whole,
            public_key,
            algorithm,
            signature,
        })
    }
}

/// The rest of a sequence of DER elements.
struct Elements<'a>(&'a [u8]);

struct Element<'a> {
    /// With tag and length.
    whole: &'a [u8],
    content: &'a [u8],
}

impl<'a> Elements<'a> {
    /// The next element, which must have this tag. Lengths above 65535 do not occur.
    fn take(&mut self, tag: u8) -> Option<Element<'a>> {
        let (length, header) = match *self.0 {
            [first, ..] if first != tag => return None,
            [_, length @ 0..=0x7f, ..] => (usize::from(length), 2),
            // DER has one way to write a length: the shortest.
            [_, 0x81, length @ 0x80..=0xff, ..] => (usize::from(length), 3),
            [_, 0x82, high @ 1..=0xff, low, ..] => {
                (usize::from(u16::from_be_bytes([high, low])), 4)
            }
            _ => return None,
        };
        let (whole, rest) = self.0.split_at_checked(header + length)?;
        self.0 = rest;
        Some(Element {
            whole,
            content: &whole[header..],
        })
    }
}

#[cfg(test)]
mod tests;
