//! The clock of a simulation.

use std::time::Duration;

use chrono::{DateTime, Utc};
use locule_base::clock::{Clock, ManualClock};

use crate::builders::noon;

/// A clock that the simulation advances. Each look at it takes a microsecond, so that no two changes have the same time.
#[derive(Debug)]
pub(super) struct TickingClock(ManualClock);

impl Default for TickingClock {
    fn default() -> Self {
        Self(ManualClock::at(noon()))
    }
}

impl TickingClock {
    pub(super) fn advance(&self, by: Duration) {
        self.0.advance(by);
    }
}

impl Clock for TickingClock {
    fn now(&self) -> DateTime<Utc> {
        self.0.advance(Duration::from_micros(1));
        self.0.now()
    }

    fn monotonic(&self) -> Duration {
        self.0.monotonic()
    }
}
