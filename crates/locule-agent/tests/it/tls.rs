//! A host that its control plane reaches through TLS.

use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use http::Request;
use http_body_util::{BodyExt as _, Full};
use hyper::body::Bytes;
use locule_agent::OnStop;
use locule_agent_api::http1::exchange;
use locule_agent_api::{Client, DialError, HostAgent as _, PROXY_ERROR_HEADER, ReportedState};
use locule_base::clock::{Clock as _, ManualClock, SharedClock, SystemClock};
use locule_control::HostCertificates;
use locule_ids::HostId;

use crate::control_plane::FakeControlPlane;
use crate::rig::{Rig, TOKEN, order, spec};

fn platform(clock: &SharedClock) -> HostCertificates {
    HostCertificates::new(b"platform key", clock.clone()).unwrap()
}

/// W-036: all that the agent has is the URL, the hash of the CA and a token. Orders, and the bytes of a sandbox, come through TLS, with
/// the certificate of this host, which is renewed while the agent serves.
#[tokio::test(flavor = "multi_thread")]
async fn a_host_on_another_machine_registers_with_the_hash_of_the_ca_and_is_reached_through_tls() {
    let clock = Arc::new(ManualClock::at(SystemClock::new().now()));
    let shared: SharedClock = clock.clone();
    let platform = platform(&shared);
    let plane = FakeControlPlane::start_tls(clock.now(), platform.clone()).await;
    let rig = Rig::start_elsewhere(plane.server(), platform.pin(), shared.clone()).await;
    plane.beats(1).await;
    let host = plane.host;
    let connector = platform.connector(host, rig.tls_address());
    let agent = Client::new(connector.clone());
    let desired = spec();
    let created = agent.create_sandbox(desired.clone()).await.unwrap();
    assert_eq!(created.state, ReportedState::Running);

    let uri = |path: &str| format!("/proxy/{}/49983/{path}", desired.order.sandbox);
    let user = base64::engine::general_purpose::STANDARD.encode("user:");
    let content: Vec<u8> = (0..2_000_000_u32).map(|at| at.to_le_bytes()[0]).collect();
    let send = async |request: http::request::Builder, body: Vec<u8>| {
        let request = request
            .header("x-access-token", TOKEN)
            .header("authorization", format!("Basic {user}"))
            .body(Full::new(Bytes::from(body)));
        let stream = connector.connect().await.unwrap();
        let response = exchange(stream, request.unwrap()).await.unwrap();
        let (head, body) = response.into_parts();
        (head, body.collect().await.unwrap().to_bytes())
    };
    let file = uri("files?path=/home/user/f");
    let upload = Request::post(&file).header("content-type", "application/octet-stream");
    let (written, _) = send(upload, content.clone()).await;
    assert_eq!(written.status, 200);
    let (read, body) = send(Request::get(&file), Vec::new()).await;
    assert_eq!(read.status, 200);
    assert!(body == content, "{} bytes", body.len());
    let unknown = format!("/proxy/{}/49983/health", spec().order.sandbox);
    let (unknown, _) = send(Request::get(unknown), Vec::new()).await;
    assert_eq!(unknown.headers[PROXY_ERROR_HEADER], "not_found");

    // The first certificate ends; the agent has got another one long before.
    let half_a_life = Duration::from_hours(4 * 24);
    for _ in 0..2 {
        clock.advance(half_a_life);
        plane.set_now(clock.now());
        plane.beats(2).await;
    }
    let renewed = platform.connector(host, rig.tls_address());
    Client::new(renewed).host().await.unwrap();
    // The certificate of a host opens no other host, and no other CA is the host's.
    let other = platform.connector(HostId::random(), rig.tls_address());
    assert!(matches!(
        other.connect().await,
        Err(DialError::Certificate(_))
    ));
    let stranger = HostCertificates::new(b"another key", shared).unwrap();
    assert!(
        stranger
            .connector(host, rig.tls_address())
            .connect()
            .await
            .is_err()
    );

    agent.destroy_sandbox(order(&desired, 2)).await.unwrap();
    rig.stop(OnStop::Pause).await;
    rig.assert_clean();
}
