//! The order in which an agent writes: its calls are recorded, cut at every point, and what a crash would leave there is
//! read by the rules of adoption. Whatever was answered before the cut holds.

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

/// What a host holds of a sandbox.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Held {
    /// Nothing that was promised.
    Nothing,
    /// And the image that it was resumed from.
    Running(Option<u32>),
    Paused(u32),
    /// For ever.
    Gone,
}

/// One order, when it was given, when its answer had come, and what it promised.
#[derive(Debug)]
struct Step {
    sandbox: SandboxId,
    generation: i64,
    begin: f64,
    end: f64,
    after: Held,
}

fn now() -> f64 {
    let since = SystemClock::shared().now() - chrono::DateTime::UNIX_EPOCH;
    since.to_std().unwrap().as_secs_f64()
}

/// Gives orders and notes what they promised.
struct Story<'a> {
    host: &'a HostProcess,
    steps: Vec<Step>,
}

impl Story<'_> {
    async fn step(
        &mut self,
        sandbox: SandboxId,
        generation: i64,
        after: Held,
        order: impl Future<Output = Result<(), AgentError>>,
    ) {
        let begin = now();
        let answer = order.await;
        let expected = matches!(answer, Ok(()) | Err(AgentError::NotFound));
        assert!(expected, "{answer:?} {}", self.host.log());
        self.steps.push(Step {
            sandbox,
            generation,
            begin,
            end: now(),
            after,
        });
    }

    /// A whole life, with an order that finds its work done and one that changes nothing but a number.
    async fn live(&mut self, wanted: &SandboxSpec) {
        let (client, id) = (self.host.client(), wanted.order.sandbox);
        let order = |generation| Order {
            sandbox: id,
            generation,
            write_mark: None,
        };
        let created = async { client.create_sandbox(wanted.clone()).await.map(drop) };
        self.step(id, 1, Held::Running(None), created).await;
        for (generation, image) in [(2, 1), (5, 2), (8, 3)] {
            let paused = async { client.pause_sandbox(order(generation)).await.map(drop) };
            self.step(id, generation, Held::Paused(image), paused).await;
            let again = async { client.pause_sandbox(order(generation + 1)).await.map(drop) };
            self.step(id, generation + 1, Held::Paused(image), again)
                .await;
            if image < 3 {
                let resumed = async {
                    let resume = resume(wanted, generation + 2);
                    client.resume_sandbox(resume).await.map(drop)
                };
                self.step(id, generation + 2, Held::Running(Some(image)), resumed)
                    .await;
            }
        }
        let updated = async {
            let update = UpdateSandbox {
                order: order(10),
                timeouts: Timeouts {
                    timeout_sec: 77,
                    ..wanted.timeouts
                },
            };
            client.update_sandbox(update).await.map(drop)
        };
        self.step(id, 10, Held::Paused(3), updated).await;
        let destroyed = async { client.destroy_sandbox(order(11)).await };
        self.step(id, 11, Held::Gone, destroyed).await;
    }

    /// Ended while it runs, and before it was made at all.
    async fn end(&mut self, wanted: &SandboxSpec) {
        let (client, id) = (self.host.client(), wanted.order.sandbox);
        let created = async { client.create_sandbox(wanted.clone()).await.map(drop) };
        self.step(id, 1, Held::Running(None), created).await;
        for (sandbox, generation) in [(id, 2), (SandboxId::random(), 7)] {
            let order = Order {
                sandbox,
                generation,
                write_mark: None,
            };
            let destroyed = client.destroy_sandbox(order);
            self.step(sandbox, generation, Held::Gone, destroyed).await;
        }
    }
}

/// Where in the recording a step began, and where its answer was on its way.
fn place(step: &Step, events: &[Event]) -> (usize, usize) {
    let begin = events
        .iter()
        .position(|event| event.at >= step.begin)
        .unwrap_or_else(|| panic!("{step:?} wrote nothing; the last: {:?}", events.last()));
    let answered = events
        .iter()
        .rposition(|event| event.at <= step.end && event.call == Call::Reply)
        .expect("the step was answered");
    assert!(begin <= answered, "{step:?}");
    (begin, answered)
}

/// A step with its place in the recording and the files of the image that it promised.
struct Promise<'a> {
    step: &'a Step,
    begin: usize,
    answered: usize,
    image: BTreeMap<String, u32>,
}

fn image_files(sandbox: SandboxId, held: Held) -> Vec<String> {
    let (Held::Paused(image) | Held::Running(Some(image))) = held else {
        return Vec::new();
    };
    let names = ["memory", "devices", "disk"];
    let folder = sandbox.as_uuid();
    names
        .map(|name| format!("/sandboxes/{folder}/{name}.{image}"))
        .into()
}

fn promises<'a>(steps: &'a [Step], events: &[Event]) -> Vec<Promise<'a>> {
    let mut player = Player::new();
    let mut done = 0;
    let mut promises = Vec::new();
    for step in steps {
        let (begin, answered) = place(step, events);
        for event in &events[done..=answered] {
            player.play(&event.call);
        }
        done = answered + 1;
        let tree = player.disk.after(Crash::OfTheAgent);
        let image = image_files(step.sandbox, step.after)
            .into_iter()
            .map(|file| {
                let version = tree.get(&file).map(|content| content.version);
                (file, version.expect("an image that was answered for"))
            });
        promises.push(Promise {
            step,
            begin,
            answered,
            image: image.collect(),
        });
    }
    promises
}

/// The folder of a crash, made of the one of the crash before.
struct Wreck {
    folder: tempfile::TempDir,
    is: Tree,
}

impl Wreck {
    fn new() -> Self {
        Self {
            folder: tempfile::tempdir().unwrap(),
            is: Tree::from([("/".to_owned(), Content::default())]),
        }
    }

    fn become_like(&mut self, tree: &Tree) -> &Path {
        let folder = self.folder.path();
        let on_disk = |path: &str| folder.join(path.trim_start_matches('/'));
        let gone = |path: &&String| !tree.contains_key(*path);
        for path in self.is.keys().rev().filter(gone) {
            if path.ends_with('/') {
                std::fs::remove_dir(on_disk(path)).unwrap();
            } else {
                std::fs::remove_file(on_disk(path)).unwrap();
            }
        }
        for (path, content) in tree {
            let was = self.is.get(path);
            if !path.ends_with('/') && was != Some(content) {
                let bytes = content.text.clone().unwrap_or_default();
                std::fs::write(on_disk(path), bytes).unwrap();
            } else if was.is_none() {
                std::fs::create_dir(on_disk(path)).unwrap();
            }
        }
        self.is.clone_from(tree);
        folder
    }
}

/// What adoption would find, by sandbox, with the generation. Everything else that is wrong, in words.
fn found(folder: &Path, faults: &mut Vec<String>) -> BTreeMap<SandboxId, (Held, i64)> {
    if !folder.join("sandboxes").exists() {
        return BTreeMap::new();
    }
    let findings = examine(folder).unwrap();
    if !findings.unreadable.is_empty() {
        faults.push(format!("not readable: {:?}", findings.unreadable));
    }
    let buried: BTreeSet<_> = findings.buried.iter().copied().collect();
    for told in findings.told.iter().filter(|told| !buried.contains(told)) {
        faults.push(format!("{told} is told to have ended, and has not"));
    }
    let held = findings.held.iter().filter_map(|one| {
        let held = match (one.state, one.image) {
            (Some(ReportedState::Running), image) => Held::Running(image),
            (Some(ReportedState::Paused), Some(image)) => Held::Paused(image),
            _ => return None,
        };
        Some((one.sandbox, (held, one.generation)))
    });
    let gone = buried.iter().map(|sandbox| (*sandbox, (Held::Gone, 0)));
    held.chain(gone).collect()
}

/// Whether what is there after a crash behind `cut` calls is what was promised until then.
fn judge(cut: usize, promises: &[Promise], tree: &Tree, folder: &Path) -> Vec<String> {
    let mut faults = Vec::new();
    let found = found(folder, &mut faults);
    let sandboxes: BTreeSet<_> = promises.iter().map(|one| one.step.sandbox).collect();
    for sandbox in sandboxes {
        let of_it = || promises.iter().filter(|one| one.step.sandbox == sandbox);
        let last = of_it().rfind(|one| one.answered < cut);
        let under_way = of_it().find(|one| one.begin < cut && one.answered >= cut);
        let allowed: Vec<(Held, i64)> = match last {
            Some(one) => vec![(one.step.after, one.step.generation)],
            None => vec![(Held::Nothing, 0)],
        };
        let next = under_way.map(|one| (one.step.after, one.step.generation));
        let allowed: Vec<_> = allowed.into_iter().chain(next).collect();
        let (held, generation) = found.get(&sandbox).copied().unwrap_or((Held::Nothing, 0));
        let fits = |(allowed, least): &(Held, i64)| {
            *allowed == held && (held == Held::Gone || generation >= *least)
        };
        if !allowed.iter().any(fits) {
            faults.push(format!(
                "{sandbox} is {held:?} at {generation}, not one of {allowed:?}"
            ));
        }
        let image: BTreeMap<_, _> = of_it().flat_map(|one| one.image.clone()).collect();
        for file in image_files(sandbox, held) {
            let (is, should) = (tree.get(&file).map(|it| it.version), image.get(&file));
            if is.as_ref() != should {
                faults.push(format!("{file} is {is:?}, not {should:?}"));
            }
        }
    }
    faults
}

/// Cuts the recording at every point, until something is wrong. Answers how many crashes were looked at.
fn cut_everywhere(events: &[Event], promises: &[Promise]) -> Result<usize, String> {
    let (mut player, mut looked_at) = (Player::new(), 0);
    let mut wrecks = Crash::ALL.map(|crash| (crash, Wreck::new()));
    for (cut, event) in events.iter().enumerate() {
        player.play(&event.call);
        // What is promised or under way changes here, whatever is on the disk.
        let turns = promises
            .iter()
            .any(|one| one.begin == cut || one.answered == cut);
        for (crash, wreck) in &mut wrecks {
            looked_at += 1;
            let tree = player.disk.after(*crash);
            if !turns && wreck.is == tree {
                continue;
            }
            let faults = judge(cut + 1, promises, &tree, wreck.become_like(&tree));
            if !faults.is_empty() {
                let call = &event.call;
                return Err(format!("{crash:?} behind call {cut}, {call:?}: {faults:?}"));
            }
        }
    }
    Ok(looked_at)
}

/// Which syncs are left out, by path.
type Forgotten = fn(&str) -> bool;

/// The same recording without some of its syncs.
fn without(events: &[Event], forgotten: Forgotten) -> Vec<Event> {
    let mut events = events.to_vec();
    for event in &mut events {
        if let Call::BeginSync { path, .. } | Call::EndSync { path, .. } = &event.call
            && forgotten(path)
        {
            // Something in its place, so that every other call keeps its number.
            event.call = Call::BeginSync {
                path: "nowhere".to_owned(),
                number: usize::MAX,
            };
        }
    }
    events
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_was_answered_survives_a_crash_behind_any_write() {
    let host = HostProcess::start_traced().await;
    host.stocked().await;
    let mut story = Story {
        host: &host,
        steps: Vec::new(),
    };
    let shape = |memory_mib| SandboxSpec {
        memory_mib,
        ..spec()
    };
    // The first is made of a machine that waits, the second of its golden image.
    story.live(&shape(512)).await;
    story.live(&shape(256)).await;
    story.end(&shape(256)).await;
    let (steps, pool, trace) = (story.steps, host.pool(), host.trace());
    let text = host.stop_and_read(&trace).await;
    let events = trace::read(&text, pool.to_str().unwrap());
    let promises = promises(&steps, &events);
    let claimed = events.iter().any(|event| {
        matches!(&event.call, Call::Rename { from, to } if from.starts_with("warm/") && to.starts_with("sandboxes/"))
    });
    assert!(claimed, "a machine that waited became a sandbox");

    let looked_at = cut_everywhere(&events, &promises).unwrap();
    assert!(looked_at > 500, "{looked_at} crashes");

    // Each of the syncs is needed: without it something that was answered is lost.
    let needed: [(&str, Forgotten); 6] = [
        ("the pool", str::is_empty),
        ("a manifest", |path| path.contains("/.manifest.json.")),
        ("an image", |path| {
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
    for (what, forgotten) in needed {
        let events = without(&events, forgotten);
        let lost = cut_everywhere(&events, &promises);
        assert!(lost.is_err(), "nobody needs the sync of {what}");
    }
}
