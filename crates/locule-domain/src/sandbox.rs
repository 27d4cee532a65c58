//! A sandbox: what is wanted of it, what was last seen of it, and how both change.
//!
//! ```text
//! pending ─► starting ─► running ⇄ paused          missing: its host is out of reach
//!     └─────────┴──► error   └─┬──────┴──► stopped
//! ```
//!
//! `stopped` and `error` are final, except for the reasons that were inferred from absence (`vm_lost`, `image_lost`): those
//! evidence may undo. The whole table is a golden file beside the tests.

use std::collections::BTreeMap;
use std::fmt;

use chrono::{DateTime, Utc};
use locule_ids::{HostId, SandboxId, TeamId, TemplateId};

use crate::reason::{ErrorReason, StopReason};
use crate::timeouts::Timeouts;

/// What was last seen of a sandbox: its `status`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SandboxState {
    /// A row, not yet placed on a host.
    Pending,
    /// Placed; the host was asked.
    Starting,
    Running,
    /// Its memory and disk are durable on its host; there is no VM.
    Paused,
    /// Its host is out of reach.
    Missing,
    Stopped {
        reason: StopReason,
    },
    Error {
        reason: ErrorReason,
    },
}

impl SandboxState {
    /// The word of the wire and of the database.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Starting => "starting",
            Self::Running => "running",
            Self::Paused => "paused",
            Self::Missing => "missing",
            Self::Stopped { .. } => "stopped",
            Self::Error { .. } => "error",
        }
    }

    /// Why it ended, where it did.
    pub const fn reason(self) -> Option<&'static str> {
        match self {
            Self::Stopped { reason } => Some(reason.as_str()),
            Self::Error { reason } => Some(reason.as_str()),
            Self::Pending | Self::Starting | Self::Running | Self::Paused | Self::Missing => None,
        }
    }

    /// Nothing more happens to it.
    pub const fn is_final(self) -> bool {
        matches!(self, Self::Stopped { .. } | Self::Error { .. })
    }

    /// It ended because its host did not hold it: the only ends that evidence may undo.
    pub const fn is_inferred(self) -> bool {
        matches!(
            self,
            Self::Stopped {
                reason: StopReason::VmLost
            } | Self::Error {
                reason: ErrorReason::SnapshotLost
            }
        )
    }
}

impl fmt::Display for SandboxState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What is wanted of a sandbox. Users write it, and policy: idle pause, expiry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Desired {
    Running,
    Paused,
    Gone,
}

impl Desired {
    pub const ALL: [Self; 3] = [Self::Running, Self::Paused, Self::Gone];

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Paused => "paused",
            Self::Gone => "gone",
        }
    }
}

/// What is learned about a sandbox.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SandboxEvent {
    /// A host was chosen.
    Placed,
    /// The host says that it runs.
    Ran,
    /// The host says that it is paused, durably.
    Paused,
    /// Its host is out of reach.
    HostLost,
    Stop(StopReason),
    Fail(ErrorReason),
}

/// An event that cannot happen in this state.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a sandbox that is {state} cannot take {event:?}")]
pub struct TransitionRefused {
    pub state: SandboxState,
    pub event: SandboxEvent,
}

impl SandboxState {
    /// The only place where a sandbox changes state. Pure: no clock, no IO.
    pub fn apply(self, event: SandboxEvent) -> Result<Self, TransitionRefused> {
        use SandboxEvent as E;
        use SandboxState as S;
        match (self, event) {
            (S::Pending, E::Placed) => Ok(S::Starting),
            // What was inferred from absence, evidence undoes.
            (ended, E::Ran) if ended.is_inferred() => Ok(S::Running),
            (ended, E::Paused) if ended.is_inferred() => Ok(S::Paused),
            (S::Stopped { .. } | S::Error { .. }, E::Stop(_) | E::HostLost) => Ok(self),
            (S::Stopped { .. } | S::Error { .. }, _) => {
                Err(TransitionRefused { state: self, event })
            }
            (S::Pending, E::Ran | E::Paused) => Err(TransitionRefused { state: self, event }),
            (_, E::Ran) => Ok(S::Running),
            (_, E::Paused) => Ok(S::Paused),
            (S::Paused, E::HostLost) => Ok(S::Paused),
            (_, E::HostLost) => Ok(S::Missing),
            (_, E::Stop(reason)) => Ok(S::Stopped { reason }),
            (S::Pending | S::Starting, E::Fail(reason @ ErrorReason::CreateFailed)) => {
                Ok(S::Error { reason })
            }
            (S::Paused | S::Missing, E::Fail(reason @ ErrorReason::SnapshotLost)) => {
                Ok(S::Error { reason })
            }
            (state, event @ (E::Placed | E::Fail(_))) => Err(TransitionRefused { state, event }),
        }
    }
}

/// The next step from what is to what is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    Place,
    /// Order the host that was chosen to make it. Given again it is the same order.
    Create,
    Pause,
    Resume,
    Destroy,
}

/// Pure; asked again after every change.
pub fn next_action(desired: Desired, observed: SandboxState) -> Option<Action> {
    use Desired as D;
    use SandboxState as S;
    match (desired, observed) {
        (_, S::Stopped { .. } | S::Error { .. }) => None,
        (D::Gone, _) => Some(Action::Destroy),
        (_, S::Missing) => None,
        (_, S::Pending) => Some(Action::Place),
        (_, S::Starting) => Some(Action::Create),
        (D::Running, S::Paused) => Some(Action::Resume),
        (D::Paused, S::Running) => Some(Action::Pause),
        (D::Running, S::Running) | (D::Paused, S::Paused) => None,
    }
}

/// A sandbox as the control plane knows it.
#[derive(Debug, Clone, PartialEq)]
pub struct Sandbox {
    pub id: SandboxId,
    pub team: TeamId,
    pub host: Option<HostId>,
    pub state: SandboxState,
    pub desired: Desired,
    /// Grows with each order about the sandbox. Hosts know it.
    pub generation: i64,
    /// Grows with each write of the row. Only writers of the row know it: they compare it with the version that they read.
    pub version: i64,
    /// Why the platform paused the sandbox (`idle`, `expired`, `host_stopping`), or why the sandbox ended.
    pub status_reason: Option<String>,
    pub last_error: Option<String>,
    /// Stopped here, but its host has not confirmed yet.
    pub cleanup_pending: bool,
    pub template: String,
    pub template_id: TemplateId,
    /// The user that a process runs as where a request names none, copied from the template at creation.
    pub default_user: String,
    pub vcpus: u32,
    pub memory_mib: u32,
    pub disk_size_mb: u32,
    pub timeouts: Timeouts,
    /// The length that `expires_at` was last set from.
    pub timeout_given_sec: Option<u32>,
    pub auto_resume: bool,
    pub public_traffic: bool,
    pub env: BTreeMap<String, String>,
    pub labels: BTreeMap<String, String>,
    pub guest_ip: String,
    pub host_ip: String,
    pub metadata: BTreeMap<String, String>,
    pub created_at: DateTime<Utc>,
    pub started_at: Option<DateTime<Utc>>,
    pub last_active_at: Option<DateTime<Utc>>,
    pub last_updated: DateTime<Utc>,
}

impl Sandbox {
    /// When it ends or is paused, if its time is newly set to `seconds` from now.
    pub fn expiry(now: DateTime<Utc>, seconds: u32) -> DateTime<Utc> {
        now + chrono::Duration::seconds(i64::from(seconds))
    }

    /// A connect only ever extends: the later of the two moments. `None` stays none.
    pub fn extended(&self, now: DateTime<Utc>, seconds: u32) -> Option<DateTime<Utc>> {
        let at = self.timeouts.expires_at;
        at.map(|at| at.max(Self::expiry(now, seconds)))
    }
}
