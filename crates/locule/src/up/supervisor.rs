//! The child processes of `locule up`: started in order, restarted when they exit, stopped in order.
//!
//! Each child is in its own process group, so that a terminal's Ctrl-C reaches only `up`. The kernel sends each child a signal
//! when `up` exits. The kernel ties that signal to the thread that started the child: `up` has one thread.

use std::fs::{File, Permissions};
use std::io;
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use anyhow::{Context as _, bail};
use locule_agent_api::Client;
use locule_base::backoff::Backoff;
use locule_base::clock::{Clock as _, SystemClock};
use locule_base::tail::{TAIL_BYTES, tail};
use nix::sys::signal::Signal;
use tokio::process::Child;

use super::banner::Progress;
use super::invoker::SystemUser;
use super::signals::Signals;
use super::stopping::{self, send};
use crate::{environment, screen};

const RESTART_FIRST: Duration = Duration::from_millis(100);
const RESTART_MAX: Duration = Duration::from_secs(10);
const EXITS_MAX: usize = 5;
const EXITS_WITHIN: Duration = Duration::from_mins(1);
/// For every child but the agent, which pauses sandboxes first.
const STOP_PATIENCE: Duration = Duration::from_mins(3);
const LOG_MODE: u32 = 0o640;
const PROBE_PERIOD: Duration = Duration::from_millis(25);

/// The program that runs, under a path that any user may open: the user of a child may have no access to the folder of the
/// program. The path names the same program after an upgrade has replaced the file.
pub(super) const OURSELVES: &str = "/proc/self/exe";

/// For every part of the platform: the kernel kills every other process first when memory runs out, and VMMs before all others.
pub(super) const SPARED: i32 = -900;

/// How `up` runs one child.
#[derive(Clone)]
pub(super) struct Service {
    pub(super) name: &'static str,
    pub(super) program: PathBuf,
    pub(super) args: Vec<String>,
    pub(super) environment: Vec<(&'static str, String)>,
    /// Root unless set.
    pub(super) user: Option<SystemUser>,
    pub(super) log: PathBuf,
    /// Which processes the kernel kills last when memory runs out, from -1000 (never) to 1000 (first).
    pub(super) oom_score_adj: i32,
    pub(super) stop: Signal,
    pub(super) on_exit_of_up: Signal,
    /// A child that removes this file and exits without an error has ended its work: `up` does not start it again.
    pub(super) ends_without: Option<PathBuf>,
}

impl Service {
    fn has_ended(&self, status: ExitStatus) -> bool {
        let gone = self
            .ends_without
            .as_ref()
            .is_some_and(|file| !file.exists());
        gone && status.success()
    }
}

struct Running {
    service: Service,
    child: Child,
    backoff: Backoff,
    /// The times of its last exits.
    exits: Vec<Duration>,
}

/// A child that exits again and again.
#[derive(Debug)]
pub(super) struct GaveUp {
    pub(super) name: &'static str,
}

pub(super) struct Supervisor {
    clock: SystemClock,
    /// In the order of their start.
    children: Vec<Running>,
}

impl Supervisor {
    pub(super) fn new() -> Self {
        Self {
            clock: SystemClock::new(),
            children: Vec::new(),
        }
    }

    pub(super) fn start(&mut self, service: Service) -> anyhow::Result<()> {
        let child = spawn(&service).with_context(|| format!("start {}", service.name))?;
        let backoff = Backoff::new(RESTART_FIRST, RESTART_MAX);
        self.children.push(Running {
            service,
            child,
            backoff,
            exits: Vec::new(),
        });
        Ok(())
    }

    /// Waits until `probe` returns a value. A child that exits before that is an error with the last line of its log.
    pub(super) async fn until<T, F: Future<Output = Option<T>>>(
        &mut self,
        name: &str,
        patience: Duration,
        probe: impl Fn() -> F,
    ) -> anyhow::Result<T> {
        let deadline = self.clock.monotonic() + patience;
        loop {
            if let Some(value) = probe().await {
                return Ok(value);
            }
            let running = self
                .children
                .iter_mut()
                .find(|running| running.service.name == name);
            let running = running.context("the child was not started")?;
            if let Some(status) = running.child.try_wait()? {
                bail!(
                    "{name} exited ({status}): {}; the whole log is {}",
                    last_error(&running.service.log),
                    running.service.log.display()
                );
            }
            if self.clock.monotonic() > deadline {
                bail!(
                    "{name} is not ready after {} s; read its log, {}",
                    patience.as_secs(),
                    running.service.log.display()
                );
            }
            tokio::time::sleep(PROBE_PERIOD).await;
        }
    }

    /// Restarts each child that exits, except a host agent whose host was deleted. Returns when one child has exited five times
    /// within a minute.
    pub(super) async fn supervise(&mut self) -> GaveUp {
        loop {
            let waits = self
                .children
                .iter_mut()
                .enumerate()
                .map(|(index, running)| {
                    Box::pin(async move {
                        let status = running.child.wait().await;
                        (index, status)
                    })
                });
            let ((index, status), _, _) = futures::future::select_all(waits).await;
            let now = self.clock.monotonic();
            let running = &mut self.children[index];
            if status
                .as_ref()
                .is_ok_and(|status| running.service.has_ended(*status))
            {
                self.children.remove(index);
                screen::complain(
                    "the host of this machine was deleted: the platform goes on without it. Sandboxes that the deletion did not end are paused, and their files are kept. The next `locule up` registers the machine as a new host",
                );
                continue;
            }
            running
                .exits
                .retain(|exit| now.saturating_sub(*exit) < EXITS_WITHIN);
            running.exits.push(now);
            let name = running.service.name;
            let how = status.map_or_else(|error| error.to_string(), |status| status.to_string());
            if running.exits.len() >= EXITS_MAX {
                return GaveUp { name };
            }
            if running.exits.len() == 1 {
                running.backoff.reset();
            }
            let wait = running.backoff.next_wait();
            screen::complain(&format!(
                "{name} exited ({how}); `up` starts it again in {:.1} s",
                wait.as_secs_f64()
            ));
            tokio::time::sleep(wait).await;
            match spawn(&running.service) {
                Ok(child) => running.child = child,
                Err(error) => {
                    screen::complain(&format!("cannot start {name}: {error}"));
                    return GaveUp { name };
                }
            }
        }
    }

    /// Stops the agent first, because it reports to the control plane while it pauses sandboxes, and the database last. Returns
    /// whether every child stopped as it should. A signal ends the wait for the agent, and a further one every wait.
    pub(super) async fn stop(
        &mut self,
        progress: &Progress,
        signals: &mut Signals,
        agent: &Client,
    ) -> bool {
        let is_clean = match self.take("agent") {
            Some(running) => self.stop_agent(running, signals, agent).await,
            None => true,
        };
        for (name, step) in [
            ("serve", "stopping the control plane"),
            ("redis", "stopping Redis"),
            ("postgres", "stopping PostgreSQL"),
        ] {
            let Some(running) = self.take(name) else {
                continue;
            };
            tokio::select! {
                stopped = progress.step(step, stop(running)) => if let Err(error) = stopped {
                    screen::complain(&format!("cannot wait for {name}: {error:#}"));
                },
                () = signals.next() => return false,
            }
        }
        is_clean
    }

    fn take(&mut self, name: &str) -> Option<Running> {
        let mut children = self.children.iter();
        let at = children.position(|running| running.service.name == name)?;
        Some(self.children.remove(at))
    }

    /// Returns whether every sandbox is paused.
    async fn stop_agent(
        &self,
        mut running: Running,
        signals: &mut Signals,
        agent: &Client,
    ) -> bool {
        let look = async || stopping::running(agent).await;
        let ended = stopping::stop(&mut running.child, &self.clock, None, look, signals.next());
        match ended.await {
            Ok(ended) if ended.status.success() && ended.left.is_empty() => true,
            Ok(ended) if ended.left.is_empty() => {
                screen::complain(&format!(
                    "the host agent exited ({}): {}",
                    ended.status,
                    last_error(&running.service.log)
                ));
                false
            }
            Ok(_) => false,
            Err(error) => {
                screen::complain(&format!("cannot wait for the host agent: {error}"));
                false
            }
        }
    }
}

/// Stops a child that has little to do before it exits.
async fn stop(mut running: Running) -> anyhow::Result<()> {
    send(&running.child, running.service.stop);
    let stopped = tokio::time::timeout(STOP_PATIENCE, running.child.wait()).await;
    if stopped.is_err() {
        let name = running.service.name;
        screen::complain(&format!("{name} does not stop; `up` kills it"));
        send(&running.child, Signal::SIGKILL);
        running.child.wait().await?;
    }
    Ok(())
}

/// The last line of a log that reports an error, else its last line.
fn last_error(log: &Path) -> String {
    let text = tail(log, 2 * TAIL_BYTES).unwrap_or_default();
    let mut lines = text.lines().rev().filter(|line| !line.trim().is_empty());
    let error = lines
        .clone()
        .find(|line| line.contains("error:") || line.contains("FATAL"));
    error
        .or_else(|| lines.next())
        .unwrap_or("its log is empty")
        .trim()
        .to_owned()
}

/// Opens a log that no other user reads. The log of an earlier version may be open to all.
fn open_log(path: &Path) -> io::Result<File> {
    let log = File::options()
        .create(true)
        .append(true)
        .mode(LOG_MODE)
        .open(path)?;
    log.set_permissions(Permissions::from_mode(LOG_MODE))?;
    Ok(log)
}

fn spawn(service: &Service) -> io::Result<Child> {
    let log = open_log(&service.log)?;
    #[expect(
        clippy::disallowed_methods,
        reason = "a supervised child outlives every time limit of the command runner"
    )]
    let mut command = tokio::process::Command::new(&service.program);
    command.args(&service.args).current_dir("/");
    if service.program == Path::new(OURSELVES) {
        command.arg0("locule");
    }
    command
        .env_clear()
        .env(
            "PATH",
            "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
        )
        .env("LANG", "C.UTF-8")
        .envs(environment::of_logging());
    // Only tests set this variable, and only debug builds read it.
    command.envs(environment::failpoints());
    command.envs(
        service
            .environment
            .iter()
            .map(|(name, value)| (*name, value)),
    );
    command
        .stdin(Stdio::null())
        .stdout(log.try_clone()?)
        .stderr(log)
        .process_group(0);
    let (user, death_signal) = (service.user, service.on_exit_of_up);
    let parent = std::process::id();
    let score = service.oom_score_adj.to_string().into_bytes();
    let prepare = move || {
        // Before the change of user: only root may lower the value.
        if let Ok(file) = rustix::fs::open(
            c"/proc/self/oom_score_adj",
            rustix::fs::OFlags::WRONLY,
            rustix::fs::Mode::empty(),
        ) {
            let _ = rustix::io::write(&file, &score);
        }
        if let Some(user) = user {
            // The process has one thread between fork and exec.
            nix::unistd::setgroups(&[])?;
            nix::unistd::setgid(user.gid.into())?;
            nix::unistd::setuid(user.uid.into())?;
        }
        // After the change of user, which clears the signal.
        nix::sys::prctl::set_pdeathsig(death_signal)?;
        if nix::unistd::getppid().as_raw().unsigned_abs() != parent {
            // `up` exited before the call above: the kernel will never send the signal.
            return Err(io::ErrorKind::BrokenPipe.into());
        }
        Ok(())
    };
    // SAFETY: the closure makes system calls only.
    #[expect(unsafe_code, reason = "pre_exec")]
    unsafe {
        command.pre_exec(prepare);
    }
    command.spawn()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_log_is_closed_to_other_users_also_when_an_earlier_version_made_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("serve.log");
        std::fs::write(&path, "before\n").unwrap();
        std::fs::set_permissions(&path, Permissions::from_mode(0o644)).unwrap();
        for path in [path, folder.path().join("agent.log")] {
            let log = open_log(&path).unwrap();
            assert_eq!(log.metadata().unwrap().permissions().mode() & 0o777, 0o640);
        }
    }
}
