//! When a sandbox was last used, and how many requests and streams use it now.
//!
//! File calls, proxied requests and running streams all count (W-043): everything that passes the proxy holds a [`Use`].

use std::sync::{Arc, Mutex, PoisonError};

use chrono::{DateTime, Utc};
use locule_base::clock::SharedClock;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio_util::sync::CancellationToken;

/// Uses of one sandbox at a time.
const OPEN_MAX: usize = 512;
/// Each use holds two descriptors of the agent. All uses together hold half of the descriptors at most: the others are for VMMs,
/// name servers and the agent's own calls.
const DESCRIPTORS_PER_USE: u64 = 4;

/// The uses of all sandboxes together, within the descriptors of the process.
pub(crate) fn uses_within(descriptors: u64) -> Arc<Semaphore> {
    let uses = usize::try_from(descriptors / DESCRIPTORS_PER_USE).unwrap_or(usize::MAX);
    Arc::new(Semaphore::new(uses.min(Semaphore::MAX_PERMITS)))
}

#[derive(Debug)]
pub(crate) struct Activity {
    clock: SharedClock,
    /// The uses that all sandboxes together may still begin.
    uses: Arc<Semaphore>,
    state: Mutex<State>,
    open: watch::Sender<usize>,
}

#[derive(Debug)]
struct State {
    last: DateTime<Utc>,
    /// A pause is in progress: no new use begins.
    draining: bool,
    /// Cancelled to cut every open use at once.
    cut: CancellationToken,
    probes: usize,
}

/// Requests of one sandbox at a time that are no use of it.
const PROBES_MAX: usize = 32;

/// Why a use cannot begin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum UseRefused {
    /// A pause is in progress.
    Draining,
    /// The limit of open uses is reached, of the sandbox or of all sandboxes.
    Busy,
}

/// One request or stream in progress.
#[derive(Debug)]
pub(crate) struct Use {
    activity: Arc<Activity>,
    _of_all: OwnedSemaphorePermit,
    pub(crate) cut: CancellationToken,
    is_probe: bool,
}

impl Activity {
    pub(crate) fn new(clock: SharedClock, uses: Arc<Semaphore>) -> Arc<Self> {
        let state = State {
            last: clock.now(),
            draining: false,
            cut: CancellationToken::new(),
            probes: 0,
        };
        Arc::new(Self {
            clock,
            uses,
            state: Mutex::new(state),
            open: watch::Sender::new(0),
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

    /// Whether the sandbox is used at this moment.
    pub(crate) fn is_open(&self) -> bool {
        *self.open.borrow() > 0
    }

    pub(crate) fn start_use(self: &Arc<Self>) -> Result<Use, UseRefused> {
        let mut state = self.state();
        if state.draining {
            return Err(UseRefused::Draining);
        }
        state.last = self.clock.now();
        if *self.open.borrow() >= OPEN_MAX {
            return Err(UseRefused::Busy);
        }
        let Ok(of_all) = self.uses.clone().try_acquire_owned() else {
            return Err(UseRefused::Busy);
        };
        self.open.send_modify(|open| *open += 1);
        Ok(Use {
            activity: self.clone(),
            _of_all: of_all,
            cut: state.cut.clone(),
            is_probe: false,
        })
    }

    /// A request that does not count as activity: its client showed no credential. A pause does not wait for it.
    pub(crate) fn start_probe(self: &Arc<Self>) -> Result<Use, UseRefused> {
        let mut state = self.state();
        if state.draining {
            return Err(UseRefused::Draining);
        }
        if state.probes >= PROBES_MAX {
            return Err(UseRefused::Busy);
        }
        let Ok(of_all) = self.uses.clone().try_acquire_owned() else {
            return Err(UseRefused::Busy);
        };
        state.probes += 1;
        Ok(Use {
            activity: self.clone(),
            _of_all: of_all,
            cut: state.cut.clone(),
            is_probe: true,
        })
    }

    /// Refuses new uses, waits for the open ones, and cuts those that are open after the timeout.
    pub(crate) async fn drain(&self, timeout: std::time::Duration) {
        self.state().draining = true;
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
        let mut state = self.state();
        state.draining = false;
        state.last = self.clock.now();
    }
}

impl Drop for Use {
    fn drop(&mut self) {
        if self.is_probe {
            self.activity.state().probes -= 1;
            return;
        }
        self.activity.touch();
        self.activity.open.send_modify(|open| *open -= 1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use locule_base::clock::ManualClock;
    use std::time::Duration;

    fn activity(descriptors: u64) -> Arc<Activity> {
        let clock = locule_base::clock::SystemClock::shared();
        Activity::new(clock, uses_within(descriptors))
    }

    #[tokio::test]
    async fn all_sandboxes_together_use_half_of_the_descriptors() {
        let first = activity(40);
        let second = Activity::new(first.clock.clone(), first.uses.clone());
        let mut open: Vec<_> = (0..10)
            .map(|number| [&first, &second][number % 2].start_use().unwrap())
            .collect();
        assert_eq!(first.start_use().unwrap_err(), UseRefused::Busy);
        assert_eq!(second.start_use().unwrap_err(), UseRefused::Busy);
        open.pop();
        first.start_use().unwrap();
    }

    /// W-043.
    #[tokio::test]
    async fn an_open_stream_counts_as_activity_until_its_end() {
        let clock = Arc::new(ManualClock::at(DateTime::UNIX_EPOCH));
        let activity = Activity::new(clock.clone(), uses_within(4096));
        let stream = activity.start_use().unwrap();
        clock.advance(Duration::from_mins(1));
        assert!(activity.is_open());
        drop(stream);
        assert!(!activity.is_open());
        assert_eq!(activity.last(), clock.now_utc());
    }

    #[tokio::test]
    async fn a_request_without_a_credential_is_no_activity_and_has_a_limit_of_its_own() {
        let clock = Arc::new(ManualClock::at(DateTime::UNIX_EPOCH));
        let activity = Activity::new(clock.clone(), uses_within(4096));
        clock.advance(Duration::from_mins(1));
        let probes: Vec<_> = (0..PROBES_MAX)
            .map(|_| activity.start_probe().unwrap())
            .collect();
        assert_eq!(activity.start_probe().unwrap_err(), UseRefused::Busy);
        assert!(!activity.is_open());
        activity.drain(Duration::from_mins(1)).await;
        activity.cut();
        assert!(probes.iter().all(|probe| probe.cut.is_cancelled()));
        drop(probes);
        assert_eq!(activity.last(), DateTime::UNIX_EPOCH);
        activity.admit();
        activity.start_probe().unwrap();
        activity.start_use().unwrap();
    }

    #[tokio::test]
    async fn draining_refuses_new_uses_and_cuts_uses_that_do_not_end() {
        let activity = activity(4096);
        let endless = activity.start_use().unwrap();
        activity.drain(Duration::from_millis(1)).await;
        assert!(endless.cut.is_cancelled());
        assert_eq!(activity.start_use().unwrap_err(), UseRefused::Draining);
        activity.admit();
        assert!(!activity.start_use().unwrap().cut.is_cancelled());
    }

    #[tokio::test]
    async fn one_sandbox_cannot_use_all_descriptors_of_the_agent() {
        let activity = activity(4096);
        let mut open: Vec<_> = (0..OPEN_MAX)
            .map(|_| activity.start_use().unwrap())
            .collect();
        assert_eq!(activity.start_use().unwrap_err(), UseRefused::Busy);
        open.pop();
        activity.start_use().unwrap();
    }

    trait NowUtc {
        fn now_utc(&self) -> DateTime<Utc>;
    }

    impl NowUtc for ManualClock {
        fn now_utc(&self) -> DateTime<Utc> {
            locule_base::clock::Clock::now(self)
        }
    }
}
