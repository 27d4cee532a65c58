//! Namespaces, taps and rules on a real kernel. Needs root.

#![expect(clippy::unwrap_used, reason = "a test that cannot continue fails")]

mod closed;
mod forwarding;
mod names;
mod world;

use std::collections::HashSet;
use std::path::Path;
use std::time::Duration;

use locule_base::command::Command;
use locule_net::{HostNet, Names, NetOptions};
use world::instance;

fn exists(names: &Names, slot: u16) -> (bool, bool) {
    let namespace = Path::new("/run/netns").join(names.namespace(slot)).exists();
    let veth = Path::new("/sys/class/net").join(names.veth(slot)).exists();
    (namespace, veth)
}

#[tokio::test]
async fn closing_an_instance_removes_its_networks_and_no_others() {
    let (dir_a, dir_b) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let (a, b) = (instance(), instance());
    let host_a = HostNet::open(&a, dir_a.path(), NetOptions::default())
        .await
        .unwrap();
    let host_b = HostNet::open(&b, dir_b.path(), NetOptions::default())
        .await
        .unwrap();
    assert_ne!(host_a.first_uid(), host_b.first_uid());
    for slot in [0, 1, 1023] {
        host_a.create(slot).await.unwrap();
        host_b.create(slot).await.unwrap();
        assert_eq!(exists(&Names::new(&a), slot), (true, true));
    }
    let failed = host_a.sweep(&HashSet::from([1])).await;
    assert!(failed.is_empty(), "{failed:?}");
    assert_eq!(exists(&Names::new(&a), 0), (false, false));
    assert_eq!(exists(&Names::new(&a), 1), (true, true));
    host_a.adopt(1).unwrap();
    host_a.close().await.unwrap();
    for slot in [0, 1, 1023] {
        assert_eq!(exists(&Names::new(&a), slot), (false, false));
        assert_eq!(exists(&Names::new(&b), slot), (true, true));
    }
    host_b.close().await.unwrap();
}

#[tokio::test]
async fn a_restarted_instance_gets_the_same_block() {
    let dir = tempfile::tempdir().unwrap();
    let instance = instance();
    let first = HostNet::open(&instance, dir.path(), NetOptions::default())
        .await
        .unwrap();
    let uid = first.first_uid();
    // As after a crash of the agent, the claim was not released.
    drop(first);
    let again = HostNet::open(&instance, dir.path(), NetOptions::default())
        .await
        .unwrap();
    assert_eq!(again.first_uid(), uid);
    again.close().await.unwrap();
}

#[tokio::test]
async fn the_tap_of_a_network_opens_and_a_connection_without_a_guest_fails() {
    let dir = tempfile::tempdir().unwrap();
    let host = HostNet::open(&instance(), dir.path(), NetOptions::default())
        .await
        .unwrap();
    let net = host.create(0).await.unwrap();
    let tap = net.open_tap().unwrap();
    let error = net
        .connect(49983, Duration::from_millis(100))
        .await
        .unwrap_err();
    assert!(matches!(
        error.kind(),
        std::io::ErrorKind::TimedOut
            | std::io::ErrorKind::HostUnreachable
            | std::io::ErrorKind::ConnectionRefused
    ));
    drop(tap);
    host.close().await.unwrap();
}

#[tokio::test]
async fn the_next_owner_of_an_abandoned_block_removes_the_networks_of_the_previous_owner() {
    let (lost, kept) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let a = instance();
    let first = HostNet::open(&a, lost.path(), NetOptions::default())
        .await
        .unwrap();
    let uid = first.first_uid();
    first.create(3).await.unwrap();
    drop(first);
    // The operator deleted the data directory of the instance.
    drop(lost);
    let mut successors = Vec::new();
    loop {
        let successor = HostNet::open(&instance(), kept.path(), NetOptions::default())
            .await
            .unwrap();
        let found = successor.first_uid() == uid;
        successors.push(successor);
        if found {
            break;
        }
    }
    assert_eq!(exists(&Names::new(&a), 3), (false, false));
    for successor in successors {
        successor.close().await.unwrap();
    }
}

/// Podman and CNI plugins do the same as `ip netns`. Where mounts are not shared, no network could be removed after it.
#[tokio::test]
async fn a_namespace_of_another_program_stops_no_removal() {
    let dir = tempfile::tempdir().unwrap();
    let instance = instance();
    let host = HostNet::open(&instance, dir.path(), NetOptions::default())
        .await
        .unwrap();
    host.create(0).await.unwrap();
    let other = format!("other-{instance}");
    for action in ["add", "delete"] {
        let ip = Command::new("ip").args(["netns", action, &other]);
        ip.run().await.unwrap();
    }
    host.destroy(0).await.unwrap();
    assert_eq!(exists(&Names::new(&instance), 0), (false, false));
    host.close().await.unwrap();
}

/// A leftover that cannot be removed: a folder where the name of a namespace would be.
#[tokio::test]
async fn a_network_that_cannot_be_removed_stops_no_other() {
    let dir = tempfile::tempdir().unwrap();
    let instance = instance();
    let names = Names::new(&instance);
    let host = HostNet::open(&instance, dir.path(), NetOptions::default())
        .await
        .unwrap();
    host.create(1).await.unwrap();
    let stuck = Path::new("/run/netns").join(names.namespace(0));
    std::fs::create_dir(&stuck).unwrap();
    let failed = host.sweep(&HashSet::new()).await;
    std::fs::remove_dir(&stuck).unwrap();
    let slots: Vec<u16> = failed.into_iter().map(|(slot, _)| slot).collect();
    assert_eq!(slots, [0]);
    assert_eq!(exists(&names, 1), (false, false));
    host.close().await.unwrap();
}
