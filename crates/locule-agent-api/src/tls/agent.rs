//! The host agent's side.

use std::fmt;
use std::io;
use std::sync::Arc;

use rustls::client::Resumption;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::server::WebPkiClientVerifier;
use rustls::server::danger::ClientCertVerifier;
use rustls::time_provider::TimeProvider;
use rustls::{ClientConfig, ServerConfig};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_rustls::server::TlsStream;
use tokio_rustls::{TlsAcceptor, TlsConnector};

use super::certificate::{BadCertificate, OwnCertificate, Replaceable};
use super::sessions::{Sessions, check_resumed};
use super::trust::{ControlAsClient, ControlAsServer, ControlTrust};
use super::{CONTROL_NAME, HTTP_1_1, TLS_1_3, provider, roots};

/// How a host agent answers the control plane. Cheap to clone; clones share certificate and sessions.
#[derive(Clone)]
pub struct AgentTls {
    config: Arc<ServerConfig>,
    verifier: Arc<dyn ClientCertVerifier>,
    own: Arc<Replaceable>,
    sessions: Arc<Sessions>,
    time: Arc<dyn TimeProvider>,
}

impl fmt::Debug for AgentTls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AgentTls").finish_non_exhaustive()
    }
}

impl AgentTls {
    /// Accepts the control plane whose CA is `ca`, and nothing without its certificate.
    pub fn new(
        ca: &CertificateDer<'_>,
        own: OwnCertificate,
        time: Arc<dyn TimeProvider>,
    ) -> Result<Self, BadCertificate> {
        let inner = WebPkiClientVerifier::builder_with_provider(Arc::new(roots(ca)?), provider())
            .build()
            .map_err(|error| rustls::Error::General(error.to_string()))?;
        let verifier: Arc<dyn ClientCertVerifier> = Arc::new(ControlAsClient(inner));
        let own = Arc::new(Replaceable::new(own));
        let sessions = Arc::new(Sessions::new(time.clone()));
        let mut config = ServerConfig::builder_with_details(provider(), time.clone())
            .with_protocol_versions(TLS_1_3)?
            .with_client_cert_verifier(verifier.clone())
            .with_cert_resolver(own.clone());
        config.alpn_protocols = vec![HTTP_1_1.to_vec()];
        config.session_storage = sessions.clone();
        Ok(Self {
            config: Arc::new(config),
            verifier,
            own,
            sessions,
            time,
        })
    }

    /// The handshake with a client, which has no time limit of its own.
    pub async fn accept<S>(&self, stream: S) -> io::Result<TlsStream<S>>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        let stream = TlsAcceptor::from(self.config.clone())
            .accept(stream)
            .await?;
        check_resumed(stream.get_ref().1, &*self.time, |client, chain, now| {
            let verified = self.verifier.verify_client_cert(client, chain, now);
            verified.map(drop)
        })
        .map_err(io::Error::other)?;
        Ok(stream)
    }

    /// Shows another certificate from the next connection on. Open connections go on.
    pub fn replace_certificate(&self, own: OwnCertificate) {
        self.own.replace(own);
        // A resumed session would last as long as the certificate that was replaced.
        self.sessions.end_all();
    }
}

/// The handshake of a host agent that calls the control plane, which has no time limit of its own.
pub async fn dial_control<S>(
    config: Arc<ClientConfig>,
    stream: S,
) -> io::Result<tokio_rustls::client::TlsStream<S>>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let name = ServerName::try_from(CONTROL_NAME).map_err(io::Error::other)?;
    TlsConnector::from(config).connect(name, stream).await
}

/// The configuration with which a host agent calls the control plane. The name in the certificate is
/// [`CONTROL_NAME`], whatever name or address the client dials.
pub fn control_client(
    trust: ControlTrust,
    time: Arc<dyn TimeProvider>,
) -> Result<ClientConfig, BadCertificate> {
    let mut config = ClientConfig::builder_with_details(provider(), time)
        .with_protocol_versions(TLS_1_3)?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(ControlAsServer::new(trust)))
        .with_no_client_auth();
    config.alpn_protocols = vec![HTTP_1_1.to_vec()];
    config.resumption = Resumption::disabled();
    Ok(config)
}
