//! What programs find inside a real guest, and how they are reached.

use http_body_util::BodyExt as _;
use locule_agent::OnStop;
use locule_agent_api::{HostAgent as _, SandboxSpec};
use locule_testkit::eventually;

use crate::rig::{Rig, order, resume, spec};

/// A server that listens on one address only and answers with a line.
fn server(address: &str, port: u16) -> String {
    format!(
        "python3 -c 'import socket; f = socket.AF_INET6 if \":\" in \"{address}\" else socket.AF_INET
s = socket.socket(f); s.bind((\"{address}\", {port})); s.listen()
while True:
    c, peer = s.accept(); c.recv(4096)
    c.sendall(b\"HTTP/1.1 200 OK\\r\\nconnection: close\\r\\n\\r\\n\" + peer[0].encode()); c.close()' > /dev/null 2>&1"
    )
}

/// The answer of the program on a port, once there is one.
async fn answer(rig: &Rig, desired: &SandboxSpec, port: u16) -> String {
    eventually("the port is open", async || {
        let response = rig.get(desired.order.sandbox, port, "").await;
        response.status() == 200
    })
    .await;
    let response = rig.get(desired.order.sandbox, port, "").await;
    let body = response.into_body().collect().await.unwrap().to_bytes();
    String::from_utf8(body.to_vec()).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_program_on_any_address_of_the_guest_is_reached_also_after_a_resume() {
    let rig = Rig::start().await;
    let desired = spec();
    let id = desired.order.sandbox;
    let agent = rig.registry();
    agent.create_sandbox(desired.clone()).await.unwrap();
    let servers = [
        ("127.0.0.1", 7001, "127.0.0.1"),
        ("::1", 7002, "::1"),
        ("0.0.0.0", 7003, "169.254.0.22"),
    ];
    for (address, port, _) in servers {
        rig.spawn(id, &server(address, port)).await;
    }
    for (address, port, peer) in servers {
        assert_eq!(answer(&rig, &desired, port).await, peer, "{address}");
    }
    agent.pause_sandbox(order(&desired, 2)).await.unwrap();
    agent.resume_sandbox(resume(&desired, 3)).await.unwrap();
    for (address, port, peer) in servers {
        assert_eq!(answer(&rig, &desired, port).await, peer, "{address}");
    }
    drop(agent);
    rig.stop(OnStop::Pause).await;
    rig.assert_clean();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_guest_whose_agent_was_killed_goes_on_with_its_identity() {
    let (rig, desired) = Rig::with_sandbox().await;
    let id = desired.order.sandbox;
    let killing = rig.exec_as(id, "root", "kill -9 -1").await;
    assert!(killing.broken, "the agent is killed too");
    let out = rig.exec(id, "echo $E2B_SANDBOX_ID; id -un").await;
    assert_eq!(out.stdout, format!("{}\nuser\n", id.base36()));
    // The host's own calls go on too.
    let paused = rig.registry().pause_sandbox(order(&desired, 2)).await;
    assert!(!paused.unwrap().unresponsive);
    rig.stop(OnStop::Pause).await;
    rig.assert_clean();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_guest_has_a_large_tmp_many_watches_and_a_character_set() {
    let (rig, desired) = Rig::with_sandbox().await;
    let ask = "stat -c %a /tmp; test $(stat -c %d /tmp) = $(stat -c %d /) && echo disk; \
        cat /proc/sys/fs/inotify/max_user_watches /proc/sys/fs/inotify/max_user_instances; \
        x=äöü; echo ${#x}; echo data | cat /dev/stdin > /dev/stdout";
    let out = rig.exec(desired.order.sandbox, ask).await;
    let expected = "1777\ndisk\n524288\n1024\n3\ndata\n";
    assert_eq!((&*out.stdout, &*out.stderr), (expected, ""));
    rig.stop(OnStop::Pause).await;
    rig.assert_clean();
}

/// What containers, images, VPNs and FUSE file systems need of the kernel. Each line fails without its modules.
const USES: [&str; 9] = [
    "exec 3<>/dev/fuse",
    "mkdir -p /var/o/a /var/o/b /var/o/w /var/o/m && mount -t overlay overlay -o lowerdir=/var/o/a,upperdir=/var/o/b,workdir=/var/o/w /var/o/m",
    "truncate -s 16M /var/disk && losetup --find --show /var/disk",
    "ip tuntap add tun7 mode tun",
    "ip link add veth7 type veth peer name veth8",
    "ip link add bridge7 type bridge",
    "modprobe nf_tables && grep -qw nf_tables /proc/modules",
    "modprobe squashfs && grep -qw squashfs /proc/filesystems",
    "ip link add wg7 type wireguard",
];

#[tokio::test(flavor = "multi_thread")]
async fn the_kernel_loads_what_containers_and_file_systems_need_when_it_is_used() {
    let (rig, desired) = Rig::with_sandbox().await;
    let id = desired.order.sandbox;
    for command in USES {
        let used = rig.exec_as(id, "root", command).await;
        assert_eq!((used.exit_code, used.stderr.as_str()), (0, ""), "{command}");
    }
    // An ordinary user opens the device of FUSE, too.
    assert_eq!(rig.exec(id, "exec 3<>/dev/fuse").await.exit_code, 0);
    rig.stop(OnStop::Pause).await;
    rig.assert_clean();
}
