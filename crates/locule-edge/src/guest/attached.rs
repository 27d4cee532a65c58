//! The events of one process, across restarts of the host agent in between.
//!
//! ```text
//! attached ── broken ──► wait ──► Connect(pid, offset) ──► attached      until patience ends, or the sandbox did
//! ```
//! The guest agent keeps a process and the end of its output while nobody follows, so a stream that broke goes on where it
//! was. A sandbox that ended is told apart by the host agent, which is there and does not know it.

use std::future::Future;
use std::time::Duration;

use futures::{StreamExt as _, stream};
use locule_base::backoff::Backoff;
use tokio::time::Instant;

use super::processes::{Ended, Event, Events, Followed, Selector};
use super::{Guest, GuestError};

/// How long a host agent may be away before its streams are given up.
const PATIENCE: Duration = Duration::from_secs(30);
const WAIT_FIRST: Duration = Duration::from_millis(20);
const WAIT_MAX: Duration = Duration::from_secs(1);
const SIGKILL: i32 = 9;

/// Follows a process to its end.
struct Attached {
    guest: Guest,
    events: Events,
    /// Known once it has started.
    pid: Option<u32>,
    /// Of the next byte of its output, if known.
    offset: Option<u64>,
    /// When the guest agent kills it.
    deadline: Option<Instant>,
    /// Output that is lost, to be told before what comes.
    gap: u64,
    /// The last outage and when it seemed to be over, until output comes.
    over: Option<(Outage, Instant)>,
}

/// Makes the events of a stream that was just opened outlive it.
pub(super) fn attached(guest: Guest, followed: Followed, timeout: Option<Duration>) -> Events {
    let attached = Attached {
        guest,
        events: followed.events,
        pid: None,
        offset: followed.offset,
        deadline: timeout.map(|timeout| Instant::now() + timeout),
        gap: 0,
        over: None,
    };
    stream::unfold(Some(attached), |attached| async move {
        let mut attached = attached?;
        let next = attached.next().await?;
        let last = matches!(next, Ok(Event::Ended(_)) | Err(_));
        Some((next, (!last).then_some(attached)))
    })
    .boxed()
}

impl Attached {
    async fn next(&mut self) -> Option<Result<Event, GuestError>> {
        loop {
            if self.gap > 0 {
                let bytes = std::mem::take(&mut self.gap);
                return Some(Ok(Event::Gap { bytes }));
            }
            match self.events.next().await? {
                Ok(event) => return Some(self.seen(event)),
                Err(error) => match self.pid {
                    Some(pid) if error.broke_off() => {
                        tracing::debug!(pid, %error, "the stream of a process broke; attaching again");
                        if let Err(error) = self.attach_again(pid, error).await {
                            return Some(Err(error));
                        }
                    }
                    _ => return Some(Err(error)),
                },
            }
        }
    }

    fn seen(&mut self, event: Event) -> Result<Event, GuestError> {
        match &event {
            Event::Started { pid } => self.pid = Some(*pid),
            Event::Stdout(bytes) | Event::Stderr(bytes) => {
                let length = bytes.len() as u64;
                self.over = None;
                self.offset = self.offset.map(|offset| offset.saturating_add(length));
            }
            Event::Gap { .. } => {}
            // A stream that was attached again carries no deadline: the kill is all it sees.
            Event::Ended(Ended {
                signal: Some(SIGKILL),
                ..
            }) if self
                .deadline
                .is_some_and(|deadline| deadline <= Instant::now()) =>
            {
                return Err(GuestError::TimedOut);
            }
            Event::Ended(_) => {}
        }
        Ok(event)
    }

    async fn attach_again(&mut self, pid: u32, broken: GuestError) -> Result<(), GuestError> {
        let process = Selector::Pid(pid);
        let mut outage = match self.over.take() {
            // Soon and without a word: it was not over, or a guest breaks off again and again to keep us busy.
            Some((outage, since)) if since.elapsed() < PATIENCE => outage,
            _ => Outage::new(&broken),
        };
        if !outage.patient() {
            return Err(broken);
        }
        loop {
            outage.wait().await;
            let failed = match self.guest.follow(&process, self.offset).await {
                Ok(mut followed) => match followed.events.next().await {
                    Some(Ok(Event::Started { .. })) => {
                        self.went_on(followed);
                        self.over = Some((outage, Instant::now()));
                        return Ok(());
                    }
                    Some(Err(error)) => error,
                    Some(Ok(_)) | None => GuestError::Failed("no start event".into()),
                },
                Err(error) => error,
            };
            let again = outage.goes_on(&failed) || (failed.broke_off() && outage.patient());
            if !again {
                return Err(failed);
            }
        }
    }

    fn went_on(&mut self, followed: Followed) {
        if let (Some(wanted), Some(begins)) = (self.offset, followed.offset) {
            self.gap = begins.saturating_sub(wanted);
        }
        self.offset = followed.offset.or(self.offset);
        self.events = followed.events;
    }
}

/// A host agent that may be coming back.
struct Outage {
    backoff: Backoff,
    until: Instant,
    /// Whether it was seen to be away. Until it has taken over its sandboxes again it knows none.
    away: bool,
}

impl Outage {
    fn new(error: &GuestError) -> Self {
        Self {
            backoff: Backoff::new(WAIT_FIRST, WAIT_MAX),
            until: Instant::now() + PATIENCE,
            away: matches!(error, GuestError::HostUnavailable(_)),
        }
    }

    async fn wait(&mut self) {
        tokio::time::sleep(self.backoff.next_wait()).await;
    }

    fn patient(&self) -> bool {
        Instant::now() < self.until
    }

    /// Whether the failure says no more than that the host agent is away.
    fn goes_on(&mut self, error: &GuestError) -> bool {
        self.away |= matches!(error, GuestError::HostUnavailable(_));
        let absent = matches!(error, GuestError::HostUnavailable(_) | GuestError::Gone);
        self.away && absent && self.patient()
    }
}

/// Makes a call, again and again while its host agent is away: such a call has not been made.
pub async fn patiently<T, F>(mut call: impl FnMut() -> F) -> Result<T, GuestError>
where
    F: Future<Output = Result<T, GuestError>>,
{
    let mut outage: Option<Outage> = None;
    loop {
        let error = match call().await {
            Ok(done) => return Ok(done),
            Err(error) => error,
        };
        let outage = outage.get_or_insert_with(|| Outage::new(&error));
        if !outage.goes_on(&error) {
            return Err(error);
        }
        outage.wait().await;
    }
}
