//! A full disk: a clear error, nothing lost, and the room comes back.

use std::path::{Path, PathBuf};

use locule_agent_api::{AgentError, HostAgent as _, ReportedState, SandboxSpec};

use crate::host_files::program;
use crate::process::HostProcess;
use crate::rig::{order, ready_spec, resume};

/// Takes every block that is left in a folder's file system. Answers the file that holds them.
fn fill(folder: &Path) -> PathBuf {
    let path = folder.join("filler");
    let file = std::fs::File::create(&path).unwrap();
    // Larger pieces first: an answer of "no" leaves less than the piece.
    let mut end = 0;
    for piece in [64 << 20, 1 << 20, 64 << 10, 4 << 10] {
        let flags = rustix::fs::FallocateFlags::empty();
        while rustix::fs::fallocate(&file, flags, end, piece).is_ok() {
            end += piece;
        }
    }
    // What an allocator kept back for itself goes to whoever writes.
    let mut number = 0;
    while std::fs::write(folder.join(format!("filler.{number}")), [1; 4096]).is_ok() {
        number += 1;
    }
    path
}

fn empty(folder: &Path) {
    for entry in std::fs::read_dir(folder).unwrap().flatten() {
        if entry.file_name().to_string_lossy().starts_with("filler") {
            std::fs::remove_file(entry.path()).unwrap();
        }
    }
}

/// Waits until the guest has gone on by more than a few ticks.
async fn goes_on(host: &HostProcess, wanted: &SandboxSpec) {
    let before = host.ticks(wanted.sandbox).await;
    ticks_to(host, wanted, before + 20).await;
}

/// Has written each of its blocks, so that it needs no new ones.
async fn settle(host: &HostProcess, wanted: &SandboxSpec) {
    ticks_to(host, wanted, 2500).await;
}

async fn ticks_to(host: &HostProcess, wanted: &SandboxSpec, ticks: u64) {
    host.eventually("the guest goes on", async || {
        host.ticks(wanted.sandbox).await >= ticks
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_pool_refuses_what_is_new_and_harms_nothing_that_is() {
    let mut host = HostProcess::start().await;
    let (runs, paused, goes) = (ready_spec(), ready_spec(), ready_spec());
    for one in [&runs, &paused, &goes] {
        host.client().create_sandbox(one.clone()).await.unwrap();
    }
    host.client()
        .pause_sandbox(order(&paused, 2))
        .await
        .unwrap();
    settle(&host, &runs).await;
    fill(&host.pool());

    let new = ready_spec();
    let refused = host.client().create_sandbox(new.clone()).await.unwrap_err();
    assert!(
        matches!(&refused, AgentError::ResourceExhausted(_)),
        "{refused:?}"
    );
    assert!(
        refused.to_string().contains("disk pool is almost full"),
        "{refused}"
    );
    assert_eq!(host.report(new.sandbox).await, None);
    let woken = host.client().resume_sandbox(resume(&paused, 3)).await;
    assert!(
        matches!(woken, Err(AgentError::ResourceExhausted(_))),
        "{woken:?}"
    );
    host.check().await;

    let failed = host
        .client()
        .pause_sandbox(order(&runs, 2))
        .await
        .unwrap_err();
    assert!(failed.to_string().contains("No space left"), "{failed}");
    let report = host.report(runs.sandbox).await.unwrap();
    assert_eq!(report.state, ReportedState::Running);
    let why = report.last_error.unwrap();
    assert!(why.contains("disk pool is full"), "{why}");
    goes_on(&host, &runs).await;
    host.check().await;

    // Its end is written down where nothing can be written, and holds for the next agent too.
    host.client()
        .destroy_sandbox(order(&goes, 2))
        .await
        .unwrap();
    host.kill();
    fill(&host.pool());
    host.restart().await;
    let late = host.client().create_sandbox(goes.clone()).await;
    assert!(
        matches!(late, Err(AgentError::FailedPrecondition(_))),
        "{late:?}"
    );
    goes_on(&host, &runs).await;

    empty(&host.pool());
    host.client().pause_sandbox(order(&runs, 3)).await.unwrap();
    for (one, generation) in [(&runs, 4), (&paused, 3)] {
        let resumed = host.client().resume_sandbox(resume(one, generation)).await;
        resumed.unwrap();
        host.ticks(one.sandbox).await;
    }
    host.client().create_sandbox(new).await.unwrap();
    host.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn on_a_full_pool_every_sandbox_can_be_destroyed_and_its_room_comes_back() {
    let mut host = HostProcess::start().await;
    let all: Vec<_> = (0..3).map(|_| ready_spec()).collect();
    for one in &all {
        host.client().create_sandbox(one.clone()).await.unwrap();
    }
    for one in &all {
        settle(&host, one).await;
    }
    host.client()
        .pause_sandbox(order(&all[0], 2))
        .await
        .unwrap();
    fill(&host.pool());
    let free = host.client().host().await.unwrap().pool_free_bytes;
    // Killed behind the commit of its end, before anything was removed.
    host.arm("destroy", 2);
    let cut = host.client().destroy_sandbox(order(&all[1], 2)).await;
    assert!(cut.is_err());
    host.wait_for_death();
    let folder = all[1].sandbox.as_uuid().to_string();
    let note = host.pool().join("sandboxes").join(folder);
    assert!(note.join("ended-destroyed").exists(), "no tombstone fits");
    host.restart().await;
    for (one, generation) in [(&all[0], 3), (&all[2], 2)] {
        fill(&host.pool());
        let destroyed = host.client().destroy_sandbox(order(one, generation)).await;
        destroyed.unwrap();
    }
    host.check().await;
    let after = host.client().host().await.unwrap().pool_free_bytes;
    assert!(after > free, "{after} bytes are free, before {free}");
    for one in &all {
        let report = host.report(one.sandbox).await.unwrap();
        assert_eq!(report.state, ReportedState::Stopped, "{}", host.log());
        assert_eq!(report.reason.as_deref(), Some("destroyed"));
        let late = host.client().create_sandbox(one.clone()).await;
        assert!(
            matches!(late, Err(AgentError::FailedPrecondition(_))),
            "{late:?}"
        );
    }
    empty(&host.pool());
    host.stop().await;
}

fn run(name: &str, arguments: &[&str]) {
    let status = program(name).args(arguments).status().unwrap();
    assert!(status.success(), "{name} {arguments:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_around_the_pool_is_not_noticed_inside() {
    let around = tempfile::tempdir().unwrap();
    let image = around.path().join("ext4");
    let file = std::fs::File::create(&image).unwrap();
    file.set_len(1300 << 20).unwrap();
    run("mkfs.ext4", &["-q", "-F", image.to_str().unwrap()]);
    let mount = |data: &Path| {
        run(
            "mount",
            &[
                "-o",
                "loop",
                image.to_str().unwrap(),
                data.to_str().unwrap(),
            ],
        );
    };
    let mut host = HostProcess::start_in(mount, 1024).await;
    let data = host.data_dir();
    let one = ready_spec();
    host.client().create_sandbox(one.clone()).await.unwrap();
    fill(&data);
    goes_on(&host, &one).await;
    for generation in [2, 4] {
        let client = host.client();
        client.pause_sandbox(order(&one, generation)).await.unwrap();
        let resumed = client.resume_sandbox(resume(&one, generation + 1)).await;
        resumed.unwrap();
        goes_on(&host, &one).await;
    }
    // Nor by an agent that starts.
    host.kill();
    host.restart().await;
    goes_on(&host, &one).await;
    host.client().create_sandbox(ready_spec()).await.unwrap();
    host.stop().await;
    run("umount", &[data.to_str().unwrap()]);
}
