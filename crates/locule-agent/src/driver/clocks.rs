//! The two clocks of a running sandbox: how long it was idle, and when its time is over.

use locule_domain::OnTimeout;

use super::{Driver, Next, RETRY_AFTER};

impl Driver {
    /// Idle pause and expiry. A stream that is open is activity.
    pub(super) async fn look_at_the_clocks(&mut self) -> Next {
        if self.vm.is_none()
            || self
                .retry_at
                .is_some_and(|at| self.host.clock.monotonic() < at)
        {
            return Next::Go;
        }
        let now = self.host.clock.now();
        if self
            .manifest
            .timeouts
            .expires_at
            .is_some_and(|at| at <= now)
        {
            return match self.manifest.timeouts.on_timeout {
                OnTimeout::Kill => self.expire().await,
                OnTimeout::Pause => self.pause_by_itself("expired").await,
            };
        }
        let idle = chrono::Duration::seconds(i64::from(self.manifest.timeouts.timeout_sec));
        let is_idle = !self.activity.is_open() && now - self.activity.last() > idle;
        if self.manifest.timeouts.timeout_sec > 0 && is_idle {
            self.pause_by_itself("idle").await
        } else {
            Next::Go
        }
    }

    async fn expire(&mut self) -> Next {
        match self.finish("expired").await {
            Ok(()) => Next::Gone,
            Err(error) => {
                tracing::warn!(sandbox.id = %self.manifest.sandbox, error = locule_base::errors::chain(&error), "an expired sandbox cannot be ended");
                self.retry_at = Some(self.host.clock.monotonic() + RETRY_AFTER);
                Next::Go
            }
        }
    }

    async fn pause_by_itself(&mut self, reason: &str) -> Next {
        if let Err(error) = self.pause(Some(reason.to_owned())).await {
            tracing::warn!(sandbox.id = %self.manifest.sandbox, error = locule_base::errors::chain(&error), "an automatic pause failed");
            self.retry_at = Some(self.host.clock.monotonic() + RETRY_AFTER);
        }
        Next::Go
    }
}
