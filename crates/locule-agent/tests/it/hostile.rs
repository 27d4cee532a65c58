//! A misbehaving guest (wrong answers, stalls, floods) affects no other sandbox, and can always be paused and destroyed.

use std::time::Duration;

use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt as _, Empty};
use hyper::body::Bytes;
use locule_agent_api::http1::{ExchangeBody, exchange};
use locule_agent_api::{AgentError, HostAgent as _, ReportedState, SandboxSpec};
use serde_json::json;
use tokio::time::Instant;

use crate::process::HostProcess;
use crate::rig::{TOKEN, order, pooled_spec, resume, within};

/// The limit for a call that depends on a misbehaving guest: longer than any call of the host into a guest may take.
const BOUND: Duration = Duration::from_secs(30);
/// The limit for an answer of an unaffected sandbox while both cores of the host are busy.
const UNHARMED: Duration = Duration::from_secs(5);
/// The limit for the growth of the agent's memory because of all misbehaving guests together.
const MEMORY_BYTES: u64 = 48 << 20;

const MISBEHAVIORS: [&str; 7] = [
    "silent",
    "endless_headers",
    "endless_body",
    "drip",
    "garbage",
    "wrong_types",
    "half_answer",
];

/// Creates a sandbox and makes its guest misbehave.
async fn misbehaving(host: &HostProcess, behavior: &str) -> SandboxSpec {
    let desired = pooled_spec();
    host.client().create_sandbox(desired.clone()).await.unwrap();
    let accepted = host
        .guest(desired.order.sandbox, "misbehave", Some(&json!(behavior)))
        .await;
    assert!(accepted.is_some(), "{behavior}: {}", host.log());
    desired
}

/// Sends a request through the proxy. Returns the guest's response, or the error word of the agent.
async fn health(
    host: &HostProcess,
    desired: &SandboxSpec,
) -> Result<Response<ExchangeBody>, String> {
    let uri = format!("/proxy/{}/49983/health", desired.order.sandbox);
    let request = Request::get(uri)
        .header("host", "guest")
        .header("x-access-token", TOKEN)
        .body(Empty::<Bytes>::new())
        .unwrap();
    let response = exchange(host.connect().await, request)
        .await
        .map_err(|error| error.to_string())?;
    match response.headers().get("locule-proxy-error") {
        None => Ok(response),
        Some(word) => Err(word.to_str().unwrap().to_owned()),
    }
}

/// Reads at most `most` bytes of a body. Returns the number of bytes, and whether the body ended.
async fn read(response: Response<ExchangeBody>, most: usize) -> (usize, bool) {
    let (mut body, mut length) = (response.into_body(), 0);
    while length < most {
        match body.frame().await {
            None => return (length, true),
            Some(Err(_)) => return (length, false),
            Some(Ok(frame)) => length += frame.data_ref().map_or(0, Bytes::len),
        }
    }
    (length, false)
}

/// Runs `work` and checks the whole time that the witness answers in time.
async fn meanwhile<T>(
    host: &HostProcess,
    witness: &SandboxSpec,
    work: impl Future<Output = T>,
) -> T {
    let (mut ticks, mut asked) = (0, 0_u32);
    let asking = async {
        loop {
            let started = Instant::now();
            let now = within(UNHARMED, "the witness", host.ticks(witness.order.sandbox)).await;
            assert!(now >= ticks);
            (ticks, asked) = (now, asked + 1);
            tokio::time::sleep(Duration::from_millis(50).saturating_sub(started.elapsed())).await;
        }
    };
    tokio::select! {
        result = work => result,
        () = asking => unreachable!("the loop has no end"),
    }
}

/// Checks the rules for every misbehaving guest: each call has a time limit, no answer is trusted, and the host can pause and
/// destroy the sandbox.
async fn check_containment(host: &HostProcess, behavior: &str) {
    let client = host.client();
    let desired = misbehaving(host, behavior).await;
    let asked = health(host, &desired);
    let paused = within(BOUND, behavior, async {
        // A request is under way: it gets an answer or breaks, but does not hang.
        let (asked, paused) = tokio::join!(asked, client.pause_sandbox(order(&desired, 2)));
        if let Ok(response) = asked {
            read(response, usize::MAX).await;
        }
        paused
    })
    .await;
    let paused = paused.unwrap_or_else(|error| panic!("{behavior}: {error}; {}", host.log()));
    assert_eq!(
        (paused.state, paused.unresponsive),
        (ReportedState::Paused, true),
        "{behavior}"
    );
    // The restored guest misbehaves as before, so it cannot be given its new identity.
    let resumed = within(BOUND, behavior, client.resume_sandbox(resume(&desired, 3))).await;
    assert!(
        matches!(resumed, Err(AgentError::Internal(_))),
        "{behavior}: {resumed:?}"
    );
    let report = host.report(desired.order.sandbox).await.unwrap();
    assert_eq!(report.state, ReportedState::Paused, "{behavior}");
    within(BOUND, behavior, client.destroy_sandbox(order(&desired, 4)))
        .await
        .unwrap();
    // A running sandbox is destroyed without the help of its guest.
    let desired = misbehaving(host, behavior).await;
    let (asked, destroyed) = within(BOUND, behavior, async {
        tokio::join!(
            health(host, &desired),
            client.destroy_sandbox(order(&desired, 2))
        )
    })
    .await;
    destroyed.unwrap();
    if let Ok(response) = asked {
        within(BOUND, behavior, read(response, usize::MAX)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_misbehaving_guest_is_paused_and_destroyed_and_affects_no_other_sandbox() {
    let host = HostProcess::start().await;
    let witness = pooled_spec();
    host.client().create_sandbox(witness.clone()).await.unwrap();
    let before = host.resident_bytes();
    let checks =
        futures::future::join_all(MISBEHAVIORS.map(|behavior| check_containment(&host, behavior)));
    meanwhile(&host, &witness, checks).await;
    let grown = host.resident_bytes().saturating_sub(before);
    assert!(grown < MEMORY_BYTES, "the agent grew by {grown} bytes");
    host.check().await;
    host.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pause_that_the_vmm_refuses_leaves_the_sandbox_running() {
    let host = HostProcess::start().await;
    let desired = misbehaving(&host, "refuse_save").await;
    let client = host.client();
    for generation in [2, 3] {
        let paused = within(
            BOUND,
            "pause",
            client.pause_sandbox(order(&desired, generation)),
        )
        .await;
        assert!(matches!(paused, Err(AgentError::Internal(_))), "{paused:?}");
        let report = host.report(desired.order.sandbox).await.unwrap();
        assert_eq!(report.state, ReportedState::Running);
        assert!(report.last_error.is_some());
        // The guest is thawed, intact, and makes progress.
        let first = host.ticks(desired.order.sandbox).await;
        while host.ticks(desired.order.sandbox).await == first {}
        host.check().await;
    }
    let none = json!("none");
    host.guest(desired.order.sandbox, "misbehave", Some(&none))
        .await
        .unwrap();
    let paused = client.pause_sandbox(order(&desired, 4)).await.unwrap();
    assert_eq!(
        (paused.state, paused.last_error),
        (ReportedState::Paused, None)
    );
    client.resume_sandbox(resume(&desired, 5)).await.unwrap();
    host.ticks(desired.order.sandbox).await;
    host.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_agent_does_not_buffer_the_endless_output_of_a_guest() {
    let host = HostProcess::start().await;
    let (desired, witness) = (misbehaving(&host, "endless_body").await, pooled_spec());
    host.client().create_sandbox(witness.clone()).await.unwrap();
    let before = host.resident_bytes();
    // The test does not read these responses.
    let mut unread = Vec::new();
    for _ in 0..8 {
        let response = within(BOUND, "a head", health(&host, &desired))
            .await
            .unwrap();
        assert_eq!(response.status(), StatusCode::OK);
        unread.push(response);
    }
    // This response is read at full speed while the others wait.
    let response = within(BOUND, "a head", health(&host, &desired))
        .await
        .unwrap();
    let read_on = within(BOUND, "reading", read(response, 32 << 20));
    let (length, ended) = meanwhile(&host, &witness, read_on).await;
    assert!(length >= 32 << 20 && !ended);
    let grown = host.resident_bytes().saturating_sub(before);
    assert!(grown < MEMORY_BYTES, "the agent grew by {grown} bytes");
    // The pause breaks them: a reader sees an error instead of an end.
    let paused = within(
        BOUND,
        "pause",
        host.client().pause_sandbox(order(&desired, 2)),
    )
    .await;
    assert!(paused.unwrap().unresponsive);
    for response in unread {
        let (_, ended) = within(BOUND, "the break of the stream", read(response, usize::MAX)).await;
        assert!(!ended, "the stream must break instead of ending");
    }
    host.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_starting_agent_adopts_misbehaving_guests_in_time() {
    let mut host = HostProcess::start().await;
    let witness = pooled_spec();
    host.client().create_sandbox(witness.clone()).await.unwrap();
    let mut sandboxes = Vec::new();
    for behavior in ["silent", "garbage", "endless_body"] {
        sandboxes.push(misbehaving(&host, behavior).await);
    }
    host.kill();
    let started = Instant::now();
    host.restart().await;
    assert!(started.elapsed() < BOUND, "{:?}", started.elapsed());
    host.ticks(witness.order.sandbox).await;
    for desired in &sandboxes {
        let report = host.report(desired.order.sandbox).await.unwrap();
        assert_eq!(report.state, ReportedState::Running);
        let client = host.client();
        let destroyed = client.destroy_sandbox(order(desired, 2));
        within(BOUND, "destroy", destroyed).await.unwrap();
    }
    host.check().await;
    host.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_beyond_the_limit_of_a_sandbox_are_refused_without_harm_to_others() {
    let host = HostProcess::start().await;
    let (desired, witness) = (misbehaving(&host, "silent").await, pooled_spec());
    host.client().create_sandbox(witness.clone()).await.unwrap();
    let mut flood = tokio::task::JoinSet::new();
    for _ in 0..700 {
        let uri = format!("/proxy/{}/49983/health", desired.order.sandbox);
        let request = Request::get(uri).header("host", "guest");
        let request = request.body(Empty::<Bytes>::new()).unwrap();
        let stream = host.connect().await;
        flood.spawn(async move { exchange(stream, request).await });
    }
    // The first answers are refusals; accepted requests wait for the guest.
    let refused = within(BOUND, "a refusal", flood.join_next()).await.unwrap();
    let refused = refused.unwrap().unwrap();
    assert!(!refused.status().is_success());
    within(UNHARMED, "the witness", host.ticks(witness.order.sandbox)).await;
    let client = host.client();
    let destroyed = client.destroy_sandbox(order(&desired, 2));
    within(BOUND, "destroy", destroyed).await.unwrap();
    within(BOUND, "the end of all requests", flood.join_all()).await;
    host.check().await;
    host.stop().await;
}
