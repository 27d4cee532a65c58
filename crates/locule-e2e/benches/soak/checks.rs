//! The checks during the soak, and of the resources that are left after it.

use std::collections::BTreeSet;
use std::fmt;
use std::path::Path;
use std::sync::atomic::Ordering;
use std::time::Duration;

use anyhow::{Context as _, Result};
use locule_e2e::api::Api;
use locule_e2e::oracle::{Order, Seen};
use locule_e2e::platform::Part;
use locule_e2e::screen::note;
use locule_e2e::{clock, host};

use crate::world::{Tracked, World, locked};
use crate::{revocations, settle};

const PATIENCE: Duration = Duration::from_mins(3);
const CLEAN_PATIENCE: Duration = Duration::from_mins(1);
/// A snapshot with more than about eight thousand extents is defragmented.
const EXTENTS_MAX: u64 = 20_000;

/// Checks the sandboxes that no worker uses at the moment, and that no destroyed sandbox is listed again.
pub(crate) fn look_around(world: &World) -> Result<()> {
    let mut api = world.api()?;
    if world.quiet().is_none() {
        return Ok(());
    }
    none_is_back(world, &mut api);
    for shared in world.everything() {
        let Ok(mut tracked) = shared.try_lock() else {
            continue;
        };
        if tracked.id.is_none() || tracked.known.certain() == Some(Seen::Gone) {
            continue;
        }
        if let Some(seen) = settle::settle(world, &mut api, &mut tracked) {
            settle::agrees(world, &mut api, &tracked, seen);
            count_extents(world, &tracked);
            world.count("looked at");
        }
    }
    Ok(())
}

/// Checks repeatedly until the deadline.
pub(crate) fn watch(world: &World, deadline: Duration) -> Result<()> {
    while clock::now() < deadline {
        std::thread::sleep(Duration::from_secs(1));
        look_around(world)?;
    }
    Ok(())
}

fn none_is_back(world: &World, api: &mut Api) {
    // Only sandboxes that ended before the list was requested: others may still be listed.
    let gone: BTreeSet<String> = world
        .everything()
        .iter()
        .filter_map(|shared| {
            let tracked = shared.try_lock().ok()?;
            let gone = tracked.known.certain() == Some(Seen::Gone);
            tracked.id.clone().filter(|_| gone)
        })
        .collect();
    for row in api.list().unwrap_or_default() {
        let id = row["id"].as_str().unwrap_or_default();
        if gone.contains(id) {
            world.fault(&format!("{id} had ended and is listed: {row}"));
        }
    }
}

fn count_extents(world: &World, tracked: &Tracked) {
    let held = tracked
        .id
        .as_deref()
        .and_then(|id| host::manifest_state(&world.pool, id));
    let Some((held, image)) = held.and_then(|held| Some((held.clone(), held.image?))) else {
        return;
    };
    let extents = host::extents(&held.folder.join(format!("memory.{image}"))).unwrap_or(0);
    world.extents.fetch_max(extents, Ordering::AcqRel);
    if extents > EXTENTS_MAX {
        world.fault(&format!(
            "{}: its image {image} has {extents} extents",
            held.id
        ));
    }
}

/// Every acknowledged sandbox exists, and has its files and its memory; every acknowledged revocation holds.
pub(crate) fn every_promise(world: &World) -> Result<()> {
    let mut api = world.api()?;
    none_is_back(world, &mut api);
    revocations::check_acknowledged(world, None);
    for shared in world.everything() {
        let mut tracked = locked(&shared);
        let Some(id) = tracked.id.clone() else {
            continue;
        };
        if tracked.known.certain() == Some(Seen::Gone) {
            continue;
        }
        let Some(seen) = settle::settle(world, &mut api, &mut tracked) else {
            world.fault(&format!("{} {id} cannot be looked at", tracked.label));
            continue;
        };
        let seen = settle::agrees(world, &mut api, &tracked, seen);
        if seen == Seen::Paused {
            tracked.known.begin(Order::Resume);
            match api.resume(&id) {
                Ok(answer) if answer.is_success() => tracked.known.acknowledged(Order::Resume),
                Ok(answer) => {
                    let label = &tracked.label;
                    world.fault(&format!(
                        "{label} {id} does not resume: {} {}",
                        answer.status,
                        answer.text()
                    ));
                }
                Err(error) => {
                    world.fault(&format!("{} {id} does not resume: {error}", tracked.label));
                }
            }
        }
        if seen != Seen::Gone {
            settle::check_contents(world, &mut api, &mut tracked);
            world.count("promise checked");
        }
    }
    Ok(())
}

/// Destroys every sandbox. A sandbox without a create is a fault.
pub(crate) fn kill_everything(world: &World) -> Result<()> {
    let mut api = world.api()?;
    let mut strangers = BTreeSet::new();
    let emptied = clock::until(PATIENCE, || {
        let rows = api.list().ok()?;
        for row in &rows {
            let id = row["id"].as_str().unwrap_or_default();
            let label = row["labels"]["soak"].as_str().unwrap_or_default();
            match world.by_label(label) {
                Some(shared) => end(world, &mut api, &mut locked(&shared), id),
                None if strangers.insert(id.to_owned()) => {
                    // The sandbox that `up` creates as a self-test ends by itself.
                    if row["labels"]["purpose"] != "proof" {
                        world.fault(&format!("sandbox {id} was never created: {row}"));
                    }
                }
                None => drop(api.destroy(id)),
            }
        }
        rows.is_empty().then_some(())
    });
    if emptied.is_none() {
        world.fault(&format!(
            "sandboxes cannot be ended: {:?}",
            api.list().map(|rows| rows.len())
        ));
    }
    Ok(())
}

fn end(world: &World, api: &mut Api, tracked: &mut Tracked, id: &str) {
    match tracked.id.as_deref() {
        None => {
            world.count("made without an acknowledgement");
            tracked.id = Some(id.to_owned());
        }
        Some(known) if known != id => {
            world.fault(&format!("{} is {known}, and also {id}", tracked.label));
        }
        Some(_) => {}
    }
    tracked.known.begin(Order::Kill);
    if api.destroy(id).is_ok_and(|answer| answer.is_success()) {
        tracked.known.acknowledged(Order::Kill);
    }
}

/// Without sandboxes, the host has only the resources of the warm pool.
pub(crate) fn host_is_clean(world: &World) {
    let mut left = String::new();
    let clean = clock::until(CLEAN_PATIENCE, || {
        let waiting = host::pooled(&world.pool);
        let keys = |map: std::collections::BTreeMap<u16, u32>| map.into_keys().collect();
        let found: [(&str, BTreeSet<u16>); 4] = [
            ("VMMs", keys(host::vmms(&world.instance))),
            ("namespaces", host::namespaces(&world.instance)),
            ("interfaces", host::interfaces(&world.instance)),
            ("control sockets", host::control_sockets(&world.instance)),
        ];
        let folders = host::folders(&world.pool);
        left = found
            .iter()
            .filter(|(_, slots)| *slots != waiting)
            .map(|(what, slots)| format!("{what} of slots {slots:?}"))
            .chain((folders > 0).then(|| format!("{folders} folders of sandboxes")))
            .collect::<Vec<_>>()
            .join(", ");
        left.is_empty().then_some(())
    });
    if clean.is_none() {
        let waiting = host::pooled(&world.pool);
        world.fault(&format!(
            "without sandboxes the host has {left}; waiting {waiting:?}"
        ));
    }
}

/// The resources of a platform without sandboxes.
#[derive(Debug, Clone)]
pub(crate) struct Size {
    waiting: usize,
    descriptors: [usize; 2],
    threads: [usize; 2],
    private_kib: [u64; 2],
    processes: usize,
    namespaces: usize,
    pool_bytes: u64,
    pool_files: u64,
    extents: u64,
}

impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "agent/serve: descriptors {:?}, threads {:?}, private KiB {:?}; processes {}, namespaces {}, waiting {}, pool {} MiB in {} files, extents at most {}",
            self.descriptors,
            self.threads,
            self.private_kib,
            self.processes,
            self.namespaces,
            self.waiting,
            self.pool_bytes >> 20,
            self.pool_files,
            self.extents
        )
    }
}

impl Size {
    /// Waits for a full warm pool first: its VMs use descriptors and memory too.
    pub(crate) fn of(world: &World) -> Result<Self> {
        let full = || {
            let count = host::pooled(&world.pool).len();
            (count >= 3 && host::vmms(&world.instance).len() == count).then_some(())
        };
        if clock::until(CLEAN_PATIENCE, full).is_none() {
            note("soak: the warm pool does not fill up");
        }
        let platform = locked(&world.platform);
        let agent = platform.part(Part::Agent).context("the agent")?;
        let serve = platform.part(Part::Serve).context("serve")?;
        let waiting = host::pooled(&world.pool).len();
        let (pool_bytes, files) = host::used(&world.pool);
        let tombstones = std::fs::read_dir(world.pool.join("tombstones"))?.count();
        Ok(Self {
            waiting,
            descriptors: [agent, serve].map(host::descriptors),
            threads: [agent, serve].map(host::threads),
            private_kib: [agent, serve].map(host::private_kib),
            processes: host::vmms(&world.instance).len(),
            namespaces: host::namespaces(&world.instance).len(),
            pool_bytes,
            pool_files: files.saturating_sub(u64::try_from(tombstones)?),
            extents: world.extents.load(Ordering::Acquire),
        })
    }
}

/// No resource grew by more than its tolerance.
pub(crate) fn compare(world: &World, before: &Size, after: &Size) {
    let grew = |what: &str, before: u64, after: u64, tolerance: u64| {
        if after > before + tolerance {
            world.fault(&format!("{what} grew from {before} to {after} in one lap"));
        }
    };
    let wide = |count: usize| u64::try_from(count).unwrap_or(u64::MAX);
    for (at, part) in ["agent", "serve"].iter().enumerate() {
        let (then, now) = (wide(before.descriptors[at]), wide(after.descriptors[at]));
        grew(&format!("descriptors of {part}"), then, now, 12);
        let (then, now) = (before.private_kib[at], after.private_kib[at]);
        grew(&format!("memory of {part} (KiB)"), then, now, 24 * 1024);
    }
    let others = |size: &Size, count: usize| wide(count.saturating_sub(size.waiting));
    let (then, now) = (
        others(before, before.processes),
        others(after, after.processes),
    );
    grew("VMMs", then, now, 0);
    let (then, now) = (
        others(before, before.namespaces),
        others(after, after.namespaces),
    );
    grew("namespaces", then, now, 0);
    grew(
        "bytes of the pool",
        before.pool_bytes,
        after.pool_bytes,
        96 << 20,
    );
    grew("files of the pool", before.pool_files, after.pool_files, 32);
}

/// Sends Ctrl-C, and checks that no resource is left on the machine.
pub(crate) fn clean_end(world: &World) -> Result<()> {
    let mut platform = locked(&world.platform);
    platform.stop()?;
    let folder = platform.folder().to_string_lossy().into_owned();
    let instance = &world.instance;
    let mounts = std::fs::read_to_string("/proc/self/mounts")?;
    let free = clock::until(CLEAN_PATIENCE, || {
        (host::loops_on(&folder) == 0).then_some(())
    });
    let left = [
        ("VMMs", !host::vmms(instance).is_empty()),
        ("namespaces", !host::namespaces(instance).is_empty()),
        ("interfaces", !host::interfaces(instance).is_empty()),
        ("packet rules", host::has_rules(instance)),
        ("a mount", mounts.contains(&folder)),
        ("a loop device", free.is_none()),
    ];
    for (what, _) in left.iter().filter(|(_, left)| *left) {
        world.fault(&format!("{what} are left after the stop"));
    }
    let sockets = format!("/run/locule-{instance}");
    if Path::new(&sockets).exists() {
        std::fs::remove_dir_all(&sockets)?;
    }
    Ok(())
}
