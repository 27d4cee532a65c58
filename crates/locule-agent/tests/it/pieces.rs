//! Images that fell into pieces are written anew, and nobody notices.

use std::os::unix::fs::MetadataExt as _;
use std::path::PathBuf;

use locule_agent_api::{HostAgent as _, ReportedState, SandboxSpec};

use crate::process::HostProcess;
use crate::rig::{order, ready_spec, resume};

fn folder(host: &HostProcess, wanted: &SandboxSpec) -> PathBuf {
    let id = wanted.order.sandbox.to_string();
    host.pool()
        .join("sandboxes")
        .join(id.trim_start_matches("sb-"))
}

/// Which file the memory of its `image` is; changes when it is written anew.
fn memory(host: &HostProcess, wanted: &SandboxSpec, image: u32) -> u64 {
    let path = folder(host, wanted).join(format!("memory.{image}"));
    std::fs::metadata(path).unwrap().ino()
}

fn has_leftover(host: &HostProcess, wanted: &SandboxSpec, image: u32) -> bool {
    let new = format!("memory.{image}.new");
    folder(host, wanted).join(new).exists()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_image_in_pieces_is_written_anew_and_is_the_same() {
    let mut host = HostProcess::start().await;
    let (client, wanted) = (host.client(), ready_spec());
    client.create_sandbox(wanted.clone()).await.unwrap();
    client.pause_sandbox(order(&wanted, 2)).await.unwrap();
    let before = memory(&host, &wanted, 1);
    host.restart_rewriting().await;
    host.eventually("the image is written anew", async || {
        memory(&host, &wanted, 1) != before
    })
    .await;
    let client = host.client();
    client.resume_sandbox(resume(&wanted, 3)).await.unwrap();
    let ticks = host.ticks(wanted.order.sandbox).await;
    // The next images descend from the new file.
    for generation in [4, 6] {
        client
            .pause_sandbox(order(&wanted, generation))
            .await
            .unwrap();
        client
            .resume_sandbox(resume(&wanted, generation + 1))
            .await
            .unwrap();
        assert!(host.ticks(wanted.order.sandbox).await >= ticks);
    }
    client.destroy_sandbox(order(&wanted, 8)).await.unwrap();
    host.check().await;
    host.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_agent_that_dies_while_it_writes_an_image_anew_loses_nothing() {
    let mut host = HostProcess::start().await;
    for step in [1, 2] {
        host.restart_rewriting().await;
        let wanted = ready_spec();
        let client = host.client();
        client.create_sandbox(wanted.clone()).await.unwrap();
        let ticks = host.ticks(wanted.order.sandbox).await;
        host.arm("rewrite", step);
        client.pause_sandbox(order(&wanted, 2)).await.unwrap();
        host.wait_for_death();
        host.restart_leaving_images().await;
        let found = host.report(wanted.order.sandbox).await.unwrap();
        assert_eq!(found.state, ReportedState::Paused);
        assert!(!has_leftover(&host, &wanted, 1));
        let client = host.client();
        client.resume_sandbox(resume(&wanted, 3)).await.unwrap();
        assert!(host.ticks(wanted.order.sandbox).await >= ticks);
        client.destroy_sandbox(order(&wanted, 4)).await.unwrap();
        host.check().await;
    }
    host.stop().await;
}
