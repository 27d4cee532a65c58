//! What real programs inside a real guest can do to make trouble, and who notices.

use std::path::Path;
use std::time::Duration;

use http::{Request, StatusCode};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Bytes;
use locule_agent::OnStop;
use locule_agent_api::http1::exchange;
use locule_agent_api::{HostAgent as _, Order, ReportedState, SandboxSpec};

use crate::rig::{Rig, TOKEN, resume, spec, within};

/// For the sandbox in trouble.
const BOUND: Duration = Duration::from_mins(1);
/// For one that is not concerned, its host's cores fully taken.
const UNHARMED: Duration = Duration::from_secs(20);
/// What may be in flight to readers that do not read.
const MEMORY_BYTES: u64 = 64 << 20;

/// This process is the agent.
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

    async fn troubled(&self) -> SandboxSpec {
        let wanted = spec();
        let created = self.rig.registry().create_sandbox(wanted.clone()).await;
        created.unwrap();
        wanted
    }

    /// The witness is as it was, and answers.
    async fn unharmed(&self) {
        let asked = self.rig.exec(self.witness.order.sandbox, "cat ~/f");
        assert_eq!(
            within(UNHARMED, "the witness", asked).await.stdout,
            "mine\n"
        );
    }

    /// Pause and destroy are the host's to decide, whatever goes on inside.
    async fn is_ended(&self, wanted: &SandboxSpec) {
        let registry = self.rig.registry();
        let order = |generation| Order {
            sandbox: wanted.order.sandbox,
            generation,
            write_mark: None,
        };
        let paused = within(BOUND, "pause", registry.pause_sandbox(order(2))).await;
        assert_eq!(paused.unwrap().state, ReportedState::Paused);
        self.unharmed().await;
        within(BOUND, "destroy", registry.destroy_sandbox(order(3)))
            .await
            .unwrap();
    }

    async fn end(self) {
        self.unharmed().await;
        self.rig.stop(OnStop::Pause).await;
        self.rig.assert_clean();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fork_bomb_goes_off_in_its_own_sandbox_only() {
    let scene = Scene::new().await;
    let wanted = scene.troubled().await;
    // Each child leaves two behind and waits.
    let bomb = "b() { b & b & wait; }; b >/dev/null 2>&1 & sleep 1000";
    within(BOUND, "start", scene.rig.spawn(wanted.order.sandbox, bomb)).await;
    for _ in 0..5 {
        scene.unharmed().await;
    }
    scene.is_ended(&wanted).await;
    scene.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flood_of_output_waits_for_its_reader() {
    let scene = Scene::new().await;
    let wanted = scene.troubled().await;
    let before = resident_bytes();
    let mut unread = Vec::new();
    for _ in 0..4 {
        let flood = "yes a line that nobody reads";
        unread.push(scene.rig.start_process(wanted.order.sandbox, flood).await);
    }
    for _ in 0..5 {
        scene.unharmed().await;
    }
    let grown = resident_bytes().saturating_sub(before);
    assert!(grown < MEMORY_BYTES, "the agent grew by {grown} bytes");
    scene.is_ended(&wanted).await;
    for response in unread {
        let cut = within(BOUND, "the cut", response.into_body().collect()).await;
        cut.map(drop).unwrap_err();
    }
    scene.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_and_deaf_processes_do_not_hold_up_a_pause() {
    let scene = Scene::new().await;
    let (rig, wanted) = (&scene.rig, scene.troubled().await);
    // Everything there is, then one byte more. No block of it is written, so that the host does not fill up too.
    let fill = "n=0; i=$((1 << 32)); while [ $i -gt 4096 ]; do \
        fallocate -l $i ~/fill.$n && n=$((n + 1)) || i=$((i / 2)); done 2>/dev/null; head -c 100000 /dev/zero > ~/more";
    let filled = within(
        BOUND,
        "filling",
        rig.exec_as(wanted.order.sandbox, "root", fill),
    )
    .await;
    assert_ne!(filled.exit_code, 0, "{filled:?}");
    assert!(filled.stderr.contains("No space left"), "{filled:?}");
    rig.spawn(
        wanted.order.sandbox,
        "trap '' TERM INT HUP; while :; do sleep 1000; done",
    )
    .await;
    let order = |generation| Order {
        sandbox: wanted.order.sandbox,
        generation,
        write_mark: None,
    };
    let paused = within(BOUND, "pause", rig.registry().pause_sandbox(order(2))).await;
    assert!(!paused.unwrap().unresponsive);
    let registry = rig.registry();
    within(BOUND, "resume", registry.resume_sandbox(resume(&wanted, 3)))
        .await
        .unwrap();
    let out = rig.exec_as(
        wanted.order.sandbox,
        "root",
        "rm ~/fill.*; echo room > ~/f && cat ~/f",
    );
    assert_eq!(within(BOUND, "exec", out).await.stdout, "room\n");
    within(BOUND, "destroy", registry.destroy_sandbox(order(4)))
        .await
        .unwrap();
    drop(registry);
    scene.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn strange_paths_stay_inside_the_guest() {
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
async fn thousands_of_half_open_connections_inside_are_the_guests_own_trouble() {
    let scene = Scene::new().await;
    let wanted = scene.troubled().await;
    // To its agent from inside, to the name server, to nobody; none says a word.
    let open = "ulimit -n $(ulimit -Hn); n=0; for i in $(seq 3000); do \
        exec {fd}<>/dev/tcp/127.0.0.1/49983 && n=$((n + 1)); done 2>/dev/null; echo $n; \
        for i in $(seq 100); do exec {fd}<>/dev/tcp/169.254.0.22/53; done 2>/dev/null; sleep 1000";
    within(
        BOUND,
        "start",
        scene
            .rig
            .spawn(wanted.order.sandbox, &format!("({open}) & wait")),
    )
    .await;
    for _ in 0..5 {
        scene.unharmed().await;
    }
    scene.is_ended(&wanted).await;
    scene.end().await;
}
