//! A host agent calls the control plane: the control plane is known by the hash of its CA, later by the CA.

use std::sync::Arc;

use locule_agent_api::tls::rustls::Error;
use locule_agent_api::tls::rustls::pki_types::ServerName;
use locule_agent_api::tls::{
    CONTROL_NAME, CaPin, ControlTrust, OwnCertificate, control_client, control_server, host_name,
};
use locule_ids::HostId;
use tokio_rustls::{TlsAcceptor, TlsConnector};

use crate::certificates::{Ca, DAY, Purpose, TestClock};

/// A handshake of an agent with a control plane, as the agent sees it. The agent dials an address that is in no certificate.
async fn call(trust: ControlTrust, own: Arc<OwnCertificate>) -> Result<(), Error> {
    let clock = Arc::new(TestClock::default());
    clock.advance(1);
    let server = control_server(own, clock.clone()).unwrap();
    let client = control_client(trust, clock).unwrap();
    let (ours, theirs) = tokio::io::duplex(64 * 1024);
    let dialled = ServerName::try_from("192.0.2.7").unwrap();
    let (called, _answered) = tokio::join!(
        TlsConnector::from(Arc::new(client)).connect(dialled, ours),
        TlsAcceptor::from(Arc::new(server)).accept(theirs),
    );
    called.map(drop).map_err(|error| {
        let inner = error.into_inner().unwrap();
        *inner.downcast::<Error>().unwrap()
    })
}

fn pin(ca: &Ca) -> ControlTrust {
    ControlTrust::Pin(CaPin::of_certificate(&ca.certificate).unwrap())
}

/// The hash of the CA, which the operator copies, is all that a host needs before its registration.
#[tokio::test]
async fn the_control_plane_is_known_by_the_hash_of_its_ca_and_by_the_ca() {
    let ca = Ca::new();
    let own = ca.issue(CONTROL_NAME, Purpose::Server, DAY);
    call(pin(&ca), own.clone()).await.unwrap();
    let known = ControlTrust::Ca(ca.certificate.clone());
    call(known, own).await.unwrap();
}

/// W-036: what a host has does not let it stand in for the control plane.
#[tokio::test]
async fn a_host_agent_calls_nothing_but_the_control_plane() {
    let (ca, other) = (Ca::new(), Ca::new());
    let host = host_name(HostId::random());
    let cases = [
        (
            "another CA",
            other.issue(CONTROL_NAME, Purpose::Server, DAY),
        ),
        ("a host", ca.issue(&host, Purpose::Server, DAY)),
        (
            "the control plane's certificate as a client",
            ca.issue(CONTROL_NAME, Purpose::Client, DAY),
        ),
        ("expired", ca.issue(CONTROL_NAME, Purpose::Server, 0)),
    ];
    for (case, own) in cases {
        for trust in [pin(&ca), ControlTrust::Ca(ca.certificate.clone())] {
            let refused = call(trust, own.clone()).await.unwrap_err();
            assert!(
                matches!(refused, Error::InvalidCertificate(_)),
                "{case}: {refused}"
            );
        }
    }
    // The right CA behind a certificate of another one proves nothing.
    let mixed = other.issue_with(CONTROL_NAME, Purpose::Server, DAY, &ca.certificate);
    let refused = call(pin(&ca), mixed).await.unwrap_err();
    assert!(matches!(refused, Error::InvalidCertificate(_)), "{refused}");
}
