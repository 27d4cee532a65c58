//! The certificates of hosts, and of the control plane towards hosts (ADR 0043).
//!
//! ```text
//! platform key ──► HostCa ──► a certificate for each host, from its signing request
//!                     └─────► ControlCertificate: the control plane's own, renewed as they age
//! ```
//! Every replica of the control plane derives the same CA. Nothing here is stored.

mod ca;
mod control_certificate;
mod csr;

use std::sync::Arc;

use chrono::DateTime;
use locule_agent_api::Connector;
use locule_agent_api::tls::{BadCertificate, CaPin, ControlTls, TlsHost, control_server, tls_time};
use locule_base::clock::SharedClock;
use locule_ids::HostId;
use rustls::ServerConfig;
use rustls::time_provider::TimeProvider;

pub use ca::{HostCa, HostCaError, IssueError, IssuedHostCertificate};
pub use csr::BadCsr;

use self::control_certificate::{ControlCertificate, Purpose};

/// The CA of the hosts, and how the control plane and its hosts reach each other with its certificates. Cheap to clone.
#[derive(Clone)]
pub struct HostCertificates {
    ca: Arc<HostCa>,
    to_hosts: ControlTls,
    from_hosts: Arc<ServerConfig>,
    clock: SharedClock,
}

impl std::fmt::Debug for HostCertificates {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("HostCertificates")
            .field("ca", &self.ca)
            .finish_non_exhaustive()
    }
}

/// The certificates of the control plane cannot be made.
#[derive(Debug, thiserror::Error)]
pub enum HostCertificatesError {
    #[error("the CA of the hosts cannot be derived from the platform key")]
    Ca(#[from] HostCaError),
    #[error("the control plane cannot use the certificates of its own CA")]
    Tls(#[from] BadCertificate),
}

impl HostCertificates {
    pub fn new(platform_key: &[u8], clock: SharedClock) -> Result<Self, HostCertificatesError> {
        let ca = Arc::new(HostCa::from_platform_key(platform_key)?);
        let own = |purpose| -> Result<_, HostCaError> {
            let own = ControlCertificate::new(ca.clone(), purpose, clock.clone())?;
            Ok(Arc::new(own))
        };
        let time = time_of(clock.clone());
        let to_hosts = ControlTls::new(ca.certificate(), own(Purpose::Client)?, time.clone())?;
        let from_hosts = control_server(own(Purpose::Server)?, time)?;
        Ok(Self {
            ca,
            to_hosts,
            from_hosts: Arc::new(from_hosts),
            clock,
        })
    }

    /// What `--ca-hash` of a host agent is.
    pub fn pin(&self) -> CaPin {
        self.ca.pin()
    }

    /// The certificate of the CA, which a host stores when it has registered.
    pub fn ca_pem(&self) -> String {
        self.ca.certificate_pem()
    }

    /// A certificate for the key of a signing request.
    pub fn issue_host(
        &self,
        csr_pem: &str,
        host: HostId,
    ) -> Result<IssuedHostCertificate, IssueError> {
        self.ca.issue_host(csr_pem, host, self.clock.now())
    }

    /// How to connect to a host on another machine. All connectors share the certificate of the control plane, and the sessions.
    pub fn connector(&self, host: HostId, address: impl Into<String>) -> Connector {
        Connector::Tls(TlsHost::new(host, address, self.to_hosts.clone()))
    }

    /// The TLS of the listener that host agents call.
    pub fn listener(&self) -> Arc<ServerConfig> {
        self.from_hosts.clone()
    }
}

/// The platform's clock, as TLS asks for the time.
fn time_of(clock: SharedClock) -> Arc<dyn TimeProvider> {
    tls_time(move || (clock.now() - DateTime::UNIX_EPOCH).to_std().ok())
}

#[cfg(test)]
mod tests;
