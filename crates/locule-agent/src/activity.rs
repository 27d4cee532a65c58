//! When a sandbox was last used, and by how many streams it is being used now.
//!
//! File calls, proxied requests and running streams all count (W-043): everything that passes the proxy holds a [`Use`].

use std::sync::{Arc, Mutex, PoisonError};

use chrono::{DateTime, Utc};
use locule_base::clock::SharedClock;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

/// Uses of one sandbox at a time. Each holds two descriptors of the agent's, which all sandboxes share.
const OPEN_MAX: usize = 512;

#[derive(Debug)]
pub(crate) struct Activity {
    clock: SharedClock,
    state: Mutex<State>,
    open: watch::Sender<usize>,
}

#[derive(Debug)]
struct State {
    last: DateTime<Utc>,
    /// Nothing new is let in: a pause is under way.
    draining: bool,
    /// Cancelled to cut every open use at once.
    cut: CancellationToken,
}

/// Why a use cannot begin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NoUse {
    /// A pause is under way.
    Draining,
    /// As many are open as may be.
    Busy,
}

/// One request or stream in progress.
#[derive(Debug)]
pub(crate) struct Use {
    activity: Arc<Activity>,
    pub(crate) cut: CancellationToken,
}

impl Activity {
    pub(crate) fn new(clock: SharedClock) -> Arc<Self> {
        let state = State {
            last: clock.now(),
            draining: false,
            cut: CancellationToken::new(),
        };
        Arc::new(Self {
            clock,
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

    /// When it was last used. One that is being used is used now: whoever reads this takes it for idle otherwise.
    pub(crate) fn last(&self) -> DateTime<Utc> {
        if self.is_open() {
            return self.clock.now();
        }
        self.state().last
    }

    /// Used at this moment.
    pub(crate) fn is_open(&self) -> bool {
        *self.open.borrow() > 0
    }

    pub(crate) fn begin(self: &Arc<Self>) -> Result<Use, NoUse> {
        let mut state = self.state();
        if state.draining {
            return Err(NoUse::Draining);
        }
        state.last = self.clock.now();
        if *self.open.borrow() >= OPEN_MAX {
            return Err(NoUse::Busy);
        }
        self.open.send_modify(|open| *open += 1);
        Ok(Use {
            activity: self.clone(),
            cut: state.cut.clone(),
        })
    }

    /// Lets nothing new in, waits a little for what is under way, then cuts it.
    pub(crate) async fn drain(&self, patience: std::time::Duration) {
        self.state().draining = true;
        let mut open = self.open.subscribe();
        let quiet = open.wait_for(|open| *open == 0);
        if tokio::time::timeout(patience, quiet).await.is_err() {
            self.cut();
        }
    }

    /// Ends every open use abruptly: a polite end would be taken for the end of the work.
    pub(crate) fn cut(&self) {
        let mut state = self.state();
        state.cut.cancel();
        state.cut = CancellationToken::new();
    }

    pub(crate) fn open_up(&self) {
        let mut state = self.state();
        state.draining = false;
        state.last = self.clock.now();
    }
}

impl Drop for Use {
    fn drop(&mut self) {
        self.activity.touch();
        self.activity.open.send_modify(|open| *open -= 1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use locule_base::clock::ManualClock;
    use std::time::Duration;

    /// W-043.
    #[tokio::test]
    async fn an_open_stream_is_activity_until_its_end() {
        let clock = Arc::new(ManualClock::at(DateTime::UNIX_EPOCH));
        let activity = Activity::new(clock.clone());
        let stream = activity.begin().unwrap();
        clock.advance(Duration::from_mins(1));
        assert!(activity.is_open());
        drop(stream);
        assert!(!activity.is_open());
        assert_eq!(activity.last(), clock.now_utc());
    }

    #[tokio::test]
    async fn draining_refuses_the_new_and_cuts_the_stubborn() {
        let activity = Activity::new(locule_base::clock::SystemClock::shared());
        let stubborn = activity.begin().unwrap();
        activity.drain(Duration::from_millis(1)).await;
        assert!(stubborn.cut.is_cancelled());
        assert_eq!(activity.begin().unwrap_err(), NoUse::Draining);
        activity.open_up();
        assert!(!activity.begin().unwrap().cut.is_cancelled());
    }

    #[tokio::test]
    async fn one_sandbox_cannot_use_up_the_agent() {
        let activity = Activity::new(locule_base::clock::SystemClock::shared());
        let mut open: Vec<_> = (0..OPEN_MAX).map(|_| activity.begin().unwrap()).collect();
        assert_eq!(activity.begin().unwrap_err(), NoUse::Busy);
        open.pop();
        activity.begin().unwrap();
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
