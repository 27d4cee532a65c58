//! The two time limits of a running sandbox.

use chrono::{DateTime, TimeDelta, Utc};

use crate::reason::{PauseReason, StopReason};

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

/// A limit of a running sandbox has passed: what happens to the sandbox.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Overdue {
    /// It expired, and ends.
    Kill,
    /// It expired, and is paused.
    PauseExpired,
    /// It was idle for too long, and is paused.
    PauseIdle,
}

impl Overdue {
    /// The reason as reports, rows and the audit log name it.
    pub const fn reason(self) -> &'static str {
        match self {
            Self::Kill => StopReason::Expired.as_str(),
            Self::PauseExpired => PauseReason::Expired.as_str(),
            Self::PauseIdle => PauseReason::Idle.as_str(),
        }
    }
}

impl Timeouts {
    /// Whether the platform pauses the sandbox at one of the limits. An `expires_at` may be set later.
    pub fn may_pause(&self) -> bool {
        self.timeout_sec > 0 || self.on_timeout == OnTimeout::Pause
    }

    /// The limit that has passed at `now`, for a sandbox that has been idle since `idle_since`; `None` there means that the
    /// sandbox is in use. An expired sandbox ends or is paused whether it is idle or not.
    pub fn overdue(
        &self,
        now: DateTime<Utc>,
        idle_since: Option<DateTime<Utc>>,
    ) -> Option<Overdue> {
        if self.expires_at.is_some_and(|at| at <= now) {
            return Some(match self.on_timeout {
                OnTimeout::Kill => Overdue::Kill,
                OnTimeout::Pause => Overdue::PauseExpired,
            });
        }
        let idle_time = TimeDelta::seconds(self.timeout_sec.into());
        let is_idle = idle_since.is_some_and(|since| now - since > idle_time);
        (self.timeout_sec > 0 && is_idle).then_some(Overdue::PauseIdle)
    }

    /// The moment before which no limit passes, for a sandbox that was last used at `idle_since` or later.
    pub fn next_limit(&self, idle_since: DateTime<Utc>) -> Option<DateTime<Utc>> {
        let idle_time = TimeDelta::seconds(self.timeout_sec.into());
        let idle_at = (self.timeout_sec > 0).then(|| idle_since + idle_time);
        self.expires_at.into_iter().chain(idle_at).min()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_expired_sandbox_ends_or_is_paused_before_its_idle_time_counts() {
        let now = DateTime::UNIX_EPOCH + TimeDelta::hours(1);
        let second = TimeDelta::seconds(1);
        let limits = |timeout_sec, expires_at, on_timeout| Timeouts {
            timeout_sec,
            expires_at,
            on_timeout,
        };
        let idle = Some(now - TimeDelta::seconds(11));
        for (timeouts, idle_since, overdue) in [
            (limits(0, None, OnTimeout::Kill), idle, None),
            (
                limits(10, None, OnTimeout::Kill),
                idle,
                Some(Overdue::PauseIdle),
            ),
            (limits(10, None, OnTimeout::Kill), None, None),
            (limits(11, None, OnTimeout::Kill), idle, None),
            (
                limits(0, Some(now), OnTimeout::Kill),
                None,
                Some(Overdue::Kill),
            ),
            (
                limits(10, Some(now), OnTimeout::Pause),
                idle,
                Some(Overdue::PauseExpired),
            ),
            (limits(0, Some(now + second), OnTimeout::Kill), idle, None),
            (
                limits(10, Some(now + second), OnTimeout::Kill),
                idle,
                Some(Overdue::PauseIdle),
            ),
        ] {
            assert_eq!(timeouts.overdue(now, idle_since), overdue, "{timeouts:?}");
        }
    }

    #[test]
    fn a_limit_passes_at_the_next_limit_and_not_before() {
        let start = DateTime::UNIX_EPOCH + TimeDelta::hours(1);
        let second = TimeDelta::seconds(1);
        let limits = |timeout_sec, expires_after: Option<i64>| Timeouts {
            timeout_sec,
            expires_at: expires_after
                .map(|seconds| start + second * i32::try_from(seconds).unwrap()),
            on_timeout: OnTimeout::Kill,
        };
        for timeouts in [
            limits(10, None),
            limits(10, Some(5)),
            limits(10, Some(20)),
            limits(0, Some(7)),
        ] {
            let at = timeouts.next_limit(start).unwrap();
            let overdue = |now| timeouts.overdue(now, Some(start));
            assert_eq!(overdue(at - second), None, "{timeouts:?}");
            assert!(overdue(at + second).is_some(), "{timeouts:?}");
        }
        assert_eq!(limits(0, None).next_limit(start), None);
    }
}
