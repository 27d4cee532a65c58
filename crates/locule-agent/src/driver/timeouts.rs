//! The two timeouts of a running sandbox: the idle time after which it is paused, and the moment when it expires.

use locule_base::errors::chain;
use locule_domain::OnTimeout;

use super::{Driver, Next, RETRY_AFTER};

impl Driver {
    /// Pauses an idle sandbox, and ends or pauses an expired one. A sandbox with an open stream is not idle.
    pub(super) async fn check_timeouts(&mut self) -> Next {
        let monotonic = self.host.clock.monotonic();
        if self.vm.is_none() || self.retry_at.is_some_and(|at| monotonic < at) {
            return Next::Continue;
        }
        let (now, timeouts) = (self.host.clock.now(), self.manifest.timeouts);
        if timeouts.expires_at.is_some_and(|at| at <= now) {
            return match timeouts.on_timeout {
                OnTimeout::Kill => self.expire().await,
                OnTimeout::Pause => self.pause_after_timeout("expired").await,
            };
        }
        let idle = chrono::Duration::seconds(i64::from(timeouts.timeout_sec));
        let is_idle = !self.activity.is_open() && now - self.activity.last() > idle;
        if timeouts.timeout_sec > 0 && is_idle {
            self.pause_after_timeout("idle").await
        } else {
            Next::Continue
        }
    }

    async fn expire(&mut self) -> Next {
        match self.end("expired").await {
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
