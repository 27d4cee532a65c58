//! The two time limits of a running sandbox.

use chrono::{DateTime, Utc};

/// What happens to a sandbox at `expires_at`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum OnTimeout {
    #[default]
    Kill,
    Pause,
}

impl OnTimeout {
    pub const ALL: [Self; 2] = [Self::Kill, Self::Pause];

    /// The word in the database and in the API.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Kill => "kill",
            Self::Pause => "pause",
        }
    }
}

/// How long a sandbox may run. The host enforces both limits; the control plane acts where a host does not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Timeouts {
    /// Idle seconds after which the sandbox is paused; 0 disables the idle timeout.
    pub timeout_sec: u32,
    /// The moment at which the sandbox is killed or paused, idle or not.
    pub expires_at: Option<DateTime<Utc>>,
    pub on_timeout: OnTimeout,
}
