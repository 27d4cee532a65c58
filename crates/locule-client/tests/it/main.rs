//! The client against a server whose responses the test writes: lost, refused and malformed ones among them.

#![expect(clippy::unwrap_used, reason = "in tests a panic is the report")]
#![expect(
    clippy::disallowed_methods,
    reason = "the server is a task of the test"
)]

mod stream;

use std::sync::{Arc, Mutex};

use axum::body::Bytes;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use axum::routing::any;
use futures::StreamExt as _;
use locule_api::{CreateSandboxRequest, ErrorBody, ErrorCode, SandboxStatus, StartMessage};
use locule_client::{Client, ClientError, SandboxFilter};
use locule_ids::SandboxId;

const KEY: &str = "e2b_secret";

/// A request that reached the server.
#[derive(Debug, Clone)]
struct Call {
    line: String,
    headers: HeaderMap,
    body: Bytes,
}

#[derive(Clone)]
struct Server {
    url: String,
    calls: Arc<Mutex<Vec<Call>>>,
    answers: Arc<Mutex<Vec<Response>>>,
}

async fn answer(State(server): State<Server>, request: Request) -> Response {
    let line = format!("{} {}", request.method(), request.uri());
    let headers = request.headers().clone();
    let body = axum::body::to_bytes(request.into_body(), usize::MAX).await;
    let body = body.unwrap_or_default();
    let call = Call {
        line,
        headers,
        body,
    };
    server.calls.lock().unwrap().push(call);
    let mut answers = server.answers.lock().unwrap();
    if answers.is_empty() {
        return StatusCode::IM_A_TEAPOT.into_response();
    }
    answers.remove(0)
}

/// A server that gives these answers, one after the other.
async fn server<const N: usize>(answers: [Response; N]) -> (Server, Client) {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let server = Server {
        url: format!("http://{}", listener.local_addr().unwrap()),
        calls: Arc::default(),
        answers: Arc::new(Mutex::new(answers.into())),
    };
    let app = any(answer).with_state(server.clone());
    tokio::spawn(async move { axum::serve(listener, app.into_make_service()).await });
    let client = Client::new(&server.url, KEY).unwrap();
    (server, client)
}

impl Server {
    fn calls(&self) -> Vec<Call> {
        self.calls.lock().unwrap().clone()
    }
}

fn sandbox() -> Response {
    axum::Json(sandbox_json()).into_response()
}

fn sandbox_json() -> serde_json::Value {
    let at = "2026-01-01T00:00:00Z";
    serde_json::json!({
        "id": "sb-12345678-9dad-11d1-80b4-00c04fd430c8", "status": "running", "template": "minimal",
        "vcpus": 1, "memory_mb": 512, "timeout_sec": 0, "created_at": at, "last_updated": at, "desired": "running",
        "origin": { "template": "minimal" }, "created_by": { "kind": "system" }, "disk_size_mb": 5120,
        "on_timeout": "kill", "auto_resume": false, "public_traffic": false,
    })
}

fn gateway_error() -> Response {
    (StatusCode::BAD_GATEWAY, "no upstream").into_response()
}

fn refused(status: StatusCode, code: ErrorCode) -> Response {
    (status, axum::Json(ErrorBody::new(code, "no"))).into_response()
}

#[tokio::test]
async fn a_read_is_repeated_after_a_gateway_error_and_a_change_is_not() {
    let (server, client) =
        server([gateway_error(), gateway_error(), sandbox(), gateway_error()]).await;
    let id = SandboxId::random();
    client.get_sandbox(id).await.unwrap();
    assert_eq!(server.calls().len(), 3);
    let error = client.pause_sandbox(id).await.unwrap_err();
    assert!(
        matches!(error, ClientError::UnexpectedStatus { status: 502 }),
        "{error:?}"
    );
    assert_eq!(server.calls().len(), 4);
}

#[tokio::test]
async fn a_refused_request_is_not_repeated_and_carries_the_error_code() {
    let (server, client) = server([refused(StatusCode::NOT_FOUND, ErrorCode::NotFound)]).await;
    let error = client.get_sandbox(SandboxId::random()).await.unwrap_err();
    assert_eq!(
        (error.code(), error.to_string().as_str()),
        (Some("not_found"), "no")
    );
    assert!(
        matches!(
            error,
            ClientError::Refusal {
                status: Some(404),
                ..
            }
        ),
        "{error:?}"
    );
    assert_eq!(server.calls().len(), 1);
}

#[tokio::test]
async fn a_create_is_repeated_with_its_idempotency_key_until_it_is_answered() {
    let busy = refused(StatusCode::CONFLICT, ErrorCode::IdempotencyInProgress);
    let (server, client) = server([gateway_error(), busy, sandbox(), sandbox()]).await;
    let request = CreateSandboxRequest::default();
    client.create_sandbox(&request).await.unwrap();
    client.create_sandbox(&request).await.unwrap();
    let keys: Vec<_> = server
        .calls()
        .iter()
        .map(|call| call.headers["idempotency-key"].clone())
        .collect();
    assert!(
        keys[0] == keys[1] && keys[1] == keys[2] && keys[2] != keys[3],
        "{keys:?}"
    );
}

#[tokio::test]
async fn a_list_follows_its_pages_and_no_link_to_another_place() {
    let page = |link: &'static str| {
        let listed = axum::Json([sandbox_json()]);
        ([(header::LINK, link)], listed).into_response()
    };
    let (server, client) = server([
        page("</v1/sandboxes?label=a%3Db&cursor=1.x>; rel=\"next\""),
        page("<http://elsewhere.test/v1/sandboxes?cursor=2>; rel=\"next\""),
    ])
    .await;
    let filter = SandboxFilter {
        statuses: vec![SandboxStatus::Paused],
        labels: vec!["a=b".to_owned()],
        ..SandboxFilter::default()
    };
    let found = client.find_sandboxes(&filter).await.unwrap();
    assert_eq!(found.len(), 2);
    let lines: Vec<_> = server.calls().into_iter().map(|call| call.line).collect();
    assert_eq!(
        lines,
        [
            "GET /v1/sandboxes?status=paused&label=a%3Db",
            "GET /v1/sandboxes?label=a%3Db&cursor=1.x"
        ]
    );
}

#[tokio::test]
async fn a_redirect_to_another_server_is_not_followed() {
    let (elsewhere, _) = server([sandbox()]).await;
    let away = (
        StatusCode::TEMPORARY_REDIRECT,
        [(header::LOCATION, elsewhere.url.clone())],
    );
    let (_, client) = server([away.into_response()]).await;
    let error = client.list_sandboxes().await.unwrap_err();
    assert!(
        matches!(error, ClientError::UnexpectedStatus { status: 307 }),
        "{error:?}"
    );
    assert_eq!(elsewhere.calls().len(), 0);
}

#[tokio::test]
async fn debug_output_contains_no_key() {
    let (_, client) = server([]).await;
    assert!(!format!("{client:?}").contains("secret"));
    let error = Client::new("http://host", "e2b_secret\n").unwrap_err();
    assert!(!format!("{error:?} {error}").contains("secret"));
}

#[tokio::test]
async fn a_refused_connection_is_reported_as_unreachable() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    let client = Client::new(&url, KEY).unwrap();
    let id = SandboxId::random();
    let looked = client.get_sandbox(id).await.unwrap_err();
    let ran = client.exec(id, StartMessage::default()).await.unwrap_err();
    for error in [looked, ran] {
        assert!(
            matches!(
                error,
                ClientError::Unreachable {
                    connection_refused: true,
                    ..
                }
            ),
            "{error:?}"
        );
    }
}

#[tokio::test]
async fn a_refused_stream_carries_the_error_of_the_server() {
    let refusal = refused(StatusCode::BAD_REQUEST, ErrorCode::InvalidRequest);
    let page = (StatusCode::OK, "hello").into_response();
    let (server, client) = server([refusal, page]).await;
    let id = SandboxId::random();
    let error = client.exec(id, StartMessage::default()).await.unwrap_err();
    assert_eq!(error.code(), Some("invalid_request"));
    let error = client.exec(id, StartMessage::default()).await.unwrap_err();
    assert!(
        matches!(error, ClientError::UnexpectedStatus { status: 200 }),
        "{error:?}"
    );
    assert_eq!(server.calls()[0].headers["x-api-key"], KEY);
}

#[tokio::test]
async fn a_file_is_written_with_its_path_first_and_read_as_a_stream() {
    let done = StatusCode::NO_CONTENT.into_response();
    let (server, client) = server([done, "content".into_response()]).await;
    let id = SandboxId::random();
    let content = futures::stream::iter([Ok(Bytes::from("con")), Ok(Bytes::from("tent"))]);
    client.write_file(id, "/a b", content).await.unwrap();
    let read = client.read_file(id, "/a b").await.unwrap();
    let read: Vec<_> = read.map(Result::unwrap).collect().await;
    assert_eq!(read.concat(), b"content");
    let calls = server.calls();
    assert_eq!(
        calls[0].line,
        format!("POST /v1/sandboxes/{id}/files/stream/write")
    );
    let body = String::from_utf8(calls[0].body.to_vec()).unwrap();
    let (path, file) = (body.find("/a b").unwrap(), body.find("content").unwrap());
    assert!(path < file, "{body}");
    assert_eq!(calls[1].body, r#"{"path":"/a b"}"#);
}
