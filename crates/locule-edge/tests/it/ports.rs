//! Ports: forwarding, refusals, upgrades, and streams that break.

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::{Request, State};
use futures::{SinkExt as _, StreamExt as _};
use http::StatusCode;
use http_body_util::BodyExt as _;
use locule_agent_api::ReportedState;
use locule_base::tasks::Tasks;
use locule_edge::{Pass, Target};
use locule_ids::SandboxId;
use tokio::net::TcpListener;
use tokio_tungstenite::tungstenite::Message;

use crate::host::{Host, PATIENCE, proxy};

/// No word of these requests is a credential of the platform.
fn none(_: &str) -> bool {
    false
}

fn get(path: &str) -> Request {
    http::Request::get(path).body(Body::empty()).unwrap()
}

async fn text(response: axum::response::Response) -> String {
    let bytes = to_bytes(response.into_body(), 1 << 20).await.unwrap();
    String::from_utf8(bytes.to_vec()).unwrap()
}

#[tokio::test]
async fn a_request_is_forwarded_without_the_credentials_of_the_platform() {
    let host = Host::start();
    let request = http::Request::post("/a%2Fb/?q=%20")
        .header("x-api-key", "e2b_secret")
        .header("e2b-sandbox-id", "x")
        .header("host", "8080-x.sbx.test")
        .header("x-theirs", "kept")
        .body(Body::from("hello"))
        .unwrap();
    let response = proxy(
        host.target.clone(),
        8080,
        Pass::Visitor(None),
        request,
        none,
        &host.tasks,
    )
    .await;
    assert_eq!(response.status(), StatusCode::OK);
    assert_eq!(text(response).await, "hello");
    let arrived = host.guest.web_request.lock().unwrap().take().unwrap();
    assert_eq!(arrived.path, "/a%2Fb/?q=%20");
    let seen = arrived.headers;
    assert!(!seen.contains_key("x-api-key") && !seen.contains_key("e2b-sandbox-id")); // W-037
    assert_eq!(seen["x-theirs"], "kept");
    assert_eq!(seen["host"], "localhost:8080");
    assert_eq!(seen["x-forwarded-host"], "8080-x.sbx.test");
    assert!(
        !seen.contains_key("x-access-token"),
        "only the caller sends the access token"
    );
}

#[tokio::test]
async fn refusals_have_the_words_that_the_sdks_look_for() {
    let host = Host::start();
    let draining = host.sandbox(ReportedState::Running);
    host.proxy.drain(draining.sandbox);
    for (target, port, status, words) in [
        (
            host.unknown(SandboxId::random()),
            8080,
            502,
            "was not found",
        ),
        (
            host.sandbox(ReportedState::Paused),
            8080,
            502,
            "was not found",
        ),
        (draining, 8080, 409, "changing"),
        (host.target.clone(), 4, 502, "port is not open"),
    ] {
        let id = target.sandbox.base36();
        let response = proxy(
            target,
            port,
            Pass::Visitor(None),
            get("/"),
            none,
            &host.tasks,
        )
        .await;
        assert_eq!(response.status(), status, "{words}");
        let body: serde_json::Value = serde_json::from_str(&text(response).await).unwrap();
        assert_eq!(body["code"], status);
        assert_eq!(body["sandboxId"], id.as_str());
        assert!(body["message"].as_str().unwrap().contains(words), "{body}");
    }
}

/// Neither is "not found": the SDKs' `is_running()` takes that for the end of the sandbox.
#[tokio::test]
async fn a_port_with_too_many_requests_and_a_program_without_an_answer_are_told_apart() {
    let host = Host::start();
    for (word, status, words) in [
        ("busy", 429, "Too many requests"),
        ("no_answer", 504, "no response in time"),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let socket = folder.path().join("agent.sock");
        let listener = tokio::net::UnixListener::bind(&socket).unwrap();
        let app = Router::new()
            .fallback(move || async move { [(locule_agent_api::PROXY_ERROR_HEADER, word)] });
        host.tasks.spawn_detached("agent", async move {
            axum::serve(listener, app).await.unwrap();
        });
        let target = Target {
            connector: locule_agent_api::Connector::Unix(socket),
            ..host.target.clone()
        };
        let response = proxy(
            target,
            8080,
            Pass::Visitor(None),
            get("/"),
            none,
            &host.tasks,
        )
        .await;
        assert_eq!(response.status(), status, "{word}");
        let body: serde_json::Value = serde_json::from_str(&text(response).await).unwrap();
        assert!(body["message"].as_str().unwrap().contains(words), "{body}");
    }
}

#[tokio::test]
async fn the_control_paths_of_the_guest_agent_are_not_reachable() {
    let host = Host::start();
    for path in ["/init", "/freeze", "/thaw", "/sync", "/tunnel", "/init/"] {
        let response = proxy(
            host.target.clone(),
            49983,
            Pass::Visitor(None),
            get(path),
            none,
            &host.tasks,
        )
        .await;
        assert_eq!(response.status(), StatusCode::NOT_FOUND, "{path}");
    }
}

#[tokio::test]
async fn a_host_that_cannot_be_reached_is_reported_as_unavailable() {
    let host = Host::start();
    let target = Target {
        connector: locule_agent_api::Connector::Unix("/nowhere/agent.sock".into()),
        ..host.target.clone()
    };
    let response = proxy(
        target,
        8080,
        Pass::Visitor(None),
        get("/"),
        none,
        &host.tasks,
    )
    .await;
    assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE);
}

#[tokio::test]
async fn a_response_that_breaks_ends_with_an_error() {
    let host = Host::start();
    let response = proxy(
        host.target.clone(),
        8080,
        Pass::Visitor(None),
        get("/hang"),
        none,
        &host.tasks,
    )
    .await;
    assert_eq!(response.status(), StatusCode::OK);
    let mut body = response.into_body();
    let begun = body.frame().await.unwrap().unwrap();
    assert_eq!(begun.into_data().unwrap(), "begun");
    host.proxy.break_streams();
    let end = tokio::time::timeout(PATIENCE, body.frame()).await.unwrap();
    end.expect("an error before the end of the body")
        .unwrap_err();
}

#[tokio::test]
async fn a_websocket_carries_messages_in_both_directions() {
    async fn forward(
        State((target, tasks)): State<(Target, Tasks)>,
        request: Request,
    ) -> axum::response::Response {
        proxy(target, 8080, Pass::Visitor(None), request, none, &tasks).await
    }
    let host = Host::start();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let app = Router::new()
        .fallback(forward)
        .with_state((host.target.clone(), host.tasks.clone()));
    host.tasks.spawn("front", |stop| async move {
        tokio::select! {
            served = async { axum::serve(listener, app).await } => served?,
            () = stop.cancelled() => {}
        }
        Ok(())
    });
    let talk = async {
        let (mut socket, _) = tokio_tungstenite::connect_async(format!("ws://{address}/ws"))
            .await
            .unwrap();
        socket.send(Message::text("ping")).await.unwrap();
        socket.next().await.unwrap().unwrap()
    };
    let answer = tokio::time::timeout(PATIENCE, talk).await.unwrap();
    assert_eq!(answer, Message::text("ping"));
}
