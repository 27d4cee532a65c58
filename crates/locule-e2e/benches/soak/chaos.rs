//! Kills one part after another, and waits after each kill until the platform works again.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use locule_e2e::oracle::{Order, Seen};
use locule_e2e::platform::{Part, send};
use locule_e2e::random::Random;
use locule_e2e::screen::note;
use locule_e2e::{clock, host};
use nix::sys::signal::Signal;
use serde_json::json;

use crate::checks;
use crate::world::{World, locked};

/// `up` stops restarting a part that exits five times a minute: kills must be much rarer.
const KILLS_MAX: usize = 2;
const KILLS_WITHIN: Duration = Duration::from_secs(70);
const RECOVERY: Duration = Duration::from_mins(3);
/// A sandbox whose VMM was killed is reported as stopped within this time.
const LOSS_TOLD: Duration = Duration::from_secs(5);

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Target {
    Part(Part),
    Up,
    Vmm,
}

const TARGETS: [Target; 8] = [
    Target::Part(Part::Agent),
    Target::Part(Part::Agent),
    Target::Part(Part::Serve),
    Target::Part(Part::Postgres),
    Target::Part(Part::Redis),
    Target::Up,
    Target::Vmm,
    Target::Vmm,
];

/// Kills until the deadline.
pub(crate) fn rage(world: &World, random: &mut Random, deadline: Duration) -> Result<()> {
    let mut kills: BTreeMap<Target, Vec<Duration>> = BTreeMap::new();
    let mut probes = 0;
    while clock::now() < deadline {
        std::thread::sleep(Duration::from_millis(500 + random.draw() % 3000));
        checks::look_around(world)?;
        let now = clock::now();
        let target = *random.one_of(&TARGETS).context("targets")?;
        let lately = kills.entry(target).or_default();
        lately.retain(|at| now.saturating_sub(*at) < KILLS_WITHIN);
        if target != Target::Vmm && lately.len() >= KILLS_MAX {
            continue;
        }
        lately.push(now);
        world.count(format!("kill {target:?}"));
        match target {
            Target::Vmm => kill_a_vmm(world, random)?,
            Target::Part(part) => {
                world.disturb();
                kill_part(world, part)?;
                recover(world, &mut probes)?;
                world.calm_again();
            }
            Target::Up => {
                world.disturb();
                kill_up(world)?;
                recover(world, &mut probes)?;
                world.calm_again();
            }
        }
    }
    Ok(())
}

fn kill_part(world: &World, part: Part) -> Result<()> {
    let platform = || locked(&world.platform);
    let Some(pid) = clock::until(RECOVERY, || platform().part(part)) else {
        bail!("there is no {part:?}");
    };
    send(pid, Signal::SIGKILL);
    let back = clock::until(RECOVERY, || {
        let mut platform = platform();
        if platform.ended().is_some() {
            return Some(false);
        }
        platform.part(part).filter(|now| *now != pid).map(|_| true)
    });
    match back {
        Some(true) => Ok(()),
        Some(false) => bail!(
            "locule up ended by itself after {part:?} was killed: {}",
            platform().last_words()
        ),
        None => bail!("{part:?} was killed and is not restarted"),
    }
}

/// Kills `up` alone. Its children must exit by themselves, so that the next `up` can start.
fn kill_up(world: &World) -> Result<()> {
    let mut platform = locked(&world.platform);
    let children = platform.pid().map(host::children).unwrap_or_default();
    platform.kill()?;
    let gone = clock::until(RECOVERY, || {
        let left = children
            .iter()
            .any(|pid| Path::new(&format!("/proc/{pid}/exe")).exists());
        (!left).then_some(())
    });
    gone.context("the children of a killed `up` do not exit")?;
    platform.start_again()
}

/// Waits until a sandbox can be created and destroyed again.
fn recover(world: &World, probes: &mut u32) -> Result<()> {
    let begun = clock::now();
    let mut api = world.api()?;
    let mut said = String::new();
    let recovered = clock::until(RECOVERY, || {
        *probes += 1;
        let label = format!("probe-{probes}");
        let shared = world.track(&label);
        let mut probe = locked(&shared);
        probe.known.begin(Order::Create);
        let created = api.create(&json!({ "labels": { "soak": label } }), None);
        let created = match created {
            Ok(answer) if answer.status == 201 => answer,
            Ok(answer) => {
                said = format!("{}: {}", answer.status, answer.text());
                return None;
            }
            Err(error) => {
                said = error.to_string();
                return None;
            }
        };
        probe.id = created.json()["id"].as_str().map(str::to_owned);
        probe.known.acknowledged(Order::Create);
        let id = probe.id.clone()?;
        probe.known.begin(Order::Kill);
        let killed = api.destroy(&id).ok()?;
        if killed.is_success() {
            probe.known.acknowledged(Order::Kill);
            return Some(());
        }
        said = format!("kill: {}: {}", killed.status, killed.text());
        None
    });
    recovered.with_context(|| format!("the platform does not recover: {said}"))?;
    let took = clock::since(begun);
    note(&format!(
        "soak: itself again after {:.1} s",
        took.as_secs_f64()
    ));
    Ok(())
}

fn kill_a_vmm(world: &World, random: &mut Random) -> Result<()> {
    let vmms: Vec<_> = host::vmms(&world.instance).into_iter().collect();
    let Some((slot, pid)) = random.one_of(&vmms).copied() else {
        return Ok(());
    };
    let held = host::all_manifests(&world.pool);
    let victim = held
        .into_iter()
        .find(|held| held.is == "running" && held.slot == Some(slot) && held.vmm == Some(pid));
    let Some(victim) = victim else {
        // The VM is in the warm pool, or is becoming a sandbox: that create may fail.
        world.disturb();
        send(pid, Signal::SIGKILL);
        std::thread::sleep(Duration::from_secs(1));
        world.calm_again();
        return Ok(());
    };
    world.lose(&victim.id);
    let all = world.everything();
    let idle = all.iter().find_map(|shared| {
        let tracked = shared.try_lock().ok()?;
        (tracked.id.as_deref() == Some(&victim.id)).then_some(tracked)
    });
    send(pid, Signal::SIGKILL);
    let Some(mut tracked) = idle else {
        return Ok(());
    };
    if tracked.known.certain() != Some(Seen::Running) {
        return Ok(());
    }
    let (mark, begun, mut api) = (world.quiet(), clock::now(), world.api()?);
    let mut seen = None;
    let told = clock::until(LOSS_TOLD, || {
        seen = api.look(&victim.id);
        matches!(&seen, Some((Seen::Gone, why)) if why == "vm_lost").then_some(())
    });
    let took = clock::since(begun).as_secs_f64();
    if told.is_some() {
        tracked.known.lost_for_certain();
    } else if mark.is_some() && mark == world.quiet() {
        world.fault(&format!(
            "{} {}: its VMM was killed, and after {took:.1} s it is {seen:?}",
            tracked.label, victim.id
        ));
    }
    Ok(())
}
