//! Two processes of the control plane on one database, of which either is killed at any moment (W-018).

mod client;
mod replica;

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use locule_e2e::api::{Api, bearer};
use locule_e2e::clock;
use locule_e2e::random::Random;
use serde_json::Value;

use self::client::{Client, Done};
use self::replica::Replica;
use crate::platform::{Platform, stub_vmm};

/// The supervisor of the first process takes a fifth exit within a minute for a fault of the installation, and stops the platform.
const KILLS_OF_THE_FIRST: usize = 3;
const KILLS_OF_THE_SECOND: usize = 5;
const CLIENTS: u64 = 3;
/// A kill comes after at most so many further acknowledgements.
const BETWEEN_KILLS_MAX: usize = 12;
const PATIENCE: Duration = Duration::from_mins(2);
const REQUEST: Duration = Duration::from_secs(30);

fn on_this_machine(port: u16) -> SocketAddr {
    (Ipv4Addr::LOCALHOST, port).into()
}

/// When each task of the cluster last began, by name.
fn last_passes(administrator: &mut Api) -> BTreeMap<String, String> {
    let answer = administrator.get("/v1/admin/tasks");
    let tasks = answer.map_or(Value::Null, |answer| answer.json()["items"].clone());
    let pass = |task: &Value| {
        let began = task["last_started_at"].as_str()?;
        Some((task["name"].as_str()?.to_owned(), began.to_owned()))
    };
    tasks
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(pass)
        .collect()
}

/// Kills a process after some acknowledgements, again and again. The clients stop when nothing receives what they do.
fn kill_either(
    platform: &Platform,
    second: &mut Replica,
    random: &mut Random,
    done: Receiver<Done>,
) {
    let (mut of_first, mut of_second) = (KILLS_OF_THE_FIRST, KILLS_OF_THE_SECOND);
    while of_first + of_second > 0 {
        wait_for(1 + random.below(BETWEEN_KILLS_MAX), &done);
        if random.below(of_first + of_second) < of_first {
            of_first -= 1;
            platform.within(PATIENCE, "the first process runs again", || {
                platform.part("serve").is_some()
            });
            platform.kill_part("serve");
        } else {
            of_second -= 1;
            second.kill_and_start();
        }
    }
    wait_for(BETWEEN_KILLS_MAX, &done);
    drop(done);
}

fn wait_for(acknowledgements: usize, done: &Receiver<Done>) {
    for _ in 0..acknowledgements {
        done.recv_timeout(PATIENCE)
            .expect("the clients get no further");
    }
}

#[test]
fn either_control_plane_is_killed_at_any_moment_and_no_acknowledged_change_is_lost() {
    let platform = Platform::start_with(&["--qemu", &stub_vmm(), "--warm", "0"]);
    let mut second = Replica::beside(&platform);
    let ports = [platform.port(), second.port()];
    let key = platform.credentials()["api_key"]
        .as_str()
        .unwrap()
        .to_owned();
    let token = platform.login()["token"].as_str().unwrap().to_owned();
    let api = |port, credential| Api::with(on_this_machine(port), Some(credential), REQUEST);

    let seed = rand::random::<u32>();
    let mut random = Random::new(u64::from(seed));
    let (acknowledge, done) = channel();
    let tracked = std::thread::scope(|scope| {
        let clients: Vec<_> = (0..CLIENTS)
            .map(|number| {
                let apis = ports.map(|port| api(port, ("x-api-key", key.clone())));
                let client = Client::new(apis, Random::new(u64::from(seed) + 1 + number));
                let acknowledge = acknowledge.clone();
                scope.spawn(move || client.work(&acknowledge))
            })
            .collect();
        kill_either(&platform, &mut second, &mut random, done);
        let ended = clients.into_iter().map(|client| client.join().unwrap());
        ended.flatten().collect::<Vec<_>>()
    });

    // Both processes tell the same of each sandbox, and the host runs what they tell.
    for port in ports {
        let looked = |id: &str| api(port, ("x-api-key", key.clone())).look(id);
        for (id, known) in &tracked {
            let certain = known.certain().expect("the last order is acknowledged");
            platform.within(
                PATIENCE,
                format!("seed {seed}: {id} is {certain:?}"),
                || looked(id).is_some_and(|(seen, _)| seen == certain),
            );
        }
    }
    platform.within(PATIENCE, "the host runs what the database says", || {
        let listed = api(ports[1], ("x-api-key", key.clone())).list().unwrap();
        let running = listed.iter().filter(|row| row["status"] == "running");
        platform.vmms() == running.count()
    });

    // The tasks of the cluster go on in the process that is left.
    let passes = || last_passes(&mut api(ports[1], bearer(&token)));
    let frequent = ["host monitor", "sandbox sweep"];
    let before = clock::until(PATIENCE, || {
        Some(passes()).filter(|told| frequent.iter().all(|name| told.contains_key(*name)))
    })
    .expect("the second process tells of the tasks");
    platform.kill_part("serve");
    platform.within(PATIENCE, "the frequent tasks have run again", || {
        let now = passes();
        frequent
            .iter()
            .all(|name| now.get(*name) > before.get(*name))
    });
    second.stop();
    platform.within(PATIENCE, "the platform is healthy", || {
        platform.is_healthy()
    });
    platform.stop();
}
