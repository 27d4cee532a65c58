//! Resume a sandbox, by request or for a request to one of its ports.

use chrono::{DateTime, Utc};
use locule_domain::{Desired, Sandbox, SandboxState};
use locule_ids::SandboxId;
use locule_store::sandboxes;

use super::require_state;
use crate::audit::SandboxAuditEvent;
use crate::caller::Caller;
use crate::sandboxes::Sandboxes;
use crate::sandboxes::error::SandboxError;
use crate::sandboxes::locks::OrderGuard;

/// The shortest time that a sandbox gets by being resumed, unless the caller asks for less: with the time that was set last, which
/// may be 0, it would end before the request for which it is resumed.
const TIME_MIN_SEC: u32 = 60;

/// When a resumed sandbox times out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NewEnd {
    /// This many seconds from now.
    After(u32),
    /// The time that was set last begins again.
    GivenAgain,
    /// As before; where that has passed, the time that was set last begins again.
    KeptUnlessPassed,
}

impl NewEnd {
    fn apply(self, sandbox: &mut Sandbox, now: DateTime<Utc>) {
        let given = sandbox.timeout_given_sec;
        let again = given.map(|seconds| Sandbox::expiry(now, seconds.max(TIME_MIN_SEC)));
        let has_passed = sandbox.timeouts.expires_at.is_some_and(|at| at <= now);
        match self {
            Self::After(seconds) => {
                sandbox.timeout_given_sec = Some(seconds);
                sandbox.timeouts.expires_at = Some(Sandbox::expiry(now, seconds));
            }
            Self::GivenAgain if given.is_some() => sandbox.timeouts.expires_at = again,
            Self::GivenAgain | Self::KeptUnlessPassed if has_passed => {
                sandbox.timeouts.expires_at = again;
            }
            Self::GivenAgain | Self::KeptUnlessPassed => {}
        }
    }
}

impl Sandboxes {
    /// Resumes a paused sandbox. An end that has passed is moved: the time that was set last starts again.
    pub async fn resume_sandbox(
        &self,
        caller: &Caller,
        id: SandboxId,
    ) -> Result<Sandbox, SandboxError> {
        self.resume_as(caller, id, NewEnd::KeptUnlessPassed).await
    }

    pub(crate) async fn resume_as(
        &self,
        caller: &Caller,
        id: SandboxId,
        end: NewEnd,
    ) -> Result<Sandbox, SandboxError> {
        let order = self.lock(id).await;
        self.resume_locked(&order, caller, id, end).await
    }

    /// As [`Self::resume_as`], for a caller that holds the sandbox's lock.
    pub(super) async fn resume_locked(
        &self,
        _order: &OrderGuard,
        caller: &Caller,
        id: SandboxId,
        end: NewEnd,
    ) -> Result<Sandbox, SandboxError> {
        let mut conn = self.core.connection().await?;
        if sandboxes::is_on_drained_host(&mut conn, caller.team, id).await? {
            return Err(SandboxError::HostDrained);
        }
        drop(conn);
        let now = self.core.now();
        let ordered = self.set_desired(caller, id, SandboxAuditEvent::Resume, |next| {
            require_state(next, SandboxState::Paused)?;
            next.desired = Desired::Running;
            next.last_error = None;
            end.apply(next, now);
            Ok(())
        });
        let ordered = ordered.await?;
        let stayed = (SandboxState::Paused, Desired::Paused);
        let failure = "the last resume failed; the sandbox is still paused";
        let target = SandboxState::Running;
        self.reconcile_or_revert(&ordered, target, stayed, failure)
            .await
    }
}
