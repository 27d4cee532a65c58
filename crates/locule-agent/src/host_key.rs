//! The key pair of a host, made on the host and kept there: the control plane gets the public half only (W-036).

use locule_agent_api::tls::{BadCertificate, OwnCertificate};
use rcgen::{CertificateParams, DistinguishedName, KeyPair, PKCS_ECDSA_P256_SHA256};

/// A P-256 key pair.
pub struct HostKey(KeyPair);

/// A key pair that cannot be made, read or used.
#[derive(Debug, thiserror::Error)]
#[error("the key of this host cannot be used")]
pub struct HostKeyError(#[from] rcgen::Error);

impl std::fmt::Debug for HostKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("HostKey").finish_non_exhaustive()
    }
}

impl HostKey {
    pub fn generate() -> Result<Self, HostKeyError> {
        Ok(Self(KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)?))
    }

    /// Reads what [`Self::to_pem`] wrote.
    pub fn from_pem(text: &str) -> Result<Self, HostKeyError> {
        let algorithm = &PKCS_ECDSA_P256_SHA256;
        Ok(Self(KeyPair::from_pkcs8_pem_and_sign_algo(
            text, algorithm,
        )?))
    }

    /// The secret half too, in PKCS #8: for a file that only this host's agent may read.
    pub fn to_pem(&self) -> String {
        self.0.serialize_pem()
    }

    /// The request for a certificate, in PEM. It proves that the host has the key, and asks for nothing: the control plane chooses name
    /// and purpose.
    pub fn csr_pem(&self) -> Result<String, HostKeyError> {
        let mut request = CertificateParams::default();
        request.distinguished_name = DistinguishedName::new();
        Ok(request.serialize_request(&self.0)?.pem()?)
    }

    /// The certificate that the control plane issued for this key.
    pub fn with_certificate(
        &self,
        certificate_pem: &str,
    ) -> Result<OwnCertificate, BadCertificate> {
        OwnCertificate::from_pem(certificate_pem, &self.to_pem())
    }
}

#[cfg(test)]
mod tests {
    use locule_base::clock::SystemClock;
    use locule_control::HostCertificates;
    use locule_ids::HostId;

    use super::*;

    /// W-036: the key of a host is made on the host, and the control plane sees the public half only.
    #[test]
    fn a_key_that_was_stored_has_the_certificate_that_was_issued_for_it() {
        let platform = HostCertificates::new(b"platform key", SystemClock::shared()).unwrap();
        let key = HostKey::generate().unwrap();
        let csr = key.csr_pem().unwrap();
        assert!(!csr.contains("PRIVATE"));
        let issued = platform.issue_host(&csr, HostId::random()).unwrap();
        let stored = HostKey::from_pem(&key.to_pem()).unwrap();
        stored.with_certificate(&issued.pem).unwrap();

        let other = HostKey::generate().unwrap();
        other.with_certificate(&issued.pem).unwrap_err();
        HostKey::from_pem("garbage").unwrap_err();
    }
}
