//! Many sandboxes and one agent after the other: none of them notices.

use std::io::Read as _;
use std::io::Write as _;
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::time::Duration;

use futures::stream::{self, StreamExt as _};
use locule_agent_api::{HostAgent as _, ReportedState};
use locule_base::clock::SystemClock;
use locule_ids::SandboxId;
use serde_json::Value;

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
        before.push(host.ticks(wanted.order.sandbox).await);
    }
    let streams: Vec<_> = all[..8]
        .iter()
        .map(|wanted| open_stream(&host, wanted.order.sandbox))
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
        let report = host.report(wanted.order.sandbox).await.unwrap();
        assert_eq!(report.state, ReportedState::Running);
        assert_eq!(report.last_error, None);
        let ticks = host.ticks(wanted.order.sandbox).await;
        assert!(ticks > before, "{ticks} ticks after {before}");
    }
    for stream in streams {
        assert_eq!(
            finish_stream(stream),
            "",
            "it went through the killed agent"
        );
    }
    let again = open_stream(&host, all[0].order.sandbox);
    assert_eq!(finish_stream(again), "HTTP/1.1 200");
    host.check().await;
    host.stop().await;
}

fn manifest_of(host: &HostProcess, sandbox: SandboxId) -> PathBuf {
    let folder = host
        .pool()
        .join("sandboxes")
        .join(sandbox.as_uuid().to_string());
    folder.join("manifest.json")
}

fn read_manifest(host: &HostProcess, sandbox: SandboxId) -> Value {
    serde_json::from_slice(&std::fs::read(manifest_of(host, sandbox)).unwrap()).unwrap()
}

/// Changes what an agent that starts will find.
fn rewrite(host: &HostProcess, sandbox: SandboxId, change: impl FnOnce(&mut Value)) {
    let mut manifest = read_manifest(host, sandbox);
    change(&mut manifest);
    std::fs::write(manifest_of(host, sandbox), manifest.to_string()).unwrap();
}

async fn two(host: &HostProcess) -> [SandboxId; 2] {
    let mut made = Vec::new();
    for _ in 0..2 {
        let wanted = ready_spec();
        made.push(host.client().create_sandbox(wanted).await.unwrap().sandbox);
    }
    made.try_into().unwrap()
}

/// One runs on as it was, the other is stopped as `vm_lost`, and nothing that is nobody's is left.
async fn assert_only(host: &HostProcess, kept: SandboxId, ticks: u64, lost: SandboxId) {
    assert!(host.ticks(kept).await >= ticks, "{}", host.log());
    let report = host.report(lost).await.unwrap();
    assert_eq!(
        (report.state, report.reason.as_deref()),
        (ReportedState::Stopped, Some("vm_lost")),
        "{}",
        host.log()
    );
    host.check().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_manifests_that_name_one_vm_the_one_whose_key_it_takes_has_it() {
    let mut host = HostProcess::start().await;
    // Whichever is tried first.
    for thief_started in ["2020-01-01T00:00:00Z", "2040-01-01T00:00:00Z"] {
        let [thief, owner] = two(&host).await;
        let ticks = host.ticks(owner).await;
        host.kill();
        let held = read_manifest(&host, owner)["held"].clone();
        rewrite(&host, thief, |manifest| {
            manifest["held"] = held;
            manifest["started_at"] = thief_started.into();
        });
        host.restart().await;
        assert_only(&host, owner, ticks, thief).await;
    }
    host.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_manifest_that_names_the_slot_of_another_and_a_dead_vm_takes_nothing_away() {
    let mut host = HostProcess::start().await;
    let [thief, owner] = two(&host).await;
    let ticks = host.ticks(owner).await;
    host.kill();
    let slot = read_manifest(&host, owner)["held"]["slot"].clone();
    rewrite(&host, thief, |manifest| {
        manifest["held"]["slot"] = slot;
        manifest["held"]["vmm"]["start_ticks"] = 1.into();
        manifest["started_at"] = "2040-01-01T00:00:00Z".into();
    });
    host.restart().await;
    assert_only(&host, owner, ticks, thief).await;
    host.stop().await;
}

/// The machine in its slot runs, but is not it: it is lost, and a machine that is nobody's is ended.
#[tokio::test(flavor = "multi_thread")]
async fn a_guest_that_refuses_the_key_of_its_manifest_is_not_its_sandbox() {
    let mut host = HostProcess::start().await;
    let [lost, witness] = two(&host).await;
    let ticks = host.ticks(witness).await;
    host.kill();
    rewrite(&host, lost, |manifest| {
        manifest["control_key"] = "00".repeat(32).into();
    });
    host.restart().await;
    assert_only(&host, witness, ticks, lost).await;
    host.stop().await;
}
