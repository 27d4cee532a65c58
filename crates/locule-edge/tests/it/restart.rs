//! A host agent that restarts while a process is followed.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use axum::body::Body;
use axum::extract::State;
use axum::response::{IntoResponse as _, Response};
use bytes::Bytes;
use futures::{Stream, StreamExt as _, stream};
use http::{HeaderMap, StatusCode, header};
use locule_agent_api::PROXY_ERROR_HEADER;
use locule_edge::{
    GuestClient, GuestError, ProcessEvent, ProcessEvents, ProcessExit, Selector, Signal,
    retry_while_agent_restarts,
};
use locule_guest_api::OFFSET_HEADER;
use locule_guest_api::oneof::process_event::data_event::Output;
use locule_guest_api::proto::process as wire;

use crate::exec::{authorized, ended, frame, printed, program, said};
use crate::host::{Host, PATIENCE, Seen};

/// What `printer` prints before its stream breaks: three bytes of one stream, two of the other.
pub(crate) fn first_half() -> impl Stream<Item = Bytes> {
    let stdout = printed(Output::Stdout(b"abc".to_vec()));
    stream::iter([stdout, printed(Output::Stderr(b"de".to_vec()))])
}

/// Replays what is kept from the offset that is asked for, and ends.
pub(crate) async fn connect(State(seen): State<Arc<Seen>>, headers: HeaderMap) -> Response {
    authorized(&headers);
    if seen.gone.load(Ordering::SeqCst) {
        return (StatusCode::NOT_FOUND, [(PROXY_ERROR_HEADER, "not_found")]).into_response();
    }
    let asked = headers
        .get(OFFSET_HEADER)
        .map(|offset| offset.to_str().unwrap().parse().unwrap());
    seen.asked.lock().unwrap().push(asked);
    let (kept_from, kept) = *seen.kept.lock().unwrap();
    let begins = asked
        .unwrap_or(kept_from + kept.len() as u64)
        .max(kept_from);
    let rest = &kept[usize::try_from(begins - kept_from).unwrap()..];
    let started = wire::process_event::StartEvent {
        pid: 7,
        ..Default::default()
    };
    let frames = [
        said(started.into()),
        printed(Output::Stdout(rest.to_vec())),
        ended(0, 0),
        frame(2, b"{}"),
    ];
    let frames = stream::iter(frames).map(Ok::<_, std::io::Error>);
    let headers = [
        (
            header::CONTENT_TYPE.as_str(),
            "application/connect+proto".to_owned(),
        ),
        (OFFSET_HEADER, begins.to_string()),
    ];
    (headers, Body::from_stream(frames)).into_response()
}

async fn next(events: &mut ProcessEvents) -> Result<ProcessEvent, GuestError> {
    tokio::time::timeout(PATIENCE, events.next())
        .await
        .unwrap()
        .unwrap()
}

/// Starts `printer` and reads what comes before its stream breaks.
async fn begun(host: &Host) -> ProcessEvents {
    let guest = GuestClient::new(host.target.clone());
    let mut events = guest.start(program("printer", &[])).await.unwrap();
    for expected in [
        ProcessEvent::Started { pid: 7 },
        ProcessEvent::Stdout(Bytes::from_static(b"abc")),
        ProcessEvent::Stderr(Bytes::from_static(b"de")),
    ] {
        assert_eq!(next(&mut events).await.unwrap(), expected);
    }
    events
}

fn end() -> ProcessEvent {
    ProcessEvent::Exited(ProcessExit {
        exit_code: 0,
        signal: None,
    })
}

#[tokio::test]
async fn a_stream_goes_on_where_it_was_when_the_host_agent_restarts() {
    let mut host = Host::start();
    let mut events = begun(&host).await;
    *host.seen.kept.lock().unwrap() = (0, b"abcdefgh");
    host.go_away();
    host.seen.dies.notify_one();
    let back = async {
        // The edge has met a host that is not there, at least once, when the stream breaks.
        tokio::task::yield_now().await;
        host.come_back();
    };
    let (event, ()) = tokio::join!(next(&mut events), back);
    assert_eq!(
        event.unwrap(),
        ProcessEvent::Stdout(Bytes::from_static(b"fgh"))
    );
    assert_eq!(next(&mut events).await.unwrap(), end());
    assert!(events.next().await.is_none());
    assert_eq!(*host.seen.asked.lock().unwrap(), [Some(5)]);
}

#[tokio::test]
async fn lost_output_is_said_to_be_lost() {
    let host = Host::start();
    let mut events = begun(&host).await;
    *host.seen.kept.lock().unwrap() = (9, b"jk");
    host.seen.dies.notify_one();
    assert_eq!(
        next(&mut events).await.unwrap(),
        ProcessEvent::Gap { bytes: 4 }
    );
    assert_eq!(
        next(&mut events).await.unwrap(),
        ProcessEvent::Stdout(Bytes::from_static(b"jk"))
    );
    assert_eq!(next(&mut events).await.unwrap(), end());
}

#[tokio::test]
async fn a_stream_whose_sandbox_ended_ends_at_once_and_says_so() {
    let host = Host::start();
    let mut events = begun(&host).await;
    host.seen.gone.store(true, Ordering::SeqCst);
    host.seen.dies.notify_one();
    let error = next(&mut events).await.unwrap_err();
    assert!(matches!(error, GuestError::Gone), "{error:?}");
    assert!(events.next().await.is_none());
}

#[tokio::test]
async fn a_call_waits_for_a_host_agent_that_comes_back() {
    let mut host = Host::start();
    let guest = GuestClient::new(host.target.clone());
    host.go_away();
    let signalled = retry_while_agent_restarts(|| {
        let guest = guest.clone();
        async move { guest.signal(&Selector::Pid(7), Signal::Kill).await }
    });
    let back = async {
        tokio::task::yield_now().await;
        host.come_back();
    };
    let (signalled, ()) = tokio::time::timeout(PATIENCE, async { tokio::join!(signalled, back) })
        .await
        .unwrap();
    signalled.unwrap();
    assert!(host.seen.killed.is_cancelled());
}
