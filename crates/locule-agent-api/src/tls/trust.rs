//! The verifiers of certificates that rustls does not have.

use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{verify_server_cert_signed_by_trust_anchor, verify_server_name};
use rustls::crypto::{WebPkiSupportedAlgorithms, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::{
    CertificateError, DigitallySignedStruct, DistinguishedName, Error, PeerIncompatible,
    SignatureScheme,
};

use super::pin::CaPin;
use super::{CONTROL_NAME, provider, roots};

fn control_name() -> Result<ServerName<'static>, Error> {
    ServerName::try_from(CONTROL_NAME)
        .map_err(|_| Error::General("the name of the control plane is no name".to_owned()))
}

/// What a host agent accepts: the certificate with which the control plane calls hosts.
#[derive(Debug)]
pub(super) struct ControlAsClient(pub(super) Arc<dyn ClientCertVerifier>);

impl ClientCertVerifier for ControlAsClient {
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        self.0.root_hint_subjects()
    }

    /// The inner verifier checks issuer, dates and purpose. The CA gives no other client a certificate; the name keeps that true for
    /// a later kind of client.
    fn verify_client_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        let verified = self.0.verify_client_cert(end_entity, intermediates, now)?;
        verify_server_name(&ParsedCertificate::try_from(end_entity)?, &control_name()?)?;
        Ok(verified)
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.0
            .verify_tls12_signature(message, certificate, signature)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.0
            .verify_tls13_signature(message, certificate, signature)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.supported_verify_schemes()
    }
}

/// How a host agent knows the control plane that it calls.
#[derive(Debug, Clone)]
pub enum ControlTrust {
    /// Before the registration: the hash that the operator copied. The CA's certificate comes in the handshake.
    Pin(CaPin),
    /// After the registration.
    Ca(CertificateDer<'static>),
}

/// What a host agent accepts when it calls: the certificate of the control plane's listener, whatever address the operator gave.
#[derive(Debug)]
pub(super) struct ControlAsServer {
    trust: ControlTrust,
    algorithms: WebPkiSupportedAlgorithms,
}

impl ControlAsServer {
    pub(super) fn new(trust: ControlTrust) -> Self {
        Self {
            trust,
            algorithms: provider().signature_verification_algorithms,
        }
    }
}

impl ServerCertVerifier for ControlAsServer {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        _dialled: &ServerName<'_>,
        _ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let ca = match &self.trust {
            ControlTrust::Ca(ca) => ca,
            ControlTrust::Pin(pin) => intermediates
                .iter()
                .find(|sent| pin.is_of(sent))
                .ok_or(CertificateError::UnknownIssuer)?,
        };
        let certificate = ParsedCertificate::try_from(end_entity)?;
        verify_server_cert_signed_by_trust_anchor(
            &certificate,
            &roots(ca)?,
            &[],
            now,
            self.algorithms.all,
        )?;
        verify_server_name(&certificate, &control_name()?)?;
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _message: &[u8],
        _certificate: &CertificateDer<'_>,
        _signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Err(PeerIncompatible::ServerDoesNotSupportTls12Or13.into())
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, certificate, signature, &self.algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}
