//! The CA of the hosts.

use std::time::Duration;

use chrono::{DateTime, SubsecRound as _, TimeDelta, Utc};
use locule_agent_api::tls::{
    BadCertificate, CONTROL_NAME, CaPin, HOSTS_DOMAIN, OwnCertificate, host_name,
};
use locule_ids::HostId;
use rcgen::{
    BasicConstraints, Certificate, CertificateParams, DistinguishedName, DnType,
    ExtendedKeyUsagePurpose, GeneralSubtree, IsCa, Issuer, KeyPair, KeyUsagePurpose,
    NameConstraints, PKCS_ECDSA_P256_SHA256, PKCS_ED25519, PublicKeyData, SanType, SerialNumber,
    SignatureAlgorithm, SigningKey, date_time_ymd,
};
use ring::hkdf::{HKDF_SHA256, Salt};
use ring::signature::{Ed25519KeyPair, KeyPair as _};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use sha2::{Digest as _, Sha256};

use super::csr::{BadCsr, HostPublicKey};

/// Names the use of the platform key. Another text is another CA, which no host knows.
const DERIVATION: &[u8] = b"locule host ca v1";
const CA_NAME: &str = "Locule CA of hosts";

const HOST_LIFE: TimeDelta = TimeDelta::days(7);
pub(super) const CONTROL_LIFE: TimeDelta = TimeDelta::hours(24);
/// The clock of a host may be behind.
const BACKDATED: TimeDelta = TimeDelta::minutes(1);

/// The CA, or a certificate of it, cannot be made.
#[derive(Debug, thiserror::Error)]
pub enum HostCaError {
    #[error("a certificate of the CA of hosts cannot be made")]
    Make(#[from] rcgen::Error),
    #[error("a certificate of the CA of hosts cannot be used")]
    Use(#[from] BadCertificate),
    #[error("the hash of the CA of hosts cannot be computed")]
    Hash(#[from] rustls::Error),
    #[error("the key of the CA of hosts cannot be derived")]
    Derive,
}

/// Why a host gets no certificate.
#[derive(Debug, thiserror::Error)]
pub enum IssueError {
    #[error(transparent)]
    Csr(#[from] BadCsr),
    #[error("the control plane cannot issue a certificate")]
    Ca(#[from] HostCaError),
}

/// The CA of the hosts of one platform. Key and certificate follow from the platform key alone, so every replica and every start
/// of the control plane has the same ones.
pub struct HostCa {
    issuer: Issuer<'static, CaKey>,
    certificate: Certificate,
    pin: CaPin,
}

impl std::fmt::Debug for HostCa {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("HostCa")
            .field("pin", &self.pin)
            .finish_non_exhaustive()
    }
}

/// A certificate that a host gets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IssuedHostCertificate {
    pub pem: String,
    pub not_after: DateTime<Utc>,
    /// The SHA-256 of the certificate in DER, in hexadecimal digits.
    pub fingerprint_sha256: String,
}

impl HostCa {
    pub fn from_platform_key(platform_key: &[u8]) -> Result<Self, HostCaError> {
        let key = CaKey::derive(platform_key)?;
        let params = ca_params();
        // Ed25519 has no randomness, and the serial number follows from the key: the certificate is always the same.
        let certificate = params.self_signed(&key)?;
        Ok(Self {
            pin: CaPin::of_certificate(certificate.der())?,
            certificate,
            issuer: Issuer::new(params, key),
        })
    }

    pub fn pin(&self) -> CaPin {
        self.pin
    }

    pub fn certificate_pem(&self) -> String {
        self.certificate.pem()
    }

    pub fn certificate(&self) -> &CertificateDer<'static> {
        self.certificate.der()
    }

    /// Issues the certificate of a host for the key of a signing request. Nothing else of the request has an effect: name, purpose
    /// and dates are the CA's.
    pub fn issue_host(
        &self,
        csr_pem: &str,
        host: HostId,
        now: DateTime<Utc>,
    ) -> Result<IssuedHostCertificate, IssueError> {
        let key = HostPublicKey::from_csr(csr_pem)?;
        let purpose = ExtendedKeyUsagePurpose::ServerAuth;
        let validity = Validity::of(now, HOST_LIFE);
        let issued = self.issue(&key, &host_name(host), purpose, validity)?;
        Ok(IssuedHostCertificate {
            pem: issued.pem(),
            not_after: validity.not_after,
            fingerprint_sha256: hex::encode(Sha256::digest(issued.der())),
        })
    }

    /// A certificate with which the control plane calls hosts.
    pub fn control_client(&self, now: DateTime<Utc>) -> Result<OwnCertificate, HostCaError> {
        self.control(now, ExtendedKeyUsagePurpose::ClientAuth)
    }

    /// A certificate for the listener of the control plane, which hosts call. The CA's certificate follows: a host that registers
    /// knows the CA by its hash only.
    pub fn control_server(&self, now: DateTime<Utc>) -> Result<OwnCertificate, HostCaError> {
        self.control(now, ExtendedKeyUsagePurpose::ServerAuth)
    }

    fn control(
        &self,
        now: DateTime<Utc>,
        purpose: ExtendedKeyUsagePurpose,
    ) -> Result<OwnCertificate, HostCaError> {
        let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)?;
        let validity = Validity::of(now, CONTROL_LIFE);
        let own = self.issue(&key, CONTROL_NAME, purpose, validity)?;
        let chain = vec![own.der().clone(), self.certificate().clone()];
        let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(key.serialize_der()));
        Ok(OwnCertificate::from_der(chain, key)?)
    }

    /// Issues a certificate with one name and one purpose.
    fn issue(
        &self,
        key: &impl PublicKeyData,
        name: &str,
        purpose: ExtendedKeyUsagePurpose,
        validity: Validity,
    ) -> Result<Certificate, HostCaError> {
        let mut params = CertificateParams::default();
        params.distinguished_name = common_name(name);
        params.subject_alt_names = vec![SanType::DnsName(name.try_into()?)];
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![purpose];
        params.use_authority_key_identifier_extension = true;
        params.serial_number = Some(SerialNumber::from_slice(&rand::random::<[u8; 16]>()));
        params.not_before = date_time_ymd(1970, 1, 1) + since_epoch(validity.not_before);
        params.not_after = date_time_ymd(1970, 1, 1) + since_epoch(validity.not_after);
        Ok(params.signed_by(key, &self.issuer)?)
    }
}

fn ca_params() -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name = common_name(CA_NAME);
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
    // A machine that trusts this CA for more than it should is safe from names on the Internet.
    params.name_constraints = Some(NameConstraints {
        permitted_subtrees: vec![GeneralSubtree::DnsName(HOSTS_DOMAIN.to_owned())],
        excluded_subtrees: Vec::new(),
    });
    // The CA ends with the platform key. RFC 5280 has this date for "no end".
    params.not_before = date_time_ymd(2000, 1, 1);
    params.not_after = date_time_ymd(9999, 12, 31);
    params
}

fn common_name(name: &str) -> DistinguishedName {
    let mut subject = DistinguishedName::new();
    subject.push(DnType::CommonName, name);
    subject
}

#[derive(Debug, Clone, Copy)]
struct Validity {
    not_before: DateTime<Utc>,
    not_after: DateTime<Utc>,
}

impl Validity {
    fn of(now: DateTime<Utc>, life: TimeDelta) -> Self {
        // Certificates have whole seconds.
        let now = now.trunc_subsecs(0);
        Self {
            not_before: now - BACKDATED,
            not_after: now + life,
        }
    }
}

/// The type of moments in rcgen is of a crate that is not a dependency of this one.
fn since_epoch(at: DateTime<Utc>) -> Duration {
    (at - DateTime::UNIX_EPOCH).to_std().unwrap_or_default()
}

/// The key of the CA.
struct CaKey(Ed25519KeyPair);

impl CaKey {
    fn derive(platform_key: &[u8]) -> Result<Self, HostCaError> {
        let mut seed = [0; 32];
        Salt::new(HKDF_SHA256, &[])
            .extract(platform_key)
            .expand(&[DERIVATION], HKDF_SHA256)
            .and_then(|derived| derived.fill(&mut seed))
            .map_err(|_| HostCaError::Derive)?;
        let key = Ed25519KeyPair::from_seed_unchecked(&seed).map_err(|_| HostCaError::Derive)?;
        Ok(Self(key))
    }
}

impl PublicKeyData for CaKey {
    fn der_bytes(&self) -> &[u8] {
        self.0.public_key().as_ref()
    }

    fn algorithm(&self) -> &'static SignatureAlgorithm {
        &PKCS_ED25519
    }
}

impl SigningKey for CaKey {
    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, rcgen::Error> {
        Ok(self.0.sign(message).as_ref().to_vec())
    }
}
