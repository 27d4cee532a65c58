//! What must be true of a fleet after every step, and what must be true when nothing changes any more.

use locule_agent_api::ReportedState;
use locule_domain::{Desired, Sandbox, SandboxState, next_action};
use locule_ids::SandboxId;

use super::snapshot::{Book, HostSeen, Snapshot};

/// What is wrong after a step.
pub(super) fn after_step(before: &Snapshot, now: &Snapshot, book: &Book) -> Vec<String> {
    let mut wrong = Vec::new();
    for (id, row) in &now.sandboxes {
        if let Some(seen) = before.sandboxes.get(id) {
            wrong.extend(history(seen, row));
        }
        wrong.extend(place(now, row));
    }
    for host in now.hosts.iter().filter(|host| host.has_row) {
        for id in host.held.keys() {
            wrong.extend(held(now, host, *id));
        }
        wrong.extend(capacity(before, now, host));
    }
    wrong.extend(quota(before, now));
    for id in book.known.keys() {
        wrong.extend(promise(now, book, *id));
    }
    wrong
}

/// An end is final, and counters grow.
fn history(seen: &Sandbox, row: &Sandbox) -> Vec<String> {
    let mut wrong = Vec::new();
    let id = row.id;
    if seen.state.is_final() && !seen.state.is_inferred() && seen.state != row.state {
        wrong.push(format!(
            "{id} was {:?} for good and is {:?}",
            seen.state, row.state
        ));
    }
    if row.generation < seen.generation || row.version < seen.version {
        wrong.push(format!("the generation or the version of {id} went back"));
    }
    wrong
}

/// A sandbox is on a host of its team, or of the platform, and not on a deleted one.
fn place(now: &Snapshot, row: &Sandbox) -> Option<String> {
    let (id, host) = (row.id, row.host?);
    let Some(host) = now.host(host) else {
        return Some(format!("{id} is on a host that never existed"));
    };
    let brings = now.byoc.contains(&row.team);
    if host.team != brings.then_some(row.team) {
        return Some(format!("{id} is on a host of another team"));
    }
    if !host.has_row && !row.state.is_final() {
        return Some(format!("{id} is {} on a deleted host", row.state));
    }
    None
}

/// A host holds only what its rows say, and no other host holds the same.
fn held(now: &Snapshot, host: &HostSeen, id: SandboxId) -> Vec<String> {
    let mut wrong = Vec::new();
    if now.holders(id).len() > 1 {
        wrong.push(format!("several hosts hold {id}"));
    }
    let Some(row) = now.sandboxes.get(&id) else {
        wrong.push(format!("a host holds {id}, which has no row"));
        return wrong;
    };
    if row.host != Some(host.id) {
        wrong.push(format!("a host holds {id}, which is on another host"));
    }
    let generation = host.held.get(&id).map(|report| report.generation);
    if generation > Some(row.generation) {
        wrong.push(format!("the host of {id} is ahead of the row"));
    }
    let is_over = row.desired == Desired::Gone || !row.state.is_inferred();
    if row.state.is_final() && is_over && !row.cleanup_pending {
        wrong.push(format!(
            "a host holds {id}, which is {:?}, and no cleanup is due",
            row.state
        ));
    }
    wrong
}

/// A new sandbox is placed only where its host has as much left.
fn capacity(before: &Snapshot, now: &Snapshot, host: &HostSeen) -> Option<String> {
    let was_there = |row: &Sandbox| {
        let seen = before.sandboxes.get(&row.id);
        seen.is_some_and(|seen| seen.host == Some(host.id))
    };
    let all = now.reserved_twice(host.id, |_| true);
    let rest = now.reserved_twice(host.id, was_there);
    // A resume is not placed, and may reserve more than the host gives.
    let has_grown = rest > before.reserved_twice(host.id, |_| true);
    // Nine tenths of the memory, promised twice.
    let gives_twice = host.memory_mib * 36 / 10;
    (all > rest && !has_grown && all > gives_twice).then(|| {
        format!(
            "host {} gives {} MiB, and {} MiB are reserved",
            host.id,
            gives_twice / 2,
            all / 2
        )
    })
}

/// No request lets a team run more than its limit.
fn quota(before: &Snapshot, now: &Snapshot) -> Vec<String> {
    // A report that undoes an inferred end is not asked for.
    let is_undone = |row: &Sandbox| {
        let seen = before.sandboxes.get(&row.id);
        seen.is_some_and(|seen| seen.state.is_final() && !row.state.is_final())
    };
    if now.sandboxes.values().any(is_undone) {
        return Vec::new();
    }
    let teams: std::collections::BTreeSet<_> = now.sandboxes.values().map(|row| row.team).collect();
    let mut wrong = Vec::new();
    for team in teams {
        let (was, is) = (before.wanted(team), now.wanted(team));
        if is > was && is > now.running_max {
            wrong.push(format!("team {team} runs {is} sandboxes"));
        }
    }
    wrong
}

/// What was acknowledged is true until something else happens.
fn promise(now: &Snapshot, book: &Book, id: SandboxId) -> Option<String> {
    let known = book.known.get(&id)?;
    let Some(row) = now.sandboxes.get(&id) else {
        return Some(format!("{id} was acknowledged and has no row"));
    };
    if known.is_destroyed && !row.state.is_final() {
        return Some(format!("{id} was destroyed and is {}", row.state));
    }
    let was_drained = row
        .host
        .and_then(|host| now.host(host))
        .is_some_and(|host| host.was_drained);
    let is_overdue = row.timeouts.overdue(now.now, row.last_active_at).is_some();
    let is_kept = match known.promised? {
        Desired::Gone => row.state.is_final(),
        Desired::Running if was_drained || is_overdue => true,
        Desired::Running => {
            row.desired == Desired::Running
                && matches!(row.state, SandboxState::Running | SandboxState::Missing)
        }
        Desired::Paused => (row.desired, row.state) == (Desired::Paused, SandboxState::Paused),
    };
    (!is_kept).then(|| {
        format!(
            "{id} was acknowledged as {:?} and is {:?}, desired {:?}",
            known.promised, row.state, row.desired
        )
    })
}

/// What is wrong when nothing happens any more: the database and the hosts agree, cell by cell.
pub(super) fn after_healing(now: &Snapshot) -> Vec<String> {
    let mut wrong = Vec::new();
    for row in now.sandboxes.values() {
        let id = row.id;
        let next = next_action(row.desired, row.state);
        if next.is_some() || row.cleanup_pending {
            wrong.push(format!(
                "{id} stays {}, desired {:?}, next {next:?}, cleanup pending: {}",
                row.state, row.desired, row.cleanup_pending
            ));
        }
        wrong.extend(agreement(now, row));
    }
    for host in &now.hosts {
        for (id, report) in &host.held {
            let row = now.sandboxes.get(id);
            if host.has_row && row.is_none_or(|row| row.host != Some(host.id)) {
                wrong.push(format!("a host holds {id}, which is not on the host"));
            }
            if !host.has_row && report.state == ReportedState::Running {
                wrong.push(format!("{id} runs on a deleted host"));
            }
        }
    }
    wrong
}

/// A row against the report of its host.
fn agreement(now: &Snapshot, row: &Sandbox) -> Option<String> {
    let id = row.id;
    let host = row.host.and_then(|host| now.host(host));
    let report = host.and_then(|host| host.held.get(&id));
    let state = report.map(|report| report.state);
    let agrees = match row.state {
        SandboxState::Running => state == Some(ReportedState::Running),
        SandboxState::Paused => state == Some(ReportedState::Paused),
        SandboxState::Stopped { .. } | SandboxState::Error { .. } => {
            // The agent of a deleted host keeps its files.
            state.is_none() || host.is_some_and(|host| !host.has_row)
        }
        SandboxState::Pending | SandboxState::Starting | SandboxState::Missing => false,
    };
    if !agrees {
        return Some(format!(
            "{id} is {:?}, desired {:?}, and its host has {state:?}",
            row.state, row.desired
        ));
    }
    let report = report.filter(|_| !row.state.is_final())?;
    let is_same = report.generation == row.generation
        && (report.timeouts == row.timeouts || row.state == SandboxState::Paused);
    (!is_same).then(|| {
        format!(
            "{id} has generation {} and {:?}; its host has {} and {:?}",
            row.generation, row.timeouts, report.generation, report.timeouts
        )
    })
}
