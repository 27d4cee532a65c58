//! A sandbox: its desired state, its observed state, and how both change.
//!
//! ```text
//! pending ─► starting ─► running ⇄ paused          missing: the host is unreachable
//!     └─────────┴──► error   └─┬──────┴──► stopped
//! ```
//!
//! `stopped` and `error` are final, except for the reasons that are inferred from absence (`vm_lost`, `image_lost`): a report
//! of the sandbox undoes those. `golden/transitions.txt` has the whole table.

use std::collections::BTreeMap;
use std::fmt;

use chrono::{DateTime, Utc};
use locule_ids::{HostId, SandboxId, TeamId, TemplateId};

use crate::quota::SandboxNeed;
use crate::reason::{ErrorReason, StopReason};
use crate::timeouts::Timeouts;

/// The observed state of a sandbox: the `status` of the API.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SandboxState {
    /// Not placed on a host yet.
    Pending,
    /// Placed on a host, which creates it.
    Starting,
    Running,
    /// Memory and disk are durable on the host; there is no VM.
    Paused,
    /// The host is unreachable. The sandbox has its state again when the host returns (B-119).
    Missing,
    Stopped {
        reason: StopReason,
    },
    Error {
        reason: ErrorReason,
    },
}

impl SandboxState {
    /// The word in the database and in the API.
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

    /// The reason of a final state.
    pub const fn reason(self) -> Option<&'static str> {
        match self {
            Self::Stopped { reason } => Some(reason.as_str()),
            Self::Error { reason } => Some(reason.as_str()),
            Self::Pending | Self::Starting | Self::Running | Self::Paused | Self::Missing => None,
        }
    }

    /// Whether the sandbox has ended.
    pub const fn is_final(self) -> bool {
        matches!(self, Self::Stopped { .. } | Self::Error { .. })
    }

    /// Whether the end was inferred from the absence of the sandbox on its host. A report of the sandbox undoes only such ends.
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

/// The desired state of a sandbox. Users write it, and policy does: idle pause, expiry.
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

/// A change that the control plane observes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SandboxEvent {
    /// A host was chosen.
    Placed,
    /// The host reports that the sandbox runs.
    Ran,
    /// The host reports that the sandbox is paused, durably.
    Paused,
    /// The host is unreachable.
    HostLost,
    Stop(StopReason),
    Fail(ErrorReason),
}

/// An event that is not allowed in a state.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a sandbox in state {state} does not accept the event {event:?}")]
pub struct TransitionRefused {
    pub state: SandboxState,
    pub event: SandboxEvent,
}

impl SandboxState {
    /// The only place where a sandbox changes state. Pure: no clock, no I/O.
    pub fn apply(self, event: SandboxEvent) -> Result<Self, TransitionRefused> {
        use SandboxEvent as E;
        use SandboxState as S;
        match (self, event) {
            (S::Pending, E::Placed) => Ok(S::Starting),
            // A report undoes an end that was inferred from absence.
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

/// The next step from the observed to the desired state.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    Place,
    /// Order the chosen host to create the sandbox. Repeating the order has no further effect.
    Create,
    Pause,
    Resume,
    Destroy,
}

/// The next action, or `None` when the observed state is the desired one or final. Pure; called again after every change.
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

/// A sandbox as its row has it.
#[derive(Debug, Clone, PartialEq)]
pub struct Sandbox {
    pub id: SandboxId,
    pub team: TeamId,
    pub host: Option<HostId>,
    pub state: SandboxState,
    pub desired: Desired,
    /// Grows with each order about the sandbox. Hosts compare it.
    pub generation: i64,
    /// Grows with each write of the row. Writers compare it; hosts never see it.
    pub version: i64,
    /// The reason of an automatic pause ([`PauseReason`](crate::PauseReason)) or of a final state.
    pub status_reason: Option<String>,
    pub last_error: Option<String>,
    /// Stopped here; the host has not confirmed yet.
    pub cleanup_pending: bool,
    pub template: String,
    pub template_id: TemplateId,
    /// The user that a process runs as where a request names none, copied from the template at creation.
    pub default_user: String,
    pub vcpus: u32,
    pub memory_mib: u32,
    pub disk_size_mb: u32,
    pub timeouts: Timeouts,
    /// The length in seconds that `expires_at` was last set from.
    pub timeout_given_sec: Option<u32>,
    pub auto_resume: bool,
    pub public_traffic: bool,
    pub env: BTreeMap<String, String>,
    pub labels: BTreeMap<String, String>,
    pub guest_ip: String,
    pub host_ip: String,
    pub metadata: BTreeMap<String, String>,
    /// What the sandbox's disk and saved memory occupy on the host, as the host reported it last.
    pub stored_bytes: u64,
    pub created_at: DateTime<Utc>,
    pub started_at: Option<DateTime<Utc>>,
    pub last_active_at: Option<DateTime<Utc>>,
    pub last_updated: DateTime<Utc>,
}

impl Sandbox {
    /// Whether the change to `next` is the order that ends the sandbox.
    pub fn is_ended_by(&self, next: &Self) -> bool {
        next.desired == Desired::Gone && self.desired != Desired::Gone && !self.state.is_final()
    }

    /// What the sandbox needs of its team's quota while it runs.
    pub fn need(&self) -> SandboxNeed {
        SandboxNeed::new(self.vcpus, self.memory_mib, &self.timeouts)
    }

    /// The moment `seconds` from now.
    pub fn expiry(now: DateTime<Utc>, seconds: u32) -> DateTime<Utc> {
        now + chrono::Duration::seconds(i64::from(seconds))
    }

    /// The expiry after a connect, which never shortens it: the later of the two moments. `None` stays `None`.
    pub fn extended(&self, now: DateTime<Utc>, seconds: u32) -> Option<DateTime<Utc>> {
        let at = self.timeouts.expires_at;
        at.map(|at| at.max(Self::expiry(now, seconds)))
    }
}
