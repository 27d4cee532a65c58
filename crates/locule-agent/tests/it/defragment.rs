//! Fragmented snapshots are defragmented while their sandbox is paused.

use std::os::unix::fs::MetadataExt as _;
use std::path::PathBuf;

use locule_agent_api::{HostAgent as _, ReportedState, SandboxSpec};

use crate::process::HostProcess;
use crate::rig::{order, pooled_spec, resume};

fn folder(host: &HostProcess, desired: &SandboxSpec) -> PathBuf {
    let id = desired.order.sandbox.to_string();
    host.pool()
        .join("sandboxes")
        .join(id.trim_start_matches("sb-"))
}

/// The inode of the memory file of a snapshot. It changes when the file is rewritten.
fn memory_inode(host: &HostProcess, desired: &SandboxSpec, snapshot: u32) -> u64 {
    let path = folder(host, desired).join(format!("memory.{snapshot}"));
    std::fs::metadata(path).unwrap().ino()
}

fn has_leftover(host: &HostProcess, desired: &SandboxSpec, snapshot: u32) -> bool {
    let new = format!("memory.{snapshot}.new");
    folder(host, desired).join(new).exists()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fragmented_snapshot_is_rewritten_with_the_same_content() {
    let mut host = HostProcess::start().await;
    let (client, desired) = (host.client(), pooled_spec());
    client.create_sandbox(desired.clone()).await.unwrap();
    client.pause_sandbox(order(&desired, 2)).await.unwrap();
    let before = memory_inode(&host, &desired, 1);
    host.restart_with_defragmentation().await;
    host.eventually("the snapshot is rewritten", async || {
        memory_inode(&host, &desired, 1) != before
    })
    .await;
    let client = host.client();
    client.resume_sandbox(resume(&desired, 3)).await.unwrap();
    let ticks = host.ticks(desired.order.sandbox).await;
    // The next snapshots are clones of the new file.
    for generation in [4, 6] {
        client
            .pause_sandbox(order(&desired, generation))
            .await
            .unwrap();
        client
            .resume_sandbox(resume(&desired, generation + 1))
            .await
            .unwrap();
        assert!(host.ticks(desired.order.sandbox).await >= ticks);
    }
    client.destroy_sandbox(order(&desired, 8)).await.unwrap();
    host.check().await;
    host.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_crash_during_a_defragmentation_loses_nothing() {
    let mut host = HostProcess::start().await;
    for step in [1, 2] {
        host.restart_with_defragmentation().await;
        let desired = pooled_spec();
        let client = host.client();
        client.create_sandbox(desired.clone()).await.unwrap();
        let ticks = host.ticks(desired.order.sandbox).await;
        host.arm("rewrite", step);
        client.pause_sandbox(order(&desired, 2)).await.unwrap();
        host.wait_for_crash();
        host.restart_without_defragmentation().await;
        let found = host.report(desired.order.sandbox).await.unwrap();
        assert_eq!(found.state, ReportedState::Paused);
        assert!(!has_leftover(&host, &desired, 1));
        let client = host.client();
        client.resume_sandbox(resume(&desired, 3)).await.unwrap();
        assert!(host.ticks(desired.order.sandbox).await >= ticks);
        client.destroy_sandbox(order(&desired, 4)).await.unwrap();
        host.check().await;
    }
    host.stop().await;
}
