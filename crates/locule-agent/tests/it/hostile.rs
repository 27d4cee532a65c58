//! A guest that lies, stalls and floods harms nobody but itself, and can always be paused and destroyed.

use std::time::Duration;

use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt as _, Empty};
use hyper::body::{Bytes, Incoming};
use locule_agent_api::http1::exchange;
use locule_agent_api::{AgentError, HostAgent as _, ReportedState, SandboxSpec};
use serde_json::json;
use tokio::time::Instant;

use crate::process::HostProcess;
use crate::rig::{TOKEN, order, ready_spec, resume, within};

/// Longer than any call of the host into a guest may take.
const BOUND: Duration = Duration::from_secs(30);
/// What a sandbox that is not concerned answers within, with the host's two cores busy.
const UNHARMED: Duration = Duration::from_secs(5);
/// What liars may cost the agent in memory, all together.
const MEMORY_BYTES: u64 = 48 << 20;

const LIES: [&str; 7] = [
    "silent",
    "endless_headers",
    "endless_body",
    "drip",
    "garbage",
    "wrong_types",
    "half_answer",
];

/// A sandbox whose guest has turned bad.
async fn liar(host: &HostProcess, lie: &str) -> SandboxSpec {
    let wanted = ready_spec();
    host.client().create_sandbox(wanted.clone()).await.unwrap();
    let told = host
        .guest(wanted.order.sandbox, "misbehave", Some(&json!(lie)))
        .await;
    assert!(told.is_some(), "{lie}: {}", host.log());
    wanted
}

/// One request through the proxy: what came of it, in the agent's words or the guest's.
async fn health(host: &HostProcess, wanted: &SandboxSpec) -> Result<Response<Incoming>, String> {
    let uri = format!("/proxy/{}/49983/health", wanted.order.sandbox);
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

/// Reads no more than `most` of an answer; how much came, and whether it came to an end.
async fn read(response: Response<Incoming>, most: usize) -> (usize, bool) {
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

/// Asks the witness again and again until `work` is done; answers the longest it took.
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
        done = work => done,
        () = asking => unreachable!("it asks for ever"),
    }
}

/// What is true of every liar: nothing takes for ever, nothing is believed, and its end is the host's to decide.
async fn endure(host: &HostProcess, lie: &str) {
    let client = host.client();
    let wanted = liar(host, lie).await;
    let asked = health(host, &wanted);
    let paused = within(BOUND, lie, async {
        // While a request is under way: it is answered, or cut, never left hanging.
        let (asked, paused) = tokio::join!(asked, client.pause_sandbox(order(&wanted, 2)));
        if let Ok(response) = asked {
            read(response, usize::MAX).await;
        }
        paused
    })
    .await;
    let paused = paused.unwrap_or_else(|error| panic!("{lie}: {error}; {}", host.log()));
    assert_eq!(
        (paused.state, paused.unresponsive),
        (ReportedState::Paused, true),
        "{lie}"
    );
    // It is what it was when it was paused, and so cannot be made new.
    let resumed = within(BOUND, lie, client.resume_sandbox(resume(&wanted, 3))).await;
    assert!(
        matches!(resumed, Err(AgentError::Internal(_))),
        "{lie}: {resumed:?}"
    );
    let report = host.report(wanted.order.sandbox).await.unwrap();
    assert_eq!(report.state, ReportedState::Paused, "{lie}");
    within(BOUND, lie, client.destroy_sandbox(order(&wanted, 4)))
        .await
        .unwrap();
    // Running, it is destroyed without being asked.
    let wanted = liar(host, lie).await;
    let (asked, destroyed) = within(BOUND, lie, async {
        tokio::join!(
            health(host, &wanted),
            client.destroy_sandbox(order(&wanted, 2))
        )
    })
    .await;
    destroyed.unwrap();
    if let Ok(response) = asked {
        within(BOUND, lie, read(response, usize::MAX)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lying_guest_is_paused_refused_and_destroyed_and_harms_nobody() {
    let host = HostProcess::start().await;
    let witness = ready_spec();
    host.client().create_sandbox(witness.clone()).await.unwrap();
    let before = host.resident_bytes();
    let enduring = futures::future::join_all(LIES.map(|lie| endure(&host, lie)));
    meanwhile(&host, &witness, enduring).await;
    let grown = host.resident_bytes().saturating_sub(before);
    assert!(grown < MEMORY_BYTES, "the agent grew by {grown} bytes");
    host.check().await;
    host.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pause_that_the_machine_refuses_leaves_the_sandbox_running() {
    let host = HostProcess::start().await;
    let wanted = liar(&host, "refuse_save").await;
    let client = host.client();
    for generation in [2, 3] {
        let paused = within(
            BOUND,
            "pause",
            client.pause_sandbox(order(&wanted, generation)),
        )
        .await;
        assert!(matches!(paused, Err(AgentError::Internal(_))), "{paused:?}");
        let report = host.report(wanted.order.sandbox).await.unwrap();
        assert_eq!(report.state, ReportedState::Running);
        assert!(report.last_error.is_some());
        // Thawed, whole, and going on.
        let first = host.ticks(wanted.order.sandbox).await;
        while host.ticks(wanted.order.sandbox).await == first {}
        host.check().await;
    }
    let better = json!("none");
    host.guest(wanted.order.sandbox, "misbehave", Some(&better))
        .await
        .unwrap();
    let paused = client.pause_sandbox(order(&wanted, 4)).await.unwrap();
    assert_eq!(
        (paused.state, paused.last_error),
        (ReportedState::Paused, None)
    );
    client.resume_sandbox(resume(&wanted, 5)).await.unwrap();
    host.ticks(wanted.order.sandbox).await;
    host.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_guest_pours_out_waits_for_its_reader_not_in_the_agent() {
    let host = HostProcess::start().await;
    let (wanted, witness) = (liar(&host, "endless_body").await, ready_spec());
    host.client().create_sandbox(witness.clone()).await.unwrap();
    let before = host.resident_bytes();
    // Nobody reads these.
    let mut unread = Vec::new();
    for _ in 0..8 {
        let response = within(BOUND, "a head", health(&host, &wanted))
            .await
            .unwrap();
        assert_eq!(response.status(), StatusCode::OK);
        unread.push(response);
    }
    // This one is read as fast as it comes, which is how long the others wait.
    let response = within(BOUND, "a head", health(&host, &wanted))
        .await
        .unwrap();
    let read_on = within(BOUND, "reading", read(response, 32 << 20));
    let (length, ended) = meanwhile(&host, &witness, read_on).await;
    assert!(length >= 32 << 20 && !ended);
    let grown = host.resident_bytes().saturating_sub(before);
    assert!(grown < MEMORY_BYTES, "the agent grew by {grown} bytes");
    // The pause cuts them: no reader takes that for the end.
    let paused = within(
        BOUND,
        "pause",
        host.client().pause_sandbox(order(&wanted, 2)),
    )
    .await;
    assert!(paused.unwrap().unresponsive);
    for response in unread {
        let (_, ended) = within(BOUND, "the cut", read(response, usize::MAX)).await;
        assert!(!ended, "a polite end");
    }
    host.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_agent_that_finds_lying_guests_at_its_start_takes_them_over_in_time() {
    let mut host = HostProcess::start().await;
    let witness = ready_spec();
    host.client().create_sandbox(witness.clone()).await.unwrap();
    let mut liars = Vec::new();
    for lie in ["silent", "garbage", "endless_body"] {
        liars.push(liar(&host, lie).await);
    }
    host.kill();
    let started = Instant::now();
    host.restart().await;
    assert!(started.elapsed() < BOUND, "{:?}", started.elapsed());
    host.ticks(witness.order.sandbox).await;
    for wanted in &liars {
        let report = host.report(wanted.order.sandbox).await.unwrap();
        assert_eq!(report.state, ReportedState::Running);
        let client = host.client();
        let destroyed = client.destroy_sandbox(order(wanted, 2));
        within(BOUND, "destroy", destroyed).await.unwrap();
    }
    host.check().await;
    host.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn more_requests_than_a_sandbox_may_have_open_are_refused_and_the_agent_goes_on() {
    let host = HostProcess::start().await;
    let (wanted, witness) = (liar(&host, "silent").await, ready_spec());
    host.client().create_sandbox(witness.clone()).await.unwrap();
    let mut flood = tokio::task::JoinSet::new();
    for _ in 0..700 {
        let uri = format!("/proxy/{}/49983/health", wanted.order.sandbox);
        let request = Request::get(uri).header("host", "guest");
        let request = request.body(Empty::<Bytes>::new()).unwrap();
        let stream = host.connect().await;
        flood.spawn(async move { exchange(stream, request).await });
    }
    // The first answers are refusals; whoever was let in waits for the guest.
    let refused = within(BOUND, "a refusal", flood.join_next()).await.unwrap();
    let refused = refused.unwrap().unwrap();
    assert!(!refused.status().is_success());
    within(UNHARMED, "the witness", host.ticks(witness.order.sandbox)).await;
    let client = host.client();
    let destroyed = client.destroy_sandbox(order(&wanted, 2));
    within(BOUND, "destroy", destroyed).await.unwrap();
    within(BOUND, "the end of all of them", flood.join_all()).await;
    host.check().await;
    host.stop().await;
}
