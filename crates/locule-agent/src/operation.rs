//! One operation in progress: when it began, and a mark at each of its steps.

use std::time::Duration;

use locule_base::clock::SharedClock;
use locule_base::failpoint;

use crate::error::HostError;

#[derive(Debug, Clone, Copy)]
pub(crate) struct Operation {
    name: &'static str,
    began: Duration,
}

impl Operation {
    pub(crate) fn start(clock: &SharedClock, name: &'static str) -> Self {
        let began = clock.monotonic();
        Self { name, began }
    }

    /// Marks a step that is done. A test can make the operation fail here.
    pub(crate) fn step(self, done: &'static str) -> Result<(), HostError> {
        failpoint::passed(self.name, done).map_err(HostError::io(done))
    }

    /// Marks a step behind the commit, where the operation cannot fail any more.
    pub(crate) fn committed(self, done: &'static str) {
        failpoint::reached(self.name, done);
    }

    pub(crate) fn duration(self, clock: &SharedClock) -> Duration {
        clock.monotonic().saturating_sub(self.began)
    }
}
