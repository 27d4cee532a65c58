//! When memory is short, the agent pauses sandboxes and kills nothing.

use locule_agent_api::{HostAgent as _, ReportedState, SandboxSpec};
use serde_json::json;

use crate::process::HostProcess;
use crate::rig::{last_order, order, pooled_spec, resume, spec};

const LIMIT_MIB: u32 = 2048;
/// The memory that each of five guests fills: together more than the limit.
const FILLED_MIB: u32 = 480;

#[tokio::test(flavor = "multi_thread")]
async fn the_longest_idle_sandboxes_are_paused_when_memory_is_short() {
    let mut host = HostProcess::start().await;
    host.restart_with_limit(LIMIT_MIB).await;
    let all: Vec<_> = (0..5).map(|_| pooled_spec()).collect();
    for desired in &all {
        host.client().create_sandbox(desired.clone()).await.unwrap();
        host.guest(desired.order.sandbox, "fill", Some(&json!(FILLED_MIB)))
            .await
            .unwrap();
    }
    let mut paused = Vec::new();
    host.eventually("a sandbox is paused", async || {
        paused.clear();
        for desired in &all {
            let report = host.report(desired.order.sandbox).await.unwrap();
            match report.state {
                ReportedState::Running => {}
                ReportedState::Paused => {
                    assert_eq!(report.reason.as_deref(), Some("memory_pressure"));
                    paused.push(desired);
                }
                ReportedState::Stopped => panic!("{report:?}: {}", host.log()),
            }
        }
        !paused.is_empty()
    })
    .await;
    // The sandbox that was used last runs on, and the paused ones have lost nothing.
    let last = all[4].order.sandbox;
    assert!(
        paused.iter().all(|sandbox| sandbox.order.sandbox != last),
        "{}",
        host.log()
    );
    host.ticks(last).await;
    host.client()
        .destroy_sandbox(last_order(last))
        .await
        .unwrap();
    host.client()
        .resume_sandbox(resume(paused[0], 2))
        .await
        .unwrap();
    host.ticks(paused[0].order.sandbox).await;
    host.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_create_beyond_the_overcommit_ratio_is_refused_and_leaves_nothing() {
    let mut host = HostProcess::start().await;
    // The limit allows two sandboxes of 512 MiB.
    host.restart_with_limit(512).await;
    for _ in 0..2 {
        host.client().create_sandbox(pooled_spec()).await.unwrap();
    }
    let refused = host
        .client()
        .create_sandbox(pooled_spec())
        .await
        .unwrap_err();
    let text = refused.to_string();
    assert!(text.contains("promised to other sandboxes"), "{text}");
    host.check().await;
    host.stop().await;
}

/// Seven creates of 8192 MiB at once were promised twice the limit: each was checked before any was written down.
#[tokio::test(flavor = "multi_thread")]
async fn creates_at_once_never_promise_more_than_the_limit() {
    let mut host = HostProcess::start().await;
    // The limit allows four sandboxes of 256 MiB. Their template snapshot is taken while all of them wait.
    host.restart_with_limit(512).await;
    let all: Vec<_> = (0..10).map(|_| spec()).collect();
    let client = host.client();
    let creates = all
        .iter()
        .map(|desired| client.create_sandbox(desired.clone()));
    let results = futures::future::join_all(creates).await;
    let (made, refused): (Vec<_>, Vec<_>) = all
        .iter()
        .zip(results)
        .partition(|(_, result)| result.is_ok());
    assert_eq!(made.len(), 4, "{}", host.log());
    for (_, refused) in refused {
        let text = refused.unwrap_err().to_string();
        assert!(text.contains("promised to other sandboxes"), "{text}");
    }
    // What failed has given its promise back, and an agent that adopts the sandboxes counts the same.
    let first = made[0].0;
    host.client()
        .destroy_sandbox(order(first, 2))
        .await
        .unwrap();
    host.arm_failure("create", 3);
    host.client().create_sandbox(spec()).await.unwrap_err();
    host.kill();
    host.restart().await;
    let last = spec();
    host.client().create_sandbox(last.clone()).await.unwrap();
    host.client().create_sandbox(spec()).await.unwrap_err();
    // A paused sandbox has no promise, and needs one to run again.
    host.client().pause_sandbox(order(&last, 2)).await.unwrap();
    let other = spec();
    host.client().create_sandbox(other.clone()).await.unwrap();
    let refused = host.client().resume_sandbox(resume(&last, 3)).await;
    let text = refused.unwrap_err().to_string();
    assert!(text.contains("promised to other sandboxes"), "{text}");
    host.client()
        .destroy_sandbox(order(&other, 2))
        .await
        .unwrap();
    host.client()
        .resume_sandbox(resume(&last, 4))
        .await
        .unwrap();
    host.check().await;
    host.stop().await;
}

/// VMs of the warm pool hold memory that sandboxes may need.
#[tokio::test(flavor = "multi_thread")]
async fn the_warm_pool_is_part_of_what_is_promised_and_yields_to_a_create() {
    let mut host = HostProcess::start().await;
    host.restart_with_warm_pool().await;
    // Three VMs of 512 MiB: a warm one, a restored one, and one more.
    host.restart_with_limit(768).await;
    host.wait_for_warm_pool().await;
    host.client()
        .create_sandbox(SandboxSpec {
            memory_mib: 1024,
            ..spec()
        })
        .await
        .unwrap();
    let warm = host.client().host().await.unwrap().warm;
    let pooled: u32 = warm.iter().map(|level| level.warm + level.restored).sum();
    assert!(pooled <= 1, "{warm:?}");
    host.client()
        .create_sandbox(SandboxSpec {
            memory_mib: 1152,
            ..spec()
        })
        .await
        .unwrap_err();
    for report in host.client().list_sandboxes().await.unwrap() {
        let _ = host
            .client()
            .destroy_sandbox(last_order(report.sandbox))
            .await;
    }
    host.end();
}
