//! The children of `up`: started in order, watched, restarted, stopped in order.
//!
//! Each is in its own process group, so that a terminal's Ctrl-C reaches only `up`, and gets a signal of its own should `up`
//! die. That signal is tied to the thread that starts it: `up` has one thread.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context as _, bail};
use locule_base::backoff::Backoff;
use locule_base::clock::{Clock as _, SystemClock};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tokio::process::Child;

use super::banner::Progress;
use super::layout::SystemUser;
use crate::{environment, screen};

const RESTART_FIRST: Duration = Duration::from_millis(100);
const RESTART_MAX: Duration = Duration::from_secs(10);
const ENDS_MAX: usize = 5;
const ENDS_WITHIN: Duration = Duration::from_mins(1);
/// Pausing many sandboxes takes its time.
const STOP_PATIENCE: Duration = Duration::from_mins(3);
const LOOK_AGAIN: Duration = Duration::from_millis(25);

/// The program that runs, by a name that any user may open: the folder it is in may be closed to them. It also stays the
/// same program when another is installed in its place.
pub(super) const OURSELVES: &str = "/proc/self/exe";

/// The agent and the database outlive everything that can be started again.
pub(super) const SPARED: i32 = -900;

/// How one child is run.
#[derive(Clone)]
pub(super) struct Service {
    pub(super) name: &'static str,
    pub(super) program: PathBuf,
    pub(super) args: Vec<String>,
    pub(super) environment: Vec<(&'static str, String)>,
    /// Root unless set.
    pub(super) user: Option<SystemUser>,
    pub(super) log: PathBuf,
    /// Whom the kernel spares when memory runs out, from -1000 (always) to 1000.
    pub(super) oom_score_adj: i32,
    pub(super) stop: Signal,
    pub(super) on_death_of_up: Signal,
}

struct Running {
    service: Service,
    child: Child,
    backoff: Backoff,
    /// When it ended lately.
    ends: Vec<Duration>,
}

/// A child that would not stay up.
#[derive(Debug)]
pub(super) struct Ended {
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
            ends: Vec::new(),
        });
        Ok(())
    }

    /// Waits until `look` sees something. A child that ends meanwhile is an error that says why.
    pub(super) async fn until<T, F: Future<Output = Option<T>>>(
        &mut self,
        name: &str,
        patience: Duration,
        look: impl Fn() -> F,
    ) -> anyhow::Result<T> {
        let deadline = self.clock.monotonic() + patience;
        loop {
            if let Some(seen) = look().await {
                return Ok(seen);
            }
            let running = self
                .children
                .iter_mut()
                .find(|running| running.service.name == name);
            let running = running.context("the child was not started")?;
            if let Some(status) = running.child.try_wait()? {
                bail!(
                    "{name} ended ({status}): {}; see {}",
                    last_words(&running.service.log),
                    running.service.log.display()
                );
            }
            if self.clock.monotonic() > deadline {
                bail!(
                    "{name} is not ready after {} s; see {}",
                    patience.as_secs(),
                    running.service.log.display()
                );
            }
            tokio::time::sleep(LOOK_AGAIN).await;
        }
    }

    /// Restarts whoever ends. Returns when one ends too often.
    pub(super) async fn watch_over(&mut self) -> Ended {
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
            running
                .ends
                .retain(|end| now.saturating_sub(*end) < ENDS_WITHIN);
            running.ends.push(now);
            let name = running.service.name;
            let how = status.map_or_else(|error| error.to_string(), |status| status.to_string());
            if running.ends.len() >= ENDS_MAX {
                return Ended { name };
            }
            if running.ends.len() == 1 {
                running.backoff.reset();
            }
            let wait = running.backoff.next_wait();
            screen::complain(&format!(
                "{name} ended ({how}); starting it again in {:.1} s",
                wait.as_secs_f64()
            ));
            tokio::time::sleep(wait).await;
            match spawn(&running.service) {
                Ok(child) => running.child = child,
                Err(error) => {
                    screen::complain(&format!("cannot start {name}: {error}"));
                    return Ended { name };
                }
            }
        }
    }

    /// The agent first, while everybody it reports to is there; then the others, the database last.
    pub(super) async fn stop(&mut self, progress: &Progress) {
        for name in ["agent", "serve", "redis", "postgres"] {
            let Some(at) = self
                .children
                .iter()
                .position(|running| running.service.name == name)
            else {
                continue;
            };
            let mut running = self.children.remove(at);
            progress.begin(match name {
                "agent" => "pausing sandboxes and stopping the host agent",
                "serve" => "stopping the control plane",
                "redis" => "stopping Redis",
                _ => "stopping PostgreSQL",
            });
            signal(&running.child, running.service.stop);
            if tokio::time::timeout(STOP_PATIENCE, running.child.wait())
                .await
                .is_err()
            {
                screen::complain(&format!("{name} does not stop; killing it"));
                signal(&running.child, Signal::SIGKILL);
                // It is gone, or it is not ours any more.
                let _ = running.child.wait().await;
            }
            progress.done();
        }
    }
}

fn signal(child: &Child, signal: Signal) {
    if let Some(pid) = child.id().and_then(|pid| i32::try_from(pid).ok()) {
        // Gone already is what was wanted.
        let _ = kill(Pid::from_raw(pid), signal);
    }
}

/// The last line of a log that says something is wrong, else its last line.
fn last_words(log: &PathBuf) -> String {
    let text = std::fs::read(log).unwrap_or_default();
    let text = String::from_utf8_lossy(&text[text.len().saturating_sub(8192)..]).into_owned();
    let mut lines = text.lines().rev().filter(|line| !line.trim().is_empty());
    let wrong = lines
        .clone()
        .find(|line| line.contains("error:") || line.contains("FATAL"));
    wrong
        .or_else(|| lines.next())
        .unwrap_or("it said nothing")
        .trim()
        .to_owned()
}

fn spawn(service: &Service) -> io::Result<Child> {
    let log = File::options()
        .create(true)
        .append(true)
        .open(&service.log)?;
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
        .env(environment::LOG, environment::log_filter());
    // Set by tests alone, and read by debug builds alone.
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
    let (user, death) = (service.user, service.on_death_of_up);
    let parent = std::process::id();
    let score = service.oom_score_adj.to_string().into_bytes();
    let prepare = move || {
        // While it is still root's to lower.
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
        // After the change of user, which would clear it.
        nix::sys::prctl::set_pdeathsig(death)?;
        if nix::unistd::getppid().as_raw().unsigned_abs() != parent {
            // `up` died in between: the signal will never come.
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
