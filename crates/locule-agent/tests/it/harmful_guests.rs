//! Harmful programs in a real guest: they must not affect another sandbox or the host.

use std::path::Path;
use std::time::Duration;

use http::{Request, StatusCode};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Bytes;
use locule_agent::OnStop;
use locule_agent_api::http1::exchange;
use locule_agent_api::{HostAgent as _, ReportedState, SandboxSpec};

use crate::rig::{Rig, TOKEN, order, resume, spec, within};

/// The limit for operations on the affected sandbox.
const BOUND: Duration = Duration::from_mins(1);
/// The limit for an answer of another sandbox while all cores of the host are busy.
const UNHARMED: Duration = Duration::from_secs(20);
/// The limit for the growth of the agent's memory because of clients that do not read.
const MEMORY_BYTES: u64 = 64 << 20;

/// The resident memory of this process, which is the agent.
fn resident_bytes() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kib = line.unwrap().trim().trim_end_matches(" kB");
    kib.parse::<u64>().unwrap() * 1024
}

struct Scene {
    rig: Rig,
    witness: SandboxSpec,
}

impl Scene {
    async fn new() -> Self {
        let (rig, witness) = (Rig::start().await, spec());
        rig.registry()
            .create_sandbox(witness.clone())
            .await
            .unwrap();
        rig.exec(witness.order.sandbox, "echo mine > ~/f").await;
        Self { rig, witness }
    }

    async fn create_harmful(&self) -> SandboxSpec {
        let desired = spec();
        let created = self.rig.registry().create_sandbox(desired.clone()).await;
        created.unwrap();
        desired
    }

    /// Asserts that the witness has its file and answers in time.
    async fn check_witness(&self) {
        let asked = self.rig.exec(self.witness.order.sandbox, "cat ~/f");
        assert_eq!(
            within(UNHARMED, "the witness", asked).await.stdout,
            "mine\n"
        );
    }

    /// Asserts that the host can pause and destroy the sandbox.
    async fn pause_and_destroy(&self, desired: &SandboxSpec) {
        let registry = self.rig.registry();
        let paused = within(BOUND, "pause", registry.pause_sandbox(order(desired, 2))).await;
        assert_eq!(paused.unwrap().state, ReportedState::Paused);
        self.check_witness().await;
        within(
            BOUND,
            "destroy",
            registry.destroy_sandbox(order(desired, 3)),
        )
        .await
        .unwrap();
    }

    async fn end(self) {
        self.check_witness().await;
        self.rig.stop(OnStop::Pause).await;
        self.rig.assert_clean();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fork_bomb_affects_no_other_sandbox() {
    let scene = Scene::new().await;
    let desired = scene.create_harmful().await;
    // Each process starts two children and waits.
    let bomb = "b() { b & b & wait; }; b >/dev/null 2>&1 & sleep 1000";
    within(BOUND, "start", scene.rig.spawn(desired.order.sandbox, bomb)).await;
    for _ in 0..5 {
        scene.check_witness().await;
    }
    scene.pause_and_destroy(&desired).await;
    scene.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn unread_process_output_does_not_grow_the_agent() {
    let scene = Scene::new().await;
    let desired = scene.create_harmful().await;
    let before = resident_bytes();
    let mut unread = Vec::new();
    for _ in 0..4 {
        let flood = "yes an unread line";
        unread.push(scene.rig.start_process(desired.order.sandbox, flood).await);
    }
    for _ in 0..5 {
        scene.check_witness().await;
    }
    let grown = resident_bytes().saturating_sub(before);
    assert!(grown < MEMORY_BYTES, "the agent grew by {grown} bytes");
    scene.pause_and_destroy(&desired).await;
    for response in unread {
        let broken = within(
            BOUND,
            "the break of the stream",
            response.into_body().collect(),
        )
        .await;
        broken.map(drop).unwrap_err();
    }
    scene.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_and_processes_that_ignore_signals_do_not_delay_a_pause() {
    let scene = Scene::new().await;
    let (rig, desired) = (&scene.rig, scene.create_harmful().await);
    // Allocates all space without writing it, so that the host's disk stays empty, and then writes more.
    let fill = "n=0; i=$((1 << 32)); while [ $i -gt 4096 ]; do \
        fallocate -l $i ~/fill.$n && n=$((n + 1)) || i=$((i / 2)); done 2>/dev/null; head -c 100000 /dev/zero > ~/more";
    let filled = within(
        BOUND,
        "filling",
        rig.exec_as(desired.order.sandbox, "root", fill),
    )
    .await;
    assert_ne!(filled.exit_code, 0, "{filled:?}");
    assert!(filled.stderr.contains("No space left"), "{filled:?}");
    rig.spawn(
        desired.order.sandbox,
        "trap '' TERM INT HUP; while :; do sleep 1000; done",
    )
    .await;
    let paused = within(
        BOUND,
        "pause",
        rig.registry().pause_sandbox(order(&desired, 2)),
    )
    .await;
    assert!(!paused.unwrap().unresponsive);
    let registry = rig.registry();
    within(
        BOUND,
        "resume",
        registry.resume_sandbox(resume(&desired, 3)),
    )
    .await
    .unwrap();
    let out = rig.exec_as(
        desired.order.sandbox,
        "root",
        "rm ~/fill.*; echo free > ~/f && cat ~/f",
    );
    assert_eq!(within(BOUND, "exec", out).await.stdout, "free\n");
    within(
        BOUND,
        "destroy",
        registry.destroy_sandbox(order(&desired, 4)),
    )
    .await
    .unwrap();
    drop(registry);
    scene.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn file_requests_with_unusual_paths_stay_inside_the_guest() {
    let scene = Scene::new().await;
    let id = scene.witness.order.sandbox;
    let name = format!("locule-strange-{}", scene.rig.vmms()[0]);
    let file = async |method: &str, path: &str, body: &'static str| {
        let stream = tokio::net::UnixStream::connect(scene.rig.socket())
            .await
            .unwrap();
        let request = Request::builder()
            .method(method)
            .uri(format!("/proxy/{id}/49983/files?username=user&path={path}"))
            .header("host", "guest")
            .header("x-access-token", TOKEN)
            .header("content-type", "application/octet-stream")
            .body(Full::new(Bytes::from(body)));
        let response = exchange(stream, request.unwrap()).await.unwrap();
        let status = response.status();
        (
            status,
            response.into_body().collect().await.unwrap().to_bytes(),
        )
    };
    let out = "%2F..%2F..%2F".repeat(20);
    for path in [
        format!("/tmp/{name}%0Ab"),
        format!("/home/user{out}/tmp/{name}"),
        format!("~%2F..%2F..%2Ftmp%2F{name}%20%22%27%24(x)"),
    ] {
        assert_eq!(
            file("POST", &path, "inside").await.0,
            StatusCode::OK,
            "{path}"
        );
        assert_eq!(file("GET", &path, "").await.1, "inside", "{path}");
    }
    for bad in ["/tmp/a%00b".to_owned(), format!("/tmp/{}", "x".repeat(300))] {
        let (status, _) = file("POST", &bad, "x").await;
        assert!(!status.is_success(), "{bad}: {status}");
    }
    let inside = scene
        .rig
        .exec(id, &format!("ls /tmp | grep -c {name}"))
        .await;
    assert_eq!(inside.stdout, "3\n", "{inside:?}");
    assert!(!Path::new("/tmp").join(&name).exists());
    scene.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn thousands_of_idle_connections_in_a_guest_affect_no_other_sandbox() {
    let scene = Scene::new().await;
    let desired = scene.create_harmful().await;
    // Idle connections to the guest agent and to the name server.
    let open = "ulimit -n $(ulimit -Hn); n=0; for i in $(seq 3000); do \
        exec {fd}<>/dev/tcp/127.0.0.1/49983 && n=$((n + 1)); done 2>/dev/null; echo $n; \
        for i in $(seq 100); do exec {fd}<>/dev/tcp/169.254.0.22/53; done 2>/dev/null; sleep 1000";
    within(
        BOUND,
        "start",
        scene
            .rig
            .spawn(desired.order.sandbox, &format!("({open}) & wait")),
    )
    .await;
    for _ in 0..5 {
        scene.check_witness().await;
    }
    scene.pause_and_destroy(&desired).await;
    scene.end().await;
}
