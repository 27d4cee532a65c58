//! A certificate with its key, as one side of a connection shows it.

use std::sync::{Arc, PoisonError, RwLock};

use rustls::SignatureScheme;
use rustls::client::ResolvesClientCert;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, pem};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;

use super::provider;

/// A certificate or a key that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum BadCertificate {
    #[error("the text is not the PEM form of a certificate or key")]
    Pem(#[source] pem::Error),
    #[error("the certificate cannot be used, or does not belong to the key")]
    Unusable(#[from] rustls::Error),
}

/// Reads the first certificate of a PEM text.
pub fn certificate_from_pem(text: &str) -> Result<CertificateDer<'static>, BadCertificate> {
    CertificateDer::from_pem_slice(text.as_bytes()).map_err(BadCertificate::Pem)
}

/// A certificate with its key. Cheap to clone.
#[derive(Debug, Clone)]
pub struct OwnCertificate(Arc<CertifiedKey>);

impl OwnCertificate {
    /// The certificate, followed by what the other side needs to verify it, and the key in PKCS #8.
    pub fn from_der(
        chain: Vec<CertificateDer<'static>>,
        key: PrivateKeyDer<'static>,
    ) -> Result<Self, BadCertificate> {
        let own = CertifiedKey::from_der(chain, key, &provider())?;
        Ok(Self(Arc::new(own)))
    }

    pub fn from_pem(chain: &str, key: &str) -> Result<Self, BadCertificate> {
        let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(chain.as_bytes()).collect();
        let key = PrivateKeyDer::from_pem_slice(key.as_bytes()).map_err(BadCertificate::Pem)?;
        Self::from_der(chain.map_err(BadCertificate::Pem)?, key)
    }

    /// For a resolver that chooses among several certificates.
    pub fn certified_key(&self) -> Arc<CertifiedKey> {
        self.0.clone()
    }
}

/// Shows this certificate, whatever name a client asks for.
impl ResolvesServerCert for OwnCertificate {
    fn resolve(&self, _hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.0.clone())
    }
}

impl ResolvesClientCert for OwnCertificate {
    fn resolve(&self, _roots: &[&[u8]], _schemes: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        Some(self.0.clone())
    }

    fn has_certs(&self) -> bool {
        true
    }
}

/// A certificate that is replaced while connections are made.
#[derive(Debug)]
pub(super) struct Replaceable(RwLock<OwnCertificate>);

impl Replaceable {
    pub(super) fn new(own: OwnCertificate) -> Self {
        Self(RwLock::new(own))
    }

    pub(super) fn replace(&self, own: OwnCertificate) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = own;
    }
}

impl ResolvesServerCert for Replaceable {
    fn resolve(&self, _hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let own = self.0.read().unwrap_or_else(PoisonError::into_inner);
        Some(own.certified_key())
    }
}
