use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::*;

mod cases;
mod model;

const KINDS: &[SchedulerKind] = SchedulerKind::ALL;
/// As in B-180: everything that the host gives, once.
const ONCE: Overcommit = Overcommit {
    memory_percent: 100,
    disk_percent: 100,
};

fn host_id(number: u32) -> HostId {
    let text = format!("{}00000000-0000-4000-8000-{number:012x}", HostId::PREFIX);
    text.parse().unwrap()
}

fn team_id(number: u32) -> TeamId {
    let text = format!("{}00000000-0000-4000-8000-{number:012x}", TeamId::PREFIX);
    text.parse().unwrap()
}

fn scheduler(kind: SchedulerKind) -> Scheduler {
    Scheduler {
        kind,
        overcommit: ONCE,
    }
}

/// An empty regular host with 8 cores, 16 GiB of memory and 100 GiB of disk.
fn roomy(number: u32) -> Candidate {
    Candidate {
        host: host_id(number),
        kind: HostKind::Regular,
        team: None,
        state: HostState::Online,
        cordoned: false,
        capacity: Capacity {
            cpu_cores: 8,
            memory_mib: 16 * 1024,
            disk_gib: 100,
        },
        used: HostUse::default(),
        has_template: true,
        measured: None,
    }
}

const SMALL: PlacementNeed = PlacementNeed {
    team: TeamId::PLATFORM,
    team_brings_hosts: false,
    vcpus: 1,
    memory_mib: 512,
    disk_mib: 5120,
};

fn load() -> impl Strategy<Value = Load> {
    (0_u32..64, 0_u32..48 * 1024, 0_u32..400 * 1024).prop_map(|(vcpus, memory_mib, disk_mib)| {
        Load {
            vcpus,
            memory_mib,
            disk_mib,
        }
    })
}

fn capacity() -> impl Strategy<Value = Capacity> {
    let cores = prop_oneof![1 => Just(0), 8 => 1_u32..128];
    let memory = prop_oneof![1 => Just(0), 8 => 1_u32..256 * 1024];
    let disk = prop_oneof![1 => Just(0), 8 => 1_u32..2000];
    (cores, memory, disk).prop_map(|(cpu_cores, memory_mib, disk_gib)| Capacity {
        cpu_cores,
        memory_mib,
        disk_gib,
    })
}

fn measured() -> impl Strategy<Value = Option<Measured>> {
    let some =
        (0_u64..16 * 1024, 0_u64..64 << 30).prop_map(|(free_memory_mib, pool_free_bytes)| {
            Some(Measured {
                free_memory_mib,
                pool_free_bytes,
            })
        });
    prop_oneof![3 => Just(None), 1 => some]
}

/// Any host, most of them healthy.
fn candidate(number: u32) -> impl Strategy<Value = Candidate> {
    let states = prop_oneof![
        6 => Just(HostState::Online),
        1 => Just(HostState::Pending),
        1 => Just(HostState::Unreachable),
    ];
    let owner = prop_oneof![
        4 => Just((HostKind::Regular, None)),
        3 => (0_u32..3).prop_map(|team| (HostKind::Byoc, Some(team_id(team)))),
    ];
    let flags = (prop::bool::weighted(0.1), prop::bool::weighted(0.9));
    let used = (load(), load()).prop_map(|(running, paused)| HostUse { running, paused });
    (states, owner, flags, capacity(), used, measured()).prop_map(
        move |(state, (kind, team), (cordoned, has_template), capacity, used, measured)| {
            Candidate {
                host: host_id(number),
                kind,
                team,
                state,
                cordoned,
                capacity,
                used,
                has_template,
                measured,
            }
        },
    )
}

/// Up to eight hosts, in any order of their ids.
fn candidates() -> impl Strategy<Value = Vec<Candidate>> {
    let ids = prop::sample::subsequence((0_u32..20).collect::<Vec<_>>(), 0..8).prop_shuffle();
    ids.prop_flat_map(|ids| ids.into_iter().map(candidate).collect::<Vec<_>>())
}

fn need() -> impl Strategy<Value = PlacementNeed> {
    (
        0_u32..3,
        any::<bool>(),
        1_u32..9,
        1_u32..8192,
        1_u32..20_000,
    )
        .prop_map(
            |(team, team_brings_hosts, vcpus, memory_mib, disk_mib)| PlacementNeed {
                team: team_id(team),
                team_brings_hosts,
                vcpus,
                memory_mib,
                disk_mib,
            },
        )
}

fn overcommit() -> impl Strategy<Value = Overcommit> {
    (1_u16..1000, 1_u16..2000).prop_map(|(memory_percent, disk_percent)| Overcommit {
        memory_percent,
        disk_percent,
    })
}

fn any_scheduler() -> impl Strategy<Value = Scheduler> {
    (prop::sample::select(KINDS), overcommit())
        .prop_map(|(kind, overcommit)| Scheduler { kind, overcommit })
}

/// Places as the control plane does: tries the hosts of a ranking in turn, and reserves on the first that admits the sandbox now.
fn place(
    scheduler: Scheduler,
    ranking: &[HostId],
    hosts: &mut [Candidate],
    need: &PlacementNeed,
) -> Option<HostId> {
    ranking.iter().copied().find(|id| {
        let host = hosts.iter_mut().find(|host| host.host == *id).unwrap();
        let admitted = scheduler.admits(host.capacity, host.used, need).is_ok();
        if admitted {
            host.used = host.used.with(need.load());
        }
        admitted
    })
}

proptest! {
    /// B-115, B-116, W-004, and the cordon.
    #[test]
    fn a_sandbox_is_placed_only_on_an_online_host_of_its_team_that_has_the_template(
        scheduler in any_scheduler(), hosts in candidates(), need in need(), cursor in any::<u64>(),
    ) {
        for id in scheduler.rank(cursor, &hosts, &need) {
            let host = hosts.iter().find(|host| host.host == id).unwrap();
            prop_assert_eq!(host.state, HostState::Online);
            prop_assert!(!host.cordoned && host.has_template);
            let of_team = host.kind == HostKind::Byoc && host.team == Some(need.team);
            prop_assert_eq!(of_team, need.team_brings_hosts);
            prop_assert!(of_team || host.kind == HostKind::Regular);
        }
    }

    /// Every host is either ranked, once, or counted with a reason.
    #[test]
    fn a_ranking_is_a_permutation_of_the_eligible_hosts(
        scheduler in any_scheduler(), hosts in candidates(), need in need(), cursor in any::<u64>(),
    ) {
        let ranked = scheduler.rank(cursor, &hosts, &need);
        let set: BTreeSet<HostId> = ranked.iter().copied().collect();
        let eligible = hosts.iter().filter(|host| scheduler.eligible(host, &need).is_ok());
        prop_assert_eq!(&set, &eligible.map(|host| host.host).collect());
        prop_assert_eq!(set.len(), ranked.len());
        let refusals = scheduler.refusals(&hosts, &need);
        let reasons = [
            NotEligible::OtherTeam,
            NotEligible::NotOnline,
            NotEligible::Cordoned,
            NotEligible::NoTemplate,
            NotEligible::NoMemory,
            NotEligible::NoDisk,
        ];
        let refused: usize = reasons.iter().map(|reason| refusals.count(*reason)).sum();
        prop_assert_eq!(refused + ranked.len(), hosts.len());
    }

    /// W-047, also where a ranking is out of date because other sandboxes were placed since.
    #[test]
    fn placements_with_reservation_never_exceed_what_hosts_give(
        scheduler in any_scheduler(),
        mut hosts in candidates(),
        needs in prop::collection::vec(need(), 1..60),
        stale in 1_usize..20,
    ) {
        let mut ranking = Vec::new();
        let mut reserved = BTreeSet::new();
        for (number, need) in needs.iter().enumerate() {
            if number % stale == 0 {
                ranking = scheduler.rank(number as u64, &hosts, need);
            }
            reserved.extend(place(scheduler, &ranking, &mut hosts, need));
            for host in hosts.iter().filter(|host| reserved.contains(&host.host)) {
                prop_assert!(model::is_within(host, scheduler.overcommit), "{host:?}");
            }
        }
    }

    /// A sandbox is placed while any host has the capacity.
    #[test]
    fn a_host_with_free_capacity_is_found(
        kind in prop::sample::select(KINDS), count in 1_u32..5, cursor in any::<u64>(), need in need(),
    ) {
        let need = PlacementNeed { team_brings_hosts: false, ..need };
        let mut hosts: Vec<Candidate> = (0..count).map(roomy).collect();
        let mut placed = 0;
        loop {
            let ranking = scheduler(kind).rank(cursor + placed, &hosts, &need);
            if place(scheduler(kind), &ranking, &mut hosts, &need).is_none() {
                break;
            }
            placed += 1;
        }
        for host in &hosts {
            let next = Candidate { used: host.used.with(need.load()), ..host.clone() };
            prop_assert!(!model::is_within(&next, ONCE), "{host:?} has free capacity");
        }
    }

    #[test]
    fn round_robin_begins_at_every_eligible_host_once_in_turn(
        hosts in candidates(), need in need(), first in 0..u64::MAX / 2,
    ) {
        let scheduler = scheduler(SchedulerKind::RoundRobin);
        let eligible: BTreeSet<HostId> = scheduler.rank(0, &hosts, &need).into_iter().collect();
        let turns = first..first + eligible.len() as u64;
        let begun: Vec<HostId> = turns.map(|turn| scheduler.rank(turn, &hosts, &need)[0]).collect();
        prop_assert_eq!(&begun.iter().copied().collect::<BTreeSet<_>>(), &eligible);
        prop_assert_eq!(begun.len(), eligible.len());
        // The next host in the order of ids, or the first after the last.
        for pair in begun.windows(2) {
            let after = eligible.range(pair[0]..).nth(1).or(eligible.first());
            prop_assert_eq!(Some(&pair[1]), after);
        }
    }

    /// Also while the hosts fill up: the placements of hosts of the same size differ by one at most.
    #[test]
    fn round_robin_spreads_evenly(count in 1_u32..6, placements in 0_u64..100) {
        let scheduler = scheduler(SchedulerKind::RoundRobin);
        let mut hosts: Vec<Candidate> = (0..count).map(roomy).collect();
        let mut placed: BTreeMap<HostId, u64> = hosts.iter().map(|host| (host.host, 0)).collect();
        for number in 0..placements {
            let ranking = scheduler.rank(number, &hosts, &SMALL);
            if let Some(host) = place(scheduler, &ranking, &mut hosts, &SMALL) {
                *placed.get_mut(&host).unwrap() += 1;
            }
        }
        let (least, most) = (placed.values().min(), placed.values().max());
        prop_assert!(most.unwrap() - least.unwrap() <= 1, "{placed:?}");
    }

    /// B-180, against a model in exact fractions.
    #[test]
    fn least_loaded_orders_hosts_by_score_and_then_by_id(
        hosts in candidates(), need in need(), overcommit in overcommit(),
    ) {
        let scheduler = Scheduler { kind: SchedulerKind::LeastLoaded, overcommit };
        let of = |id: HostId| hosts.iter().find(|host| host.host == id).unwrap();
        let ranked = scheduler.rank(0, &hosts, &need);
        for pair in ranked.windows(2) {
            let [one, other] = [pair[0], pair[1]].map(|id| model::score(of(id), overcommit));
            prop_assert!(one > other || one == other && pair[0] < pair[1], "{one:?} {other:?}");
        }
        for host in &hosts {
            let score = scheduler.score(host);
            let fraction = model::Fraction::new(score.free, score.total);
            prop_assert_eq!(fraction, model::score(host, overcommit));
        }
    }

    #[test]
    fn more_load_never_improves_a_score(
        host in candidate(1), more in load(), paused in load(), overcommit in overcommit(),
    ) {
        let scheduler = Scheduler { kind: SchedulerKind::LeastLoaded, overcommit };
        let sum = |one: Load, other: Load| Load {
            vcpus: one.vcpus + other.vcpus,
            memory_mib: one.memory_mib + other.memory_mib,
            disk_mib: one.disk_mib + other.disk_mib,
        };
        let HostUse { running, paused: before } = host.used;
        for used in [
            HostUse { running: sum(running, more), paused: before },
            HostUse { running, paused: sum(before, paused) },
        ] {
            let loaded = Candidate { used, ..host.clone() };
            prop_assert!(scheduler.score(&loaded) <= scheduler.score(&host), "{used:?}");
        }
    }

    /// Numbers that no host has do not overflow either.
    #[test]
    fn the_largest_numbers_are_compared_exactly(vcpus in any::<u32>(), memory_mib in any::<u32>(), disk_mib in any::<u32>()) {
        let most = Load { vcpus: u32::MAX, memory_mib: u32::MAX, disk_mib: u32::MAX };
        let capacity = Capacity { cpu_cores: u32::MAX, memory_mib: u32::MAX, disk_gib: u32::MAX };
        let running = Load { vcpus, memory_mib, disk_mib };
        let overcommit = Overcommit { memory_percent: u16::MAX, disk_percent: u16::MAX };
        let at = |capacity, running| Resources::new(capacity, HostUse { running, paused: most }, overcommit).score();
        prop_assert!(at(capacity, most) <= at(capacity, running));
        let small = Capacity { cpu_cores: 1, memory_mib: 1, disk_gib: 1 };
        prop_assert!(at(small, running) < at(capacity, running));
    }
}
