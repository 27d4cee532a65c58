//! One user: creates, uses, pauses, resumes and destroys sandboxes, and records every acknowledgement.

use std::io;
use std::time::Duration;

use anyhow::Result;
use locule_e2e::api::Api;
use locule_e2e::clock;
use locule_e2e::http::Answer;
use locule_e2e::oracle::{Order, Seen};
use locule_e2e::random::Random;
use serde_json::{Value, json};

use crate::settle;
use crate::world::{Shared, Tracked, World, locked};

/// Limit of the sandboxes of one user.
const OWNED_MAX: usize = 3;
/// How long a create without a response is repeated.
const RETRY: Duration = Duration::from_mins(3);
const FILE_BYTES_MAX: usize = 200_000;

pub(crate) struct Worker<'a> {
    world: &'a World,
    name: String,
    pub(crate) api: Api,
    pub(crate) random: Random,
    pub(crate) owned: Vec<Shared>,
    made: usize,
}

/// Works until the soak stops.
pub(crate) fn work(world: &World, index: usize, random: Random) -> Result<()> {
    let mut worker = Worker::new(world, &format!("w{index}"), random)?;
    while !world.stopping() {
        if worker.owned.len() < OWNED_MAX && worker.random.percent(40) || worker.owned.is_empty() {
            worker.create();
        } else {
            worker.use_one();
        }
    }
    Ok(())
}

impl<'a> Worker<'a> {
    pub(crate) fn new(world: &'a World, name: &str, mut random: Random) -> Result<Self> {
        Ok(Self {
            world,
            name: format!("{name}-{:x}", random.draw() & 0xffff),
            api: world.api()?,
            random,
            owned: Vec::new(),
            made: 0,
        })
    }

    pub(crate) fn create(&mut self) {
        self.made += 1;
        let label = format!("{}-{}", self.name, self.made);
        let shared = self.world.track(&label);
        let request = json!({ "labels": { "soak": label } });
        // With an idempotency key the create is repeated; without a key the sandbox is searched by its label.
        let key = self.random.percent(50).then(|| label.clone());
        let mut tracked = locked(&shared);
        tracked.known.begin(Order::Create);
        let mut answer = self.ask("create", &tracked, |api| {
            api.create(&request, key.as_deref())
        });
        if let (None, Some(key)) = (&answer, &key) {
            answer = self.create_again(&request, key);
        }
        // The same key returns the same sandbox, also a failed one: that does not acknowledge a running sandbox.
        let created =
            answer.filter(|answer| answer.status == 201 && answer.json()["status"] == "running");
        let id = created.and_then(|answer| answer.json()["id"].as_str().map(str::to_owned));
        match id {
            Some(id) => {
                tracked.id = Some(id);
                tracked.known.acknowledged(Order::Create);
            }
            None => self.find(&mut tracked),
        }
        let known = tracked.id.is_some();
        drop(tracked);
        if known {
            self.owned.push(shared);
        }
    }

    /// Repeats a create until its result is known. The key also keeps an error, which is then the result.
    fn create_again(&mut self, request: &Value, key: &str) -> Option<Answer> {
        let deadline = clock::now() + RETRY;
        while clock::now() < deadline {
            std::thread::sleep(Duration::from_millis(200));
            let mark = self.world.quiet();
            let Ok(answer) = self.counted("create again", |api| api.create(request, Some(key)))
            else {
                continue;
            };
            let undisturbed = mark.is_some() && mark == self.world.quiet();
            let body = answer.json();
            match (answer.status, body["error"]["code"].as_str()) {
                // The first attempt is in progress.
                (409, _) => {}
                // The server is down. In quiet times it is the kept error of an attempt that the database left.
                (503, Some("not_ready")) if !undisturbed => {}
                _ => return answer.is_success().then_some(answer),
            }
        }
        self.world.fault(&format!(
            "the result of the create with key {key} stays unknown"
        ));
        None
    }

    /// Searches for the sandbox of an unacknowledged create.
    fn find(&mut self, tracked: &mut Tracked) {
        let listed = self.api.list().unwrap_or_default();
        let found: Vec<_> = listed
            .iter()
            .filter(|row| row["labels"]["soak"] == tracked.label.as_str())
            .filter_map(|row| row["id"].as_str())
            .collect();
        if found.len() > 1 {
            let label = &tracked.label;
            self.world
                .fault(&format!("a single create of {label} created {found:?}"));
        }
        tracked.id = found.first().map(|id| (*id).to_owned());
    }

    /// Sends and counts a request; `None` when it was not acknowledged. An error while no part is killed is a fault.
    fn ask(
        &mut self,
        what: &str,
        tracked: &Tracked,
        call: impl FnOnce(&mut Api) -> io::Result<Answer>,
    ) -> Option<Answer> {
        let mark = self.world.quiet();
        let answer = self.counted(what, call);
        let undisturbed = mark.is_some() && mark == self.world.quiet();
        let excused = self.world.is_lost(tracked) || !undisturbed;
        match answer {
            Ok(answer) if answer.is_success() => Some(answer),
            Ok(answer) => {
                let certain = tracked.known.certain().is_some() || what == "create";
                if !excused && (answer.status >= 500 || certain) {
                    let id = tracked.id.as_deref().unwrap_or_default();
                    self.world.fault(&format!(
                        "{what} of {} {id} answered {} in quiet times: {}",
                        tracked.label,
                        answer.status,
                        answer.text()
                    ));
                }
                None
            }
            Err(error) => {
                if !excused {
                    self.world.fault(&format!(
                        "{what} of {} got no answer in quiet times: {error}",
                        tracked.label
                    ));
                }
                None
            }
        }
    }

    /// Sends a request and counts it by its result.
    fn counted(
        &mut self,
        what: &str,
        call: impl FnOnce(&mut Api) -> io::Result<Answer>,
    ) -> io::Result<Answer> {
        let answer = call(&mut self.api);
        match &answer {
            Ok(answer) if answer.is_success() => self.world.count(what),
            Ok(answer) => {
                self.world.count(format!("{what} {}", answer.status));
                if matches!(answer.status, 401 | 403) {
                    let said = answer.text();
                    self.world
                        .fault(&format!("{what} by a key that is not revoked: {said}"));
                }
            }
            Err(_) => {
                self.world.count(format!("{what} unanswered"));
                std::thread::sleep(Duration::from_millis(100));
            }
        }
        answer
    }

    pub(crate) fn order(&mut self, tracked: &mut Tracked, order: Order) -> bool {
        let Some(id) = tracked.id.clone() else {
            return false;
        };
        let answer = match order {
            Order::Pause => self.ask("pause", tracked, |api| api.pause(&id)),
            Order::Resume => self.ask("resume", tracked, |api| api.resume(&id)),
            Order::Kill => self.ask("kill", tracked, |api| api.destroy(&id)),
            Order::Create => None,
        };
        // Recorded afterwards, so that a refusal is judged by the previous state. The lock keeps other threads out.
        tracked.known.begin(order);
        if answer.is_some() {
            tracked.known.acknowledged(order);
        }
        if order != Order::Kill && self.world.is_lost(tracked) {
            tracked.known.lose();
        }
        answer.is_some()
    }

    fn use_one(&mut self) {
        let at = self.random.below(self.owned.len());
        let shared = self.owned[at].clone();
        let mut tracked = locked(&shared);
        let Some(seen) = settle::settle(self.world, &mut self.api, &mut tracked) else {
            drop(tracked);
            self.owned.remove(at);
            return;
        };
        // The first sandbox of each user grows old; only others are destroyed.
        let may_kill = at > 0;
        let mut gone = seen == Seen::Gone;
        match (seen, self.random.below(100)) {
            (Seen::Gone, _) => {}
            (_, 0..12) if may_kill => gone = self.order(&mut tracked, Order::Kill),
            (Seen::Running, 0..40) => {
                self.order(&mut tracked, Order::Pause);
            }
            (Seen::Paused, _) => {
                if self.order(&mut tracked, Order::Resume) {
                    settle::check_contents(self.world, &mut self.api, &mut tracked);
                }
            }
            (Seen::Running, 40..60) => {
                settle::check_contents(self.world, &mut self.api, &mut tracked);
            }
            (Seen::Running, _) if self.world.stub => {
                settle::check_contents(self.world, &mut self.api, &mut tracked);
            }
            (Seen::Running, 60..80) => self.exec(&mut tracked),
            (Seen::Running, _) => self.write(&mut tracked),
        }
        drop(tracked);
        if gone {
            self.owned.remove(at);
        }
    }

    fn exec(&mut self, tracked: &mut Tracked) {
        let Some(id) = tracked.id.clone() else { return };
        let word = format!("{:x}", self.random.draw());
        let answer = self.ask("exec", tracked, |api| api.exec(&id, "echo", &[&word]));
        if let Some(answer) = answer {
            let output = answer.json()["stdout"]
                .as_str()
                .unwrap_or_default()
                .to_owned();
            if output.trim() != word {
                self.world.fault(&format!(
                    "{} {id}: echo {word} printed {output:?}",
                    tracked.label
                ));
            }
        }
    }

    /// Writes a file on disk or in memory. Each name is written once, so that a lost response leaves no ambiguity.
    fn write(&mut self, tracked: &mut Tracked) {
        let Some(id) = tracked.id.clone() else { return };
        let folder = if self.random.percent(50) {
            "/home/user"
        } else {
            "/dev/shm"
        };
        let path = format!("{folder}/f{:x}", self.random.draw());
        let length = self.random.below(FILE_BYTES_MAX);
        let word = self.random.draw().to_le_bytes();
        let content: Vec<u8> = word.iter().copied().cycle().take(length).collect();
        if self
            .ask("write", tracked, |api| api.write(&id, &path, &content))
            .is_some()
        {
            tracked.known.wrote(&path, &content);
        }
    }
}
