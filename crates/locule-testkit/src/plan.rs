//! What goes wrong with calls to a host, and when.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use locule_agent_api::AgentError;
use tokio::sync::Semaphore;

/// The calls of a host.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Call {
    Host,
    Create,
    Destroy,
    Pause,
    Resume,
    Update,
    Ping,
    Get,
    List,
    Watch,
    Terminate,
}

/// What goes wrong with one call.
#[derive(Debug, Clone)]
pub enum Fault {
    /// Answered with this error; nothing is done.
    Refuse(AgentError),
    /// Done, but nobody hears of it.
    LoseAnswer,
    /// Nobody hears of it, and it is done only when the test delivers what is late.
    Late,
    /// Waits at the gate, then is done.
    Delay(Gate),
    /// Done at once; the answer waits at the gate, and is old when it comes.
    DelayAnswer(Gate),
}

/// Where delayed calls wait until the test opens it.
#[derive(Debug, Clone)]
pub struct Gate {
    waiting: Arc<Semaphore>,
    open: Arc<Semaphore>,
}

impl Default for Gate {
    fn default() -> Self {
        Self::new()
    }
}

impl Gate {
    pub fn new() -> Self {
        Self {
            waiting: Arc::new(Semaphore::new(0)),
            open: Arc::new(Semaphore::new(0)),
        }
    }

    /// Returns once a call has come to the gate.
    pub async fn reached(&self) {
        if let Ok(permit) = self.waiting.acquire().await {
            permit.forget();
        }
    }

    /// Lets one call pass.
    pub fn open(&self) {
        self.open.add_permits(1);
    }

    pub(crate) async fn pass(&self) {
        self.waiting.add_permits(1);
        if let Ok(permit) = self.open.acquire().await {
            permit.forget();
        }
    }
}

/// Faults that are still to come, per call, first come first.
#[derive(Debug, Default)]
pub(crate) struct Plan(BTreeMap<Call, VecDeque<Fault>>);

impl Plan {
    pub(crate) fn add(&mut self, call: Call, fault: Fault) {
        self.0.entry(call).or_default().push_back(fault);
    }

    pub(crate) fn next(&mut self, call: Call) -> Option<Fault> {
        self.0.get_mut(&call)?.pop_front()
    }
}
