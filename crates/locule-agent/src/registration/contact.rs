//! What the agent does when it loses the control plane (B-112, B-123, W-059). Pure.
//!
//! | the last heartbeats | what the agent does |
//! |---|---|
//! | taken, or refused for a reason of their own | nothing |
//! | no answer for 90 s | pauses all sandboxes, and tries again |
//! | 5xx or 429 for the error limit | pauses all sandboxes, and tries again |
//! | the access token and the refresh token are refused | pauses all sandboxes, and stops |
//! | this host was deleted | pauses all sandboxes, removes its credentials, and exits |
//!
//! A sandbox on a host without a control plane is out of reach of its users, who cannot end it either: paused, it keeps everything and
//! costs nothing. After the contact returned, the next loss pauses again.

use std::time::Duration;

use locule_domain::host::HEARTBEAT_PERIOD;

/// Heartbeats without an answer: as many as make the control plane call the host unreachable (B-117).
const SILENT_BEATS: u32 = 3;

/// How a heartbeat ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Heard {
    /// The control plane took the heartbeat, or refused it for a reason of the heartbeat.
    Answer,
    /// The control plane lives, and cannot answer now.
    Trouble,
    /// Nothing, or an answer that is not the control plane's.
    Silence,
    /// The access token and the refresh token are not valid.
    Refused,
    /// The host was deleted.
    Deleted,
}

/// What the agent does after a heartbeat.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Decision {
    Continue,
    /// Pause all sandboxes, and send further heartbeats.
    PauseAll,
    /// Pause all sandboxes, and send no further heartbeat.
    PauseAllAndStop,
    /// Pause all sandboxes, and leave the platform.
    Leave,
}

/// When the agent heard of the control plane last, in monotonic time.
#[derive(Debug, Clone, Copy)]
pub(super) struct Contact {
    error_limit: Duration,
    /// The last answer of any kind.
    answered_at: Duration,
    /// The last answer that was no trouble.
    served_at: Duration,
    /// Whether all sandboxes were paused since the contact was lost.
    is_paused: bool,
}

impl Contact {
    /// `error_limit`: how long the control plane may be in trouble.
    pub(super) fn since(now: Duration, error_limit: Duration) -> Self {
        Self {
            error_limit,
            answered_at: now,
            served_at: now,
            is_paused: false,
        }
    }

    /// Decides after a heartbeat that ended at `now`.
    pub(super) fn hear(&mut self, heard: Heard, now: Duration) -> Decision {
        let is_silent = match heard {
            Heard::Refused => return Decision::PauseAllAndStop,
            Heard::Deleted => return Decision::Leave,
            Heard::Answer => {
                (self.answered_at, self.served_at) = (now, now);
                false
            }
            Heard::Trouble => {
                self.answered_at = now;
                false
            }
            Heard::Silence => {
                let limit = HEARTBEAT_PERIOD * SILENT_BEATS;
                now.saturating_sub(self.answered_at) >= limit
            }
        };
        let in_trouble =
            heard != Heard::Answer && now.saturating_sub(self.served_at) >= self.error_limit;
        if is_silent || in_trouble {
            let was_paused = std::mem::replace(&mut self.is_paused, true);
            return if was_paused {
                Decision::Continue
            } else {
                Decision::PauseAll
            };
        }
        if heard != Heard::Silence {
            self.is_paused = false;
        }
        Decision::Continue
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ERROR_LIMIT: u64 = 900;

    /// The decisions after heartbeats that ended at these seconds.
    fn decide(heard: &[(u64, Heard)]) -> Vec<Decision> {
        let mut contact = Contact::since(Duration::ZERO, Duration::from_secs(ERROR_LIMIT));
        let decisions = heard
            .iter()
            .map(|(at, heard)| contact.hear(*heard, Duration::from_secs(*at)));
        decisions.collect()
    }

    /// B-112, B-123, W-059.
    #[test]
    fn all_sandboxes_are_paused_once_for_each_loss_of_the_control_plane() {
        use Decision::{Continue, Leave, PauseAll, PauseAllAndStop};
        use Heard::{Answer, Deleted, Refused, Silence, Trouble};
        type Case<'a> = (&'a str, &'a [(u64, Heard)], &'a [Decision]);
        let cases: &[Case<'_>] = &[
            (
                "silence below the limit, from the last answer on",
                &[(30, Answer), (60, Silence), (119, Silence), (120, Silence)],
                &[Continue, Continue, Continue, PauseAll],
            ),
            (
                "silence from the start of the agent on",
                &[(1, Silence), (89, Silence), (90, Silence)],
                &[Continue, Continue, PauseAll],
            ),
            (
                "a loss that goes on pauses once",
                &[(90, Silence), (95, Silence), (1000, Silence)],
                &[PauseAll, Continue, Continue],
            ),
            (
                "the next loss pauses again",
                &[(90, Silence), (100, Answer), (189, Silence), (190, Silence)],
                &[PauseAll, Continue, Continue, PauseAll],
            ),
            (
                "trouble ends a silence",
                &[(80, Silence), (85, Trouble), (174, Silence), (175, Silence)],
                &[Continue, Continue, Continue, PauseAll],
            ),
            (
                "trouble after a silence is a contact",
                &[(90, Silence), (95, Trouble), (185, Silence)],
                &[PauseAll, Continue, PauseAll],
            ),
            (
                "trouble pauses at the error limit only",
                &[(30, Answer), (60, Trouble), (929, Trouble), (930, Trouble)],
                &[Continue, Continue, Continue, PauseAll],
            ),
            (
                "trouble that goes on pauses once, and again after an answer",
                &[
                    (900, Trouble),
                    (930, Trouble),
                    (940, Answer),
                    (1840, Trouble),
                ],
                &[PauseAll, Continue, Continue, PauseAll],
            ),
            (
                "trouble and silence in turns count as trouble",
                &[(850, Trouble), (899, Silence), (900, Silence)],
                &[Continue, Continue, PauseAll],
            ),
            (
                "refused credentials pause at once",
                &[(30, Answer), (60, Refused)],
                &[Continue, PauseAllAndStop],
            ),
            ("a deleted host is left at once", &[(1, Deleted)], &[Leave]),
        ];
        for (case, heard, expected) in cases {
            assert_eq!(decide(heard), *expected, "{case}");
        }
    }
}
