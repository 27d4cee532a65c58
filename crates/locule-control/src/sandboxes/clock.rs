//! What will pause or end a sandbox, when, and what keeps it awake.

use chrono::{DateTime, TimeDelta, Utc};
use locule_agent_api::Holder;
use locule_domain::{OnTimeout, Sandbox, SandboxState};
use locule_ids::{SandboxId, TeamId};

use crate::sandboxes::Sandboxes;
use crate::sandboxes::error::SandboxError;

/// The timeouts of a sandbox at one moment.
#[derive(Debug, Clone)]
pub struct Clock {
    pub now: DateTime<Utc>,
    /// `None`: the sandbox has no idle timeout, or does not run.
    pub idle: Option<Idle>,
    /// The moment at which a running sandbox expires, and what happens then.
    pub expiry: Option<(DateTime<Utc>, OnTimeout)>,
    /// What uses the sandbox, in the order of the beginnings.
    pub held_by: Vec<Holder>,
}

/// The idle timeout of a running sandbox.
#[derive(Debug, Clone, Copy)]
pub struct Idle {
    pub timeout_sec: u32,
    pub last_active_at: DateTime<Utc>,
    /// `None` while something uses the sandbox.
    pub pauses_at: Option<DateTime<Utc>>,
}

impl Sandboxes {
    /// The timeouts of a team's sandbox, with what its host says of its use. Asking is no use, and does not reach the guest.
    pub async fn clock(&self, team: TeamId, id: SandboxId) -> Result<Clock, SandboxError> {
        let sandbox = self.get_sandbox(team, id).await?;
        let mut clock = Clock {
            now: self.core.now(),
            idle: None,
            expiry: None,
            held_by: Vec::new(),
        };
        if sandbox.state != SandboxState::Running {
            return Ok(clock);
        }
        let activity = self.host_of(&sandbox).await?.agent.activity(id).await?;
        let timeouts = sandbox.timeouts;
        clock.expiry = timeouts.expires_at.map(|at| (at, timeouts.on_timeout));
        let is_held = !activity.held_by.is_empty();
        clock.held_by = activity.held_by;
        clock.idle = idle(&sandbox, activity.last_active_at, is_held);
        Ok(clock)
    }
}

fn idle(sandbox: &Sandbox, last_active_at: DateTime<Utc>, is_held: bool) -> Option<Idle> {
    let timeout_sec = sandbox.timeouts.timeout_sec;
    let pauses_at = last_active_at + TimeDelta::seconds(timeout_sec.into());
    (timeout_sec > 0).then_some(Idle {
        timeout_sec,
        last_active_at,
        pauses_at: (!is_held).then_some(pauses_at),
    })
}
