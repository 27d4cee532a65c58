use std::io;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::routing::post;
use http::Request;
use http_body_util::BodyExt as _;
use locule_agent_api::http1::exchange;
use locule_agent_api::tls::rustls::time_provider::DefaultTimeProvider;
use locule_agent_api::tls::{OwnCertificate, certificate_from_pem};
use locule_agent_api::{AgentError, Client, Connector, HostAgent as _};
use locule_base::clock::SystemClock;
use locule_control::HostCertificates;
use locule_ids::HostId;
use locule_testkit::{SimHost, comes_true};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::*;
use crate::host_key::HostKey;

/// Longer than any test takes.
const NEVER: Duration = Duration::from_hours(1);
const GRACE: Duration = Duration::from_mins(1);

/// The TLS listener of a host, and the control plane that issued its certificate.
struct Host {
    platform: HostCertificates,
    id: HostId,
    tls: AgentTls,
    address: String,
    tasks: Tasks,
}

fn platform() -> HostCertificates {
    HostCertificates::new(b"platform key", SystemClock::shared()).unwrap()
}

/// A certificate for a new key.
fn certified(platform: &HostCertificates, host: HostId) -> OwnCertificate {
    let key = HostKey::generate().unwrap();
    let issued = platform.issue_host(&key.csr_pem().unwrap(), host).unwrap();
    key.with_certificate(&issued.pem).unwrap()
}

impl Host {
    async fn start(limits: HandshakeLimits) -> Self {
        let (platform, id) = (platform(), HostId::random());
        let ca = certificate_from_pem(&platform.ca_pem()).unwrap();
        let own = certified(&platform, id);
        let tls = AgentTls::new(&ca, own, Arc::new(DefaultTimeProvider)).unwrap();
        let rpc = locule_agent_api::router(SimHost::new(SystemClock::shared()));
        let echo = post(|body: Body| async { body });
        let router = Router::new().route("/echo", echo).fallback_service(rpc);
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let tasks = Tasks::new();
        let (serving, connections) = (tls.clone(), tasks.clone());
        tasks.spawn("listener", move |stop| {
            serve_tls(listener, router, serving, limits, connections, stop)
        });
        Self {
            platform,
            id,
            tls,
            address,
            tasks,
        }
    }

    fn connector(&self) -> Connector {
        self.platform.connector(self.id, &self.address)
    }

    async fn call(&self) -> Result<(), AgentError> {
        Client::new(self.connector()).host().await.map(drop)
    }

    /// A connection on which the client sends nothing.
    async fn silent(&self) -> TcpStream {
        TcpStream::connect(&self.address).await.unwrap()
    }
}

/// Returns when the other side has closed a connection on which it sent nothing.
async fn closed(mut stream: TcpStream) {
    let read = tokio::time::timeout(GRACE, stream.read(&mut [0])).await;
    match read.expect("the connection is closed") {
        Ok(read) => assert_eq!(read, 0),
        Err(error) => assert_eq!(error.kind(), io::ErrorKind::ConnectionReset),
    }
}

#[tokio::test]
async fn the_control_plane_calls_a_host_and_exchanges_bytes_with_it() {
    let host = Host::start(HandshakeLimits::default()).await;
    for _ in 0..3 {
        host.call().await.unwrap();
    }
    let stream = host.connector().connect().await.unwrap();
    let body = vec![b'x'; 1 << 20];
    let request = Request::post("/echo").body(Body::from(body.clone()));
    let response = exchange(stream, request.unwrap()).await.unwrap();
    let echoed = response.into_body().collect().await.unwrap().to_bytes();
    assert!(echoed == body, "{} bytes", echoed.len());
}

/// W-036: the address of a host opens nothing to a client that is not the control plane of this host.
#[tokio::test]
async fn another_platform_and_a_client_without_tls_get_no_answer() {
    let host = Host::start(HandshakeLimits::default()).await;
    let other = HostCertificates::new(b"another key", SystemClock::shared()).unwrap();
    let dialled = other.connector(host.id, &host.address).connect().await;
    assert!(dialled.is_err());

    let mut plain = host.silent().await;
    plain
        .write_all(b"GET / HTTP/1.1\r\nhost: h\r\n\r\n")
        .await
        .unwrap();
    let mut answer = Vec::new();
    // A connection reset is as good an end.
    let _ = plain.read_to_end(&mut answer).await;
    assert!(!answer.starts_with(b"HTTP"), "{answer:?}");
    host.call().await.unwrap();
}

#[tokio::test]
async fn a_host_shows_its_new_certificate_to_the_next_connection() {
    let host = Host::start(HandshakeLimits::default()).await;
    let open = host.connector().connect().await.unwrap();
    let other = HostId::random();
    host.tls
        .replace_certificate(certified(&host.platform, other));
    assert!(host.connector().connect().await.is_err());
    let renamed = host.platform.connector(other, &host.address);
    Client::new(renamed).host().await.unwrap();

    let request = Request::post("/echo").body(Body::from("hello")).unwrap();
    let response = exchange(open, request).await.unwrap();
    let echoed = response.into_body().collect().await.unwrap().to_bytes();
    assert_eq!(echoed, "hello");
}

#[tokio::test]
async fn a_handshake_that_takes_too_long_is_cut() {
    let host = Host::start(HandshakeLimits {
        timeout: Duration::from_millis(1),
        ..HandshakeLimits::default()
    })
    .await;
    closed(host.silent().await).await;
}

#[tokio::test]
async fn clients_that_send_nothing_take_a_bounded_number_of_handshakes() {
    let patient = HandshakeLimits {
        timeout: NEVER,
        ..HandshakeLimits::default()
    };
    let of_address = HandshakeLimits {
        address_handshakes_max: 2,
        ..patient
    };
    let of_all = HandshakeLimits {
        handshakes_max: 2,
        ..patient
    };
    for limits in [of_address, of_all] {
        let host = Host::start(limits).await;
        // Accepted in this order: the third is refused while the others are in their handshakes.
        let silent = [host.silent().await, host.silent().await];
        closed(host.silent().await).await;
        host.call().await.unwrap_err();
        drop(silent);
        let is_free = comes_true(async || host.call().await.is_ok()).await;
        assert!(is_free, "{limits:?}");
    }
}

#[tokio::test]
async fn a_stop_ends_open_connections_and_handshakes() {
    let host = Host::start(HandshakeLimits {
        timeout: NEVER,
        ..HandshakeLimits::default()
    })
    .await;
    let silent = host.silent().await;
    let mut open = host.connector().connect().await.unwrap();
    host.tasks.shutdown(GRACE).await.unwrap();
    closed(silent).await;
    // TLS tells the end of a stream from a connection that broke off.
    let end = open.read(&mut [0]).await.unwrap_err();
    let kinds = [io::ErrorKind::UnexpectedEof, io::ErrorKind::ConnectionReset];
    assert!(kinds.contains(&end.kind()), "{end}");
}
