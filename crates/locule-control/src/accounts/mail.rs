//! The SMTP client.

use lettre::message::Mailbox;
use lettre::transport::smtp::authentication::Credentials;
use lettre::{AsyncSmtpTransport, AsyncTransport as _, Message, Tokio1Executor};

use crate::error::CommonError;

const IMPLICIT_TLS_PORT: u16 = 465;
const SEND_TIMEOUT: std::time::Duration = std::time::Duration::from_secs(30);

/// The mail server, the sender, and the base of links.
#[derive(Clone)]
pub struct MailConfig {
    pub host: String,
    /// Port 465 uses TLS from the start; every other port uses STARTTLS, except for a server on this machine.
    pub port: u16,
    pub login: Option<(String, String)>,
    pub from: String,
    /// The base of the links in e-mails.
    pub public_url: String,
}

impl std::fmt::Debug for MailConfig {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("MailConfig")
            .field("host", &self.host)
            .field("port", &self.port)
            .finish_non_exhaustive()
    }
}

#[derive(Debug, thiserror::Error)]
pub enum MailSetupError {
    #[error("{from:?} is not a valid sender address")]
    From {
        from: String,
        source: lettre::address::AddressError,
    },
    #[error("TLS cannot be set up for the mail server")]
    Tls(#[source] lettre::transport::smtp::Error),
}

/// Cheap to clone.
#[derive(Clone)]
pub struct Mailer {
    transport: AsyncSmtpTransport<Tokio1Executor>,
    from: Mailbox,
    pub(crate) public_url: String,
}

impl std::fmt::Debug for Mailer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Mailer").finish_non_exhaustive()
    }
}

impl Mailer {
    pub fn new(config: &MailConfig) -> Result<Self, MailSetupError> {
        let from = config.from.parse().map_err(|source| MailSetupError::From {
            from: config.from.clone(),
            source,
        })?;
        let host = config.host.as_str();
        let here = host == "localhost"
            || host
                .parse()
                .is_ok_and(|ip: std::net::IpAddr| ip.is_loopback());
        let transport = match config.port {
            IMPLICIT_TLS_PORT => AsyncSmtpTransport::<Tokio1Executor>::relay(host),
            _ if here => Ok(AsyncSmtpTransport::<Tokio1Executor>::builder_dangerous(
                host,
            )),
            _ => AsyncSmtpTransport::<Tokio1Executor>::starttls_relay(host),
        };
        let mut transport = transport
            .map_err(MailSetupError::Tls)?
            .port(config.port)
            .timeout(Some(SEND_TIMEOUT));
        if let Some((name, password)) = &config.login {
            transport = transport.credentials(Credentials::new(name.clone(), password.clone()));
        }
        Ok(Self {
            transport: transport.build(),
            from,
            public_url: config.public_url.trim_end_matches('/').to_owned(),
        })
    }

    pub(crate) async fn send(
        &self,
        to: &str,
        subject: &str,
        text: String,
    ) -> Result<(), CommonError> {
        let address = to.parse().map_err(CommonError::internal)?;
        let message = Message::builder()
            .from(self.from.clone())
            .to(Mailbox::new(None, address))
            .subject(subject)
            .body(text)
            .map_err(CommonError::internal)?;
        let sent = self.transport.send(message).await;
        sent.map(drop).map_err(CommonError::internal)
    }
}
