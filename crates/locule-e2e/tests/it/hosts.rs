//! A platform with hosts on other machines, which join through TLS.

mod machine;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use locule_e2e::host;
use serde_json::Value;

use self::machine::{Bridge, Images, ImagesOf, Machine};
use crate::platform::{Platform, free_port};

const MACHINES: u8 = 3;
const SANDBOXES_PER_MACHINE: usize = 2;
/// The first start of an agent boots a guest, and three do so at once.
const ONLINE_WITHIN: Duration = Duration::from_mins(6);
/// An agent pauses its sandboxes after 90 seconds of silence, and the control plane takes a host for unreachable after 90.
const SILENCE_WITHIN: Duration = Duration::from_mins(4);
const SOON: Duration = Duration::from_mins(2);

fn json(platform: &Platform, arguments: &[&str]) -> Value {
    serde_json::from_str(&platform.succeeds(arguments).stdout).unwrap()
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

/// The ids and statuses of the sandboxes on a host.
fn on(platform: &Platform, host: &str) -> BTreeMap<String, String> {
    let shown = json(platform, &["host", "show", "--json", host]);
    let sandboxes = shown["sandboxes"].as_array().unwrap();
    let pair = |sandbox: &Value| (text(&sandbox["id"]), text(&sandbox["status"]));
    sandboxes.iter().map(pair).collect()
}

fn status_of(platform: &Platform, machine: &Machine) -> String {
    let shown = json(platform, &["host", "show", "--json", &machine.id]);
    text(&shown["status"])
}

fn is_online(platform: &Platform, machine: &Machine) -> bool {
    status_of(platform, machine) == "online"
}

fn wait_online(platform: &Platform, machine: &Machine) {
    platform.within(ONLINE_WITHIN, machine, || is_online(platform, machine));
}

/// A platform whose own host gets no sandboxes, and machines that have joined.
fn fleet(bridge: &Bridge, images: &Images) -> (Platform, Vec<Machine>) {
    let listen = format!("{}:{}", Bridge::ADDRESS, free_port());
    let platform = Platform::start_for_hosts(&listen, images.folder());
    platform.succeeds(&["login"]);
    for host in json(&platform, &["host", "ls", "--json"])
        .as_array()
        .unwrap()
    {
        platform.succeeds(&["host", "cordon", &text(&host["id"])]);
    }
    let machines = (0..MACHINES).map(|number| {
        let created = json(&platform, &["host", "add", "--json"]);
        // The first machine has nothing but the program.
        let images = if number == 0 {
            ImagesOf::ControlPlane
        } else {
            ImagesOf::Machine
        };
        Machine::start(bridge, number + 10, &created, images)
    });
    let machines: Vec<_> = machines.collect();
    for machine in &machines {
        wait_online(&platform, machine);
    }
    // Kernel, initramfs, one root filesystem, and the manifest.
    let fetched = machines.iter().map(|machine| machine.fetched().len());
    assert_eq!(fetched.collect::<Vec<_>>(), [4, 0, 0]);
    (platform, machines)
}

/// Every virtual machine and every file on the machines belongs to a sandbox in the database, and runs once.
fn rows_and_machines_agree(platform: &Platform, machines: &[Machine]) {
    for machine in machines {
        let known = on(platform, &machine.id);
        let running = known.values().filter(|status| *status == "running").count();
        assert_eq!(machine.vmms().len(), running, "{known:?}");
        let held = host::all_manifests(&machine.pool());
        let held: BTreeSet<_> = held.into_iter().map(|manifest| manifest.id).collect();
        assert_eq!(held, known.into_keys().collect());
    }
}

#[test]
fn sandboxes_on_other_machines_survive_partitions_kills_and_restarts() {
    let bridge = Bridge::new();
    let images = Images::installed();
    let (platform, mut machines) = fleet(&bridge, &images);
    let made: Vec<_> = (0..usize::from(MACHINES) * SANDBOXES_PER_MACHINE)
        .map(|_| platform.create())
        .collect();
    for id in &made {
        platform.keep(id);
    }
    let placed: Vec<Vec<String>> = machines
        .iter()
        .map(|machine| on(&platform, &machine.id).into_keys().collect())
        .collect();
    for there in &placed {
        assert_eq!(there.len(), SANDBOXES_PER_MACHINE, "{placed:?}");
    }
    rows_and_machines_agree(&platform, &machines);

    // All at once, since the silence of a host lasts: the first machine is cut off, the agent of the second dies, the third loses its
    // power, and each part of the control plane is killed.
    machines[0].part();
    machines[1].kill_agent();
    machines[2].lose_power();
    for part in ["serve", "postgres", "redis-server"] {
        platform.kill_part(part);
        platform.within(SOON, "the platform is healthy", || platform.is_healthy());
    }
    for machine in &mut machines[1..] {
        machine.start_agent();
    }
    for id in &placed[1] {
        platform.within(SOON, "a sandbox goes on under the next agent", || {
            let read = platform.locule(&["sandbox", "exec", id, "--", "cat", "/dev/shm/f"], "");
            read.stdout == "kept\n"
        });
        assert_eq!(platform.shown(id)["status"], "running");
    }
    for id in &placed[2] {
        platform.within(SOON, "the loss of a virtual machine is told", || {
            platform.shown(id)["status"] == "stopped"
        });
        assert_eq!(platform.shown(id)["status_reason"], "vm_lost");
    }
    platform.within(SILENCE_WITHIN, "the silent host is told", || {
        status_of(&platform, &machines[0]) == "unreachable"
    });
    for id in &placed[0] {
        platform.within(SOON, "the sandbox of a silent host is missing", || {
            platform.shown(id)["status"] == "missing"
        });
        let refused = platform.locule(&["sandbox", "exec", id, "--", "true"], "");
        assert_eq!(refused.code, 125, "{refused:?}");
    }
    platform.within(
        SILENCE_WITHIN,
        "the agent that is cut off pauses all",
        || machines[0].vmms().is_empty(),
    );

    machines[0].heal();
    for id in &placed[0] {
        platform.within(SILENCE_WITHIN, "what the agent paused is paused", || {
            platform.shown(id)["status"] == "paused"
        });
        assert_eq!(platform.shown(id)["status_reason"], "control_plane_lost");
        platform.succeeds(&["sandbox", "resume", id]);
        assert_eq!(platform.reads(id, "/dev/shm/f"), "kept\n");
    }
    for machine in &machines {
        wait_online(&platform, machine);
    }
    rows_and_machines_agree(&platform, &machines);
    hosts_are_drained_and_deleted(&platform, machines);
    platform.stop();
}

/// The first two machines have two running sandboxes each, the third has none.
fn hosts_are_drained_and_deleted(platform: &Platform, mut machines: Vec<Machine>) {
    let drained = &machines[1];
    platform.succeeds(&["host", "drain", "--pause", &drained.id]);
    assert!(drained.vmms().is_empty());
    let stay = on(platform, &drained.id);
    assert!(stay.values().all(|status| status == "paused"), "{stay:?}");
    let first = stay.keys().next().unwrap();
    let refused = platform.locule(&["sandbox", "resume", first], "");
    assert_ne!(refused.code, 0, "{refused:?}");
    platform.succeeds(&["host", "uncordon", &drained.id]);
    platform.succeeds(&["sandbox", "resume", first]);
    assert_eq!(platform.reads(first, "/dev/shm/f"), "kept\n");

    // A host without sandboxes is deleted without more; its agent goes away, and keeps what it has.
    let mut empty = machines.remove(2);
    platform.succeeds(&["host", "rm", &empty.id]);
    assert!(empty.agent_ends().success(), "{empty}");

    // With sandboxes the deletion is refused, and destroys them when forced.
    let mut busy = machines.remove(0);
    let refused = platform.locule(&["host", "rm", &busy.id], "");
    assert_ne!(refused.code, 0, "{refused:?}");
    assert_eq!(busy.vmms().len(), SANDBOXES_PER_MACHINE);
    platform.succeeds(&["host", "rm", "--force", &busy.id]);
    assert!(busy.agent_ends().success(), "{busy}");
    assert!(busy.vmms().is_empty());

    rows_and_machines_agree(platform, &machines);
    for id in on(platform, &machines[0].id).keys() {
        platform.succeeds(&["sandbox", "kill", id]);
    }
    rows_and_machines_agree(platform, &machines);
}
