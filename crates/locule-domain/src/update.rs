//! Changes of a sandbox that a client may ask for while the sandbox exists.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};

use crate::limits::{Invalid, Limits};
use crate::sandbox::{Desired, Sandbox, SandboxState};
use crate::timeouts::OnTimeout;

/// When a sandbox expires from now on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Expiry {
    Never,
    /// This many seconds from now.
    After(u32),
}

/// What changes. `None` stays as it is.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct SandboxUpdate {
    /// `None` removes a label. A label that is not named stays.
    pub labels: BTreeMap<String, Option<String>>,
    pub timeout_sec: Option<u32>,
    pub expiry: Option<Expiry>,
    pub on_timeout: Option<OnTimeout>,
    pub auto_resume: Option<bool>,
    pub public_traffic: Option<bool>,
}

/// The reason why an update is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum UpdateRefused {
    #[error(transparent)]
    Invalid(#[from] Invalid),
    /// The state of the sandbox does not allow it.
    #[error("{0}")]
    State(String),
}

impl SandboxUpdate {
    /// Whether the update names a value that the host enforces.
    pub const fn has_timeouts(&self) -> bool {
        self.timeout_sec.is_some() || self.expiry.is_some() || self.on_timeout.is_some()
    }

    /// The sandbox after the update. Its host learns new timeouts by the order that follows, and a paused sandbox's by the order
    /// to resume: while another order is on its way, timeouts do not change.
    pub fn apply(
        &self,
        sandbox: &Sandbox,
        limits: &Limits,
        now: DateTime<Utc>,
    ) -> Result<Sandbox, UpdateRefused> {
        self.check_state(sandbox)?;
        let mut next = sandbox.clone();
        for (name, value) in &self.labels {
            match value {
                Some(value) => next.labels.insert(name.clone(), value.clone()),
                None => next.labels.remove(name),
            };
        }
        limits.check_entries(&next.env, &next.labels)?;
        if let Some(seconds) = self.timeout_sec {
            limits.check_timeout(seconds.into())?;
            next.timeouts.timeout_sec = seconds;
        }
        match self.expiry {
            None => {}
            Some(Expiry::Never) => {
                (next.timeouts.expires_at, next.timeout_given_sec) = (None, None);
            }
            Some(Expiry::After(seconds)) => {
                limits.check_timeout(seconds.into())?;
                next.timeouts.expires_at = Some(Sandbox::expiry(now, seconds));
                next.timeout_given_sec = Some(seconds);
            }
        }
        next.timeouts.on_timeout = self.on_timeout.unwrap_or(next.timeouts.on_timeout);
        next.auto_resume = self.auto_resume.unwrap_or(next.auto_resume);
        next.public_traffic = self.public_traffic.unwrap_or(next.public_traffic);
        Ok(next)
    }

    fn check_state(&self, sandbox: &Sandbox) -> Result<(), UpdateRefused> {
        let refused = |why: &str| Err(UpdateRefused::State(format!("the sandbox is {why}")));
        match (sandbox.state, sandbox.desired) {
            (state @ (SandboxState::Stopped { .. } | SandboxState::Error { .. }), _) => {
                refused(state.as_str())
            }
            (_, Desired::Gone) => refused("being destroyed"),
            _ if !self.has_timeouts() => Ok(()),
            (SandboxState::Running, Desired::Running) | (SandboxState::Paused, Desired::Paused) => {
                Ok(())
            }
            (SandboxState::Running, Desired::Paused) => refused("being paused"),
            (SandboxState::Paused, Desired::Running) => refused("being resumed"),
            (
                state @ (SandboxState::Pending | SandboxState::Starting | SandboxState::Missing),
                _,
            ) => refused(&format!("{state}, not running or paused")),
        }
    }
}
