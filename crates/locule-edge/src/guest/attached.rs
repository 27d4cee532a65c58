//! Follows the events of one process across restarts of the host agent.
//!
//! ```text
//! attached ── stream broke ──► back off ──► Connect(pid, offset) ──► attached      until RECONNECT_TIMEOUT
//! ```
//! The guest agent keeps a process and the end of its output while no client follows, so a broken stream continues at the
//! byte where it broke. A sandbox that stopped is different: the host agent answers and does not know the sandbox.

use std::future::Future;
use std::time::Duration;

use futures::{StreamExt as _, stream};
use locule_agent_api::Purpose;
use locule_base::backoff::Backoff;
use tokio::time::Instant;

use super::processes::{OpenStream, ProcessEvent, ProcessEvents, ProcessExit, Selector};
use super::{GuestClient, GuestError};

/// How long to try to reach a host agent again before its streams fail.
const RECONNECT_TIMEOUT: Duration = Duration::from_secs(30);
const BACKOFF_FIRST: Duration = Duration::from_millis(20);
const BACKOFF_MAX: Duration = Duration::from_secs(1);
const SIGKILL: i32 = 9;

/// Follows a process to its end.
struct Attached {
    guest: GuestClient,
    events: ProcessEvents,
    /// Known once the process has started.
    pid: Option<u32>,
    /// Position in the process's output of the next byte, if known.
    offset: Option<u64>,
    purpose: Purpose,
    /// When the guest agent kills the process.
    deadline: Option<Instant>,
    /// Count of lost bytes that the next event reports.
    gap: u64,
    /// The last outage and when the stream was attached again; cleared when output arrives.
    recovered: Option<(Outage, Instant)>,
}

/// Makes the events of a stream that was just opened survive a break of that stream.
pub(super) fn attached(
    guest: GuestClient,
    stream: OpenStream,
    timeout: Option<Duration>,
) -> ProcessEvents {
    let attached = Attached {
        guest,
        events: stream.events,
        pid: None,
        offset: stream.offset,
        purpose: stream.purpose,
        deadline: timeout.map(|timeout| Instant::now() + timeout),
        gap: 0,
        recovered: None,
    };
    stream::unfold(Some(attached), |attached| async move {
        let mut attached = attached?;
        let next = attached.next().await?;
        let last = matches!(next, Ok(ProcessEvent::Exited(_)) | Err(_));
        Some((next, (!last).then_some(attached)))
    })
    .boxed()
}

impl Attached {
    async fn next(&mut self) -> Option<Result<ProcessEvent, GuestError>> {
        loop {
            if self.gap > 0 {
                let bytes = std::mem::take(&mut self.gap);
                return Some(Ok(ProcessEvent::Gap { bytes }));
            }
            match self.events.next().await? {
                Ok(event) => return Some(self.record(event)),
                Err(error) => match self.pid {
                    Some(pid) if error.is_connection_failure() => {
                        let sandbox = self.guest.transport.target().sandbox;
                        tracing::debug!(sandbox.id = %sandbox, pid, %error, "the event stream of a process broke; attaching to the process again");
                        if let Err(error) = self.attach_again(pid, error).await {
                            return Some(Err(error));
                        }
                    }
                    _ => return Some(Err(error)),
                },
            }
        }
    }

    /// Updates the position in the output, and turns a kill at the deadline into [`GuestError::TimedOut`].
    fn record(&mut self, event: ProcessEvent) -> Result<ProcessEvent, GuestError> {
        match &event {
            ProcessEvent::Started { pid } => self.pid = Some(*pid),
            ProcessEvent::Stdout(bytes) | ProcessEvent::Stderr(bytes) => {
                let length = bytes.len() as u64;
                self.recovered = None;
                self.offset = self.offset.map(|offset| offset.saturating_add(length));
            }
            ProcessEvent::Gap { .. } => {}
            // A stream that was attached again has no deadline of its own: it only reports the kill.
            ProcessEvent::Exited(ProcessExit {
                signal: Some(SIGKILL),
                ..
            }) if self
                .deadline
                .is_some_and(|deadline| deadline <= Instant::now()) =>
            {
                return Err(GuestError::TimedOut);
            }
            ProcessEvent::Exited(_) => {}
        }
        Ok(event)
    }

    async fn attach_again(&mut self, pid: u32, broken: GuestError) -> Result<(), GuestError> {
        let process = Selector::Pid(pid);
        let mut outage = match self.recovered.take() {
            // The stream broke again soon and without output: the outage continues, or a hostile guest closes each stream
            // to cause endless work.
            Some((outage, since)) if since.elapsed() < RECONNECT_TIMEOUT => outage,
            _ => Outage::new(&broken),
        };
        if outage.has_timed_out() {
            return Err(broken);
        }
        loop {
            outage.back_off().await;
            let failed = match self
                .guest
                .follow(&process, self.offset, self.purpose.clone())
                .await
            {
                Ok(mut stream) => match stream.events.next().await {
                    Some(Ok(ProcessEvent::Started { .. })) => {
                        self.continue_with(stream);
                        self.recovered = Some((outage, Instant::now()));
                        return Ok(());
                    }
                    Some(Err(error)) => error,
                    Some(Ok(_)) | None => {
                        GuestError::Failed("the stream has no start event".into())
                    }
                },
                Err(error) => error,
            };
            let retry = outage.explains(&failed)
                || (failed.is_connection_failure() && !outage.has_timed_out());
            if !retry {
                return Err(failed);
            }
        }
    }

    fn continue_with(&mut self, stream: OpenStream) {
        if let (Some(expected), Some(first)) = (self.offset, stream.offset) {
            self.gap = first.saturating_sub(expected);
        }
        self.offset = stream.offset.or(self.offset);
        self.events = stream.events;
    }
}

/// A period in which the host agent may be restarting.
struct Outage {
    backoff: Backoff,
    until: Instant,
    /// Whether the host agent was unreachable. After a restart it knows no sandbox until it has adopted its sandboxes.
    unreachable: bool,
}

impl Outage {
    fn new(error: &GuestError) -> Self {
        Self {
            backoff: Backoff::new(BACKOFF_FIRST, BACKOFF_MAX),
            until: Instant::now() + RECONNECT_TIMEOUT,
            unreachable: matches!(error, GuestError::HostUnavailable(_)),
        }
    }

    async fn back_off(&mut self) {
        tokio::time::sleep(self.backoff.next_wait()).await;
    }

    fn has_timed_out(&self) -> bool {
        Instant::now() >= self.until
    }

    /// Whether a restart of the host agent alone can be the cause of this error.
    fn explains(&mut self, error: &GuestError) -> bool {
        self.unreachable |= matches!(error, GuestError::HostUnavailable(_));
        let absent = matches!(error, GuestError::HostUnavailable(_) | GuestError::Gone);
        self.unreachable && absent && !self.has_timed_out()
    }
}

/// Makes a call, and repeats it while the host agent restarts. Only a call that did not reach the guest agent is repeated.
pub async fn retry_while_agent_restarts<T, F>(mut call: impl FnMut() -> F) -> Result<T, GuestError>
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
        if !outage.explains(&error) {
            return Err(error);
        }
        outage.back_off().await;
    }
}
