//! The control plane's side.

use std::fmt;
use std::io;
use std::sync::Arc;

use locule_ids::HostId;
use rustls::client::danger::ServerCertVerifier;
use rustls::client::{ResolvesClientCert, Resumption, WebPkiServerVerifier};
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::server::ResolvesServerCert;
use rustls::time_provider::TimeProvider;
use rustls::{ClientConfig, ServerConfig};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::certificate::BadCertificate;
use super::sessions::check_resumed;
use super::{HTTP_1_1, TLS_1_3, host_name, provider, roots, set_options};
use crate::dial_error::{DIAL_LIMIT, DialError};

/// Hosts whose sessions are kept, to be resumed by the next request.
const HOSTS_MAX: usize = 1024;

/// How the control plane speaks TLS to every host. Cheap to clone; clones share the sessions.
#[derive(Clone)]
pub struct ControlTls {
    config: Arc<ClientConfig>,
    verifier: Arc<dyn ServerCertVerifier>,
    time: Arc<dyn TimeProvider>,
}

impl fmt::Debug for ControlTls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ControlTls").finish_non_exhaustive()
    }
}

impl ControlTls {
    /// Accepts hosts whose certificate the CA issued. Each connection asks `own` for the certificate to show.
    pub fn new(
        ca: &CertificateDer<'_>,
        own: Arc<dyn ResolvesClientCert>,
        time: Arc<dyn TimeProvider>,
    ) -> Result<Self, BadCertificate> {
        let verifier: Arc<dyn ServerCertVerifier> =
            WebPkiServerVerifier::builder_with_provider(Arc::new(roots(ca)?), provider())
                .build()
                .map_err(|error| rustls::Error::General(error.to_string()))?;
        let mut config = ClientConfig::builder_with_details(provider(), time.clone())
            .with_protocol_versions(TLS_1_3)?
            .dangerous()
            .with_custom_certificate_verifier(verifier.clone())
            .with_client_cert_resolver(own);
        config.alpn_protocols = vec![HTTP_1_1.to_vec()];
        config.resumption = Resumption::in_memory_sessions(HOSTS_MAX);
        Ok(Self {
            config: Arc::new(config),
            verifier,
            time,
        })
    }

    async fn handshake(
        &self,
        name: &ServerName<'static>,
        stream: TcpStream,
    ) -> Result<TlsStream<TcpStream>, DialError> {
        let connector = TlsConnector::from(self.config.clone());
        let stream = connector.connect(name.clone(), stream).await;
        let stream = stream.map_err(failed)?;
        check_resumed(stream.get_ref().1, &*self.time, |own, chain, now| {
            let verified = self.verifier.verify_server_cert(own, chain, name, &[], now);
            verified.map(drop)
        })
        .map_err(DialError::Certificate)?;
        Ok(stream)
    }
}

/// The reason of a handshake that failed.
fn failed(error: io::Error) -> DialError {
    let inner = error.get_ref();
    let reason = inner.and_then(|inner| inner.downcast_ref::<rustls::Error>());
    match reason.cloned() {
        Some(reason @ rustls::Error::InvalidCertificate(_)) => DialError::Certificate(reason),
        _ => DialError::Handshake(error),
    }
}

/// One host, reached at an address and known by its id.
#[derive(Debug, Clone)]
pub struct TlsHost {
    address: String,
    name: ServerName<'static>,
    tls: ControlTls,
}

impl TlsHost {
    /// The address is `host:port`. The host chose it when it registered, so the address says nothing of who answers there: only a
    /// certificate with the id of the host is accepted (W-036).
    pub fn new(host: HostId, address: impl Into<String>, tls: ControlTls) -> Self {
        #[expect(clippy::expect_used, reason = "25 digits and labels of letters")]
        let name = ServerName::try_from(host_name(host)).expect("the name of a host is a DNS name");
        Self {
            address: address.into(),
            name,
            tls,
        }
    }

    pub(crate) async fn connect(&self) -> Result<TlsStream<TcpStream>, DialError> {
        let connecting = async {
            let stream = TcpStream::connect(&self.address).await?;
            set_options(&stream)?;
            self.tls.handshake(&self.name, stream).await
        };
        tokio::time::timeout(DIAL_LIMIT, connecting)
            .await
            .unwrap_or(Err(DialError::TimedOut))
    }
}

impl PartialEq for TlsHost {
    fn eq(&self, other: &Self) -> bool {
        self.address == other.address
            && self.name == other.name
            && Arc::ptr_eq(&self.tls.config, &other.tls.config)
    }
}

impl Eq for TlsHost {}

/// The listener of the control plane for host agents. An agent shows no certificate: it sends its token. Each connection asks `own`
/// for the certificate, which the certificate of the CA must follow: a host that registers knows nothing but the CA's hash.
pub fn control_server(
    own: Arc<dyn ResolvesServerCert>,
    time: Arc<dyn TimeProvider>,
) -> Result<ServerConfig, BadCertificate> {
    let mut config = ServerConfig::builder_with_details(provider(), time)
        .with_protocol_versions(TLS_1_3)?
        .with_no_client_auth()
        .with_cert_resolver(own);
    config.alpn_protocols = vec![HTTP_1_1.to_vec()];
    // Agents call rarely, and keep their connection.
    config.send_tls13_tickets = 0;
    Ok(config)
}
