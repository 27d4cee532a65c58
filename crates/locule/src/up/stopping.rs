//! The end of the host agent, which pauses every sandbox before it exits.
//!
//! `up` waits as long as the agent makes progress, however long that takes: a killed agent leaves virtual machines that nothing
//! pauses at their timeouts. The wait ends early when the operator asks for it by a second signal. Sandboxes that then run are
//! named; the next start adopts them.

use std::io;
use std::process::ExitStatus;
use std::time::Duration;

use locule_agent_api::{Client, HostAgent as _, ReportedState};
use locule_base::clock::Clock;
use locule_ids::SandboxId;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tokio::process::Child;

use crate::screen;

/// How often `up` looks at the agent, and prints what is left.
const PERIOD: Duration = Duration::from_secs(5);
/// An agent that does not answer within this time is asked again later.
const ANSWER: Duration = Duration::from_secs(2);
/// An agent that has made no progress for this long is stuck: writing four large snapshots to a slow disk may take minutes.
const PATIENCE: Duration = Duration::from_mins(3);
/// What is added to [`PATIENCE`] for each sandbox that is left.
const PATIENCE_OF_ONE: Duration = Duration::from_mins(1);
/// Bytes that the agent must write to have made progress: its log is none.
const PROGRESS_BYTES: u64 = 1 << 20;
/// After a second signal the agent may complete the pauses that are almost done.
const GRACE: Duration = Duration::from_secs(5);

/// The end of the agent.
#[derive(Debug)]
pub(super) struct Ended {
    pub(super) status: ExitStatus,
    /// The sandboxes that were last seen running by a wait that ended early.
    pub(super) left: Vec<SandboxId>,
}

/// What an agent has still to pause, and how long it has made no progress.
struct Progress {
    left: Option<Vec<SandboxId>>,
    written_bytes: u64,
    at: Duration,
}

impl Progress {
    fn new(now: Duration) -> Self {
        Self {
            left: None,
            written_bytes: 0,
            at: now,
        }
    }

    /// `left` is `None` when the agent did not answer: what was known of it stays.
    fn observe(&mut self, left: Option<Vec<SandboxId>>, written_bytes: u64, now: Duration) {
        let is_changed = left.is_some() && left != self.left;
        if is_changed || written_bytes >= self.written_bytes + PROGRESS_BYTES {
            self.at = now;
            self.written_bytes = written_bytes;
        }
        self.left = left.or(self.left.take());
    }

    fn left(&self) -> &[SandboxId] {
        self.left.as_deref().unwrap_or_default()
    }

    fn is_stuck(&self, now: Duration) -> bool {
        let left = u32::try_from(self.left().len()).unwrap_or(u32::MAX);
        let patience = PATIENCE.saturating_add(PATIENCE_OF_ONE.saturating_mul(left));
        now.saturating_sub(self.at) > patience
    }

    fn line(&self) -> String {
        match self.left().len() {
            0 => "stopping the host agent".to_owned(),
            left => format!("pausing sandboxes: {left} left"),
        }
    }
}

/// The sandboxes that run, as the agent reports them. `None`: no answer.
pub(super) async fn running(agent: &Client) -> Option<Vec<SandboxId>> {
    let reports = tokio::time::timeout(ANSWER, agent.list_sandboxes()).await;
    let reports = reports.ok()?.ok()?.into_iter();
    let running = reports.filter(|report| report.state == ReportedState::Running);
    let mut running: Vec<_> = running.map(|report| report.sandbox).collect();
    running.sort_unstable();
    Some(running)
}

/// Stops the agent and waits for its exit. `look` returns the sandboxes that run; `enough` completes when the operator waits no
/// longer.
pub(super) async fn stop(
    agent: &mut Child,
    clock: &dyn Clock,
    period: Option<Duration>,
    look: impl AsyncFn() -> Option<Vec<SandboxId>>,
    enough: impl Future<Output = ()>,
) -> io::Result<Ended> {
    let begun = clock.monotonic();
    let mut progress = Progress::new(begun);
    send(agent, Signal::SIGTERM);
    tokio::pin!(enough);
    loop {
        let left = look().await;
        let now = clock.monotonic();
        progress.observe(left, written_bytes(agent), now);
        let seconds = now.saturating_sub(begun).as_secs();
        screen::complain(&format!("  … {} ({seconds} s)", progress.line()));
        if progress.is_stuck(now) {
            screen::complain("the host agent makes no progress; `up` kills it");
            return end(agent, Signal::SIGKILL, progress).await;
        }
        tokio::select! {
            status = agent.wait() => return status.map(|status| Ended { status, left: Vec::new() }),
            () = &mut enough => {
                progress.observe(look().await, 0, now);
                return end(agent, Signal::SIGUSR2, progress).await;
            }
            () = tokio::time::sleep(period.unwrap_or(PERIOD)) => {}
        }
    }
}

/// Ends an agent whose pauses are waited for no longer, and names the sandboxes that run.
async fn end(agent: &mut Child, how: Signal, progress: Progress) -> io::Result<Ended> {
    let left = progress.left.unwrap_or_default();
    screen::complain(&notice(&left));
    send(agent, how);
    let exited = tokio::time::timeout(GRACE, agent.wait()).await;
    let status = if let Ok(status) = exited {
        status?
    } else {
        send(agent, Signal::SIGKILL);
        agent.wait().await?
    };
    Ok(Ended { status, left })
}

fn notice(left: &[SandboxId]) -> String {
    if left.is_empty() {
        return "No sandbox is known to run.".to_owned();
    }
    let names: Vec<_> = left.iter().map(ToString::to_string).collect();
    format!(
        "These sandboxes are not paused: {}. Their virtual machines run on, and their timeouts have no effect, until the next start on \
         this data directory, which takes them over.",
        names.join(", ")
    )
}

pub(super) fn send(child: &Child, signal: Signal) {
    if let Some(pid) = child.id().and_then(|pid| i32::try_from(pid).ok()) {
        // A child that has exited needs no signal.
        let _ = kill(Pid::from_raw(pid), signal);
    }
}

/// The bytes that a process has written to disks since its start.
fn written_bytes(child: &Child) -> u64 {
    let read = |pid: u32| std::fs::read_to_string(format!("/proc/{pid}/io")).ok();
    let text = child.id().and_then(read).unwrap_or_default();
    let mut lines = text.lines();
    let written = lines.find_map(|line| line.strip_prefix("write_bytes: "));
    written
        .and_then(|bytes| bytes.trim().parse().ok())
        .unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use std::path::{Path, PathBuf};
    use std::process::Stdio;

    use locule_base::clock::{ManualClock, SystemClock};
    use nix::sys::stat::Mode;
    use std::os::unix::process::ExitStatusExt as _;
    use std::sync::Mutex;
    use tokio::io::{AsyncBufReadExt as _, BufReader};

    use super::*;

    const QUICKLY: Option<Duration> = Some(Duration::from_millis(1));

    fn ids(count: usize) -> Vec<SandboxId> {
        (0..count).map(|_| SandboxId::random()).collect()
    }

    fn clock() -> ManualClock {
        ManualClock::at(SystemClock::new().now())
    }

    /// A process that ignores SIGTERM, and exits when it can read from a pipe.
    async fn slow_agent(folder: &Path) -> (Child, PathBuf) {
        let pipe = folder.join("pipe");
        nix::unistd::mkfifo(&pipe, Mode::S_IRWXU).unwrap();
        #[expect(
            clippy::disallowed_methods,
            reason = "stands in for a child that `up` supervises"
        )]
        let mut command = tokio::process::Command::new("sh");
        let script = "trap '' TERM USR2; echo ready; read line < \"$0\"";
        let mut child = command
            .args(["-c", script])
            .arg(&pipe)
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        lines.next_line().await.unwrap();
        (child, pipe)
    }

    #[tokio::test]
    async fn an_agent_that_goes_on_pausing_is_never_killed() {
        let folder = tempfile::tempdir().unwrap();
        let (mut child, pipe) = slow_agent(folder.path()).await;
        let (clock, left) = (clock(), Mutex::new(ids(12)));
        let look = async || {
            let mut left = left.lock().unwrap();
            // The last sandbox is paused after 48 minutes.
            if left.pop().is_some() {
                clock.advance(Duration::from_mins(4));
                if left.is_empty() {
                    std::fs::write(&pipe, "\n").unwrap();
                }
            }
            Some(left.clone())
        };
        let ended = stop(&mut child, &clock, QUICKLY, look, std::future::pending());
        let ended = ended.await.unwrap();
        assert!(ended.status.success(), "{ended:?}");
        assert!(ended.left.is_empty(), "{ended:?}");
        assert_eq!(clock.monotonic(), Duration::from_mins(48));
    }

    #[tokio::test]
    async fn an_agent_without_progress_is_killed_and_the_sandboxes_that_run_are_named() {
        let folder = tempfile::tempdir().unwrap();
        let (mut child, _) = slow_agent(folder.path()).await;
        let (clock, left) = (clock(), ids(2));
        let look = async || {
            clock.advance(Duration::from_mins(1));
            Some(left.clone())
        };
        let ended = stop(&mut child, &clock, QUICKLY, look, std::future::pending());
        let ended = ended.await.unwrap();
        assert_eq!(ended.status.signal(), Some(9), "{ended:?}");
        assert_eq!(ended.left, left);
        // Three minutes, one for each sandbox, and those of the first and the last look.
        assert_eq!(clock.monotonic(), Duration::from_mins(7));
        let said = notice(&ended.left);
        assert!(
            left.iter().all(|id| said.contains(&id.to_string())),
            "{said}"
        );
    }

    #[test]
    fn a_snapshot_that_is_being_written_is_progress_and_a_line_of_the_log_is_none() {
        let minutes = Duration::from_mins;
        let mut progress = Progress::new(minutes(0));
        let left = ids(1);
        progress.observe(Some(left.clone()), 0, minutes(0));
        progress.observe(Some(left.clone()), PROGRESS_BYTES, minutes(4));
        assert!(!progress.is_stuck(minutes(8)));
        progress.observe(None, PROGRESS_BYTES + 4096, minutes(8));
        assert_eq!(progress.left(), left, "an agent that does not answer");
        assert!(!progress.is_stuck(minutes(8)));
        assert!(progress.is_stuck(minutes(9)));
        assert_eq!(progress.line(), "pausing sandboxes: 1 left");
    }
}
