//! The control plane's own certificates, each made anew at half of its life.

use std::sync::{Arc, Mutex, PoisonError};

use chrono::{DateTime, Utc};
use locule_agent_api::tls::OwnCertificate;
use locule_base::clock::SharedClock;
use locule_base::errors::chain;
use rustls::SignatureScheme;
use rustls::client::ResolvesClientCert;
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;

use super::ca::{CONTROL_LIFE, HostCa, HostCaError};

/// What the certificate is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Purpose {
    /// To call hosts.
    Client,
    /// To be called by hosts.
    Server,
}

/// A certificate that each connection asks for. A connection that finds it old makes the next one, so no task has to run, and
/// open connections go on.
#[derive(Debug)]
pub(super) struct ControlCertificate {
    ca: Arc<HostCa>,
    purpose: Purpose,
    clock: SharedClock,
    current: Mutex<Current>,
}

#[derive(Debug)]
struct Current {
    own: OwnCertificate,
    made_at: DateTime<Utc>,
}

impl ControlCertificate {
    pub(super) fn new(
        ca: Arc<HostCa>,
        purpose: Purpose,
        clock: SharedClock,
    ) -> Result<Self, HostCaError> {
        let made_at = clock.now();
        let own = issue(&ca, purpose, made_at)?;
        Ok(Self {
            ca,
            purpose,
            clock,
            current: Mutex::new(Current { own, made_at }),
        })
    }

    /// The certificate of now.
    pub(super) fn certified_key(&self) -> Arc<CertifiedKey> {
        let now = self.clock.now();
        let mut current = self.current.lock().unwrap_or_else(PoisonError::into_inner);
        let age = now - current.made_at;
        // A clock that was set back would leave a certificate that is not valid yet.
        if age >= CONTROL_LIFE / 2 || now < current.made_at {
            match issue(&self.ca, self.purpose, now) {
                Ok(own) => *current = Current { own, made_at: now },
                Err(error) => tracing::error!(
                    error = chain(&error),
                    "the certificate of the control plane for hosts cannot be renewed"
                ),
            }
        }
        current.own.certified_key()
    }
}

fn issue(ca: &HostCa, purpose: Purpose, now: DateTime<Utc>) -> Result<OwnCertificate, HostCaError> {
    match purpose {
        Purpose::Client => ca.control_client(now),
        Purpose::Server => ca.control_server(now),
    }
}

impl ResolvesClientCert for ControlCertificate {
    fn resolve(&self, _roots: &[&[u8]], _schemes: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        Some(self.certified_key())
    }

    fn has_certs(&self) -> bool {
        true
    }
}

impl ResolvesServerCert for ControlCertificate {
    fn resolve(&self, _hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.certified_key())
    }
}
