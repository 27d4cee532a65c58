//! Our own calls, to a guest agent with these programs: `echo`, `sleep` until killed, `printer` whose stream breaks, and
//! none by any other name.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::{Query, State};
use axum::response::{IntoResponse as _, Response};
use axum::routing::{get, post};
use buffa::Message as _;
use bytes::Bytes;
use futures::{StreamExt as _, stream};
use http::{HeaderMap, StatusCode, header};
use http_body_util::BodyExt as _;
use locule_edge::{
    GuestClient, GuestError, ProcessEvent, ProcessExit, Selector, Signal, StartProcess,
};
use locule_guest_api::oneof::process_event::Event as Kind;
use locule_guest_api::oneof::process_event::data_event::Output;
use locule_guest_api::proto::process as wire;
use locule_guest_api::{COMMAND_NOT_EXECUTABLE, COMMAND_NOT_FOUND};

use crate::host::{Host, PATIENCE, Seen, TOKEN};
use crate::restart;

/// As much of the guest agent's surface as these tests call.
pub(crate) fn guest(seen: Arc<Seen>) -> Router {
    Router::new()
        .route("/process.Process/Start", post(start))
        .route("/process.Process/Connect", post(restart::connect))
        .route("/process.Process/SendSignal", post(signal))
        .route("/files", get(read).post(write))
        .with_state(seen)
}

pub(crate) fn authorized(headers: &HeaderMap) {
    assert_eq!(headers["x-access-token"], TOKEN);
}

pub(crate) fn frame(flag: u8, message: &[u8]) -> Bytes {
    let mut frame = vec![flag];
    frame.extend(u32::try_from(message.len()).unwrap().to_be_bytes());
    frame.extend(message);
    frame.into()
}

pub(crate) fn said(event: Kind) -> Bytes {
    let event = wire::ProcessEvent {
        event: Some(event),
        ..Default::default()
    };
    let response = wire::StartResponse {
        event: event.into(),
        ..Default::default()
    };
    frame(0, &response.encode_to_vec())
}

pub(crate) fn printed(output: Output) -> Bytes {
    let data = wire::process_event::DataEvent {
        output: Some(output),
        ..Default::default()
    };
    said(data.into())
}

pub(crate) fn ended(exit_code: i32, signal: u32) -> Bytes {
    let end = wire::process_event::EndEvent {
        exit_code,
        signal,
        ..Default::default()
    };
    said(end.into())
}

async fn start(State(seen): State<Arc<Seen>>, headers: HeaderMap, body: Bytes) -> Response {
    authorized(&headers);
    let request = wire::StartRequest::decode_from_slice(&body[5..]).unwrap();
    let process = request.process.into_option().unwrap();
    let started = wire::process_event::StartEvent {
        pid: 7,
        ..Default::default()
    };
    let first = stream::iter([said(started.into())]);
    let last = frame(2, b"{}");
    let rest = match process.cmd.as_str() {
        "echo" => {
            let words = process.args.join(" ").into_bytes();
            let all = [
                printed(Output::Stdout(words)),
                printed(Output::Stderr(vec![0xff])),
                ended(3, 0),
                last,
            ];
            stream::iter(all).boxed()
        }
        "sleep" => stream::once(async move {
            seen.killed.cancelled().await;
            ended(-1, 9)
        })
        .chain(stream::iter([last]))
        .boxed(),
        "printer" => {
            let printed = restart::first_half();
            let broken = stream::once(async move {
                seen.dies.notified().await;
                Err(std::io::Error::from(std::io::ErrorKind::ConnectionAborted))
            });
            let frames = first.chain(printed).map(Ok).chain(broken);
            let content = [(header::CONTENT_TYPE, "application/connect+proto")];
            return (content, Body::from_stream(frames)).into_response();
        }
        _ => {
            // As the guest agent says it; one from before the detail says the same without.
            let details = match process.cmd.as_str() {
                "missing" => format!(r#"[{{"type":"{COMMAND_NOT_FOUND}","value":""}}]"#),
                "folder" => format!(r#"[{{"type":"{COMMAND_NOT_EXECUTABLE}","value":""}}]"#),
                _ => "[]".to_owned(),
            };
            let error = format!(
                r#"{{"error":{{"code":"invalid_argument","message":"no such program","details":{details}}}}}"#
            );
            let content = [(header::CONTENT_TYPE, "application/connect+proto")];
            return (content, frame(2, error.as_bytes())).into_response();
        }
    };
    let frames = first.chain(rest).map(Ok::<_, std::io::Error>);
    let content = [(header::CONTENT_TYPE, "application/connect+proto")];
    (content, Body::from_stream(frames)).into_response()
}

async fn signal(State(seen): State<Arc<Seen>>, headers: HeaderMap, body: Bytes) -> Response {
    authorized(&headers);
    let request = wire::SendSignalRequest::decode_from_slice(&body).unwrap();
    assert_eq!(request.signal, wire::Signal::SIGNAL_SIGKILL);
    seen.killed.cancel();
    ([(header::CONTENT_TYPE, "application/proto")], Body::empty()).into_response()
}

#[derive(serde::Deserialize)]
struct FileQuery {
    path: String,
}

async fn read(headers: HeaderMap, Query(query): Query<FileQuery>) -> Response {
    authorized(&headers);
    match query.path.as_str() {
        "/a b" => "content".into_response(),
        path => {
            let message = format!("path '{path}' does not exist");
            let body = serde_json::json!({ "code": 404, "message": message });
            (StatusCode::NOT_FOUND, axum::Json(body)).into_response()
        }
    }
}

async fn write(headers: HeaderMap, Query(query): Query<FileQuery>, body: Body) -> Response {
    authorized(&headers);
    let full = query.path == "/full";
    match body.collect().await {
        Ok(_) if full => {
            let body = serde_json::json!({ "code": 507, "message": "not enough disk space" });
            (StatusCode::INSUFFICIENT_STORAGE, axum::Json(body)).into_response()
        }
        Ok(_) => axum::Json(serde_json::json!([])).into_response(),
        Err(_) => StatusCode::BAD_REQUEST.into_response(),
    }
}

pub(crate) fn program(cmd: &str, args: &[&str]) -> StartProcess {
    StartProcess {
        cmd: cmd.to_owned(),
        args: args.iter().map(|arg| (*arg).to_owned()).collect(),
        timeout: Some(Duration::from_secs(30)),
        ..StartProcess::default()
    }
}

#[tokio::test]
async fn a_command_says_everything_and_how_it_ended() {
    let host = Host::start();
    let events = GuestClient::new(host.target.clone())
        .start(program("echo", &["a", "b"]))
        .await
        .unwrap();
    let events: Vec<ProcessEvent> = events.map(Result::unwrap).collect().await;
    let expected = [
        ProcessEvent::Started { pid: 7 },
        ProcessEvent::Stdout(Bytes::from_static(b"a b")),
        ProcessEvent::Stderr(Bytes::from_static(&[0xff])),
        ProcessEvent::Exited(ProcessExit {
            exit_code: 3,
            signal: None,
        }),
    ];
    assert_eq!(events, expected);
}

#[tokio::test]
async fn a_killed_command_exits_as_shells_say_it() {
    let host = Host::start();
    let guest = GuestClient::new(host.target.clone());
    let mut events = guest.start(program("sleep", &[])).await.unwrap();
    assert_eq!(
        events.next().await.unwrap().unwrap(),
        ProcessEvent::Started { pid: 7 }
    );
    guest.signal(&Selector::Pid(7), Signal::Kill).await.unwrap();
    let end = tokio::time::timeout(PATIENCE, events.next()).await.unwrap();
    let killed = ProcessExit {
        exit_code: 137,
        signal: Some(9),
    };
    assert_eq!(end.unwrap().unwrap(), ProcessEvent::Exited(killed));
}

#[tokio::test]
async fn a_command_that_cannot_be_started_is_the_callers_mistake_and_says_which() {
    let host = Host::start();
    let guest = GuestClient::new(host.target.clone());
    for (cmd, expected) in [
        ("missing", "CommandNotFound"),
        ("folder", "CommandNotExecutable"),
        ("other", "Invalid"),
    ] {
        let mut events = guest.start(program(cmd, &[])).await.unwrap();
        let error = events.next().await.unwrap().unwrap_err();
        let expected = format!("{expected}(\"no such program\")");
        assert_eq!(format!("{error:?}"), expected);
    }
}

#[tokio::test]
async fn files_are_found_missing_or_too_many() {
    let host = Host::start();
    let guest = GuestClient::new(host.target.clone());
    let (length, body) = guest.read_file("/a b").await.unwrap();
    assert_eq!(
        (length, body.collect().await.unwrap().to_bytes()),
        (Some(7), Bytes::from_static(b"content"))
    );
    let missing = guest.read_file("/none").await.unwrap_err(); // W-042
    assert!(
        matches!(&missing, GuestError::NotFound(text) if text.contains("/none")),
        "{missing:?}"
    );
    guest.write_file("/new", Body::from("x")).await.unwrap();
    let full = guest
        .write_file("/full", Body::from("x"))
        .await
        .unwrap_err();
    assert!(matches!(full, GuestError::DiskFull), "{full:?}");
}

#[tokio::test]
async fn a_sandbox_that_left_is_gone_and_a_host_that_left_is_unavailable() {
    let host = Host::start();
    let mut target = host.target.clone();
    target.sandbox = locule_ids::SandboxId::random();
    let error = GuestClient::new(target.clone())
        .list_processes()
        .await
        .unwrap_err();
    assert!(
        !matches!(error, GuestError::HostUnavailable(_)),
        "{error:?}"
    );
    target.connector = locule_agent_api::Connector::Unix("/nowhere/agent.sock".into());
    let error = GuestClient::new(target).list_processes().await.unwrap_err();
    assert!(matches!(error, GuestError::HostUnavailable(_)), "{error:?}");
}
