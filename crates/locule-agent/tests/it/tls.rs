//! A host that its control plane reaches through TLS.

use std::sync::Arc;

use base64::Engine as _;
use http::Request;
use http_body_util::{BodyExt as _, Full};
use hyper::body::Bytes;
use locule_agent::{HostKey, OnStop, TlsListen};
use locule_agent_api::http1::exchange;
use locule_agent_api::tls::rustls::time_provider::DefaultTimeProvider;
use locule_agent_api::tls::{AgentTls, certificate_from_pem};
use locule_agent_api::{Client, HostAgent as _, PROXY_ERROR_HEADER, ReportedState};
use locule_base::clock::SystemClock;
use locule_control::HostCertificates;
use locule_ids::HostId;

use crate::rig::{Rig, TOKEN, order, spec};

/// W-036: orders, and the bytes of a sandbox, with the certificate of this host.
#[tokio::test(flavor = "multi_thread")]
async fn orders_and_files_reach_a_sandbox_through_tls() {
    let platform = HostCertificates::new(b"platform key", SystemClock::shared()).unwrap();
    let (host, key) = (HostId::random(), HostKey::generate().unwrap());
    let issued = platform.issue_host(&key.csr_pem().unwrap(), host).unwrap();
    let own = key.with_certificate(&issued.pem).unwrap();
    let ca = certificate_from_pem(&platform.ca_pem()).unwrap();
    let rig = Rig::start_with(Some(TlsListen {
        address: "127.0.0.1:0".parse().unwrap(),
        tls: AgentTls::new(&ca, own, Arc::new(DefaultTimeProvider)).unwrap(),
    }))
    .await;
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

    agent.destroy_sandbox(order(&desired, 2)).await.unwrap();
    rig.stop(OnStop::Pause).await;
    rig.assert_clean();
}
