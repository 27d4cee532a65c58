//! A CA of the test, certificates of any kind, and a clock that the test sets.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use locule_agent_api::tls::OwnCertificate;
use locule_agent_api::tls::rustls::pki_types::{
    CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer, UnixTime,
};
use locule_agent_api::tls::rustls::time_provider::TimeProvider;
use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    PKCS_ECDSA_P256_SHA256, date_time_ymd,
};

pub(crate) const MINUTE: u64 = 60;
pub(crate) const DAY: u64 = 24 * 60 * MINUTE;

/// Seconds since the beginning of the test, which is in 2030.
#[derive(Debug, Default)]
pub(crate) struct TestClock(AtomicU64);

impl TestClock {
    pub(crate) fn advance(&self, seconds: u64) {
        self.0.fetch_add(seconds, Ordering::Relaxed);
    }
}

fn since_epoch(seconds: u64) -> Duration {
    let start = date_time_ymd(2030, 1, 1).unix_timestamp();
    Duration::from_secs(u64::try_from(start).unwrap() + seconds)
}

impl TimeProvider for TestClock {
    fn current_time(&self) -> Option<UnixTime> {
        let seconds = self.0.load(Ordering::Relaxed);
        Some(UnixTime::since_unix_epoch(since_epoch(seconds)))
    }
}

pub(crate) struct Ca {
    issuer: Issuer<'static, KeyPair>,
    pub(crate) certificate: CertificateDer<'static>,
}

#[derive(Debug, Clone, Copy)]
pub(crate) enum Purpose {
    Server,
    Client,
}

impl Ca {
    pub(crate) fn new() -> Self {
        let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).unwrap();
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        let certificate = params.self_signed(&key).unwrap().der().clone();
        Self {
            issuer: Issuer::new(params, key),
            certificate,
        }
    }

    /// A certificate for some seconds from the beginning of the test, with the CA's behind it.
    pub(crate) fn issue(&self, name: &str, purpose: Purpose, seconds: u64) -> Arc<OwnCertificate> {
        self.issue_with(name, purpose, seconds, &self.certificate)
    }

    /// As [`Self::issue`], with another certificate behind it.
    pub(crate) fn issue_with(
        &self,
        name: &str,
        purpose: Purpose,
        seconds: u64,
        behind: &CertificateDer<'static>,
    ) -> Arc<OwnCertificate> {
        let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).unwrap();
        let mut params = CertificateParams::new([name.to_owned()]).unwrap();
        params.distinguished_name.push(DnType::CommonName, name);
        params.extended_key_usages = vec![match purpose {
            Purpose::Server => ExtendedKeyUsagePurpose::ServerAuth,
            Purpose::Client => ExtendedKeyUsagePurpose::ClientAuth,
        }];
        params.not_before = date_time_ymd(1970, 1, 1);
        params.not_after = date_time_ymd(1970, 1, 1) + since_epoch(seconds);
        let own = params.signed_by(&key, &self.issuer).unwrap();
        let chain = vec![own.der().clone(), behind.clone()];
        let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(key.serialize_der()));
        Arc::new(OwnCertificate::from_der(chain, key).unwrap())
    }
}
