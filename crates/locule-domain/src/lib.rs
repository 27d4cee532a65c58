//! The rules: which changes of a sandbox are allowed, which action comes next, what a request and a name may contain.
//!
//! Pure: no clock, no I/O, no log line. Functions take values and return decisions. A rule about sandboxes that is not here
//! is in the wrong place.

pub mod host;
mod limits;
pub mod oauth;
pub mod people;
mod placement;
mod quota;
mod reason;
mod sandbox;
mod timeouts;
mod update;

pub use host::{Drain, HostAddress, HostEvent, HostKind, HostState};
pub use limits::{Invalid, Limits, MEMORY_STEP_MIB, NewSandbox, is_safe_name, round_up_memory};
pub use people::{Need, Role, Scope, SignupPolicy, UnknownWord, UserStatus};
pub use placement::{
    Candidate, Capacity, HostUse, Load, Measured, NotEligible, Overcommit, PlacementNeed, Refusals,
    Scheduler, SchedulerKind,
};
pub use quota::{Exceeded, Quota, QuotaLimit, SandboxNeed, Usage};
pub use reason::{ErrorReason, PauseReason, StopReason};
pub use sandbox::{
    Action, Desired, Sandbox, SandboxEvent, SandboxState, TransitionRefused, next_action,
};
pub use timeouts::{OnTimeout, Overdue, Timeouts};
pub use update::{Expiry, SandboxUpdate, UpdateRefused};
