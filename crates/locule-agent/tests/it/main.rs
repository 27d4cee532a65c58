//! The host agent with real microVMs, namespaces and disk pools, and with the stub VMM. Needs root and the guest images.

#![expect(clippy::unwrap_used, reason = "a test that cannot continue fails")]

mod adoption;
mod contact;
mod control_plane;
mod crash;
mod defragment;
mod dot_env;
mod fetch;
mod fresh_guests;
mod full_disk;
mod harmful_guests;
mod host_files;
mod hostile;
mod inside;
mod memory;
mod orders;
mod process;
mod replay;
mod rig;
mod shapes;
mod tls;
mod undo;
mod upgrade;

use std::time::Duration;

use locule_agent::OnStop;
use locule_agent_api::{AgentError, HostAgent as _, ReportedState, SandboxSpec};
use locule_testkit::eventually;
use rig::{Rig, last_order, order, resume, spec};

#[tokio::test(flavor = "multi_thread")]
async fn a_sandbox_runs_pauses_with_its_memory_resumes_and_leaves_nothing_when_destroyed() {
    let rig = Rig::start().await;
    let agent = rig.registry();
    let desired = spec();
    let id = desired.order.sandbox;
    let report = agent.create_sandbox(desired.clone()).await.unwrap();
    assert_eq!(report.state, ReportedState::Running);
    assert!(
        report.metadata["kernel_version"].contains("cloud-amd64"),
        "{:?}",
        report.metadata
    );

    // A repeated create returns the same sandbox; a create of another sandbox with its id is refused.
    assert_eq!(
        agent.create_sandbox(desired.clone()).await.unwrap().sandbox,
        id
    );
    let mut other = desired.clone();
    other.order.generation = 2;
    assert!(matches!(
        agent.create_sandbox(other).await,
        Err(AgentError::AlreadyExists(_))
    ));

    let out = rig.exec(id, "echo out; echo err >&2; id -un; exit 7").await;
    assert_eq!(
        (out.stdout.as_str(), out.stderr.as_str(), out.exit_code),
        ("out\nuser\n", "err\n", 7)
    );

    // A file that exists in memory only, and a process that counts.
    rig.exec(id, "echo kept > /dev/shm/f; echo disk > ~/f; (while :; do echo x >> /dev/shm/n; sleep 0.01; done) >/dev/null 2>&1 &").await;
    let paused = agent.pause_sandbox(order(&desired, 2)).await.unwrap();
    assert_eq!(
        (paused.state, paused.unresponsive),
        (ReportedState::Paused, false)
    );
    assert!(rig.vmms().is_empty(), "a paused sandbox has no VMM");
    // An order with an older generation changes nothing.
    let stale = agent.pause_sandbox(order(&desired, 1)).await;
    assert!(matches!(stale, Err(AgentError::FailedPrecondition(_))));

    resume_and_pause_twice(&rig, &desired).await;
    agent.destroy_sandbox(order(&desired, 7)).await.unwrap();
    assert_eq!(
        agent.destroy_sandbox(order(&desired, 8)).await,
        Err(AgentError::NotFound)
    );
    // A destroyed sandbox cannot be created again.
    assert!(matches!(
        agent.create_sandbox(desired).await,
        Err(AgentError::FailedPrecondition(_))
    ));
    drop(agent);
    rig.stop(OnStop::Pause).await;
    rig.assert_clean();
}

/// Resumes and pauses twice. Each time memory and disk have their content, and the process continues.
async fn resume_and_pause_twice(rig: &Rig, desired: &SandboxSpec) {
    let (agent, id) = (rig.registry(), desired.order.sandbox);
    for generation in [3, 5] {
        let resumed = agent
            .resume_sandbox(resume(desired, generation))
            .await
            .unwrap();
        assert_eq!(resumed.state, ReportedState::Running);
        let out = rig.exec(id, "cat /dev/shm/f ~/f; test -s /dev/shm/n && a=$(wc -l < /dev/shm/n); sleep 0.3; b=$(wc -l < /dev/shm/n); [ $b -gt $a ] && echo counts").await;
        assert_eq!(out.stdout, "kept\ndisk\ncounts\n");
        agent
            .pause_sandbox(order(desired, generation + 1))
            .await
            .unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_agent_adopts_running_sandboxes_and_reports_those_whose_vmm_exited() {
    let rig = Rig::start().await;
    let (kept, lost) = (spec(), spec());
    for desired in [&kept, &lost] {
        rig.registry()
            .create_sandbox(desired.clone())
            .await
            .unwrap();
    }
    rig.exec(kept.order.sandbox, "echo here > /dev/shm/f").await;
    rig.stop(OnStop::Keep).await;
    assert_eq!(rig.vmms().len(), 2, "VMMs outlive their agent");
    rig.kill_vmm_of(lost.order.sandbox);
    rig.start_again().await;
    assert_eq!(
        rig.exec(kept.order.sandbox, "cat /dev/shm/f").await.stdout,
        "here\n"
    );
    let reports = rig.registry().list_sandboxes().await.unwrap();
    let report_of = |id| reports.iter().find(|report| report.sandbox == id).unwrap();
    assert_eq!(report_of(kept.order.sandbox).state, ReportedState::Running);
    assert_eq!(
        (
            report_of(lost.order.sandbox).state,
            report_of(lost.order.sandbox).reason.as_deref()
        ),
        (ReportedState::Stopped, Some("vm_lost"))
    );

    // A stop of the host pauses the running sandboxes, and the next agent finds them paused.
    rig.stop(OnStop::Pause).await;
    assert!(rig.vmms().is_empty());
    rig.start_again().await;
    let resumed = rig
        .registry()
        .resume_sandbox(resume(&kept, 9))
        .await
        .unwrap();
    assert_eq!(resumed.state, ReportedState::Running);
    assert_eq!(
        rig.exec(kept.order.sandbox, "cat /dev/shm/f").await.stdout,
        "here\n"
    );
    rig.registry()
        .destroy_sandbox(last_order(kept.order.sandbox))
        .await
        .unwrap();
    rig.stop(OnStop::Pause).await;
    rig.assert_clean();
}

#[tokio::test(flavor = "multi_thread")]
async fn timeouts_take_effect_and_every_end_of_a_sandbox_has_a_reason() {
    let rig = Rig::start().await;
    let agent = rig.registry();
    let (mut idle, mut expiring, shutdown, killed) = (spec(), spec(), spec(), spec());
    idle.timeouts.timeout_sec = 1;
    expiring.timeouts.expires_at = Some(chrono::DateTime::UNIX_EPOCH);
    for desired in [&idle, &expiring, &shutdown, &killed] {
        agent.create_sandbox(desired.clone()).await.unwrap();
    }
    rig.wait_for(idle.order.sandbox, ReportedState::Paused, "idle")
        .await;
    rig.wait_for(expiring.order.sandbox, ReportedState::Stopped, "expired")
        .await;
    rig.spawn(
        shutdown.order.sandbox,
        "sudo python3 -c 'import ctypes; ctypes.CDLL(None).reboot(0x4321fedc)'",
    )
    .await;
    rig.wait_for(
        shutdown.order.sandbox,
        ReportedState::Stopped,
        "guest_shutdown",
    )
    .await;
    rig.kill_vmm_of(killed.order.sandbox);
    rig.wait_for(killed.order.sandbox, ReportedState::Stopped, "vm_lost")
        .await;
    agent
        .destroy_sandbox(last_order(idle.order.sandbox))
        .await
        .unwrap();
    drop(agent);
    rig.stop(OnStop::Pause).await;
    rig.assert_clean();
}

#[tokio::test(flavor = "multi_thread")]
async fn the_proxy_hides_the_hosts_calls_and_breaks_streams_of_a_destroyed_sandbox() {
    let (rig, desired) = Rig::with_sandbox().await;
    for path in ["init", "freeze", "thaw", "sync", "tunnel"] {
        assert_eq!(
            rig.get(desired.order.sandbox, 49983, path).await.status(),
            404,
            "{path}"
        );
    }
    assert_eq!(
        rig.get(desired.order.sandbox, 49983, "health")
            .await
            .status(),
        204
    );
    assert_eq!(
        rig.get(desired.order.sandbox, 49983, "envs").await.status(),
        401,
        "a request without a token"
    );
    let closed = rig.get(desired.order.sandbox, 4711, "").await;
    assert_eq!(closed.headers()["locule-proxy-error"], "port_closed");
    let unknown = rig.get(spec().order.sandbox, 49983, "health").await;
    assert_eq!(unknown.headers()["locule-proxy-error"], "not_found");

    let running = rig.exec(desired.order.sandbox, "sleep 600");
    let killing = async {
        eventually("the process runs", async || {
            rig.exec(desired.order.sandbox, "pgrep -x sleep")
                .await
                .exit_code
                == 0
        })
        .await;
        rig.registry()
            .destroy_sandbox(order(&desired, 2))
            .await
            .unwrap();
    };
    let (broken, ()) = tokio::join!(
        tokio::time::timeout(Duration::from_mins(1), running),
        killing
    );
    assert!(
        broken.unwrap().broken,
        "the stream must break instead of ending"
    );
    rig.stop(OnStop::Pause).await;
    rig.assert_clean();
}
