//! Takes rights away while their holders are connected: keys are revoked, members removed, logins ended. Within [`WITHIN`] of a
//! platform that is up, the connections of the caller are closed and its requests refused; other callers' go on. A revocation
//! that was acknowledged stays, whatever is killed.
//!
//! ```text
//! join, make a key ─► callers connect ─► open everything ─► revoke ─► victims: closed and refused · bystanders: neither
//! ```

use std::time::Duration;

use anyhow::Result;
use locule_e2e::api::Credential;
use locule_e2e::clock;
use locule_e2e::oracle::{Order, Seen};
use locule_e2e::random::Random;

use crate::caller::{Caller, SERVER, Tried};
use crate::people::{People, Person};
use crate::settle;
use crate::worker::Worker;
use crate::world::{Shared, Tracked, World, locked};

/// What the documentation promises.
const WITHIN: Duration = Duration::from_secs(15);
const SERVER_TIMEOUT: Duration = Duration::from_mins(1);
const POLL: Duration = Duration::from_millis(250);
/// The pause between two revocations. It keeps them below the rates of keys and invitations.
const PAUSE: Duration = Duration::from_secs(2);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Loss {
    Key,
    Member,
    Login,
}

struct Revoker<'a> {
    world: &'a World,
    worker: Worker<'a>,
    people: People<'a>,
    /// Never loses anything.
    keeper: Person,
    keeper_key: Credential,
    victims: Vec<Person>,
}

/// Revokes until the soak stops.
pub(crate) fn revoke(world: &World, random: Random) -> Result<()> {
    let people = People::new(world)?;
    let mut keeper = People::person("keeper");
    people.join(&mut keeper)?;
    let (_, keeper_key) = people.new_key(&keeper)?;
    let mut revoker = Revoker {
        world,
        worker: Worker::new(world, "revoker", random)?,
        people,
        keeper,
        keeper_key,
        victims: (0..4)
            .map(|n| People::person(&format!("victim{n}")))
            .collect(),
    };
    while !world.stopping() {
        if let Some(shared) = revoker.running() {
            revoker.act(&mut locked(&shared))?;
        }
        check_acknowledged(world, Some(&mut revoker.worker.random));
        let next = clock::now() + PAUSE;
        while clock::now() < next && !world.stopping() {
            std::thread::sleep(POLL);
        }
    }
    Ok(())
}

impl Revoker<'_> {
    /// A sandbox of the revoker that runs, made anew when there is none.
    fn running(&mut self) -> Option<Shared> {
        if self.worker.owned.is_empty() {
            self.worker.create();
        }
        let shared = self.worker.owned.first()?.clone();
        let mut tracked = locked(&shared);
        let seen = settle::settle(self.world, &mut self.worker.api, &mut tracked);
        let runs = match seen {
            Some(Seen::Running) => true,
            Some(Seen::Paused) => self.worker.order(&mut tracked, Order::Resume),
            Some(Seen::Gone) | None => {
                self.worker.owned.clear();
                false
            }
        };
        drop(tracked);
        runs.then_some(shared)
    }

    /// One revocation, with everybody connected.
    fn act(&mut self, tracked: &mut Tracked) -> Result<()> {
        let (world, mark) = (self.world, self.world.quiet());
        let Some(id) = tracked.id.clone() else {
            return Ok(());
        };
        let random = &mut self.worker.random;
        let loss = *random
            .one_of(&[Loss::Key, Loss::Member, Loss::Login])
            .unwrap_or(&Loss::Key);
        let at = random.below(self.victims.len());
        if !world.stub {
            self.start_server(tracked, &id);
        }
        let mut person = self.victims[at].clone();
        self.people.join(&mut person)?;
        self.victims[at] = person.clone();
        let (key_id, key) = self.people.new_key(&person)?;
        let callers = [
            ("the victim's login", person.credential(), loss != Loss::Key),
            ("the victim's key", key, loss != Loss::Login),
            ("the keeper's login", self.keeper.credential(), false),
            ("the keeper's key", self.keeper_key.clone(), false),
        ];
        let (mut losing, mut keeping) = (Vec::new(), Vec::new());
        for (name, credential, loses) in callers {
            let made = Caller::new(world, name.to_owned(), credential, &id);
            let opened = made.and_then(|mut caller| {
                let opened = caller.open(world, &id);
                let list = if loses { &mut losing } else { &mut keeping };
                list.push(caller);
                opened
            });
            if let Err(why) = opened
                && self.undisturbed(tracked, mark)
            {
                world.fault(&format!("{name} cannot use {id}: {why}"));
            }
        }
        match loss {
            Loss::Key => self.people.revoke_key(&person, &key_id)?,
            Loss::Member => self.people.remove(&person)?,
            Loss::Login => {
                self.people.log_out(&person)?;
                self.victims[at].forget_login();
            }
        }
        world.count(format!("revoke {loss:?}"));
        self.until_cut(tracked, &id, mark, &mut losing);
        for caller in &mut keeping {
            self.goes_on(tracked, &id, mark, caller);
        }
        let mut revoked = locked(&world.revoked);
        for caller in losing {
            // A removed member's login is for the team again when the member comes back.
            if loss != Loss::Member || caller.name == "the victim's key" {
                revoked.push((format!("{loss:?}: {}", caller.name), caller.credential));
            }
        }
        drop(revoked);
        if loss == Loss::Login {
            // The key of the person whose login ended is not needed any more.
            self.people.join(&mut person)?;
            self.people.revoke_key(&person, &key_id)?;
            self.victims[at] = person;
        }
        Ok(())
    }

    /// Whether no part was killed since the mark, and the sandbox's VMM was not.
    fn undisturbed(&self, tracked: &Tracked, mark: Option<u64>) -> bool {
        mark.is_some() && mark == self.world.quiet() && !self.world.is_lost(tracked)
    }

    /// Starts the web server of a real guest, unless it runs.
    fn start_server(&mut self, tracked: &Tracked, id: &str) {
        let mark = self.world.quiet();
        let Ok(caller) = Caller::new(
            self.world,
            "the keeper's key".to_owned(),
            self.keeper_key.clone(),
            id,
        ) else {
            return;
        };
        let serves = || matches!(caller.ask_ports(self.world)[1], Tried::Allowed(_));
        if serves() {
            return;
        }
        let script = "setsid python3 -c \"$0\" </dev/null >/dev/null 2>&1 &";
        let ran = self.worker.api.exec(id, "sh", &["-c", script, SERVER]);
        let started = clock::until(SERVER_TIMEOUT, || serves().then_some(()));
        if started.is_none() && self.undisturbed(tracked, mark) {
            self.world
                .fault(&format!("{id}: no web server starts: {ran:?}"));
        }
    }

    /// Waits until the callers that lost their right are cut off.
    fn until_cut(&self, tracked: &Tracked, id: &str, begun: Option<u64>, callers: &mut [Caller]) {
        let (world, mut mark) = (self.world, self.world.quiet());
        let acknowledged = clock::now();
        let mut up_since = acknowledged;
        loop {
            if world.quiet().is_none() || world.quiet() != mark {
                (mark, up_since) = (world.quiet(), clock::now());
            }
            let mut left = Vec::new();
            for caller in callers.iter_mut() {
                left.extend(self.still_has(tracked, id, begun, caller));
            }
            let took = clock::since(acknowledged);
            if left.is_empty() {
                world.slowest_revocation(took, mark.is_some() && mark == begun);
                return;
            }
            if mark.is_some() && clock::since(up_since) > WITHIN {
                let up = clock::since(up_since).as_secs_f64();
                world.fault(&format!(
                    "{id}: {up:.1} s after a revocation, with the platform up: {}",
                    left.join("; ")
                ));
                return;
            }
            std::thread::sleep(POLL);
        }
    }

    /// What a caller without a right still has.
    fn still_has(
        &self,
        tracked: &Tracked,
        id: &str,
        begun: Option<u64>,
        caller: &mut Caller,
    ) -> Vec<String> {
        let name = caller.name.clone();
        let mut left: Vec<String> = caller
            .open
            .iter_mut()
            .filter_map(|open| (!open.held.has_ended()).then_some(open.kind))
            .map(|kind| format!("{kind} of {name} is open"))
            .collect();
        match caller.ask_api(self.world, id) {
            Tried::Refused => {}
            other @ (Tried::Allowed(_) | Tried::Neither(_)) => {
                left.push(format!("the API answers {name} with {other:?}"));
            }
        }
        for (port, tried) in ["guest agent's", "other"]
            .iter()
            .zip(caller.ask_ports(self.world))
        {
            match tried {
                Tried::Refused => {}
                // The sandbox is lost or paused, or its host is away.
                Tried::Neither(_) if !self.undisturbed(tracked, begun) => {}
                other @ (Tried::Allowed(_) | Tried::Neither(_)) => {
                    left.push(format!("the {port} port answers {name} with {other:?}"));
                }
            }
        }
        left
    }

    /// Checks that a caller which lost nothing goes on, except where parts were killed.
    fn goes_on(&self, tracked: &Tracked, id: &str, begun: Option<u64>, caller: &mut Caller) {
        let (world, name) = (self.world, caller.name.clone());
        let ended = caller.open.iter_mut().filter_map(|open| {
            let ended = open.held.has_ended() && self.undisturbed(tracked, open.mark);
            ended.then_some(open.kind)
        });
        let mut wrong: Vec<String> = ended.map(|kind| format!("{kind} ended")).collect();
        let echoes = caller.echoes();
        let [guest, web] = caller.ask_ports(world);
        let asked = [
            ("the API", caller.ask_api(world, id)),
            ("the guest agent's port", guest),
            ("another port", web),
        ];
        let undisturbed = self.undisturbed(tracked, begun);
        if !echoes && undisturbed {
            wrong.push("a tunnel does not echo".to_owned());
        }
        for (what, tried) in asked {
            // Whatever is killed, a valid credential is not called invalid.
            let called_invalid = what == "the API" && tried == Tried::Refused;
            if called_invalid || undisturbed && !matches!(tried, Tried::Allowed(_)) {
                wrong.push(format!("{what} answers with {tried:?}"));
            }
        }
        for wrong in wrong {
            world.fault(&format!("{id}: {name}, which lost nothing: {wrong}"));
        }
        world.count("bystander checked");
    }
}

/// Checks that acknowledged revocations hold: two of them at random, or all.
pub(crate) fn check_acknowledged(world: &World, some: Option<&mut Random>) {
    let all = locked(&world.revoked).clone();
    let chosen: Vec<_> = match some {
        Some(random) => (0..2)
            .filter_map(|_| random.one_of(&all).cloned())
            .collect(),
        None => all,
    };
    for (what, credential) in chosen {
        let mark = world.quiet();
        let answer = world.api_with(Some(credential)).get("/v1/sandboxes");
        let quiet = mark.is_some() && mark == world.quiet();
        match answer {
            Ok(answer) if matches!(answer.status, 401 | 403) => world.count("revocation checked"),
            Ok(answer) if answer.status < 500 || quiet => {
                let status = answer.status;
                world.fault(&format!(
                    "after the acknowledged revocation ({what}): {status}"
                ));
            }
            Err(error) if quiet => world.fault(&format!("no answer in quiet times: {error}")),
            Ok(_) | Err(_) => world.count("revocation not checked"),
        }
    }
}
