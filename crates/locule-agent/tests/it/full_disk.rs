//! A full disk: operations fail with a clear error, nothing is lost, and freed space is usable again.

use std::path::{Path, PathBuf};

use locule_agent::OnStop;
use locule_agent_api::{AgentError, HostAgent as _, ReportedState, SandboxSpec};
use locule_testkit::eventually;

use crate::host_files::program;
use crate::process::HostProcess;
use crate::rig::{Rig, last_order, order, pooled_spec, resume};

/// Allocates every free block of a folder's file system. Returns the file with most of them.
fn fill(folder: &Path) -> PathBuf {
    let path = folder.join("filler");
    let file = std::fs::File::create(&path).unwrap();
    // Larger pieces first: a failed allocation leaves less than one piece.
    let mut end = 0;
    for piece in [64 << 20, 1 << 20, 64 << 10, 4 << 10] {
        let flags = rustix::fs::FallocateFlags::empty();
        while rustix::fs::fallocate(&file, flags, end, piece).is_ok() {
            end += piece;
        }
    }
    // Small writes use up the blocks that the allocator reserves.
    let mut number = 0;
    while std::fs::write(folder.join(format!("filler.{number}")), [1; 4096]).is_ok() {
        number += 1;
    }
    path
}

fn free(folder: &Path) {
    for entry in std::fs::read_dir(folder).unwrap().flatten() {
        if entry.file_name().to_string_lossy().starts_with("filler") {
            std::fs::remove_file(entry.path()).unwrap();
        }
    }
}

/// Waits until the guest has made more than a few ticks.
async fn makes_progress(host: &HostProcess, desired: &SandboxSpec) {
    let before = host.ticks(desired.order.sandbox).await;
    ticks_to(host, desired, before + 20).await;
}

/// Waits until the guest has written each of its blocks, so that it needs no new ones.
async fn write_all_blocks(host: &HostProcess, desired: &SandboxSpec) {
    ticks_to(host, desired, 2500).await;
}

async fn ticks_to(host: &HostProcess, desired: &SandboxSpec, ticks: u64) {
    host.eventually("the guest makes progress", async || {
        host.ticks(desired.order.sandbox).await >= ticks
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_pool_refuses_new_work_and_does_not_harm_existing_sandboxes() {
    let mut host = HostProcess::start().await;
    let (running, paused, destroyed) = (pooled_spec(), pooled_spec(), pooled_spec());
    for sandbox in [&running, &paused, &destroyed] {
        host.client().create_sandbox(sandbox.clone()).await.unwrap();
    }
    host.client()
        .pause_sandbox(order(&paused, 2))
        .await
        .unwrap();
    write_all_blocks(&host, &running).await;
    fill(&host.pool());

    let new = pooled_spec();
    let refused = host.client().create_sandbox(new.clone()).await.unwrap_err();
    assert!(
        matches!(&refused, AgentError::ResourceExhausted(_)),
        "{refused:?}"
    );
    assert!(
        refused.to_string().contains("disk pool is almost full"),
        "{refused}"
    );
    assert_eq!(host.report(new.order.sandbox).await, None);
    let resumed = host.client().resume_sandbox(resume(&paused, 3)).await;
    assert!(
        matches!(resumed, Err(AgentError::ResourceExhausted(_))),
        "{resumed:?}"
    );
    host.check().await;

    let failed = host
        .client()
        .pause_sandbox(order(&running, 2))
        .await
        .unwrap_err();
    assert!(failed.to_string().contains("No space left"), "{failed}");
    let report = host.report(running.order.sandbox).await.unwrap();
    assert_eq!(report.state, ReportedState::Running);
    let error = report.last_error.unwrap();
    assert!(error.contains("disk pool is full"), "{error}");
    makes_progress(&host, &running).await;
    host.check().await;

    // A destroy is recorded although the pool is full, and the next agent honors it.
    host.client()
        .destroy_sandbox(order(&destroyed, 2))
        .await
        .unwrap();
    host.kill();
    fill(&host.pool());
    host.restart().await;
    let late = host.client().create_sandbox(destroyed.clone()).await;
    assert!(
        matches!(late, Err(AgentError::FailedPrecondition(_))),
        "{late:?}"
    );
    makes_progress(&host, &running).await;

    free(&host.pool());
    host.client()
        .pause_sandbox(order(&running, 3))
        .await
        .unwrap();
    for (sandbox, generation) in [(&running, 4), (&paused, 3)] {
        let resumed = host
            .client()
            .resume_sandbox(resume(sandbox, generation))
            .await;
        resumed.unwrap();
        host.ticks(sandbox.order.sandbox).await;
    }
    host.client().create_sandbox(new).await.unwrap();
    host.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn on_a_full_pool_every_sandbox_can_be_destroyed_and_its_space_is_freed() {
    let mut host = HostProcess::start().await;
    let all: Vec<_> = (0..3).map(|_| pooled_spec()).collect();
    for sandbox in &all {
        host.client().create_sandbox(sandbox.clone()).await.unwrap();
    }
    for sandbox in &all {
        write_all_blocks(&host, sandbox).await;
    }
    host.client()
        .pause_sandbox(order(&all[0], 2))
        .await
        .unwrap();
    fill(&host.pool());
    let free_before = host.client().host().await.unwrap().pool_free_bytes;
    // Killed after the destroy is committed and before any file is removed.
    host.arm("destroy", 2);
    let broken = host.client().destroy_sandbox(order(&all[1], 2)).await;
    assert!(broken.is_err());
    host.wait_for_crash();
    let folder = all[1].order.sandbox.as_uuid().to_string();
    let folder = host.pool().join("sandboxes").join(folder);
    assert!(
        folder.join("ended-destroyed").exists(),
        "the tombstone does not fit, so a marker must exist"
    );
    host.restart().await;
    for (sandbox, generation) in [(&all[0], 3), (&all[2], 2)] {
        fill(&host.pool());
        let destroyed = host
            .client()
            .destroy_sandbox(order(sandbox, generation))
            .await;
        destroyed.unwrap();
    }
    // A tombstone that did not fit is written into space that the others freed.
    host.eventually(
        "the folders of the destroyed sandboxes are removed",
        async || {
            let folders = std::fs::read_dir(host.pool().join("sandboxes")).unwrap();
            folders.count() == 0
        },
    )
    .await;
    host.check().await;
    let after = host.client().host().await.unwrap().pool_free_bytes;
    assert!(
        after > free_before,
        "{after} bytes are free, before {free_before}"
    );
    for sandbox in &all {
        let report = host.report(sandbox.order.sandbox).await.unwrap();
        assert_eq!(report.state, ReportedState::Stopped, "{}", host.log());
        assert_eq!(report.reason.as_deref(), Some("destroyed"));
        let late = host.client().create_sandbox(sandbox.clone()).await;
        assert!(
            matches!(late, Err(AgentError::FailedPrecondition(_))),
            "{late:?}"
        );
    }
    free(&host.pool());
    host.stop().await;
}

/// Waits until the last error of the sandbox contains `what`.
async fn has_last_error(host: &HostProcess, desired: &SandboxSpec, what: &str) {
    host.eventually(what, async || {
        let report = host.report(desired.order.sandbox).await.unwrap();
        assert_eq!(report.state, ReportedState::Running, "{}", host.log());
        report.last_error.is_some_and(|error| error.contains(what))
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_guest_whose_disk_write_finds_no_space_is_stopped_until_space_is_free() {
    let mut host = HostProcess::start().await;
    let (witness, stopped) = (pooled_spec(), pooled_spec());
    for sandbox in [&witness, &stopped] {
        host.client().create_sandbox(sandbox.clone()).await.unwrap();
    }
    for sandbox in [&witness, &stopped] {
        write_all_blocks(&host, sandbox).await;
    }
    fill(&host.pool());
    let mebibytes = serde_json::json!(8);
    let accepted = host
        .guest(stopped.order.sandbox, "use_disk", Some(&mebibytes))
        .await;
    assert!(accepted.is_some(), "{}", host.log());
    has_last_error(&host, &stopped, "is stopped until the pool has free space").await;
    makes_progress(&host, &witness).await;

    // The next agent retries once and reports the same error.
    host.kill();
    host.restart().await;
    has_last_error(&host, &stopped, "is stopped until the pool has free space").await;
    makes_progress(&host, &witness).await;
    let logged = || {
        host.log()
            .matches("is stopped until the pool has free space")
            .count()
    };
    assert_eq!(logged(), 2, "{}", host.log());

    free(&host.pool());
    has_last_error(&host, &stopped, "continues to run").await;
    // The guest continues where it was, and each block has the expected content.
    makes_progress(&host, &stopped).await;
    host.client()
        .pause_sandbox(order(&stopped, 2))
        .await
        .unwrap();
    host.client()
        .resume_sandbox(resume(&stopped, 3))
        .await
        .unwrap();
    makes_progress(&host, &stopped).await;
    assert_eq!(
        host.report(stopped.order.sandbox).await.unwrap().last_error,
        None
    );
    assert_eq!(logged(), 2, "{}", host.log());
    host.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_real_guest_whose_disk_write_finds_no_space_loses_no_data() {
    let (rig, desired) = Rig::with_sandbox().await;
    fill(&rig.pool());
    let writing = rig.exec(
        desired.order.sandbox,
        "wrote=$(head -c 16M /dev/zero | tr '\\0' x | tee ~/f | sha256sum) && sync && sudo sh -c 'echo 3 > /proc/sys/vm/drop_caches' && \
         [ \"$wrote\" = \"$(sha256sum < ~/f)\" ] && echo whole",
    );
    let freeing_space = async {
        eventually("the guest is stopped", async || {
            let reports = rig.registry().list_sandboxes().await.unwrap();
            let error = reports[0].last_error.as_deref();
            error.is_some_and(|error| error.contains("is stopped until the pool has free space"))
        })
        .await;
        free(&rig.pool());
    };
    let (wrote, ()) = tokio::join!(writing, freeing_space);
    assert_eq!(
        (wrote.stdout.as_str(), wrote.exit_code),
        ("whole\n", 0),
        "{wrote:?}"
    );
    rig.registry()
        .destroy_sandbox(last_order(desired.order.sandbox))
        .await
        .unwrap();
    rig.stop(OnStop::Pause).await;
    rig.assert_clean();
}

fn run(name: &str, arguments: &[&str]) {
    let status = program(name).args(arguments).status().unwrap();
    assert!(status.success(), "{name} {arguments:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_around_the_pool_does_not_affect_the_pool() {
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
    let sandbox = pooled_spec();
    host.client().create_sandbox(sandbox.clone()).await.unwrap();
    fill(&data);
    makes_progress(&host, &sandbox).await;
    for generation in [2, 4] {
        let client = host.client();
        client
            .pause_sandbox(order(&sandbox, generation))
            .await
            .unwrap();
        let resumed = client
            .resume_sandbox(resume(&sandbox, generation + 1))
            .await;
        resumed.unwrap();
        makes_progress(&host, &sandbox).await;
    }
    // It does not affect a starting agent either.
    host.kill();
    host.restart().await;
    makes_progress(&host, &sandbox).await;
    host.client().create_sandbox(pooled_spec()).await.unwrap();
    host.stop().await;
    run("umount", &[data.to_str().unwrap()]);
}
