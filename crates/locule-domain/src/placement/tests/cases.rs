//! Single cases: the words, each reason, and the numbers of B-180.

use super::*;

#[test]
fn a_word_is_written_as_it_was_read_and_round_robin_is_the_default() {
    for (kind, word) in [
        (SchedulerKind::RoundRobin, "round_robin"),
        (SchedulerKind::LeastLoaded, "least_loaded"),
    ] {
        assert_eq!((kind.to_string().as_str(), word.parse()), (word, Ok(kind)));
    }
    "random".parse::<SchedulerKind>().unwrap_err();
    assert_eq!(Scheduler::default().kind, SchedulerKind::RoundRobin);
}

#[test]
fn each_check_names_its_reason() {
    use HostState::{Pending, Unreachable};
    use NotEligible as Why;
    let measured = |free_memory_mib, free_pool_mib: u64| Candidate {
        measured: Some(Measured {
            free_memory_mib,
            pool_free_bytes: free_pool_mib << 20,
        }),
        ..roomy(1)
    };
    let in_state = |state| Candidate { state, ..roomy(1) };
    let with = |change: fn(&mut Candidate)| {
        let mut host = roomy(1);
        change(&mut host);
        host
    };
    let table = [
        (roomy(1), Ok(())),
        (with(|host| host.kind = HostKind::Byoc), Err(Why::OtherTeam)),
        (in_state(Pending), Err(Why::NotOnline)),
        (in_state(Unreachable), Err(Why::NotOnline)),
        (with(|host| host.cordoned = true), Err(Why::Cordoned)),
        (with(|host| host.has_template = false), Err(Why::NoTemplate)),
        (
            with(|host| host.capacity.memory_mib = 0),
            Err(Why::NoMemory),
        ),
        (with(|host| host.capacity.disk_gib = 0), Err(Why::NoDisk)),
        (measured(511, 10_000), Err(Why::NoMemory)),
        // A tenth of the disk of the sandbox.
        (measured(512, 511), Err(Why::NoDisk)),
        (measured(512, 512), Ok(())),
    ];
    for (host, expected) in table {
        let found = Scheduler::default().eligible(&host, &SMALL);
        assert_eq!(found, expected, "{host:?}");
    }
}

/// 16 GiB of memory without 10 % are 14745.6 MiB: 28 sandboxes of 512 MiB, or 57 of which one runs. 100 GiB of disk give 90 GiB.
#[test]
fn a_host_is_filled_up_to_its_last_sandbox_and_no_further() {
    let scheduler = scheduler(SchedulerKind::LeastLoaded);
    let host = roomy(1);
    let need = |disk_mib| PlacementNeed { disk_mib, ..SMALL };
    let with = |running: Load, paused: Load, disk| {
        scheduler.admits(host.capacity, HostUse { running, paused }, &need(disk))
    };
    let memory = |memory_mib| Load {
        memory_mib,
        ..Load::default()
    };
    let disk = |disk_mib| Load {
        disk_mib,
        ..Load::default()
    };
    let none = Load::default();
    assert_eq!(with(memory(27 * 512), none, 1), Ok(()));
    assert_eq!(with(memory(28 * 512), none, 1), Err(NotEligible::NoMemory));
    // The last MiB that fits.
    assert_eq!(with(memory(14_745 - 512), none, 1), Ok(()));
    assert_eq!(
        with(memory(14_746 - 512), none, 1),
        Err(NotEligible::NoMemory)
    );
    assert_eq!(with(none, memory(55 * 512), 1), Ok(()));
    assert_eq!(with(none, memory(56 * 512), 1), Err(NotEligible::NoMemory));
    assert_eq!(with(disk(17 * 5120), none, 5120), Ok(()));
    assert_eq!(
        with(disk(17 * 5120 + 1), none, 5120),
        Err(NotEligible::NoDisk)
    );
    assert_eq!(with(none, disk(85 * 1024 * 3 / 2), 5120), Ok(()));
    assert_eq!(
        with(none, disk(85 * 1024 * 3 / 2 + 1), 5120),
        Err(NotEligible::NoDisk)
    );
    let busy = Load {
        vcpus: 1000,
        ..none
    };
    assert_eq!(with(busy, none, 1), Ok(()), "vCPUs exclude no host");
}

/// Above 80 GiB of memory, 300 GiB of disk and 26 cores the reserve is the stated one.
#[test]
fn the_reserve_of_a_large_host_is_the_stated_one() {
    let host = Candidate {
        capacity: Capacity {
            cpu_cores: 64,
            memory_mib: 256 * 1024,
            disk_gib: 2000,
        },
        ..roomy(1)
    };
    let score = |used: Load| {
        let used = HostUse {
            running: used,
            paused: Load::default(),
        };
        let Score { free, total } = scheduler(SchedulerKind::LeastLoaded).score(&Candidate {
            used,
            ..host.clone()
        });
        model::Fraction::new(free, total)
    };
    let none = Load::default();
    let memory_mib = 1024;
    assert_eq!(
        score(Load { memory_mib, ..none }),
        model::Fraction::new(253_952 - 1024, 253_952)
    );
    assert_eq!(
        score(Load {
            disk_mib: 5120,
            ..none
        }),
        model::Fraction::new(2_017_280 - 5120, 2_017_280)
    );
    assert_eq!(
        score(Load { vcpus: 8, ..none }),
        model::Fraction::new(92 - 8, 92)
    );
}

#[test]
fn the_refusals_are_one_sentence_that_says_nothing_about_other_teams() {
    let mut hosts: Vec<Candidate> = (0..7).map(roomy).collect();
    assert_eq!(
        Refusals::default().to_string(),
        "no host runs sandboxes of this team"
    );
    (hosts[0].kind, hosts[0].cordoned) = (HostKind::Byoc, true);
    let sentence = |hosts: &[Candidate]| Scheduler::default().refusals(hosts, &SMALL).to_string();
    assert_eq!(sentence(&hosts[..1]), "no host runs sandboxes of this team");
    hosts[1].state = HostState::Unreachable;
    hosts[2].state = HostState::Pending;
    hosts[3].cordoned = true;
    hosts[4].has_template = false;
    hosts[5].capacity.memory_mib = 100;
    hosts[6].capacity.disk_gib = 0;
    assert_eq!(
        sentence(&hosts),
        "no host can take the sandbox: 2 hosts are not online, 1 host is cordoned, 1 host does not have the template, 1 host has too \
         little free memory, 1 host has too little free disk space"
    );
}
