//! Upgrades: pools of earlier builds, and VMMs of other versions.
//!
//! Each `fixture/pool-N.tar.gz` is the pool of an agent of an earlier build (`fixture/make.sh`). A change of the format adds a
//! fixture. A fixture stays as long as a sandbox of its format may be paused on any host.

use std::path::Path;

use locule_agent_api::{AgentError, HostAgent as _, ReportedState, SandboxSpec};

use crate::host_files::program;
use crate::process::HostProcess;
use crate::rig::{order, pooled_spec, resume, spec};

const FIXTURES: [&str; 2] = ["pool-1.tar.gz", "pool-2.tar.gz"];
/// The sandbox in each fixture, and the generation of its last order.
const KEPT: (&str, i64) = ("sb-00000000-0000-4000-8000-00000000000a", 4);

fn unpack(fixture: &str, pool: &Path) {
    let archive = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/fixture")
        .join(fixture);
    let mut command = program("tar");
    command.args(["--extract", "--gzip", "--sparse", "--file"]);
    let unpacked = command.arg(archive).arg("--directory").arg(pool).status();
    assert!(unpacked.unwrap().success());
}

/// Asserts that a resume is refused because the snapshot needs another VMM, and that the sandbox stays paused.
async fn assert_needs_vmm(
    host: &HostProcess,
    desired: &SandboxSpec,
    generation: i64,
    version: &str,
) {
    let refused = host
        .client()
        .resume_sandbox(resume(desired, generation))
        .await;
    let Err(AgentError::FailedPrecondition(reason)) = refused else {
        panic!("{refused:?} {}", host.log());
    };
    assert!(reason.contains("stays paused"), "{reason}");
    assert!(reason.contains(version), "{reason}");
    let report = host.report(desired.order.sandbox).await.unwrap();
    assert_eq!(report.state, ReportedState::Paused);
    host.check().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sandbox_that_an_earlier_build_paused_resumes() {
    for fixture in FIXTURES {
        let mut host = HostProcess::start().await;
        host.kill();
        unpack(fixture, &host.pool());
        host.restart_with_version("2.0").await;
        let mut kept = spec();
        kept.order.sandbox = KEPT.0.parse().unwrap();
        let report = host.report(kept.order.sandbox).await.unwrap();
        assert_eq!(
            (report.state, report.generation),
            (ReportedState::Paused, KEPT.1)
        );
        assert_needs_vmm(&host, &kept, KEPT.1 + 1, "stub-1.0 pc-q35-1.0").await;

        host.restart_with_version("1.0").await;
        let resumed = host
            .client()
            .resume_sandbox(resume(&kept, KEPT.1 + 1))
            .await;
        assert_eq!(resumed.unwrap().state, ReportedState::Running, "{fixture}");
        assert!(host.ticks(kept.order.sandbox).await > 0);
        let paused = host.client().pause_sandbox(order(&kept, KEPT.1 + 2)).await;
        paused.unwrap();
        let resumed = host
            .client()
            .resume_sandbox(resume(&kept, KEPT.1 + 3))
            .await;
        resumed.unwrap();
        host.ticks(kept.order.sandbox).await;
        host.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_vmm_version_has_its_own_template_snapshots_and_keeps_snapshots_it_cannot_load() {
    let mut host = HostProcess::start().await;
    let (paused, running) = (pooled_spec(), pooled_spec());
    for sandbox in [&paused, &running] {
        host.client().create_sandbox(sandbox.clone()).await.unwrap();
    }
    host.client()
        .pause_sandbox(order(&paused, 2))
        .await
        .unwrap();
    let ticks = host.ticks(running.order.sandbox).await;

    // The running sandbox keeps its VMM, and its next snapshot needs the same version.
    host.restart_with_version("2.0").await;
    assert!(host.ticks(running.order.sandbox).await > ticks);
    assert_needs_vmm(&host, &paused, 3, "stub-1.0 pc-q35-1.0").await;
    host.client()
        .pause_sandbox(order(&running, 2))
        .await
        .unwrap();
    assert_needs_vmm(&host, &running, 3, "stub-1.0 pc-q35-1.0").await;
    let new = pooled_spec();
    host.client().create_sandbox(new.clone()).await.unwrap();
    host.ticks(new.order.sandbox).await;
    let snapshots = std::fs::read_dir(host.pool().join("golden")).unwrap();
    assert_eq!(snapshots.count(), 2, "one for each VMM");

    // A newer version that supports the machine type loads both. Its snapshots again need a version that supports the type.
    host.restart_with_version("2.1 1.0").await;
    for (sandbox, generation) in [(&paused, 4), (&running, 4)] {
        let client = host.client();
        let resumed = client.resume_sandbox(resume(sandbox, generation)).await;
        resumed.unwrap();
        host.ticks(sandbox.order.sandbox).await;
        client
            .pause_sandbox(order(sandbox, generation + 1))
            .await
            .unwrap();
    }
    host.restart_with_version("1.0").await;
    assert_needs_vmm(&host, &paused, 6, "stub-2.1 pc-q35-1.0").await;
    host.restart_with_version("2.1 1.0").await;
    host.client()
        .resume_sandbox(resume(&paused, 6))
        .await
        .unwrap();
    host.ticks(paused.order.sandbox).await;
    host.stop().await;
}
