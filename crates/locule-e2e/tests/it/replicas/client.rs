//! A client that sends each order to either of two control planes until an order is acknowledged.

use std::io;
use std::sync::mpsc::Sender;
use std::time::Duration;

use locule_e2e::api::Api;
use locule_e2e::clock;
use locule_e2e::http::Answer;
use locule_e2e::oracle::{Known, Order, Seen};
use locule_e2e::random::Random;
use serde_json::json;

const PATIENCE: Duration = Duration::from_mins(2);

/// An order was acknowledged.
pub(super) struct Done;

pub(super) struct Client {
    apis: [Api; 2],
    random: Random,
}

impl Client {
    pub(super) fn new(apis: [Api; 2], random: Random) -> Self {
        Self { apis, random }
    }

    /// Creates, pauses, resumes and destroys sandboxes, one after another, until nothing receives the acknowledgements. Returns every
    /// sandbox with what is known of it.
    pub(super) fn work(mut self, done: &Sender<Done>) -> Vec<(String, Known)> {
        let mut all: Vec<(String, Known)> = Vec::new();
        loop {
            let current = all.pop();
            let state = current.as_ref().and_then(|(_, known)| known.certain());
            match (current, state) {
                (Some((id, mut known)), Some(Seen::Running | Seen::Paused)) => {
                    let order = self.next_order(state);
                    self.order(&id, &mut known, order);
                    all.push((id, known));
                }
                (ended, _) => {
                    all.extend(ended);
                    all.push(self.create());
                }
            }
            if done.send(Done).is_err() {
                return all;
            }
        }
    }

    fn next_order(&mut self, state: Option<Seen>) -> Order {
        if self.random.percent(20) {
            Order::Kill
        } else if state == Some(Seen::Running) {
            Order::Pause
        } else {
            Order::Resume
        }
    }

    fn either(&mut self) -> &mut Api {
        let index = self.random.below(self.apis.len());
        &mut self.apis[index]
    }

    /// The idempotency key makes a repeated create find the sandbox of the first one, in whichever process.
    fn create(&mut self) -> (String, Known) {
        let mut known = Known::before_create();
        known.begin(Order::Create);
        let mut refused = String::new();
        let id = clock::until(PATIENCE, || {
            let key = format!("replicas-{:x}", self.random.draw());
            let first = self.send_create(&key);
            let answer = match first {
                Ok(answer) => answer,
                Err(_) => self.create_again(&key)?,
            };
            refused = answer.text();
            let row = answer.json();
            (answer.status == 201 && row["status"] == "running").then_some(())?;
            row["id"].as_str().map(str::to_owned)
        });
        known.acknowledged(Order::Create);
        let id = id.unwrap_or_else(|| panic!("no create succeeds: {refused}"));
        self.both_say(&id, &mut known);
        (id, known)
    }

    fn send_create(&mut self, key: &str) -> io::Result<Answer> {
        self.either().create(&json!({}), Some(key))
    }

    /// Repeats a create that was not answered until its result is known.
    fn create_again(&mut self, key: &str) -> Option<Answer> {
        clock::until(PATIENCE, || {
            let answer = self.send_create(key).ok()?;
            // The first attempt is in progress, or the process is not ready.
            (!matches!(answer.status, 409 | 503)).then_some(answer)
        })
    }

    /// Sends the order until it is acknowledged or seen to be carried out.
    fn order(&mut self, id: &str, known: &mut Known, order: Order) {
        let mut last = String::new();
        let carried_out = clock::until(PATIENCE, || {
            known.begin(order);
            let api = self.either();
            let answer = match order {
                Order::Pause => api.pause(id),
                Order::Resume => api.resume(id),
                Order::Create | Order::Kill => api.destroy(id),
            };
            last = answer
                .as_ref()
                .map_or_else(ToString::to_string, Answer::text);
            if answer.is_ok_and(|answer| answer.is_success()) {
                return Some(());
            }
            let (seen, why) = self.either().look(id)?;
            known
                .observe(seen)
                .unwrap_or_else(|wrong| panic!("{id} {wrong} ({why}), after {order:?}: {last}"));
            (seen == order.outcome()).then_some(())
        });
        assert!(carried_out.is_some(), "{order:?} of {id}: {last}");
        known.acknowledged(order);
        self.both_say(id, known);
    }

    /// No process tells of a sandbox what an acknowledgement excludes.
    fn both_say(&mut self, id: &str, known: &mut Known) {
        for api in &mut self.apis {
            if let Some((seen, why)) = api.look(id) {
                known
                    .observe(seen)
                    .unwrap_or_else(|wrong| panic!("{id} {wrong} ({why})"));
            }
        }
    }
}
