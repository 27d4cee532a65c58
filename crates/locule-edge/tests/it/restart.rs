//! A host agent that restarts while a client follows a process.

use bytes::Bytes;
use futures::StreamExt as _;
use locule_edge::{
    GuestError, ProcessEvent, ProcessEvents, ProcessExit, Selector, Signal,
    retry_while_agent_restarts,
};
use locule_testkit::FIRST_PID;

use crate::exec::program;
use crate::host::{Host, PATIENCE};

const SIGKILL: i32 = 9;

async fn next(events: &mut ProcessEvents) -> Result<ProcessEvent, GuestError> {
    tokio::time::timeout(PATIENCE, events.next())
        .await
        .unwrap()
        .unwrap()
}

/// Starts `printer` and reads the output that it prints at once.
async fn started_printer(host: &Host) -> ProcessEvents {
    let started = host.client().start(program("printer", &[])).await;
    let mut events = started.unwrap();
    for expected in [
        ProcessEvent::Started { pid: FIRST_PID },
        ProcessEvent::Stdout(Bytes::from_static(b"abc")),
        ProcessEvent::Stderr(Bytes::from_static(b"de")),
    ] {
        assert_eq!(next(&mut events).await.unwrap(), expected);
    }
    events
}

fn exited() -> ProcessEvent {
    ProcessEvent::Exited(ProcessExit {
        exit_code: 0,
        signal: None,
    })
}

#[tokio::test]
async fn a_stream_continues_at_its_offset_when_the_host_agent_restarts() {
    let host = Host::start();
    let mut events = started_printer(&host).await;
    *host.guest.scrollback.lock().unwrap() = (0, b"abcdefgh".to_vec());
    host.proxy.stop_listening();
    host.proxy.break_streams();
    let back = async {
        // The edge has found the host unreachable at least once when the stream breaks.
        tokio::task::yield_now().await;
        host.proxy.listen();
    };
    let (event, ()) = tokio::join!(next(&mut events), back);
    assert_eq!(
        event.unwrap(),
        ProcessEvent::Stdout(Bytes::from_static(b"fgh"))
    );
    assert_eq!(next(&mut events).await.unwrap(), exited());
    assert!(events.next().await.is_none());
    assert_eq!(*host.guest.offsets.lock().unwrap(), [Some(5)]);
}

#[tokio::test]
async fn output_that_the_guest_agent_no_longer_keeps_is_reported_as_a_gap() {
    let host = Host::start();
    let mut events = started_printer(&host).await;
    *host.guest.scrollback.lock().unwrap() = (9, b"jk".to_vec());
    host.proxy.break_streams();
    assert_eq!(
        next(&mut events).await.unwrap(),
        ProcessEvent::Gap { bytes: 4 }
    );
    assert_eq!(
        next(&mut events).await.unwrap(),
        ProcessEvent::Stdout(Bytes::from_static(b"jk"))
    );
    assert_eq!(next(&mut events).await.unwrap(), exited());
}

#[tokio::test]
async fn a_stream_whose_sandbox_is_gone_ends_at_once_with_that_error() {
    let host = Host::start();
    let mut events = started_printer(&host).await;
    host.sim.lose(host.target.sandbox).unwrap();
    host.proxy.break_streams();
    let error = next(&mut events).await.unwrap_err();
    assert!(matches!(error, GuestError::Gone), "{error:?}");
    assert!(events.next().await.is_none());
}

#[tokio::test]
async fn a_call_is_retried_until_the_host_agent_is_back() {
    let host = Host::start();
    let guest = host.client();
    let mut events = guest.start(program("sleep", &[])).await.unwrap();
    next(&mut events).await.unwrap();
    host.proxy.stop_listening();
    let signalled = retry_while_agent_restarts(|| {
        let guest = guest.clone();
        async move { guest.signal(&Selector::Pid(FIRST_PID), Signal::Kill).await }
    });
    let back = async {
        tokio::task::yield_now().await;
        host.proxy.listen();
    };
    let (signalled, ()) = tokio::time::timeout(PATIENCE, async { tokio::join!(signalled, back) })
        .await
        .unwrap();
    signalled.unwrap();
    assert_eq!(*host.guest.signals.lock().unwrap(), [SIGKILL]);
}
