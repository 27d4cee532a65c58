//! What an agent does when it loses its control plane, and when its host was deleted.

use std::sync::Arc;
use std::time::Duration;

use chrono::DateTime;
use locule_agent::{Credentials, OnStop, purge};
use locule_agent_api::{AgentError, HostAgent as _, ReportedState, SandboxSpec};
use locule_base::clock::{Clock as _, ManualClock};
use locule_ids::HostId;

use crate::control_plane::{FakeControlPlane, Mood};
use crate::rig::{Rig, last_order, order, resume, spec};

const LOST: &str = "control_plane_lost";
const SILENCE: Duration = Duration::from_secs(91);
const ERROR_LIMIT: Duration = Duration::from_mins(15);

struct Host {
    rig: Rig,
    plane: FakeControlPlane,
    clock: Arc<ManualClock>,
}

impl Host {
    async fn start() -> Self {
        let now = DateTime::from_timestamp(1_800_000_000, 0).unwrap();
        let clock = Arc::new(ManualClock::at(now));
        let plane = FakeControlPlane::start(clock.now()).await;
        let rig = Rig::start_registered(plane.server(), ERROR_LIMIT, clock.clone()).await;
        let host = Self { rig, plane, clock };
        host.plane.beats(1).await;
        host
    }

    /// Returns when the agent knows.
    async fn become_of(&self, mood: Mood) {
        self.plane.become_of(mood);
        self.plane.beats(2).await;
    }

    async fn create(&self) -> SandboxSpec {
        let desired = spec();
        let created = self.rig.registry().create_sandbox(desired.clone()).await;
        created.unwrap();
        desired
    }

    async fn state(&self, desired: &SandboxSpec) -> (ReportedState, Option<String>) {
        let report = self.rig.registry().get_sandbox(desired.order.sandbox).await;
        let report = report.unwrap();
        (report.state, report.reason)
    }

    async fn is_running(&self, desired: &SandboxSpec) -> bool {
        self.state(desired).await == (ReportedState::Running, None)
    }

    async fn is_lost(&self, all: &[&SandboxSpec]) {
        for desired in all {
            let sandbox = desired.order.sandbox;
            self.rig
                .wait_for(sandbox, ReportedState::Paused, LOST)
                .await;
        }
    }

    async fn end(self, all: &[&SandboxSpec]) {
        for desired in all {
            let order = last_order(desired.order.sandbox);
            self.rig.registry().destroy_sandbox(order).await.unwrap();
        }
        self.rig.stop(OnStop::Pause).await;
        self.rig.assert_clean();
    }
}

/// B-123, B-124, W-002: without an answer for 90 s all sandboxes are paused, once for each loss of the control plane.
#[tokio::test(flavor = "multi_thread")]
async fn all_sandboxes_are_paused_once_for_each_time_that_the_control_plane_is_silent() {
    let host = Host::start().await;
    let (one, other) = (host.create().await, host.create().await);
    host.become_of(Mood::Silent).await;
    assert!(host.is_running(&one).await);
    host.clock.advance(SILENCE);
    host.is_lost(&[&one, &other]).await;

    let agent = host.rig.registry();
    agent.resume_sandbox(resume(&one, 2)).await.unwrap();
    host.plane.beats(2).await;
    assert!(host.is_running(&one).await);

    host.become_of(Mood::Well).await;
    host.become_of(Mood::Silent).await;
    assert!(host.is_running(&one).await);
    host.clock.advance(SILENCE);
    host.is_lost(&[&one, &other]).await;
    drop(agent);
    host.end(&[&one, &other]).await;
}

/// W-059: a control plane that answers 5xx lives.
#[tokio::test(flavor = "multi_thread")]
async fn a_control_plane_in_trouble_gets_more_time_than_a_silent_one() {
    let host = Host::start().await;
    let one = host.create().await;
    host.become_of(Mood::Answers(503)).await;
    host.clock.advance(SILENCE);
    host.plane.beats(2).await;
    assert!(host.is_running(&one).await);
    host.clock.advance(ERROR_LIMIT);
    host.is_lost(&[&one]).await;
    host.end(&[&one]).await;
}

/// B-112.
#[tokio::test(flavor = "multi_thread")]
async fn all_sandboxes_are_paused_when_the_credentials_are_refused() {
    let host = Host::start().await;
    let (one, other) = (host.create().await, host.create().await);
    host.plane.become_of(Mood::Refuses);
    host.is_lost(&[&one, &other]).await;
    host.end(&[&one, &other]).await;
}

/// B-128: only a control plane that names this host deletes it. Nothing of a sandbox is lost.
#[tokio::test(flavor = "multi_thread")]
async fn an_agent_whose_host_was_deleted_leaves_and_keeps_every_sandbox() {
    let host = Host::start().await;
    let one = host.create().await;
    let data_dir = host.rig.data_dir();
    for mood in [Mood::Deletes(HostId::random()), Mood::Answers(404)] {
        host.become_of(mood).await;
        assert!(host.is_running(&one).await);
    }
    assert!(Credentials::read(&data_dir).unwrap().is_some());
    host.clock.advance(SILENCE);
    host.is_lost(&[&one]).await;
    let agent = host.rig.registry();
    agent.resume_sandbox(resume(&one, 2)).await.unwrap();
    drop(agent);

    host.plane.become_of(Mood::Deletes(host.plane.host));
    host.rig.leave().await;
    assert_eq!(Credentials::read(&data_dir).unwrap(), None);

    host.plane.become_of(Mood::Well);
    host.rig.start_again().await;
    let agent = host.rig.registry();
    assert_eq!(host.state(&one).await.0, ReportedState::Paused);
    agent.resume_sandbox(resume(&one, 3)).await.unwrap();
    drop(agent);
    host.end(&[&one]).await;
}

/// B-121, B-128: the order of a forced delete destroys what it lists. The rest stays until an operator removes it.
#[tokio::test(flavor = "multi_thread")]
async fn terminate_destroys_exactly_the_listed_sandboxes_and_the_agent_leaves() {
    let host = Host::start().await;
    let (one, other) = (host.create().await, host.create().await);
    let data_dir = host.rig.data_dir();
    let unknown = last_order(spec().order.sandbox);
    let orders = vec![last_order(one.order.sandbox), unknown];
    host.rig.registry().terminate(orders).await.unwrap();
    host.rig.leave().await;
    assert_eq!(Credentials::read(&data_dir).unwrap(), None);

    host.rig.start_again().await;
    host.plane.beats(1).await;
    assert_eq!(host.state(&one).await.0, ReportedState::Stopped);
    assert_eq!(host.state(&other).await.0, ReportedState::Paused);
    purge(&data_dir).unwrap_err();
    host.plane.become_of(Mood::Deletes(host.plane.host));
    host.rig.leave().await;
    purge(&data_dir).unwrap();
    let left: Vec<_> = std::fs::read_dir(&data_dir).unwrap().flatten().collect();
    assert!(left.is_empty(), "{left:?}");
    host.rig.assert_clean();
}

/// B-123.
#[tokio::test(flavor = "multi_thread")]
async fn a_sandbox_that_cannot_be_paused_does_not_keep_the_others_from_it() {
    let host = Host::start().await;
    let (stuck, other) = (host.create().await, host.create().await);
    host.rig.block_snapshot_of(stuck.order.sandbox);
    host.become_of(Mood::Silent).await;
    host.clock.advance(SILENCE);
    host.is_lost(&[&other]).await;
    assert_eq!(host.state(&stuck).await.0, ReportedState::Running);
    host.end(&[&stuck, &other]).await;
}

/// A control plane takes a sandbox for lost that its host does not list. A request can reach an agent while the agent stops.
#[tokio::test(flavor = "multi_thread")]
async fn an_agent_that_stops_does_not_tell_that_its_sandboxes_are_gone() {
    let host = Host::start().await;
    let one = host.create().await;
    let sandbox = one.order.sandbox;
    let agent = host.rig.registry();
    host.rig.stop(OnStop::Keep).await;
    let answers = [
        agent.list_sandboxes().await.map(drop),
        agent.watch_sandboxes().await.map(drop),
        agent.get_sandbox(sandbox).await.map(drop),
        agent.activity(sandbox).await.map(drop),
        agent.ping_sandbox(sandbox).await,
        agent.pause_sandbox(order(&one, 2)).await.map(drop),
        agent.destroy_sandbox(order(&one, 2)).await,
    ];
    for answer in &answers {
        let is_unavailable = matches!(answer, Err(AgentError::Unavailable(_)));
        assert!(is_unavailable, "{answers:?}");
    }
    drop(agent);
    host.rig.start_again().await;
    assert!(host.is_running(&one).await);
    host.end(&[&one]).await;
}
