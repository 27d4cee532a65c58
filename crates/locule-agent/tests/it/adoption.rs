//! Many sandboxes and one agent after the other: none of them notices.

use std::io::Read as _;
use std::io::Write as _;
use std::os::unix::net::UnixStream;
use std::time::Duration;

use futures::stream::{self, StreamExt as _};
use locule_agent_api::{HostAgent as _, ReportedState};
use locule_base::clock::SystemClock;
use locule_ids::SandboxId;

use crate::process::HostProcess;
use crate::rig::{TOKEN, ready_spec};

const SANDBOXES: usize = 50;
const AT_ONCE: usize = 8;

/// A request to a guest whose body never ends: a stream as an exec session is one.
fn open_stream(host: &HostProcess, sandbox: SandboxId) -> UnixStream {
    let mut stream = UnixStream::connect(host.socket()).unwrap();
    let head = format!(
        "POST /proxy/{sandbox}/49983/model HTTP/1.1\r\nhost: guest\r\nx-access-token: {TOKEN}\r\ncontent-length: 2\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).unwrap();
    stream
}

/// The rest of the request, and the answer. Empty: the stream broke.
fn finish_stream(mut stream: UnixStream) -> String {
    let mut answer = String::new();
    let patience = Some(Duration::from_secs(30));
    stream.set_read_timeout(patience).unwrap();
    if stream.write_all(b"{}").is_ok() {
        let mut first = [0; 12];
        if stream.read_exact(&mut first).is_ok() {
            answer = String::from_utf8_lossy(&first).into_owned();
        }
    }
    answer
}

#[tokio::test(flavor = "multi_thread")]
async fn fifty_sandboxes_do_not_notice_that_their_agent_was_killed() {
    let mut host = HostProcess::start().await;
    let all: Vec<_> = (0..SANDBOXES).map(|_| ready_spec()).collect();
    let made: Vec<_> = stream::iter(&all)
        .map(|wanted| {
            let client = host.client();
            async move { client.create_sandbox(wanted.clone()).await.unwrap() }
        })
        .buffer_unordered(AT_ONCE)
        .collect()
        .await;
    assert_eq!(made.len(), SANDBOXES);
    let vmms = host.vmms();
    let mut before = Vec::new();
    for wanted in &all {
        before.push(host.ticks(wanted.sandbox).await);
    }
    let streams: Vec<_> = all[..8]
        .iter()
        .map(|wanted| open_stream(&host, wanted.sandbox))
        .collect();

    host.kill();
    let clock = SystemClock::shared();
    let began = clock.monotonic();
    host.restart().await;
    let took = clock.monotonic().saturating_sub(began);
    println!(
        "an agent takes over {SANDBOXES} sandboxes in {} ms",
        took.as_millis()
    );

    // The same processes, and not a tick less: each says itself whether its memory and its disk are whole.
    let (mut still, mut now) = (vmms, host.vmms());
    still.sort_unstable();
    now.sort_unstable();
    assert_eq!(still, now);
    for (wanted, before) in all.iter().zip(before) {
        let report = host.report(wanted.sandbox).await.unwrap();
        assert_eq!(report.state, ReportedState::Running);
        assert_eq!(report.last_error, None);
        let ticks = host.ticks(wanted.sandbox).await;
        assert!(ticks > before, "{ticks} ticks after {before}");
    }
    for stream in streams {
        assert_eq!(
            finish_stream(stream),
            "",
            "it went through the killed agent"
        );
    }
    let again = open_stream(&host, all[0].sandbox);
    assert_eq!(finish_stream(again), "HTTP/1.1 200");
    host.check().await;
    host.stop().await;
}
