//! The checks find what they are for: each case breaks a fleet that is in order in one way.

use std::collections::BTreeMap;

use locule_agent_api::ReportedState;
use locule_domain::{Desired, ErrorReason, Sandbox, SandboxState, StopReason};
use locule_ids::{HostId, TeamId};

use super::checks::{after_healing, after_step};
use super::snapshot::{Book, HostSeen, Snapshot};
use crate::builders::{noon, sandbox};
use crate::reports;

/// Two hosts of the platform, and a sandbox that runs on the first.
fn in_order() -> Snapshot {
    let team = TeamId::random();
    let host = |memory_mib| HostSeen {
        id: HostId::random(),
        team: None,
        memory_mib,
        has_row: true,
        was_drained: false,
        held: BTreeMap::new(),
    };
    let mut hosts = vec![host(4096), host(512)];
    let row = sandbox(team).on(hosts[0].id, SandboxState::Running).0;
    let report = reports::of_row(&row, ReportedState::Running);
    hosts[0].held.insert(row.id, report);
    Snapshot {
        now: noon(),
        byoc: Vec::new(),
        running_max: 1,
        sandboxes: BTreeMap::from([(row.id, row)]),
        hosts,
    }
}

/// The only sandbox.
fn row(snapshot: &mut Snapshot) -> &mut Sandbox {
    let first = snapshot.sandboxes.values_mut().next();
    first.expect("a sandbox")
}

fn destroyed() -> SandboxState {
    SandboxState::Stopped {
        reason: StopReason::Destroyed,
    }
}

#[test]
fn a_fleet_in_order_passes() {
    let fleet = in_order();
    assert_eq!(
        after_step(&fleet, &fleet, &Book::default()),
        Vec::<String>::new()
    );
    assert_eq!(after_healing(&fleet), Vec::<String>::new());
}

type Break = fn(&mut Snapshot);

/// Each change of a fleet in order, and a part of what the check after a step says.
const AFTER_A_STEP: &[(Break, &str)] = &[
    (
        |now| {
            let held = now.hosts[0].held.clone();
            now.hosts[1].held = held;
        },
        "several hosts hold",
    ),
    (|now| now.sandboxes.clear(), "has no row"),
    (
        |now| {
            let other = now.hosts[1].id;
            row(now).host = Some(other);
        },
        "is on another host",
    ),
    (|now| row(now).generation = 0, "went back"),
    (|now| row(now).version = 0, "went back"),
    (
        |now| {
            let ahead = now.hosts[0].held.values_mut().next();
            ahead.expect("a report").generation = 2;
        },
        "ahead of the row",
    ),
    (
        |now| {
            row(now).state = destroyed();
            row(now).desired = Desired::Gone;
        },
        "no cleanup is due",
    ),
    (
        |now| {
            let team = row(now).team;
            now.byoc.push(team);
        },
        "host of another team",
    ),
    (|now| now.hosts[0].has_row = false, "on a deleted host"),
    (
        |now| {
            let (team, small) = (row(now).team, now.hosts[1].id);
            for _ in 0..2 {
                let placed = sandbox(team).on(small, SandboxState::Starting).0;
                now.sandboxes.insert(placed.id, placed);
            }
        },
        "MiB are reserved",
    ),
    (
        |now| {
            let (team, roomy) = (row(now).team, now.hosts[0].id);
            let second = sandbox(team).on(roomy, SandboxState::Starting).0;
            now.sandboxes.insert(second.id, second);
        },
        "runs 2 sandboxes",
    ),
];

#[test]
fn each_broken_rule_is_found_after_the_step_that_breaks_it() {
    for (change, said) in AFTER_A_STEP {
        let before = in_order();
        let mut now = before.clone();
        change(&mut now);
        let wrong = after_step(&before, &now, &Book::default());
        let found = wrong.iter().any(|line| line.contains(said));
        assert!(found, "{said}: {wrong:?}");
    }
}

#[test]
fn an_end_that_is_undone_is_found() {
    let now = in_order();
    let mut before = now.clone();
    row(&mut before).state = destroyed();
    let wrong = after_step(&before, &now, &Book::default());
    assert!(wrong[0].contains("for good"), "{wrong:?}");
    // An end that was inferred from absence may be undone by a report.
    row(&mut before).state = SandboxState::Error {
        reason: ErrorReason::SnapshotLost,
    };
    assert!(after_step(&before, &now, &Book::default()).is_empty());
}

#[test]
fn an_acknowledged_request_that_the_row_contradicts_is_found() {
    for (promised, kept) in [
        (Desired::Running, true),
        (Desired::Paused, false),
        (Desired::Gone, false),
    ] {
        let mut fleet = in_order();
        let id = row(&mut fleet).id;
        let mut book = Book::default();
        let asked = book.ask(Some(id));
        book.acknowledge(asked, Some(id), id, promised);
        let wrong = after_step(&fleet, &fleet, &book);
        assert_eq!(wrong.is_empty(), kept, "{promised:?}: {wrong:?}");
        // What happened without a request may have changed the sandbox; only a destroy stays.
        book.disturb();
        let wrong = after_step(&fleet, &fleet, &book);
        assert_eq!(wrong.is_empty(), promised != Desired::Gone, "{wrong:?}");
    }
}

#[test]
fn a_later_request_without_an_answer_takes_the_promise_back() {
    let mut fleet = in_order();
    let id = row(&mut fleet).id;
    let mut book = Book::default();
    let first = book.ask(Some(id));
    book.ask(Some(id));
    book.acknowledge(first, Some(id), id, Desired::Paused);
    assert!(after_step(&fleet, &fleet, &book).is_empty());
}

/// Each change of a fleet in order, and a part of what the last check says.
const AFTER_HEALING: &[(Break, &str)] = &[
    (|now| row(now).desired = Desired::Paused, "stays running"),
    (
        |now| row(now).cleanup_pending = true,
        "cleanup pending: true",
    ),
    (|now| now.hosts[0].held.clear(), "its host has None"),
    (|now| row(now).state = SandboxState::Missing, "is Missing"),
    (|now| row(now).generation = 9, "has generation 9"),
    (|now| row(now).timeouts.timeout_sec = 60, "timeout_sec: 60"),
    (|now| row(now).state = destroyed(), "its host has Some"),
    (|now| now.sandboxes.clear(), "which is not on the host"),
    (|now| now.hosts[0].has_row = false, "runs on a deleted host"),
];

#[test]
fn each_difference_that_remains_is_found() {
    for (change, said) in AFTER_HEALING {
        let mut now = in_order();
        change(&mut now);
        let wrong = after_healing(&now);
        let found = wrong.iter().any(|line| line.contains(said));
        assert!(found, "{said}: {wrong:?}");
    }
}
