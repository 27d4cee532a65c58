//! The order of an agent's writes. A test records its system calls, cuts the recording at every point, and computes the files that
//! a crash there leaves. Adoption must find in them every result that was acknowledged before the cut.

mod disk;
mod trace;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use locule_agent::examine;
use locule_agent_api::{
    AgentError, HostAgent as _, Order, ReportedState, SandboxSpec, UpdateSandbox,
};
use locule_base::clock::SystemClock;
use locule_domain::Timeouts;
use locule_ids::SandboxId;

use self::disk::{Content, Crash, Tree};
use self::trace::{Call, Event, Player};
use crate::process::HostProcess;
use crate::rig::{resume, spec};

/// The state of a sandbox in the files of a host.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum StoredState {
    Absent,
    /// With the snapshot that the sandbox was resumed from.
    Running(Option<u32>),
    Paused(u32),
    Destroyed,
}

/// An order: the times of its start and of its answer, and the state that the answer promises.
#[derive(Debug)]
struct Step {
    sandbox: SandboxId,
    generation: i64,
    start: f64,
    end: f64,
    after: StoredState,
}

fn now() -> f64 {
    let since = SystemClock::shared().now() - chrono::DateTime::UNIX_EPOCH;
    since.to_std().unwrap().as_secs_f64()
}

/// Sends orders and records their promises.
struct Story<'a> {
    host: &'a HostProcess,
    steps: Vec<Step>,
}

impl Story<'_> {
    async fn step(
        &mut self,
        sandbox: SandboxId,
        generation: i64,
        after: StoredState,
        order: impl Future<Output = Result<(), AgentError>>,
    ) {
        let start = now();
        let answer = order.await;
        let expected = matches!(answer, Ok(()) | Err(AgentError::NotFound));
        assert!(expected, "{answer:?} {}", self.host.log());
        self.steps.push(Step {
            sandbox,
            generation,
            start,
            end: now(),
            after,
        });
    }

    /// Creates, pauses, resumes and destroys a sandbox. Some orders repeat a completed one, and one changes a number only.
    async fn run_through_all_states(&mut self, desired: &SandboxSpec) {
        let (client, id) = (self.host.client(), desired.order.sandbox);
        let order = |generation| Order {
            sandbox: id,
            generation,
            write_mark: None,
        };
        let created = async { client.create_sandbox(desired.clone()).await.map(drop) };
        self.step(id, 1, StoredState::Running(None), created).await;
        for (generation, snapshot) in [(2, 1), (5, 2), (8, 3)] {
            let paused = async { client.pause_sandbox(order(generation)).await.map(drop) };
            self.step(id, generation, StoredState::Paused(snapshot), paused)
                .await;
            let again = async { client.pause_sandbox(order(generation + 1)).await.map(drop) };
            self.step(id, generation + 1, StoredState::Paused(snapshot), again)
                .await;
            if snapshot < 3 {
                let resumed = async {
                    let resume = resume(desired, generation + 2);
                    client.resume_sandbox(resume).await.map(drop)
                };
                self.step(
                    id,
                    generation + 2,
                    StoredState::Running(Some(snapshot)),
                    resumed,
                )
                .await;
            }
        }
        let updated = async {
            let update = UpdateSandbox {
                order: order(10),
                timeouts: Timeouts {
                    timeout_sec: 77,
                    ..desired.timeouts
                },
            };
            client.update_sandbox(update).await.map(drop)
        };
        self.step(id, 10, StoredState::Paused(3), updated).await;
        let destroyed = async { client.destroy_sandbox(order(11)).await };
        self.step(id, 11, StoredState::Destroyed, destroyed).await;
    }

    /// Destroys a running sandbox, and one that does not exist.
    async fn destroy_early(&mut self, desired: &SandboxSpec) {
        let (client, id) = (self.host.client(), desired.order.sandbox);
        let created = async { client.create_sandbox(desired.clone()).await.map(drop) };
        self.step(id, 1, StoredState::Running(None), created).await;
        for (sandbox, generation) in [(id, 2), (SandboxId::random(), 7)] {
            let order = Order {
                sandbox,
                generation,
                write_mark: None,
            };
            let destroyed = client.destroy_sandbox(order);
            self.step(sandbox, generation, StoredState::Destroyed, destroyed)
                .await;
        }
    }
}

/// The positions in the recording at which a step started and its answer was sent.
fn place(step: &Step, events: &[Event]) -> (usize, usize) {
    let start = events
        .iter()
        .position(|event| event.at >= step.start)
        .unwrap_or_else(|| panic!("{step:?} wrote nothing; the last: {:?}", events.last()));
    let answered = events
        .iter()
        .rposition(|event| event.at <= step.end && event.call == Call::Reply)
        .expect("the step was answered");
    assert!(start <= answered, "{step:?}");
    (start, answered)
}

/// A step with its positions in the recording, and the files of the snapshot that its answer promises.
struct Promise<'a> {
    step: &'a Step,
    start: usize,
    answered: usize,
    snapshot: BTreeMap<String, u32>,
}

fn snapshot_files(sandbox: SandboxId, held: StoredState) -> Vec<String> {
    let (StoredState::Paused(snapshot) | StoredState::Running(Some(snapshot))) = held else {
        return Vec::new();
    };
    let names = ["memory", "devices", "disk"];
    let folder = sandbox.as_uuid();
    names
        .map(|name| format!("/sandboxes/{folder}/{name}.{snapshot}"))
        .into()
}

fn promises<'a>(steps: &'a [Step], events: &[Event]) -> Vec<Promise<'a>> {
    let mut player = Player::new();
    let mut done = 0;
    let mut promises = Vec::new();
    for step in steps {
        let (start, answered) = place(step, events);
        for event in &events[done..=answered] {
            player.play(&event.call);
        }
        done = answered + 1;
        let tree = player.disk.after(Crash::OfTheAgent);
        let snapshot = snapshot_files(step.sandbox, step.after)
            .into_iter()
            .map(|file| {
                let version = tree.get(&file).map(|content| content.version);
                (file, version.expect("an acknowledged snapshot"))
            });
        promises.push(Promise {
            step,
            start,
            answered,
            snapshot: snapshot.collect(),
        });
    }
    promises
}

/// The folder that a crash leaves. It is built from the folder of the previous crash.
struct CrashFolder {
    folder: tempfile::TempDir,
    tree: Tree,
}

impl CrashFolder {
    fn new() -> Self {
        Self {
            folder: tempfile::tempdir().unwrap(),
            tree: Tree::from([("/".to_owned(), Content::default())]),
        }
    }

    fn become_like(&mut self, tree: &Tree) -> &Path {
        let folder = self.folder.path();
        let on_disk = |path: &str| folder.join(path.trim_start_matches('/'));
        let gone = |path: &&String| !tree.contains_key(*path);
        for path in self.tree.keys().rev().filter(gone) {
            if path.ends_with('/') {
                std::fs::remove_dir(on_disk(path)).unwrap();
            } else {
                std::fs::remove_file(on_disk(path)).unwrap();
            }
        }
        for (path, content) in tree {
            let was = self.tree.get(path);
            if !path.ends_with('/') && was != Some(content) {
                let bytes = content.text.clone().unwrap_or_default();
                std::fs::write(on_disk(path), bytes).unwrap();
            } else if was.is_none() {
                std::fs::create_dir(on_disk(path)).unwrap();
            }
        }
        self.tree.clone_from(tree);
        folder
    }
}

/// The states and generations that adoption finds. Adds all other problems to `faults`.
fn found(folder: &Path, faults: &mut Vec<String>) -> BTreeMap<SandboxId, (StoredState, i64)> {
    if !folder.join("sandboxes").exists() {
        return BTreeMap::new();
    }
    let findings = examine(folder).unwrap();
    if !findings.unreadable.is_empty() {
        faults.push(format!("unreadable: {:?}", findings.unreadable));
    }
    let destroyed: BTreeSet<_> = findings.ended.iter().copied().collect();
    for told in findings
        .reported
        .iter()
        .filter(|told| !destroyed.contains(told))
    {
        faults.push(format!("{told} is reported as ended without a tombstone"));
    }
    let held = findings.active.iter().filter_map(|entry| {
        let held = match (entry.state, entry.snapshot) {
            (Some(ReportedState::Running), image) => StoredState::Running(image),
            (Some(ReportedState::Paused), Some(image)) => StoredState::Paused(image),
            _ => return None,
        };
        Some((entry.sandbox, (held, entry.generation)))
    });
    let gone = destroyed
        .iter()
        .map(|sandbox| (*sandbox, (StoredState::Destroyed, 0)));
    held.chain(gone).collect()
}

/// Compares the files that a crash leaves after `cut` calls with the promises made until then.
fn find_faults(cut: usize, promises: &[Promise], tree: &Tree, folder: &Path) -> Vec<String> {
    let mut faults = Vec::new();
    let found = found(folder, &mut faults);
    let sandboxes: BTreeSet<_> = promises
        .iter()
        .map(|promise| promise.step.sandbox)
        .collect();
    for sandbox in sandboxes {
        let of_it = || {
            promises
                .iter()
                .filter(|promise| promise.step.sandbox == sandbox)
        };
        let last = of_it().rfind(|promise| promise.answered < cut);
        let under_way = of_it().find(|promise| promise.start < cut && promise.answered >= cut);
        let allowed: Vec<(StoredState, i64)> = match last {
            Some(promise) => vec![(promise.step.after, promise.step.generation)],
            None => vec![(StoredState::Absent, 0)],
        };
        let next = under_way.map(|promise| (promise.step.after, promise.step.generation));
        let allowed: Vec<_> = allowed.into_iter().chain(next).collect();
        let (held, generation) = found
            .get(&sandbox)
            .copied()
            .unwrap_or((StoredState::Absent, 0));
        let fits = |(allowed, least): &(StoredState, i64)| {
            *allowed == held && (held == StoredState::Destroyed || generation >= *least)
        };
        if !allowed.iter().any(fits) {
            faults.push(format!(
                "{sandbox} is {held:?} at {generation}, not one of {allowed:?}"
            ));
        }
        let snapshot: BTreeMap<_, _> = of_it()
            .flat_map(|promise| promise.snapshot.clone())
            .collect();
        for file in snapshot_files(sandbox, held) {
            let (version, expected) = (tree.get(&file).map(|it| it.version), snapshot.get(&file));
            if version.as_ref() != expected {
                faults.push(format!("{file} is {version:?} instead of {expected:?}"));
            }
        }
    }
    faults
}

/// Cuts the recording at every point until a crash leaves a fault. Returns the number of crashes that were checked.
fn cut_everywhere(events: &[Event], promises: &[Promise]) -> Result<usize, String> {
    let (mut player, mut checked) = (Player::new(), 0);
    let mut folders = Crash::ALL.map(|crash| (crash, CrashFolder::new()));
    for (cut, event) in events.iter().enumerate() {
        player.play(&event.call);
        // The promises change here, even if the files do not.
        let promises_change = promises
            .iter()
            .any(|promise| promise.start == cut || promise.answered == cut);
        for (crash, folder) in &mut folders {
            checked += 1;
            let tree = player.disk.after(*crash);
            if !promises_change && folder.tree == tree {
                continue;
            }
            let faults = find_faults(cut + 1, promises, &tree, folder.become_like(&tree));
            if !faults.is_empty() {
                let call = &event.call;
                return Err(format!("{crash:?} after call {cut}, {call:?}: {faults:?}"));
            }
        }
    }
    Ok(checked)
}

/// Selects the syncs to leave out, by path.
type Omitted = fn(&str) -> bool;

/// The same recording without some of its syncs.
fn without(events: &[Event], omitted: Omitted) -> Vec<Event> {
    let mut events = events.to_vec();
    for event in &mut events {
        if let Call::BeginSync { path, .. } | Call::EndSync { path, .. } = &event.call
            && omitted(path)
        {
            // Replaced, not removed, so that every other call keeps its position.
            event.call = Call::BeginSync {
                path: "nowhere".to_owned(),
                number: usize::MAX,
            };
        }
    }
    events
}

#[tokio::test(flavor = "multi_thread")]
async fn every_acknowledged_result_survives_a_crash_after_any_write() {
    let host = HostProcess::start_traced().await;
    host.wait_for_warm_pool().await;
    let mut story = Story {
        host: &host,
        steps: Vec::new(),
    };
    let shape = |memory_mib| SandboxSpec {
        memory_mib,
        ..spec()
    };
    // The first sandbox comes from the warm pool, the second from its template snapshot.
    story.run_through_all_states(&shape(512)).await;
    story.run_through_all_states(&shape(256)).await;
    story.destroy_early(&shape(256)).await;
    let (steps, pool, trace) = (story.steps, host.pool(), host.trace());
    let text = host.stop_and_read(&trace).await;
    let events = trace::read(&text, pool.to_str().unwrap());
    let promises = promises(&steps, &events);
    let claimed = events.iter().any(|event| {
        matches!(&event.call, Call::Rename { from, to } if from.starts_with("warm/") && to.starts_with("sandboxes/"))
    });
    assert!(claimed, "a pooled VM must become a sandbox");

    let checked = cut_everywhere(&events, &promises).unwrap();
    assert!(checked > 500, "{checked} crashes");

    // Each of the syncs is needed: without it an acknowledged result is lost.
    let needed: [(&str, Omitted); 6] = [
        ("the pool", str::is_empty),
        ("a manifest", |path| path.contains("/.manifest.json.")),
        ("a snapshot", |path| {
            ["memory.", "devices.", "disk."]
                .iter()
                .any(|name| path.contains(name))
        }),
        ("a sandbox's folder", |path| {
            path.strip_prefix("sandboxes/")
                .is_some_and(|rest| !rest.contains('/'))
        }),
        ("the folder of sandboxes", |path| path == "sandboxes"),
        ("the folder of tombstones", |path| path == "tombstones"),
    ];
    for (what, omitted) in needed {
        let events = without(&events, omitted);
        let lost = cut_everywhere(&events, &promises);
        assert!(
            lost.is_err(),
            "no result is lost without the sync of {what}"
        );
    }
}
