//! Whatever shapes sandboxes have, the host keeps a bounded number of template snapshots and a bounded amount of their memory.

use std::collections::BTreeSet;
use std::os::unix::fs::MetadataExt as _;

use locule_agent::OnStop;
use locule_agent_api::{HostAgent as _, SandboxSpec};
use serde_json::json;

use crate::process::HostProcess;
use crate::rig::{Rig, last_order, order, resume, spec};

fn of_shape(vcpus: u32, memory_mib: u32) -> SandboxSpec {
    SandboxSpec {
        vcpus,
        memory_mib,
        ..spec()
    }
}

fn snapshots(host: &HostProcess) -> BTreeSet<String> {
    let folders = std::fs::read_dir(host.pool().join("golden")).unwrap();
    let names = folders.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    names.collect()
}

async fn used_bytes(host: &HostProcess) -> u64 {
    host.client().host().await.unwrap().memory_used_bytes
}

async fn create_and_destroy(host: &HostProcess, desired: &SandboxSpec) {
    host.client().create_sandbox(desired.clone()).await.unwrap();
    host.client()
        .destroy_sandbox(order(desired, 2))
        .await
        .unwrap();
}

/// Every shape that a team asked for cost a host 130 MiB of memory and of its pool, for ever.
#[tokio::test(flavor = "multi_thread")]
async fn forty_shapes_leave_the_host_within_its_bounds() {
    let mut host = HostProcess::start().await;
    let listed = snapshots(&host);
    let before = used_bytes(&host).await;
    host.restart_with(&["--template-snapshots", "4", "--template-memory-idle", "0"])
        .await;
    for at in 0..40 {
        create_and_destroy(&host, &of_shape(1 + at % 4, 128 * (5 + at / 4))).await;
        assert!(snapshots(&host).len() <= 4, "{}", host.log());
    }
    assert!(snapshots(&host).is_superset(&listed), "{}", host.log());
    host.eventually("the memory is given back", async || {
        used_bytes(&host).await == before
    })
    .await;
    host.stop().await;
}

/// One that wrote 600 MiB made the memory of everybody's template snapshot larger by as much, for ever.
#[tokio::test(flavor = "multi_thread")]
async fn memory_that_a_guest_filled_is_given_back_with_its_sandbox() {
    let mut host = HostProcess::start().await;
    host.restart_with(&["--template-memory-idle", "0"]).await;
    let before = used_bytes(&host).await;
    // Not a shape whose template snapshot stays loaded.
    let desired = of_shape(1, 384);
    host.client().create_sandbox(desired.clone()).await.unwrap();
    host.guest(desired.order.sandbox, "fill", Some(&json!(300)))
        .await
        .unwrap();
    let used = used_bytes(&host).await - before;
    assert!(
        (300 << 20..400 << 20).contains(&used),
        "{used} bytes: written memory counts once"
    );
    host.client()
        .destroy_sandbox(order(&desired, 2))
        .await
        .unwrap();
    host.eventually("the memory is given back", async || {
        used_bytes(&host).await <= before + (16 << 20)
    })
    .await;
    host.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_whose_template_snapshots_are_all_in_use_refuses_another_shape() {
    let mut host = HostProcess::start().await;
    host.restart_with(&["--template-snapshots", "2"]).await;
    let used = of_shape(1, 256);
    host.client().create_sandbox(used.clone()).await.unwrap();
    let refused = host.client().create_sandbox(of_shape(1, 384)).await;
    let text = refused.unwrap_err().to_string();
    assert!(text.contains("template snapshots"), "{text}");
    // The sandbox of an agent before this one uses its snapshot, too: its pause needs the files.
    host.kill();
    host.restart().await;
    host.client()
        .create_sandbox(of_shape(1, 384))
        .await
        .unwrap_err();
    host.client().pause_sandbox(order(&used, 2)).await.unwrap();
    create_and_destroy(&host, &of_shape(1, 384)).await;
    host.client()
        .resume_sandbox(resume(&used, 3))
        .await
        .unwrap();
    host.ticks(used.order.sandbox).await;
    host.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_crash_in_the_middle_of_an_eviction_leaves_nothing_broken() {
    let mut host = HostProcess::start().await;
    host.restart_with(&["--template-snapshots", "2"]).await;
    let mut crashes = 0;
    loop {
        create_and_destroy(&host, &of_shape(1, 256)).await;
        host.arm("evict", crashes + 1);
        let evicting = of_shape(2, 256);
        let created = host.client().create_sandbox(evicting.clone()).await;
        if host.is_armed() {
            created.unwrap();
            break;
        }
        host.wait_for_crash();
        host.restart().await;
        host.check().await;
        create_and_destroy(&host, &of_shape(2, 256)).await;
        crashes += 1;
    }
    assert!(crashes >= 2, "{crashes} crashes");
    host.stop().await;
}

/// What the VMM's shared memory occupies: that of its template snapshot.
fn shared_bytes(vmm: u32) -> u64 {
    let held = std::fs::read_dir(format!("/proc/{vmm}/fd"))
        .unwrap()
        .flatten();
    let mut memory = held.filter(|entry| {
        let target = std::fs::read_link(entry.path()).unwrap_or_default();
        target.to_string_lossy().contains("memfd:locule-memory")
    });
    let memory = std::fs::metadata(memory.next().unwrap().path()).unwrap();
    memory.blocks() * 512
}

/// With the real VMM. A guest's first write to a page that its template never used added the page to the memory of everybody's
/// template snapshot.
#[tokio::test(flavor = "multi_thread")]
async fn what_a_guest_writes_is_not_added_to_the_memory_of_its_template() {
    let rig = Rig::start().await;
    let (agent, desired) = (rig.registry(), spec());
    let id = desired.order.sandbox;
    agent.create_sandbox(desired.clone()).await.unwrap();
    let vmm = rig.vmms()[0];
    let before = shared_bytes(vmm);
    let fill = "head -c 90M /dev/zero | tr '\\0' x > /dev/shm/filled; md5sum < /dev/shm/filled";
    let filled = rig.exec(id, fill).await;
    assert_eq!((filled.exit_code, filled.stderr.as_str()), (0, ""));
    let added = shared_bytes(vmm) - before;
    assert!(
        added < 16 << 20,
        "{before} bytes, {added} added by a guest that wrote 90 MiB"
    );
    // A pause finds the pages although they are not of the file.
    agent.pause_sandbox(order(&desired, 2)).await.unwrap();
    agent.resume_sandbox(resume(&desired, 3)).await.unwrap();
    let kept = rig.exec(id, "md5sum < /dev/shm/filled").await;
    assert_eq!(kept.stdout, filled.stdout);
    agent.destroy_sandbox(last_order(id)).await.unwrap();
    drop(agent);
    rig.stop(OnStop::Pause).await;
    rig.assert_clean();
}
