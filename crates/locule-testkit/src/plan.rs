//! Faults of the calls to a host.

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
    Record,
    Activity,
    List,
    Watch,
    Terminate,
}

/// A fault of one call.
#[derive(Debug, Clone)]
pub enum Fault {
    /// The host answers with this error and does nothing.
    Refuse(AgentError),
    /// The host carries out the call; the answer is lost.
    LoseAnswer,
    /// The answer is lost, and the host carries out the call only when the test delivers late orders.
    Late,
    /// The call waits at the gate, then the host carries it out.
    Delay(Gate),
    /// The host carries out the call at once; the answer waits at the gate.
    DelayAnswer(Gate),
}

/// A gate where delayed calls wait until the test opens it.
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

/// The planned faults of each kind of call, in order.
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
