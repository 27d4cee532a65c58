//! TLS between the control plane and host agents: who shows which certificate, and who accepts it (ADR 0043).
//!
//! One CA issues every certificate. A certificate has one name and one purpose, so that none is accepted in the place of another:
//!
//! | certificate | name | purpose | accepted by |
//! |---|---|---|---|
//! | of a host | `{host}.hosts.locule.internal` | server | the control plane ([`ControlTls`]), for this host only |
//! | of the control plane, to call hosts | [`CONTROL_NAME`] | client | host agents ([`AgentTls`]) |
//! | of the control plane, to be called by hosts | [`CONTROL_NAME`] | server | host agents ([`control_client`]) |
//!
//! Always TLS 1.3 and HTTP/1.1. Keys are made where they are used and are never sent. Time comes from the caller.

mod agent;
mod certificate;
mod control;
mod pin;
mod sessions;
mod time;
mod trust;

use std::io;
use std::sync::Arc;
use std::time::Duration;

use locule_ids::HostId;
use rustix::net::sockopt;
use rustls::RootCertStore;
use rustls::crypto::CryptoProvider;
use rustls::pki_types::CertificateDer;
use tokio::net::TcpStream;

pub use agent::{AgentTls, control_client, dial_control};
pub use certificate::{BadCertificate, OwnCertificate, certificate_from_pem};
pub use control::{ControlTls, TlsHost, control_server};
pub use pin::{CaPin, ParsePinError};
pub use rustls;
pub use time::tls_time;
pub use trust::ControlTrust;

/// The domain of the names in certificates. The domain exists in no name service: addresses come from the registration of hosts.
pub const HOSTS_DOMAIN: &str = "hosts.locule.internal";
/// The name of the control plane in both of its certificates. No host has this name: the label of a host has 25 digits.
pub const CONTROL_NAME: &str = "control.hosts.locule.internal";

/// A machine that vanished is noticed after half a minute: streams of events may be silent for hours.
const KEEPALIVE_IDLE: Duration = Duration::from_secs(15);
const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(5);
const KEEPALIVE_PROBES: u32 = 3;
/// Bytes that the other machine has not confirmed by then end the connection, as missing answers to probes do.
const UNCONFIRMED_MS: u32 = 30_000;

const HTTP_1_1: &[u8] = b"http/1.1";
const TLS_1_3: &[&rustls::SupportedProtocolVersion] = &[&rustls::version::TLS13];

/// The only name in the certificate of a host.
pub fn host_name(host: HostId) -> String {
    format!("{}.{HOSTS_DOMAIN}", host.base36())
}

/// Sets what both sides of a connection between control plane and host agent need: no delay of small messages, and an end when
/// the other machine has vanished.
pub fn set_options(stream: &TcpStream) -> io::Result<()> {
    stream.set_nodelay(true)?;
    sockopt::set_socket_keepalive(stream, true)?;
    sockopt::set_tcp_keepidle(stream, KEEPALIVE_IDLE)?;
    sockopt::set_tcp_keepintvl(stream, KEEPALIVE_INTERVAL)?;
    sockopt::set_tcp_keepcnt(stream, KEEPALIVE_PROBES)?;
    Ok(sockopt::set_tcp_user_timeout(stream, UNCONFIRMED_MS)?)
}

fn provider() -> Arc<CryptoProvider> {
    Arc::new(rustls::crypto::ring::default_provider())
}

fn roots(ca: &CertificateDer<'_>) -> Result<RootCertStore, rustls::Error> {
    let mut roots = RootCertStore::empty();
    roots.add(ca.clone().into_owned())?;
    Ok(roots)
}
