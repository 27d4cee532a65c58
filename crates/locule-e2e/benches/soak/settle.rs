//! Observes a sandbox until its state is stable.

use std::time::Duration;

use locule_e2e::api::Api;
use locule_e2e::oracle::Seen;
use locule_e2e::{clock, host};

use crate::world::{Tracked, World};

/// How long a platform may take after a kill to know its sandboxes again.
const PATIENCE: Duration = Duration::from_mins(2);
/// How long a row and its host may disagree: as long as a report takes.
const AGREEMENT: Duration = Duration::from_secs(30);

/// The stable state. A state that is not allowed, or no stable state in time, is a fault.
pub(crate) fn settle(world: &World, api: &mut Api, tracked: &mut Tracked) -> Option<Seen> {
    let id = tracked.id.clone()?;
    let mut last = None;
    let settled = clock::until(PATIENCE, || {
        last = api.look(&id).or_else(|| last.take());
        if world.is_lost(tracked) && tracked.known.certain() != Some(Seen::Gone) {
            tracked.known.lose();
        }
        let (seen, why) = last.clone()?;
        tracked
            .known
            .clone()
            .observe(seen)
            .ok()
            .map(|()| (seen, why))
    });
    let Some((seen, why)) = settled.or(last) else {
        if world.quiet().is_some() {
            world.fault(&format!("{} {id} settles on nothing", tracked.label));
        }
        return None;
    };
    if let Err(wrong) = tracked.known.observe(seen) {
        world.fault(&format!("{} {id} {wrong} (reason {why:?})", tracked.label));
        // The fault is reported once.
        tracked.known.give_up();
        return None;
    }
    if seen == Seen::Gone && why == "vm_lost" && !world.is_lost(tracked) {
        world.fault(&format!(
            "{} {id} lost its VM without a kill",
            tracked.label
        ));
    }
    Some(seen)
}

/// The state once the row and the host agree and the processes match. Both are read each time, because an unacknowledged order
/// may still be carried out.
pub(crate) fn agrees(world: &World, api: &mut Api, tracked: &Tracked, seen: Seen) -> Seen {
    let Some(id) = tracked.id.as_deref() else {
        return seen;
    };
    let (mut last, mut wrong) = (seen, String::new());
    let right = clock::until(AGREEMENT, || {
        (last, _) = api.look(id)?;
        wrong = disagreement(world, id, last);
        wrong.is_empty().then_some(())
    });
    if right.is_none() && world.quiet().is_some() {
        world.fault(&format!("{} {id} is {last:?}, but {wrong}", tracked.label));
    }
    last
}

/// Empty when row and host agree.
fn disagreement(world: &World, id: &str, seen: Seen) -> String {
    let held = host::manifest_state(&world.pool, id);
    let found = held.as_ref().map_or("nothing", |held| held.is.as_str());
    match (seen, &held) {
        (Seen::Running, Some(held)) if held.is == "running" => {
            let vmm = held
                .slot
                .and_then(|slot| host::vmms(&world.instance).get(&slot).copied());
            if vmm.is_some() && vmm == held.vmm {
                String::new()
            } else {
                format!("the host's VMM {:?} is {vmm:?}", held.vmm)
            }
        }
        (Seen::Paused, Some(held)) if held.is == "paused" => {
            let image = held.image.unwrap_or(0);
            let missing: Vec<_> = ["memory", "devices", "disk"]
                .iter()
                .map(|what| format!("{what}.{image}"))
                .filter(|name| !held.folder.join(name).exists())
                .collect();
            if missing.is_empty() {
                String::new()
            } else {
                format!("the host lacks {}", missing.join(", "))
            }
        }
        (Seen::Gone, None) => String::new(),
        (Seen::Gone, Some(_)) if has_tombstone(world, id) => String::new(),
        _ => format!("the manifest on the host has {found}"),
    }
}

fn has_tombstone(world: &World, id: &str) -> bool {
    let name = id.trim_start_matches("sb-");
    world.pool.join("tombstones").join(name).exists()
}

/// Checks the files and the memory of a running sandbox.
pub(crate) fn check_contents(world: &World, api: &mut Api, tracked: &mut Tracked) {
    let Some(id) = tracked.id.clone() else {
        return;
    };
    if world.stub {
        model(world, &id, tracked);
        return;
    }
    let files: Vec<_> = tracked
        .known
        .files()
        .map(|(path, content)| (path.to_owned(), content.to_vec()))
        .collect();
    for (path, content) in files {
        let mark = world.quiet();
        match api.read(&id, &path) {
            Ok(answer) if answer.status == 200 => {
                world.count("file checked");
                if answer.body != content {
                    world.fault(&format!(
                        "{} {id}: {path} has {} bytes that are not the {} written",
                        tracked.label,
                        answer.body.len(),
                        content.len()
                    ));
                }
            }
            Ok(answer)
                if answer.status == 404
                    && mark.is_some()
                    && mark == world.quiet()
                    && !world.is_lost(tracked) =>
            {
                world.fault(&format!(
                    "{} {id}: {path} is not there: {}",
                    tracked.label,
                    answer.text()
                ));
            }
            // Kills cause errors; the sandbox is checked again later.
            Ok(_) | Err(_) => world.count("file not checked"),
        }
    }
}

/// Asks the stub VMM to check every page and block.
fn model(world: &World, id: &str, tracked: &mut Tracked) {
    let Ok(guest) = locule_e2e::guest::Guest::of(&world.pool, &world.instance, id) else {
        return;
    };
    let Ok(answer) = guest.call("/model", &[], &serde_json::Value::Null) else {
        return;
    };
    if answer.status != 200 {
        world.count(format!("model answered {}", answer.status));
        if answer.status == 401 {
            world.fault(&format!(
                "{} {id}: the guest in its place does not know its token",
                tracked.label
            ));
        }
        return;
    }
    world.count("model checked");
    let model = answer.json();
    if let Some(fault) = model["fault"].as_str() {
        world.fault(&format!("{} {id}: {fault}", tracked.label));
    }
    let ticks = model["ticks"].as_u64().unwrap_or(0);
    if let Err(wrong) = tracked.known.ticked(ticks) {
        world.fault(&format!("{} {id} {wrong}", tracked.label));
    }
}
