//! What earlier builds left behind, and VMMs that are not what they were.
//!
//! Each `fixture/pool-N.tar.gz` is what an agent of an earlier build left in its pool (`fixture/make.sh`). A change of what is
//! written down adds one; none is ever removed while sandboxes of its time may be paused somewhere.

use std::path::Path;

use locule_agent_api::{AgentError, HostAgent as _, ReportedState, SandboxSpec};

use crate::host_files::program;
use crate::process::HostProcess;
use crate::rig::{order, ready_spec, resume, spec};

const FIXTURES: [&str; 2] = ["pool-1.tar.gz", "pool-2.tar.gz"];
/// The sandbox in each of them, and the last order that it has seen.
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

/// The sandbox is paused, and one order is refused because of the VMM that its image needs.
async fn needs(host: &HostProcess, wanted: &SandboxSpec, generation: i64, version: &str) {
    let refused = host
        .client()
        .resume_sandbox(resume(wanted, generation))
        .await;
    let Err(AgentError::FailedPrecondition(why)) = refused else {
        panic!("{refused:?} {}", host.log());
    };
    assert!(why.contains("stays paused"), "{why}");
    assert!(why.contains(version), "{why}");
    let report = host.report(wanted.order.sandbox).await.unwrap();
    assert_eq!(report.state, ReportedState::Paused);
    host.check().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sandbox_that_an_earlier_build_paused_is_there_and_resumes() {
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
        needs(&host, &kept, KEPT.1 + 1, "stub-1.0 pc-q35-1.0").await;

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
async fn another_vmm_makes_its_own_golden_images_and_leaves_what_it_cannot_load() {
    let mut host = HostProcess::start().await;
    let (paused, runs) = (ready_spec(), ready_spec());
    for one in [&paused, &runs] {
        host.client().create_sandbox(one.clone()).await.unwrap();
    }
    host.client()
        .pause_sandbox(order(&paused, 2))
        .await
        .unwrap();
    let ticks = host.ticks(runs.order.sandbox).await;

    // The running one runs on in the VMM that it has; its image will need that one.
    host.restart_with_version("2.0").await;
    assert!(host.ticks(runs.order.sandbox).await > ticks);
    needs(&host, &paused, 3, "stub-1.0 pc-q35-1.0").await;
    host.client().pause_sandbox(order(&runs, 2)).await.unwrap();
    needs(&host, &runs, 3, "stub-1.0 pc-q35-1.0").await;
    let new = ready_spec();
    host.client().create_sandbox(new.clone()).await.unwrap();
    host.ticks(new.order.sandbox).await;
    let goldens = std::fs::read_dir(host.pool().join("golden")).unwrap();
    assert_eq!(goldens.count(), 2, "one for each VMM");

    // A newer one that keeps the machine loads both, and what it saves then is again for whoever keeps that machine.
    host.restart_with_version("2.1 1.0").await;
    for (one, generation) in [(&paused, 4), (&runs, 4)] {
        let client = host.client();
        let resumed = client.resume_sandbox(resume(one, generation)).await;
        resumed.unwrap();
        host.ticks(one.order.sandbox).await;
        client
            .pause_sandbox(order(one, generation + 1))
            .await
            .unwrap();
    }
    host.restart_with_version("1.0").await;
    needs(&host, &paused, 6, "stub-2.1 pc-q35-1.0").await;
    host.restart_with_version("2.1 1.0").await;
    host.client()
        .resume_sandbox(resume(&paused, 6))
        .await
        .unwrap();
    host.ticks(paused.order.sandbox).await;
    host.stop().await;
}
