//! When memory runs short, sandboxes are paused and nothing is killed.

use locule_agent_api::{HostAgent as _, ReportedState};
use serde_json::json;

use crate::process::HostProcess;
use crate::rig::{ready_spec, resume};

const LIMIT_MIB: u32 = 2048;
/// Of each of five: together they want more than there may be.
const FILLED_MIB: u32 = 480;

#[tokio::test(flavor = "multi_thread")]
async fn idle_sandboxes_are_paused_before_anything_is_killed() {
    let mut host = HostProcess::start().await;
    host.restart_with_limit(LIMIT_MIB).await;
    let all: Vec<_> = (0..5).map(|_| ready_spec()).collect();
    for wanted in &all {
        host.client().create_sandbox(wanted.clone()).await.unwrap();
        host.guest(wanted.order.sandbox, "fill", Some(&json!(FILLED_MIB)))
            .await
            .unwrap();
    }
    let mut paused = Vec::new();
    host.eventually("something is paused", async || {
        paused.clear();
        for wanted in &all {
            let report = host.report(wanted.order.sandbox).await.unwrap();
            match report.state {
                ReportedState::Running => {}
                ReportedState::Paused => {
                    assert_eq!(report.reason.as_deref(), Some("memory_pressure"));
                    paused.push(wanted);
                }
                ReportedState::Stopped => panic!("{report:?}: {}", host.log()),
            }
        }
        !paused.is_empty()
    })
    .await;
    // Whoever was used last runs on; nothing of those that were paused is lost.
    let last = all[4].order.sandbox;
    assert!(
        paused.iter().all(|one| one.order.sandbox != last),
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
async fn what_the_overcommit_ratio_does_not_allow_is_refused_before_anything_is_made() {
    let mut host = HostProcess::start().await;
    // Twice 512 MiB may be promised.
    host.restart_with_limit(512).await;
    for _ in 0..2 {
        host.client().create_sandbox(ready_spec()).await.unwrap();
    }
    let refused = host
        .client()
        .create_sandbox(ready_spec())
        .await
        .unwrap_err();
    let text = refused.to_string();
    assert!(text.contains("promised to other sandboxes"), "{text}");
    host.check().await;
    host.stop().await;
}
