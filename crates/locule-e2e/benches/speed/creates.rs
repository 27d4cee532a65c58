//! The floor, and creates compared with it: without a warm pool, with one, and in bursts; the round trip of a command.

use std::sync::Barrier;

use anyhow::{Context as _, Result};
use locule_e2e::clock;
use locule_e2e::statistics::{Figure, percentile, ratio};

use crate::floor::Floor;
use crate::rig::{Created, Rig, create, section, small, wait_for_pool};

/// Concurrent creates for each warm VM; the others find restored VMs.
const BURST: usize = 3;

/// Measures creates without a pool and the floor in turn, so that both see the same conditions.
pub(crate) fn floor_and_create(rig: &mut Rig, floor: &mut Floor) -> Result<()> {
    section("floor, and create without a pool");
    let (mut bare, mut created) = (Vec::new(), Vec::new());
    for round in 0..=rig.n {
        let prepared = floor.prepare()?;
        let one = floor.start(prepared)?;
        let sandbox = rig.create(&small())?;
        rig.destroy(&sandbox.id)?;
        // The first of each fills the caches for all later ones.
        if round > 0 {
            bare.push((clock::milliseconds(one.took), one.parts));
            created.push(sandbox);
        }
        floor.end(one)?;
    }
    let part = |at: usize| {
        let values: Vec<f64> = bare.iter().map(|(_, parts)| parts[at]).collect();
        percentile(&values, 50)
    };
    let figure = Figure::new("floor", "ms", bare.iter().map(|(took, _)| *took).collect()).note(format!(
        "QEMU's start to its control socket {:.0} ms, devices {:.0} ms, cont to the end of init {:.0} ms, command {:.0} ms (medians)",
        part(0), part(1), part(2), part(3)
    ));
    rig.floor_ms = figure.p50();
    rig.add(figure);
    let figure = first_exec(rig, "create→first exec, no pool", &created, 1.3);
    rig.add(figure);
    Ok(())
}

fn first_exec(rig: &Rig, name: &str, created: &[Created], limit: f64) -> Figure {
    let median =
        |part: fn(&Created) -> f64| percentile(&created.iter().map(part).collect::<Vec<_>>(), 50);
    let (create_ms, ready_ms) = (median(|one| one.create_ms), median(|one| one.ready_ms));
    let exec_ms = median(|one| one.first_exec_ms - one.create_ms);
    let values = created.iter().map(|one| one.first_exec_ms).collect();
    let figure = Figure::new(name, "ms", values);
    let value = ratio(figure.p50(), rig.floor_ms);
    figure.at_most("p50 / floor p50", value, limit).note(format!(
        "host agent {ready_ms:.0} ms, control plane and the rest of the create {:.0} ms, first exec {exec_ms:.0} ms (medians)",
        create_ms - ready_ms
    ))
}

pub(crate) fn create_from_pool(rig: &mut Rig) -> Result<()> {
    section("create with a pool");
    let mut created = Vec::new();
    for round in 0..=rig.n {
        wait_for_pool(rig, 1, 1)?;
        let sandbox = rig.create(&small())?;
        rig.destroy(&sandbox.id)?;
        if round > 0 {
            created.push(sandbox);
        }
    }
    let figure = first_exec(rig, "create→first exec, pool", &created, 0.2);
    rig.add(figure);
    Ok(())
}

/// Repeated bursts of three times as many creates as there are warm VMs.
pub(crate) fn burst(rig: &mut Rig, pool: usize) -> Result<()> {
    section("bursts");
    let (mut walls, mut each) = (Vec::new(), Vec::new());
    for round in 0..=rig.n {
        if round > 0 {
            wait_for_pool(rig, pool, BURST * pool)?;
        }
        let (wall, created) = one_burst(rig, BURST * pool)?;
        for sandbox in &created {
            rig.destroy(&sandbox.id)?;
        }
        // The first burst tells the pool the demand.
        if round > 0 {
            walls.push(wall);
            each.extend(created);
        }
    }
    let name = format!(
        "burst of {}, {BURST} × the pool's {pool} warm: each",
        BURST * pool
    );
    let values = each.iter().map(|one| one.first_exec_ms).collect();
    let figure = Figure::new(&name, "ms", values);
    let value = ratio(figure.p99(), rig.floor_ms);
    rig.add(figure.at_most("p99 / floor p50", value, 3.0));
    rig.add(Figure::new(
        &format!("burst of {}: wall", BURST * pool),
        "ms",
        walls,
    ));
    Ok(())
}

fn one_burst(rig: &Rig, count: usize) -> Result<(f64, Vec<Created>)> {
    let mut apis = Vec::new();
    for _ in 0..count {
        apis.push(rig.another_api()?);
    }
    let (gate, request) = (Barrier::new(count + 1), small());
    std::thread::scope(|scope| {
        let threads: Vec<_> = apis
            .iter_mut()
            .map(|api| {
                let (gate, request) = (&gate, &request);
                scope.spawn(move || {
                    gate.wait();
                    create(api, request)
                })
            })
            .collect();
        gate.wait();
        let begun = clock::now();
        let mut created = Vec::new();
        for thread in threads {
            let one = thread.join().ok().context("a client panicked")?;
            created.push(one?);
        }
        Ok((clock::milliseconds(clock::since(begun)), created))
    })
}

/// Runs `true` in one sandbox, directly and through the API in turn.
pub(crate) fn exec(rig: &mut Rig) -> Result<()> {
    section("exec");
    let sandbox = rig.create(&small())?;
    let guest = rig.guest(&sandbox.id)?;
    let (mut direct, mut through) = (Vec::new(), Vec::new());
    for round in 0..=rig.n * 3 {
        let ran = guest.run("/bin/true", &[])?;
        let answer = rig.api.exec(&sandbox.id, "/bin/true", &[])?;
        if round > 0 {
            direct.push(clock::milliseconds(ran.took));
            through.push(clock::milliseconds(answer.first_byte));
        }
    }
    rig.destroy(&sandbox.id)?;
    let direct = Figure::new("exec, direct", "ms", direct);
    let through = Figure::new("exec, API", "ms", through);
    let value = ratio(through.p50(), direct.p50());
    rig.add(direct);
    rig.add(through.at_most("p50 / direct p50", value, 3.0));
    Ok(())
}
