//! When memory is short, the agent pauses sandboxes and kills nothing.

use locule_agent_api::{HostAgent as _, ReportedState};
use serde_json::json;

use crate::process::HostProcess;
use crate::rig::{pooled_spec, resume};

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
    host.client().terminate(vec![last]).await.unwrap();
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
