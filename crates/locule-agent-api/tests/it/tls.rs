//! Control plane and host agent over TLS: the certificates that each side accepts, and those that it refuses.

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::routing::post;
use http::Request;
use http_body_util::BodyExt as _;
use hyper::server::conn::http1;
use hyper_util::rt::TokioIo;
use hyper_util::service::TowerToHyperService;
use locule_agent_api::http1::exchange;
use locule_agent_api::tls::rustls::client::ResolvesClientCert;
use locule_agent_api::tls::rustls::pki_types::CertificateDer;
use locule_agent_api::tls::rustls::sign::CertifiedKey;
use locule_agent_api::tls::rustls::{CertificateError, Error, HandshakeKind, SignatureScheme};
use locule_agent_api::tls::{
    AgentTls, CONTROL_NAME, ControlTls, OwnCertificate, TlsHost, host_name,
};
use locule_agent_api::{AgentError, Client, Connector, DialError, HostAgent as _, router};
use locule_ids::HostId;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio::sync::mpsc;

use crate::certificates::{Ca, DAY, MINUTE, Purpose, TestClock};
use crate::{Recorder, info};

/// The result of a handshake, as the host sees it.
type Accepted = Result<HandshakeKind, String>;

/// A host with a certificate, and a control plane with another one.
struct World {
    ca: Ca,
    clock: Arc<TestClock>,
    host: HostId,
    address: String,
    agent: AgentTls,
    control: ControlTls,
    accepted: mpsc::UnboundedReceiver<Accepted>,
}

impl World {
    async fn start() -> Self {
        let (ca, host) = (Ca::new(), HostId::random());
        let own = ca.issue(&host_name(host), Purpose::Server, 7 * DAY);
        let client = ca.issue(CONTROL_NAME, Purpose::Client, DAY);
        Self::with(ca, host, &own, client).await
    }

    async fn with(
        ca: Ca,
        host: HostId,
        own: &OwnCertificate,
        client: Arc<dyn ResolvesClientCert>,
    ) -> Self {
        let clock = Arc::new(TestClock::default());
        let agent = AgentTls::new(&ca.certificate, own.clone(), clock.clone()).unwrap();
        let control = ControlTls::new(&ca.certificate, client, clock.clone()).unwrap();
        let (address, accepted) = serve(agent.clone()).await;
        Self {
            ca,
            clock,
            host,
            address,
            agent,
            control,
            accepted,
        }
    }

    fn connector_to(&self, host: HostId) -> Connector {
        let address = self.address.clone();
        Connector::Tls(TlsHost::new(host, address, self.control.clone()))
    }

    fn connector(&self) -> Connector {
        self.connector_to(self.host)
    }

    /// Calls the host, and returns how it accepted the connection.
    async fn call(&mut self) -> (Result<(), AgentError>, Accepted) {
        let called = Client::new(self.connector()).host().await;
        let accepted = self.accepted.recv().await.unwrap();
        (called.map(drop), accepted)
    }

    /// Asserts that neither side of a connection accepts it, and returns the control plane's reason.
    async fn refused_host(&mut self, connector: Connector) -> Error {
        let dialled = connector.connect().await;
        self.accepted.recv().await.unwrap().unwrap_err();
        match dialled {
            Err(DialError::Certificate(reason)) => reason,
            Err(other) => panic!("{other}"),
            Ok(_) => panic!("the certificate was accepted"),
        }
    }
}

/// Serves the RPC of a host and an echo.
async fn serve(tls: AgentTls) -> (String, mpsc::UnboundedReceiver<Accepted>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let (report, accepted) = mpsc::unbounded_channel();
    let app = Router::new()
        .route("/echo", post(|body: Body| async { body }))
        .fallback_service(router(Recorder::new(info())));
    let serving = async move {
        while let Ok((stream, _)) = listener.accept().await {
            let (tls, app, report) = (tls.clone(), app.clone(), report.clone());
            run(async move {
                let accepted = tls.accept(stream).await;
                let result = match &accepted {
                    Ok(stream) => Ok(stream.get_ref().1.handshake_kind().unwrap()),
                    Err(error) => Err(error.to_string()),
                };
                let _ = report.send(result);
                if let Ok(stream) = accepted {
                    let service = TowerToHyperService::new(app);
                    let _ = http1::Builder::new()
                        .serve_connection(TokioIo::new(stream), service)
                        .await;
                }
            });
        }
    };
    run(serving);
    (address, accepted)
}

#[expect(clippy::disallowed_methods, reason = "ends with the test's runtime")]
fn run(work: impl Future<Output = ()> + Send + 'static) {
    tokio::spawn(work);
}

/// A client without a certificate.
#[derive(Debug)]
struct NoCertificate;

impl ResolvesClientCert for NoCertificate {
    fn resolve(&self, _: &[&[u8]], _: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        None
    }

    fn has_certs(&self) -> bool {
        false
    }
}

#[tokio::test]
async fn a_host_answers_calls_and_passes_bytes_through_tls() {
    let mut world = World::start().await;
    let (called, accepted) = world.call().await;
    called.unwrap();
    assert_eq!(accepted, Ok(HandshakeKind::Full));

    let stream = world.connector().connect().await.unwrap();
    let body = vec![b'x'; 3 << 20];
    let request = Request::post("/echo").body(Body::from(body.clone()));
    let response = exchange(stream, request.unwrap()).await.unwrap();
    let echoed = response.into_body().collect().await.unwrap().to_bytes();
    assert!(echoed == body, "{} bytes", echoed.len());
}

/// W-036: a host that has another host's address, or its own certificate at another host's address, is not taken for that host.
#[tokio::test]
async fn a_host_that_is_not_the_dialled_one_is_refused() {
    let mut world = World::start().await;
    let other = world.connector_to(HostId::random());
    let reason = world.refused_host(other).await;
    assert!(
        matches!(
            reason,
            Error::InvalidCertificate(CertificateError::NotValidForNameContext { .. })
        ),
        "{reason}"
    );
    // The refused certificate leaves no session behind that another name could resume.
    let (called, accepted) = world.call().await;
    called.unwrap();
    assert_eq!(accepted, Ok(HandshakeKind::Full));
}

#[tokio::test]
async fn the_control_plane_refuses_hosts_with_a_wrong_certificate() {
    let host = HostId::random();
    let cases = [
        ("another CA", Purpose::Server, 7 * DAY),
        ("another purpose", Purpose::Client, 7 * DAY),
        ("expired", Purpose::Server, 0),
    ];
    for (case, purpose, seconds) in cases {
        let ca = Ca::new();
        let other = Ca::new();
        let issuer = if case == "another CA" { &other } else { &ca };
        let own = issuer.issue(&host_name(host), purpose, seconds);
        let client = ca.issue(CONTROL_NAME, Purpose::Client, DAY);
        let mut world = World::with(ca, host, &own, client).await;
        world.clock.advance(1);
        let connector = world.connector();
        let reason = world.refused_host(connector).await;
        assert!(
            matches!(reason, Error::InvalidCertificate(_)),
            "{case}: {reason}"
        );
    }
}

/// W-036: a host on another machine takes orders from the control plane only.
#[tokio::test]
async fn a_host_refuses_clients_that_are_not_the_control_plane() {
    let (ca, host) = (Ca::new(), HostId::random());
    let of_host = host_name(host);
    let clients: [(&str, Arc<dyn ResolvesClientCert>); 6] = [
        ("no certificate", Arc::new(NoCertificate)),
        ("of a host", ca.issue(&of_host, Purpose::Server, 7 * DAY)),
        (
            "of the control plane's listener",
            ca.issue(CONTROL_NAME, Purpose::Server, DAY),
        ),
        (
            "of another client",
            ca.issue(&of_host, Purpose::Client, DAY),
        ),
        ("expired", ca.issue(CONTROL_NAME, Purpose::Client, 0)),
        (
            "of another CA",
            Ca::new().issue(CONTROL_NAME, Purpose::Client, DAY),
        ),
    ];
    let own = ca.issue(&of_host, Purpose::Server, 7 * DAY);
    let mut world = World::with(ca, host, &own, Arc::new(NoCertificate)).await;
    world.clock.advance(1);
    for (case, client) in clients {
        let control = ControlTls::new(&world.ca.certificate, client, world.clock.clone());
        world.control = control.unwrap();
        let (called, accepted) = world.call().await;
        assert!(matches!(called, Err(AgentError::Unavailable(_))), "{case}");
        assert!(accepted.is_err(), "{case}");
    }
}

#[tokio::test]
async fn a_request_resumes_the_session_of_the_one_before_until_an_hour_has_passed() {
    let mut world = World::start().await;
    let mut kinds = Vec::new();
    for advance in [0, 0, 59 * MINUTE, MINUTE, 0] {
        world.clock.advance(advance);
        let (called, accepted) = world.call().await;
        called.unwrap();
        kinds.push(accepted.unwrap());
    }
    let (full, resumed) = (HandshakeKind::Full, HandshakeKind::Resumed);
    assert_eq!(kinds, [full, resumed, resumed, full, resumed]);
}

#[tokio::test]
async fn a_resumed_session_ends_with_the_certificate_that_it_began_with() {
    let (ca, host) = (Ca::new(), HostId::random());
    let client = ca.issue(CONTROL_NAME, Purpose::Client, 10 * MINUTE);
    let own = ca.issue(&host_name(host), Purpose::Server, 7 * DAY);
    let mut world = World::with(ca, host, &own, client).await;
    world.call().await.0.unwrap();
    world.clock.advance(11 * MINUTE);
    let (called, accepted) = world.call().await;
    assert!(matches!(called, Err(AgentError::Unavailable(_))));
    assert!(accepted.unwrap_err().contains("expired"));

    let (ca, host) = (Ca::new(), HostId::random());
    let client = ca.issue(CONTROL_NAME, Purpose::Client, DAY);
    let own = ca.issue(&host_name(host), Purpose::Server, 10 * MINUTE);
    let mut world = World::with(ca, host, &own, client).await;
    world.call().await.0.unwrap();
    world.clock.advance(11 * MINUTE);
    let dialled = world.connector().connect().await;
    let resumed = world.accepted.recv().await.unwrap();
    assert_eq!(resumed, Ok(HandshakeKind::Resumed));
    assert!(matches!(dialled, Err(DialError::Certificate(_))));
}

#[tokio::test]
async fn a_host_shows_a_new_certificate_without_a_break_of_open_connections() {
    let mut world = World::start().await;
    let mut open = world.connector().connect().await.unwrap();
    world.accepted.recv().await.unwrap().unwrap();
    world.call().await.0.unwrap();

    world.clock.advance(7 * DAY + 1);
    // The client's certificate is younger than the host's.
    let client = world.ca.issue(CONTROL_NAME, Purpose::Client, 9 * DAY);
    let control = ControlTls::new(&world.ca.certificate, client, world.clock.clone());
    world.control = control.unwrap();
    let connector = world.connector();
    world.refused_host(connector).await;

    let name = host_name(world.host);
    let renewed = world.ca.issue(&name, Purpose::Server, 14 * DAY);
    world.agent.replace_certificate((*renewed).clone());
    let (called, accepted) = world.call().await;
    called.unwrap();
    assert_eq!(accepted, Ok(HandshakeKind::Full));

    let request =
        b"POST /echo HTTP/1.1\r\nhost: h\r\nconnection: close\r\ncontent-length: 5\r\n\r\nhello";
    open.write_all(request).await.unwrap();
    let mut answer = String::new();
    open.read_to_string(&mut answer).await.unwrap();
    assert!(answer.ends_with("hello"), "{answer}");
}

#[tokio::test]
async fn a_replaced_certificate_ends_the_sessions_that_began_with_it() {
    let mut world = World::start().await;
    world.call().await.0.unwrap();
    let name = host_name(world.host);
    let renewed = world.ca.issue(&name, Purpose::Server, 14 * DAY);
    world.agent.replace_certificate((*renewed).clone());
    assert_eq!(world.call().await.1, Ok(HandshakeKind::Full));
    assert_eq!(world.call().await.1, Ok(HandshakeKind::Resumed));
}

#[tokio::test]
async fn a_failed_dial_says_what_failed() {
    let world = World::start().await;
    let host = |address: &str| {
        let host = TlsHost::new(world.host, address, world.control.clone());
        Connector::Tls(host)
    };
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let plain = async {
        let (mut stream, _) = listener.accept().await.unwrap();
        stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await.unwrap();
        stream
    };
    let connector = host(&address);
    let (dialled, _open) = tokio::join!(connector.connect(), plain);
    assert!(matches!(dialled, Err(DialError::Handshake(_))));

    drop(listener);
    let refused = connector.connect().await;
    assert!(matches!(refused, Err(DialError::Refused(_))));
    let no_port = host("127.0.0.1").connect().await;
    assert!(matches!(no_port, Err(DialError::Unreachable(_))));
}

#[tokio::test(start_paused = true)]
async fn a_host_that_never_answers_is_given_up() {
    let world = World::start().await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let silent = TlsHost::new(world.host, address, world.control.clone());
    let dialled = Connector::Tls(silent).connect().await;
    assert!(matches!(dialled, Err(DialError::TimedOut)));
}

#[test]
fn the_certificate_and_the_key_of_a_side_belong_together() {
    let pair = || rcgen::generate_simple_self_signed(vec!["a".to_owned()]).unwrap();
    let (one, other) = (pair(), pair());
    let own = OwnCertificate::from_pem(&one.cert.pem(), &one.signing_key.serialize_pem());
    own.unwrap();
    let mixed = OwnCertificate::from_pem(&one.cert.pem(), &other.signing_key.serialize_pem());
    mixed.unwrap_err();
    let garbage = OwnCertificate::from_pem("garbage", &one.signing_key.serialize_pem());
    garbage.unwrap_err();
    let no_ca = CertificateDer::from(vec![1, 2, 3]);
    let clock = Arc::new(TestClock::default());
    let own = Ca::new().issue("a", Purpose::Server, DAY);
    AgentTls::new(&no_ca, (*own).clone(), clock).unwrap_err();
}
