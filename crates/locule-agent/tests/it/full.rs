//! A full disk: a clear error, nothing lost, and the room comes back.

use std::path::{Path, PathBuf};

use locule_agent::OnStop;
use locule_agent_api::{AgentError, HostAgent as _, ReportedState, SandboxSpec};
use locule_testkit::eventually;

use crate::host_files::program;
use crate::process::HostProcess;
use crate::rig::{Rig, order, ready_spec, resume, spec};

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
    let before = host.ticks(wanted.order.sandbox).await;
    ticks_to(host, wanted, before + 20).await;
}

/// Has written each of its blocks, so that it needs no new ones.
async fn settle(host: &HostProcess, wanted: &SandboxSpec) {
    ticks_to(host, wanted, 2500).await;
}

async fn ticks_to(host: &HostProcess, wanted: &SandboxSpec, ticks: u64) {
    host.eventually("the guest goes on", async || {
        host.ticks(wanted.order.sandbox).await >= ticks
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
    assert_eq!(host.report(new.order.sandbox).await, None);
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
    let report = host.report(runs.order.sandbox).await.unwrap();
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
        host.ticks(one.order.sandbox).await;
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
    let folder = all[1].order.sandbox.as_uuid().to_string();
    let note = host.pool().join("sandboxes").join(folder);
    assert!(note.join("ended-destroyed").exists(), "no tombstone fits");
    host.restart().await;
    for (one, generation) in [(&all[0], 3), (&all[2], 2)] {
        fill(&host.pool());
        let destroyed = host.client().destroy_sandbox(order(one, generation)).await;
        destroyed.unwrap();
    }
    // A tombstone that found no room finds some of what the others had.
    host.eventually("what was destroyed is gone", async || {
        let folders = std::fs::read_dir(host.pool().join("sandboxes")).unwrap();
        folders.count() == 0
    })
    .await;
    host.check().await;
    let after = host.client().host().await.unwrap().pool_free_bytes;
    assert!(after > free, "{after} bytes are free, before {free}");
    for one in &all {
        let report = host.report(one.order.sandbox).await.unwrap();
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

/// Waits until the last thing that went wrong with it is this.
async fn is_told(host: &HostProcess, wanted: &SandboxSpec, what: &str) {
    host.eventually(what, async || {
        let report = host.report(wanted.order.sandbox).await.unwrap();
        assert_eq!(report.state, ReportedState::Running, "{}", host.log());
        report.last_error.is_some_and(|why| why.contains(what))
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_guest_that_finds_no_room_stands_still_and_goes_on_when_there_is_some() {
    let mut host = HostProcess::start().await;
    let (witness, still) = (ready_spec(), ready_spec());
    for one in [&witness, &still] {
        host.client().create_sandbox(one.clone()).await.unwrap();
    }
    for one in [&witness, &still] {
        settle(&host, one).await;
    }
    fill(&host.pool());
    let mebibytes = serde_json::json!(8);
    let told = host
        .guest(still.order.sandbox, "use_disk", Some(&mebibytes))
        .await;
    assert!(told.is_some(), "{}", host.log());
    is_told(&host, &still, "stands still until there is room").await;
    goes_on(&host, &witness).await;

    // The next agent tries once, and says the same.
    host.kill();
    host.restart().await;
    is_told(&host, &still, "stands still until there is room").await;
    goes_on(&host, &witness).await;
    let said = || {
        host.log()
            .matches("stands still until there is room")
            .count()
    };
    assert_eq!(said(), 2, "{}", host.log());

    empty(&host.pool());
    is_told(&host, &still, "runs on").await;
    // It took up where it was: each block is what it should be.
    goes_on(&host, &still).await;
    host.client().pause_sandbox(order(&still, 2)).await.unwrap();
    host.client()
        .resume_sandbox(resume(&still, 3))
        .await
        .unwrap();
    goes_on(&host, &still).await;
    assert_eq!(
        host.report(still.order.sandbox).await.unwrap().last_error,
        None
    );
    assert_eq!(said(), 2, "{}", host.log());
    host.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_real_guest_that_finds_no_room_loses_nothing_of_what_it_writes() {
    let rig = Rig::start().await;
    let wanted = spec();
    rig.registry().create_sandbox(wanted.clone()).await.unwrap();
    fill(&rig.pool());
    let writing = rig.exec(
        wanted.order.sandbox,
        "wrote=$(head -c 16M /dev/zero | tr '\\0' x | tee ~/f | sha256sum) && sync && sudo sh -c 'echo 3 > /proc/sys/vm/drop_caches' && \
         [ \"$wrote\" = \"$(sha256sum < ~/f)\" ] && echo whole",
    );
    let making_room = async {
        eventually("the guest stands still", async || {
            let reports = rig.registry().list_sandboxes().await.unwrap();
            let why = reports[0].last_error.as_deref();
            why.is_some_and(|why| why.contains("stands still until there is room"))
        })
        .await;
        empty(&rig.pool());
    };
    let (wrote, ()) = tokio::join!(writing, making_room);
    assert_eq!(
        (wrote.stdout.as_str(), wrote.exit_code),
        ("whole\n", 0),
        "{wrote:?}"
    );
    rig.registry()
        .terminate(vec![wanted.order.sandbox])
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
