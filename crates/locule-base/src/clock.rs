//! Time as an argument: only this module reads the system clock.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use chrono::{DateTime, Utc};

/// A source of time.
pub trait Clock: Send + Sync + fmt::Debug {
    /// Wall-clock time. May jump.
    fn now(&self) -> DateTime<Utc>;

    /// Time since a fixed moment of this process. Never jumps and never goes back.
    fn monotonic(&self) -> Duration;
}

/// A clock to share between components.
pub type SharedClock = Arc<dyn Clock>;

/// Wall clock and monotonic clock of the operating system.
#[derive(Debug, Clone, Copy)]
pub struct SystemClock {
    started: std::time::Instant,
}

impl SystemClock {
    #[expect(
        clippy::disallowed_methods,
        reason = "this module reads the system clock for all others"
    )]
    pub fn new() -> Self {
        Self {
            started: std::time::Instant::now(),
        }
    }

    pub fn shared() -> SharedClock {
        Arc::new(Self::new())
    }
}

impl Default for SystemClock {
    fn default() -> Self {
        Self::new()
    }
}

impl Clock for SystemClock {
    #[expect(
        clippy::disallowed_methods,
        reason = "this module reads the system clock for all others"
    )]
    fn now(&self) -> DateTime<Utc> {
        Utc::now()
    }

    fn monotonic(&self) -> Duration {
        self.started.elapsed()
    }
}

/// A clock that moves only by [`Self::advance`]. For tests and simulations.
#[derive(Debug)]
pub struct ManualClock {
    /// Wall clock and monotonic clock, which advance together.
    times: Mutex<(DateTime<Utc>, Duration)>,
}

impl ManualClock {
    pub fn at(now: DateTime<Utc>) -> Self {
        Self {
            times: Mutex::new((now, Duration::ZERO)),
        }
    }

    pub fn advance(&self, by: Duration) {
        let mut times = self.times.lock().unwrap_or_else(PoisonError::into_inner);
        times.0 += by;
        times.1 += by;
    }
}

impl Clock for ManualClock {
    fn now(&self) -> DateTime<Utc> {
        self.times.lock().unwrap_or_else(PoisonError::into_inner).0
    }

    fn monotonic(&self) -> Duration {
        self.times.lock().unwrap_or_else(PoisonError::into_inner).1
    }
}
