//! When a sandbox was last used, and how many requests and streams use it now.
//!
//! File calls, proxied requests and running streams all count (W-043): everything that passes the proxy holds a [`Use`].

mod holders;
mod uses;

use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use chrono::{DateTime, Utc};
use locule_agent_api::{HolderKind, Purpose, SandboxActivity};
use locule_base::clock::SharedClock;
use tokio::sync::{Semaphore, watch};
use tokio_util::sync::CancellationToken;

use self::holders::Holders;
use self::uses::{Count, Permits};

pub(crate) use self::uses::{AllUses, UseKind};

#[derive(Debug)]
pub(crate) struct Activity {
    clock: SharedClock,
    all: AllUses,
    state: Mutex<State>,
    /// Open uses that are activity.
    open: watch::Sender<usize>,
    phase: watch::Sender<Phase>,
    /// Places of requests that wait for the outcome of a pause.
    waiting: Semaphore,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    Admitting,
    /// A pause is in progress: its outcome decides about new uses.
    Pausing,
    Paused,
}

#[derive(Debug)]
struct State {
    last: DateTime<Utc>,
    /// Cancelled to cut every open use at once.
    cut: CancellationToken,
    calls: Count,
    visits: Count,
    probes: Count,
    holders: Holders,
}

impl State {
    const fn count(&mut self, kind: UseKind) -> &mut Count {
        match kind {
            UseKind::Call => &mut self.calls,
            UseKind::Visit => &mut self.visits,
            UseKind::Probe => &mut self.probes,
        }
    }
}

/// Requests of one sandbox that wait for the outcome of a pause at a time, and for how long.
const WAITING_MAX: usize = 512;
const WAIT_FOR_PAUSE: Duration = Duration::from_secs(30);

/// Why a use cannot begin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum UseRefused {
    /// A pause is in progress.
    Pausing,
    Paused,
    /// A limit of open uses is reached, of the sandbox, of the visitor or of all sandboxes.
    Busy,
}

/// One request or stream in progress.
#[derive(Debug)]
pub(crate) struct Use {
    activity: Arc<Activity>,
    kind: UseKind,
    visitor: Option<IpAddr>,
    /// Among the holders, if the use is activity.
    number: Option<u64>,
    _of_all: Permits,
    pub(crate) cut: CancellationToken,
}

impl Activity {
    pub(crate) fn new(clock: SharedClock, all: AllUses) -> Arc<Self> {
        let state = State {
            last: clock.now(),
            cut: CancellationToken::new(),
            calls: Count::default(),
            visits: Count::default(),
            probes: Count::default(),
            holders: Holders::default(),
        };
        Arc::new(Self {
            clock,
            all,
            state: Mutex::new(state),
            open: watch::Sender::new(0),
            phase: watch::Sender::new(Phase::Admitting),
            waiting: Semaphore::new(WAITING_MAX),
        })
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn touch(&self) {
        self.state().last = self.clock.now();
    }

    /// When the sandbox was last used. With an open use that is now: otherwise the sandbox would look idle.
    pub(crate) fn last(&self) -> DateTime<Utc> {
        if self.is_open() {
            return self.clock.now();
        }
        self.state().last
    }

    /// When the sandbox was last used, and what uses it now.
    pub(crate) fn report(&self) -> SandboxActivity {
        let last_active_at = self.last();
        SandboxActivity {
            last_active_at,
            held_by: self.state().holders.grouped(),
        }
    }

    /// Whether the sandbox is used at this moment.
    pub(crate) fn is_open(&self) -> bool {
        *self.open.borrow() > 0
    }

    /// As [`Self::begin`], after the end of a pause that is in progress. A use that is no activity does not wait.
    pub(crate) async fn begin_after_pause(
        self: &Arc<Self>,
        kind: UseKind,
        visitor: Option<IpAddr>,
    ) -> Result<Use, UseRefused> {
        let begun = self.begin(kind, visitor);
        if !matches!(begun, Err(UseRefused::Pausing)) || !kind.is_activity() {
            return begun;
        }
        let place = self.waiting.try_acquire();
        let of_all = self.all.begin(kind);
        let (Ok(_place), Some(of_all)) = (place, of_all) else {
            return Err(UseRefused::Busy);
        };
        let mut phase = self.phase.subscribe();
        let decided = phase.wait_for(|phase| *phase != Phase::Pausing);
        if tokio::time::timeout(WAIT_FOR_PAUSE, decided).await.is_err() {
            return Err(UseRefused::Pausing);
        }
        drop(of_all);
        self.begin(kind, visitor)
    }

    fn check_phase(&self) -> Result<(), UseRefused> {
        match *self.phase.borrow() {
            Phase::Admitting => Ok(()),
            Phase::Pausing => Err(UseRefused::Pausing),
            Phase::Paused => Err(UseRefused::Paused),
        }
    }

    /// Begins a use. `visitor` is the address of a client that showed no credential.
    pub(crate) fn begin(
        self: &Arc<Self>,
        kind: UseKind,
        visitor: Option<IpAddr>,
    ) -> Result<Use, UseRefused> {
        let mut state = self.state();
        self.check_phase()?;
        if kind.is_activity() {
            state.last = self.clock.now();
        }
        let of_all = self.all.begin(kind).ok_or(UseRefused::Busy)?;
        if !state.count(kind).begin(kind.max(), visitor) {
            return Err(UseRefused::Busy);
        }
        let mut number = None;
        if kind.is_activity() {
            let purpose = Purpose::new(match kind {
                UseKind::Call | UseKind::Probe => HolderKind::Call,
                UseKind::Visit => HolderKind::Port,
            });
            number = Some(state.holders.begin(purpose, self.clock.now()));
            self.open.send_modify(|open| *open += 1);
        }
        Ok(Use {
            activity: self.clone(),
            kind,
            visitor,
            number,
            _of_all: of_all,
            cut: state.cut.clone(),
        })
    }

    /// Lets no new use begin, waits for the open ones, and cuts those that are open after the timeout.
    pub(crate) async fn drain(&self, timeout: Duration) {
        self.enter(Phase::Pausing);
        let mut open = self.open.subscribe();
        let closed = open.wait_for(|open| *open == 0);
        if tokio::time::timeout(timeout, closed).await.is_err() {
            self.cut();
        }
    }

    /// Breaks every open use off: a regular end would look like the end of the work.
    pub(crate) fn cut(&self) {
        let mut state = self.state();
        state.cut.cancel();
        state.cut = CancellationToken::new();
    }

    /// Admits new uses again.
    pub(crate) fn admit(&self) {
        self.touch();
        self.enter(Phase::Admitting);
    }

    /// The sandbox was paused, and its report says so.
    pub(crate) fn set_paused(&self) {
        self.enter(Phase::Paused);
    }

    /// A use that begins at the same moment has begun before or after.
    fn enter(&self, phase: Phase) {
        let _state = self.state();
        self.phase.send_replace(phase);
    }
}

impl Use {
    /// Says more about what the use is for.
    pub(crate) fn set_purpose(&self, purpose: Purpose) {
        if let Some(number) = self.number {
            self.activity.state().holders.set_purpose(number, purpose);
        }
    }
}

impl Drop for Use {
    fn drop(&mut self) {
        let mut state = self.activity.state();
        state.count(self.kind).end(self.visitor);
        if let Some(number) = self.number {
            state.holders.end(number);
        }
        if self.kind.is_activity() {
            state.last = self.activity.clock.now();
            drop(state);
            self.activity.open.send_modify(|open| *open -= 1);
        }
    }
}

#[cfg(test)]
mod tests;
