//! The two timeouts of a running sandbox: the idle time after which it is paused, and the moment when it expires.

use locule_base::errors::chain;
use locule_domain::Overdue;

use super::{Driver, Next, RETRY_AFTER};

impl Driver {
    /// Pauses an idle sandbox, and ends or pauses an expired one. A sandbox with an open stream is not idle.
    pub(super) async fn check_timeouts(&mut self) -> Next {
        let monotonic = self.host.clock.monotonic();
        if self.vm.is_none() || self.retry_at.is_some_and(|at| monotonic < at) {
            return Next::Continue;
        }
        let idle_since = (!self.activity.is_open()).then(|| self.activity.last());
        let now = self.host.clock.now();
        match self.manifest.timeouts.overdue(now, idle_since) {
            None => Next::Continue,
            Some(Overdue::Kill) => self.expire().await,
            Some(paused) => self.pause_after_timeout(paused.reason()).await,
        }
    }

    async fn expire(&mut self) -> Next {
        match self.end(Overdue::Kill.reason()).await {
            Ok(()) => Next::Exit,
            Err(error) => {
                tracing::warn!(sandbox.id = %self.manifest.sandbox, error = chain(&error), "an expired sandbox cannot be ended; the agent tries again later");
                self.retry_at = Some(self.host.clock.monotonic() + RETRY_AFTER);
                Next::Continue
            }
        }
    }

    async fn pause_after_timeout(&mut self, reason: &str) -> Next {
        if let Err(error) = self.pause(Some(reason.to_owned())).await {
            tracing::warn!(sandbox.id = %self.manifest.sandbox, reason, error = chain(&error), "a sandbox cannot be paused after its timeout; the agent tries again later");
            self.retry_at = Some(self.host.clock.monotonic() + RETRY_AFTER);
        }
        Next::Continue
    }
}
