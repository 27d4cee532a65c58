//! Commands and files, as the platform calls the guest agent.

use std::time::Duration;

use axum::body::Body;
use bytes::Bytes;
use futures::StreamExt as _;
use http_body_util::BodyExt as _;
use locule_edge::{
    GuestClient, GuestError, ProcessEvent, ProcessExit, Selector, Signal, StartProcess,
};
use locule_testkit::FIRST_PID;

use crate::host::{Host, PATIENCE};

pub(crate) fn program(cmd: &str, args: &[&str]) -> StartProcess {
    StartProcess {
        cmd: cmd.to_owned(),
        args: args.iter().map(|arg| (*arg).to_owned()).collect(),
        timeout: Some(Duration::from_secs(30)),
        ..StartProcess::default()
    }
}

#[tokio::test]
async fn the_events_of_a_command_carry_its_output_and_its_exit_code() {
    let host = Host::start();
    let started = host.client().start(program("echo", &["a", "b"])).await;
    let events = started.unwrap();
    let events: Vec<ProcessEvent> = events.map(Result::unwrap).collect().await;
    let expected = [
        ProcessEvent::Started { pid: FIRST_PID },
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
async fn a_killed_command_has_the_exit_code_that_shells_report() {
    let host = Host::start();
    let guest = host.client();
    let mut events = guest.start(program("sleep", &[])).await.unwrap();
    assert_eq!(
        events.next().await.unwrap().unwrap(),
        ProcessEvent::Started { pid: FIRST_PID }
    );
    guest
        .signal(&Selector::Pid(FIRST_PID), Signal::Kill)
        .await
        .unwrap();
    let end = tokio::time::timeout(PATIENCE, events.next()).await.unwrap();
    let killed = ProcessExit {
        exit_code: 137,
        signal: Some(9),
    };
    assert_eq!(end.unwrap().unwrap(), ProcessEvent::Exited(killed));
}

#[tokio::test]
async fn the_error_of_a_command_that_cannot_be_started_gives_the_reason() {
    let host = Host::start();
    let guest = host.client();
    for (cmd, variant, reason) in [
        ("missing", "CommandNotFound", "was not found"),
        ("folder", "CommandNotExecutable", "may not be executed"),
        ("undetailed", "Invalid", "was not found"),
    ] {
        let mut events = guest.start(program(cmd, &[])).await.unwrap();
        let error = events.next().await.unwrap().unwrap_err();
        let expected = format!("{variant}(\"command '{cmd}' {reason}\")");
        assert_eq!(format!("{error:?}"), expected);
    }
}

#[tokio::test]
async fn a_missing_file_and_a_full_disk_are_reported_as_such() {
    let host = Host::start();
    let guest = host.client();
    let content = b"content".to_vec();
    let files = &host.guest.files;
    files.lock().unwrap().insert("/a b".to_owned(), content);
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
async fn an_unknown_sandbox_is_not_reported_as_an_unavailable_host() {
    let host = Host::start();
    let mut target = host.unknown(locule_ids::SandboxId::random());
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
