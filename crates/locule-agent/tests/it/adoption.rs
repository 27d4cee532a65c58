//! Adoption of running sandboxes by the next agent process.

use std::io::Read as _;
use std::io::Write as _;
use std::os::unix::net::UnixStream;
use std::os::unix::process::{CommandExt as _, ExitStatusExt as _};
use std::path::PathBuf;
use std::process::{Child, Stdio};
use std::time::Duration;

use futures::stream::{self, StreamExt as _};
use locule_agent_api::{HostAgent as _, ReportedState};
use locule_base::clock::SystemClock;
use locule_ids::SandboxId;
use serde_json::Value;

use crate::host_files::program;
use crate::process::HostProcess;
use crate::rig::{TOKEN, pooled_spec};

const SANDBOXES: usize = 50;
const AT_ONCE: usize = 8;

/// Sends the head of a request but not its body, so that the stream stays open as that of an exec session does.
fn open_stream(host: &HostProcess, sandbox: SandboxId) -> UnixStream {
    let mut stream = UnixStream::connect(host.socket()).unwrap();
    let head = format!(
        "POST /proxy/{sandbox}/49983/model HTTP/1.1\r\nhost: guest\r\nx-access-token: {TOKEN}\r\ncontent-length: 2\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).unwrap();
    stream
}

/// Sends the body and returns the start of the answer. Empty: the stream broke.
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
async fn fifty_sandboxes_run_on_while_their_agent_is_killed_and_replaced() {
    let mut host = HostProcess::start().await;
    let all: Vec<_> = (0..SANDBOXES).map(|_| pooled_spec()).collect();
    let created: Vec<_> = stream::iter(&all)
        .map(|desired| {
            let client = host.client();
            async move { client.create_sandbox(desired.clone()).await.unwrap() }
        })
        .buffer_unordered(AT_ONCE)
        .collect()
        .await;
    assert_eq!(created.len(), SANDBOXES);
    let vmms = host.vmms();
    let mut before = Vec::new();
    for desired in &all {
        before.push(host.ticks(desired.order.sandbox).await);
    }
    let streams: Vec<_> = all[..8]
        .iter()
        .map(|desired| open_stream(&host, desired.order.sandbox))
        .collect();

    host.kill();
    let clock = SystemClock::shared();
    let started = clock.monotonic();
    host.restart().await;
    let took = clock.monotonic().saturating_sub(started);
    println!(
        "an agent adopts {SANDBOXES} sandboxes in {} ms",
        took.as_millis()
    );

    // The VMMs are the same processes and no tick is lost. Each guest checks its own memory and disk.
    let (mut earlier, mut now) = (vmms, host.vmms());
    earlier.sort_unstable();
    now.sort_unstable();
    assert_eq!(earlier, now);
    for (desired, before) in all.iter().zip(before) {
        let report = host.report(desired.order.sandbox).await.unwrap();
        assert_eq!(report.state, ReportedState::Running);
        assert_eq!(report.last_error, None);
        let ticks = host.ticks(desired.order.sandbox).await;
        assert!(ticks > before, "{ticks} ticks after {before}");
    }
    for stream in streams {
        assert_eq!(
            finish_stream(stream),
            "",
            "a stream through the killed agent must break"
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

/// Changes a manifest while no agent runs.
fn rewrite_manifest(host: &HostProcess, sandbox: SandboxId, change: impl FnOnce(&mut Value)) {
    let mut manifest = read_manifest(host, sandbox);
    change(&mut manifest);
    std::fs::write(manifest_of(host, sandbox), manifest.to_string()).unwrap();
}

async fn create_two(host: &HostProcess) -> [SandboxId; 2] {
    let mut created = Vec::new();
    for _ in 0..2 {
        let desired = pooled_spec();
        created.push(host.client().create_sandbox(desired).await.unwrap().sandbox);
    }
    created.try_into().unwrap()
}

/// Asserts that `kept` runs on, that `lost` is stopped as `vm_lost`, and that nothing unowned is left.
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
async fn a_vm_that_two_manifests_name_belongs_to_the_one_with_its_control_key() {
    let mut host = HostProcess::start().await;
    // The result does not depend on which manifest the agent reads first.
    for thief_started in ["2020-01-01T00:00:00Z", "2040-01-01T00:00:00Z"] {
        let [thief, owner] = create_two(&host).await;
        let ticks = host.ticks(owner).await;
        host.kill();
        let held = read_manifest(&host, owner)["held"].clone();
        rewrite_manifest(&host, thief, |manifest| {
            manifest["held"] = held;
            manifest["started_at"] = thief_started.into();
        });
        host.restart().await;
        assert_only(&host, owner, ticks, thief).await;
    }
    host.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_manifest_with_the_slot_of_another_sandbox_and_an_exited_vm_does_no_harm() {
    let mut host = HostProcess::start().await;
    let [thief, owner] = create_two(&host).await;
    let ticks = host.ticks(owner).await;
    host.kill();
    let slot = read_manifest(&host, owner)["held"]["slot"].clone();
    rewrite_manifest(&host, thief, |manifest| {
        manifest["held"]["slot"] = slot;
        manifest["held"]["vmm"]["start_ticks"] = 1.into();
        manifest["started_at"] = "2040-01-01T00:00:00Z".into();
    });
    host.restart().await;
    assert_only(&host, owner, ticks, thief).await;
    host.stop().await;
}

/// The VM in the slot runs, but does not belong to the manifest: the sandbox is lost, and the unowned VM is ended.
#[tokio::test(flavor = "multi_thread")]
async fn a_vm_that_refuses_the_control_key_of_its_manifest_is_not_adopted() {
    let mut host = HostProcess::start().await;
    let [lost, witness] = create_two(&host).await;
    let ticks = host.ticks(witness).await;
    host.kill();
    rewrite_manifest(&host, lost, |manifest| {
        manifest["control_key"] = "00".repeat(32).into();
    });
    host.restart().await;
    assert_only(&host, witness, ticks, lost).await;
    host.stop().await;
}

/// A process of this user that shows nothing of a VMM: not in its arguments, not in its name, not in the owner of its files in
/// `/proc`.
fn hidden_process(uid: u32) -> Child {
    // The system call is `prctl(PR_SET_DUMPABLE, 0)`.
    const HIDE: &str = "$0 = 'other'; $| = 1; syscall(157, 4, 0); print qq(ready\\n); sleep 600";
    let mut command = program("perl");
    command.args(["-e", HIDE]).uid(uid);
    let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
    let mut ready = [0; 6];
    let output = child.stdout.as_mut().unwrap();
    output.read_exact(&mut ready).unwrap();
    child
}

#[tokio::test(flavor = "multi_thread")]
async fn a_vmm_that_hides_what_it_is_ends_when_no_sandbox_owns_it() {
    let mut host = HostProcess::start().await;
    let [kept, other] = create_two(&host).await;
    let ticks = host.ticks(kept).await;
    let pid = &read_manifest(&host, kept)["held"]["vmm"]["pid"];
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("Uid:"));
    let uid: u32 = line
        .unwrap()
        .split_whitespace()
        .next()
        .unwrap()
        .parse()
        .unwrap();
    // In the slot of a sandbox that runs, and in a slot without a sandbox.
    let mut hidden = [uid, uid + 500].map(hidden_process);
    for child in &hidden {
        let path = format!("/proc/{}/cmdline", child.id());
        assert!(!std::fs::read_to_string(path).unwrap().contains("perl"));
    }
    host.kill();
    host.restart().await;
    for child in &mut hidden {
        assert_eq!(child.wait().unwrap().signal(), Some(9));
    }
    for sandbox in [kept, other] {
        let report = host.report(sandbox).await.unwrap();
        assert_eq!(report.state, ReportedState::Running);
    }
    assert!(host.ticks(kept).await >= ticks);
    host.check().await;
    host.stop().await;
}
