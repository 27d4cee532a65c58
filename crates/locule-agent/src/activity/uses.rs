//! How many requests and streams use sandboxes at a time: limits of one sandbox, of one visitor and of all sandboxes together.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Each use holds two descriptors of the agent. All uses together hold half of the descriptors at most: the others are for VMMs,
/// name servers and the agent's own calls.
const DESCRIPTORS_PER_USE: u64 = 4;

/// What a request to a sandbox is counted as. Each kind has a limit of its own: visitors of a port take no call to the guest agent
/// away.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum UseKind {
    /// A call to the guest agent, by the platform or with a client's access token.
    Call,
    /// A request to another port.
    Visit,
    /// A request that does not count as activity: its client showed no credential. A pause does not wait for it.
    Probe,
}

impl UseKind {
    /// Uses of this kind of one sandbox at a time.
    pub(super) const fn max(self) -> usize {
        match self {
            Self::Call | Self::Visit => 512,
            Self::Probe => 32,
        }
    }

    pub(super) const fn is_activity(self) -> bool {
        match self {
            Self::Call | Self::Visit => true,
            Self::Probe => false,
        }
    }
}

/// A use of all sandboxes together, while it is open.
#[derive(Debug)]
#[expect(dead_code, reason = "dropping the value gives the permits back")]
pub(super) struct Permits {
    all: OwnedSemaphorePermit,
    open_to_all: Option<OwnedSemaphorePermit>,
}

/// The uses of all sandboxes together, within the descriptors of the process.
#[derive(Debug, Clone)]
pub(crate) struct AllUses {
    all: Arc<Semaphore>,
    /// Three quarters of them, for requests that anybody may send. The last quarter is for calls to guest agents.
    open_to_all: Arc<Semaphore>,
}

impl AllUses {
    pub(crate) fn within(descriptors: u64) -> Self {
        let all = usize::try_from(descriptors / DESCRIPTORS_PER_USE).unwrap_or(usize::MAX);
        let all = all.min(Semaphore::MAX_PERMITS);
        Self {
            all: Arc::new(Semaphore::new(all)),
            open_to_all: Arc::new(Semaphore::new(all - all / 4)),
        }
    }

    /// `None`: the limit is reached.
    pub(super) fn begin(&self, kind: UseKind) -> Option<Permits> {
        let open_to_all = match kind {
            UseKind::Call => None,
            UseKind::Visit | UseKind::Probe => {
                Some(self.open_to_all.clone().try_acquire_owned().ok()?)
            }
        };
        let all = self.all.clone().try_acquire_owned().ok()?;
        Some(Permits { all, open_to_all })
    }
}

/// The open uses of one kind.
#[derive(Debug, Default)]
pub(super) struct Count {
    pub(super) open: usize,
    pub(super) by_visitor: HashMap<IpAddr, usize>,
}

impl Count {
    /// Counts a use. `false`: there are too many. One visitor has half of the uses at most.
    pub(super) fn begin(&mut self, max: usize, visitor: Option<IpAddr>) -> bool {
        let by_this = visitor.and_then(|visitor| self.by_visitor.get(&visitor));
        if self.open >= max || by_this.is_some_and(|open| *open >= max / 2) {
            return false;
        }
        self.open += 1;
        if let Some(visitor) = visitor {
            *self.by_visitor.entry(visitor).or_default() += 1;
        }
        true
    }

    pub(super) fn end(&mut self, visitor: Option<IpAddr>) {
        self.open -= 1;
        let Some(visitor) = visitor else { return };
        if let Some(open) = self.by_visitor.get_mut(&visitor) {
            *open -= 1;
            if *open == 0 {
                self.by_visitor.remove(&visitor);
            }
        }
    }
}
