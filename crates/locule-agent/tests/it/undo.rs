//! An operation that fails at any of its steps gives everything back.

use locule_agent_api::{AgentError, HostAgent as _, ReportedState, SandboxSpec};
use serde_json::Value;

use crate::process::HostProcess;
use crate::rig::{order, pooled_spec, resume, spec};

/// Makes the operation `name` fail at each of its steps in turn. After each failure the host has what it had before, and no
/// more. Returns the number of steps, and the result of the attempt that did not fail.
async fn fail_at_each_step<T>(
    host: &HostProcess,
    name: &str,
    attempt: impl AsyncFn(u32) -> Result<T, AgentError>,
) -> (u32, T) {
    let mut steps = 0;
    loop {
        host.arm_failure(name, steps + 1);
        let result = attempt(steps + 1).await;
        if host.is_armed() {
            host.disarm();
            return (steps, result.unwrap());
        }
        let error = result.err().map(|error| error.to_string());
        let failpoint = format!("failpoint {name} {}", steps + 1);
        assert!(
            error
                .as_ref()
                .is_some_and(|error| error.contains(&failpoint)),
            "{error:?} is not the failure of step {}",
            steps + 1
        );
        host.check().await;
        steps += 1;
    }
}

/// The slot of a running sandbox, as its manifest has it.
fn slot_of(host: &HostProcess, sandbox: &SandboxSpec) -> u64 {
    let folder = sandbox.order.sandbox.as_uuid().to_string();
    let manifest = host.pool().join("sandboxes").join(folder);
    let text = std::fs::read(manifest.join("manifest.json")).unwrap();
    let manifest: Value = serde_json::from_slice(&text).unwrap();
    manifest["held"]["slot"].as_u64().unwrap()
}

fn assert_undone(host: &HostProcess) {
    let log = host.log();
    assert!(!log.contains("could not be given back"), "{log}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_template_snapshot_that_fails_at_any_step_leaves_no_vmm_network_slot_or_file() {
    let host = HostProcess::start().await;
    // Of a shape for which the agent has no snapshot yet.
    let (steps, created) = fail_at_each_step(&host, "template", async |_| {
        let created = spec();
        host.client().create_sandbox(created.clone()).await?;
        Ok(created)
    })
    .await;
    assert!(steps >= 8, "{steps} steps");
    assert_eq!(slot_of(&host, &created), 0, "a failure kept its slot");
    host.ticks(created.order.sandbox).await;
    assert_undone(&host);
    host.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_create_that_fails_at_any_step_leaves_nothing_of_the_sandbox() {
    let host = HostProcess::start().await;
    let (steps, created) = fail_at_each_step(&host, "create", async |_| {
        let created = pooled_spec();
        host.client().create_sandbox(created.clone()).await?;
        Ok(created)
    })
    .await;
    assert!(steps >= 6, "{steps} steps");
    assert_eq!(slot_of(&host, &created), 0, "a failure kept its slot");
    host.ticks(created.order.sandbox).await;
    assert_undone(&host);
    host.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_resume_that_fails_at_any_step_leaves_the_sandbox_paused() {
    let host = HostProcess::start().await;
    let paused = pooled_spec();
    host.client().create_sandbox(paused.clone()).await.unwrap();
    host.client()
        .pause_sandbox(order(&paused, 2))
        .await
        .unwrap();
    let (steps, report) = fail_at_each_step(&host, "resume", async |_| {
        let report = host.report(paused.order.sandbox).await.unwrap();
        assert_eq!(report.state, ReportedState::Paused, "{}", host.log());
        host.client().resume_sandbox(resume(&paused, 3)).await
    })
    .await;
    assert!(steps >= 6, "{steps} steps");
    assert_eq!(report.state, ReportedState::Running);
    assert_eq!(slot_of(&host, &paused), 0, "a failure kept its slot");
    host.ticks(paused.order.sandbox).await;
    assert_undone(&host);
    host.stop().await;
}

/// The create falls back to the template snapshot, so that the caller sees no failure.
#[tokio::test(flavor = "multi_thread")]
async fn a_pooled_vm_that_fails_at_any_step_is_replaced_by_a_restore() {
    let mut host = HostProcess::start().await;
    for step in 1.. {
        // An agent that has seen no demand keeps the smallest pool.
        host.restart_with_warm_pool().await;
        host.wait_for_warm_pool().await;
        host.arm_failure("claim", step);
        let created = pooled_spec();
        host.client().create_sandbox(created.clone()).await.unwrap();
        let failed = !host.is_armed();
        host.disarm();
        host.ticks(created.order.sandbox).await;
        host.check().await;
        let destroyed = host.client().destroy_sandbox(order(&created, 2)).await;
        destroyed.unwrap();
        if !failed {
            assert!(step > 3, "{step} steps");
            break;
        }
    }
    assert_undone(&host);
    host.stop().await;
}
