//! From a request to a running process: user, groups, directory, environment, pipes or a terminal.

use std::collections::BTreeMap;
use std::io;
use std::os::fd::{AsRawFd as _, OwnedFd};
use std::path::PathBuf;
use std::process::Stdio;
use std::sync::Arc;

use locule_guest_api::{OUTPUT_CHUNK_BYTES, PTY_CHUNK_BYTES};
use nix::libc;
use nix::pty::Winsize;
use rustix::process::{Resource, Rlimit};
use tokio::io::unix::AsyncFd;

use super::output::{Source, Stream};
use crate::users::User;

const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
/// The kernel should rather end a user's process than this agent.
const OOM_SCORE: &str = "100";

/// What programs expect; some try every number below the soft limit.
const FILES_SOFT: u64 = 1024;
/// What the agent takes for itself: each process costs three, each connection one.
const FILES_OWN: u64 = 64 * 1024;
const FILES_HARD: u64 = 512 * 1024;

/// How many files a started process may have open; the agent itself may have more.
#[derive(Debug, Clone, Copy)]
pub(crate) struct FileLimits(Rlimit);

impl FileLimits {
    /// Raises the agent's own limit as far as it may, and says what its children shall have.
    pub(crate) fn raise() -> Self {
        let given = rustix::process::getrlimit(Resource::Nofile);
        let raise = |hard: Option<u64>| {
            let own = Rlimit {
                current: Some(hard.unwrap_or(FILES_OWN).min(FILES_OWN)),
                maximum: hard,
            };
            rustix::process::setrlimit(Resource::Nofile, own).map(|()| hard)
        };
        let hard = raise(Some(FILES_HARD)).or_else(|_| raise(given.maximum));
        let hard = hard.unwrap_or(given.maximum);
        let soft = hard.map_or(FILES_SOFT, |hard| hard.min(FILES_SOFT));
        Self(Rlimit {
            current: Some(soft),
            maximum: hard,
        })
    }
}

/// A terminal's window.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Terminal {
    pub(crate) columns: u16,
    pub(crate) rows: u16,
}

impl From<Terminal> for Winsize {
    fn from(terminal: Terminal) -> Self {
        Self {
            ws_row: terminal.rows,
            ws_col: terminal.columns,
            ws_xpixel: 0,
            ws_ypixel: 0,
        }
    }
}

/// What is to run.
#[derive(Debug, Clone)]
pub(crate) struct Wanted {
    pub(crate) command: String,
    pub(crate) args: Vec<String>,
    /// As the caller gave them; what the process really gets is built in `environment`.
    pub(crate) envs: BTreeMap<String, String>,
    pub(crate) sandbox_env: BTreeMap<String, String>,
    /// In a microVM; elsewhere there is none.
    pub(crate) cgroup: &'static str,
    /// Resolved: exists.
    pub(crate) directory: PathBuf,
    pub(crate) user: User,
    pub(crate) tag: Option<String>,
    pub(crate) stdin: bool,
    pub(crate) terminal: Option<Terminal>,
}

#[derive(Debug, thiserror::Error)]
pub(crate) enum SpawnError {
    #[error("too many processes run already")]
    TooMany,
    #[error("command '{command}' was not found")]
    NotFound { command: String },
    #[error("command '{command}' may not be executed")]
    NotExecutable { command: String },
    #[error("the command, its arguments or its environment cannot be passed on: {0}")]
    Unpassable(io::Error),
    #[error("the sandbox has no room for another process: {0}")]
    NoRoom(io::Error),
    #[error("cannot start the process: {0}")]
    System(#[from] io::Error),
}

/// How bytes reach the process.
#[derive(Debug)]
pub(crate) enum Input {
    Terminal(Arc<AsyncFd<OwnedFd>>),
    /// `None` once closed.
    Pipe(tokio::sync::Mutex<Option<AsyncFd<OwnedFd>>>),
}

#[derive(Debug)]
pub(super) struct Spawned {
    pub(super) pid: u32,
    pub(super) child: tokio::process::Child,
    pub(super) sources: Vec<Source>,
    pub(super) input: Input,
}

pub(super) fn spawn(
    wanted: &Wanted,
    in_microvm: bool,
    limits: FileLimits,
) -> Result<Spawned, SpawnError> {
    #[expect(
        clippy::disallowed_methods,
        reason = "starting the user's programs is what this module is for"
    )]
    let mut command = tokio::process::Command::new(&wanted.command);
    command
        .args(&wanted.args)
        .env_clear()
        .envs(environment(wanted))
        .current_dir(&wanted.directory);
    let (sources, input) = match wanted.terminal {
        Some(terminal) => attach_terminal(&mut command, terminal)?,
        None => attach_pipes(&mut command, wanted.stdin)?,
    };
    prepare_child(&mut command, wanted, in_microvm, limits)?;
    let child = command.spawn().map_err(|error| failed(wanted, error))?;
    let pid = child
        .id()
        .ok_or_else(|| io::Error::other("the process has no id"))?;
    Ok(Spawned {
        pid,
        child,
        sources,
        input,
    })
}

fn failed(wanted: &Wanted, error: io::Error) -> SpawnError {
    let command = wanted.command.clone();
    #[expect(
        clippy::wildcard_enum_match_arm,
        reason = "the library's enum may grow"
    )]
    match error.kind() {
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => SpawnError::NotFound { command },
        io::ErrorKind::PermissionDenied => SpawnError::NotExecutable { command },
        // A zero byte somewhere; more than the kernel takes.
        io::ErrorKind::InvalidInput
        | io::ErrorKind::ArgumentListTooLong
        | io::ErrorKind::InvalidFilename => SpawnError::Unpassable(error),
        io::ErrorKind::WouldBlock | io::ErrorKind::OutOfMemory => SpawnError::NoRoom(error),
        _ if error.raw_os_error() == Some(libc::ENOEXEC) => SpawnError::NotExecutable { command },
        _ => SpawnError::System(error),
    }
}

/// Only what is documented: the agent's PATH, the user's own variables, the sandbox's, then the call's.
fn environment(wanted: &Wanted) -> BTreeMap<String, String> {
    let user = &wanted.user;
    let mut env = BTreeMap::from([
        ("PATH".to_owned(), PATH.to_owned()),
        ("HOME".to_owned(), user.home.to_string_lossy().into_owned()),
        ("USER".to_owned(), user.name.clone()),
        ("LOGNAME".to_owned(), user.name.clone()),
    ]);
    env.extend(wanted.sandbox_env.clone());
    env.extend(wanted.envs.clone());
    env
}

/// Makes a descriptor one that the runtime waits for.
pub(crate) fn non_blocking(fd: OwnedFd) -> io::Result<AsyncFd<OwnedFd>> {
    rustix::io::ioctl_fionbio(&fd, true)?;
    // SAFETY: the descriptor is owned by the AsyncFd and stays open and the same as long as it is registered.
    #[expect(unsafe_code, reason = "registration with the reactor")]
    let registered = unsafe { AsyncFd::register(fd) }?;
    Ok(registered)
}

fn attach_pipes(
    command: &mut tokio::process::Command,
    stdin: bool,
) -> io::Result<(Vec<Source>, Input)> {
    let pipe = || rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC);
    let input = if stdin {
        let (theirs, ours) = pipe()?;
        command.stdin(Stdio::from(theirs));
        Some(non_blocking(ours)?)
    } else {
        command.stdin(Stdio::null());
        None
    };
    let (stdout, their_stdout) = pipe()?;
    let (stderr, their_stderr) = pipe()?;
    command
        .stdout(Stdio::from(their_stdout))
        .stderr(Stdio::from(their_stderr));
    let source = |stream, fd| {
        io::Result::Ok(Source {
            stream,
            fd: Arc::new(non_blocking(fd)?),
            chunk_bytes: OUTPUT_CHUNK_BYTES,
        })
    };
    let sources = vec![
        source(Stream::Stdout, stdout)?,
        source(Stream::Stderr, stderr)?,
    ];
    Ok((sources, Input::Pipe(tokio::sync::Mutex::new(input))))
}

fn attach_terminal(
    command: &mut tokio::process::Command,
    terminal: Terminal,
) -> io::Result<(Vec<Source>, Input)> {
    let pair = nix::pty::openpty(&Winsize::from(terminal), None)?;
    rustix::io::fcntl_setfd(&pair.master, rustix::io::FdFlags::CLOEXEC)?;
    let theirs = || pair.slave.try_clone().map(Stdio::from);
    command.stdin(theirs()?).stdout(theirs()?).stderr(theirs()?);
    rustix::io::fcntl_setfd(&pair.slave, rustix::io::FdFlags::CLOEXEC)?;
    let master = Arc::new(non_blocking(pair.master)?);
    let source = Source {
        stream: Stream::Terminal,
        fd: master.clone(),
        chunk_bytes: PTY_CHUNK_BYTES,
    };
    Ok((vec![source], Input::Terminal(master)))
}

/// What the child does to itself between fork and exec: own session, the user's cgroup, the user's ids.
fn prepare_child(
    command: &mut tokio::process::Command,
    wanted: &Wanted,
    in_microvm: bool,
    limits: FileLimits,
) -> io::Result<()> {
    let open = |path: &str| std::fs::OpenOptions::new().write(true).open(path);
    let cgroup = in_microvm
        .then(|| open(&format!("{}/cgroup.procs", wanted.cgroup)))
        .transpose()?;
    let (uid, gid, groups) = (wanted.user.uid, wanted.user.gid, wanted.user.groups.clone());
    let terminal = wanted.terminal.is_some();
    let become_user = uid != rustix::process::getuid().as_raw();
    let prepare = move || {
        // Only calls that are safe after a fork: no allocation, no locks.
        rustix::process::setsid()?;
        if let Some(cgroup) = &cgroup {
            rustix::io::write(cgroup, b"0")?;
        }
        if terminal {
            rustix::process::ioctl_tiocsctty(rustix::stdio::stdin())?;
        }
        rustix::process::setrlimit(Resource::Nofile, limits.0)?;
        if let Ok(score) = rustix::fs::open(
            c"/proc/self/oom_score_adj",
            rustix::fs::OFlags::WRONLY,
            rustix::fs::Mode::empty(),
        ) {
            // A guest without /proc has no out-of-memory order to set.
            let _ = rustix::io::write(&score, OOM_SCORE.as_bytes());
        }
        if become_user {
            // SAFETY: a plain system call; the groups outlive it. Not libc's wrapper, which would signal other threads.
            #[expect(unsafe_code, reason = "groups of this process alone")]
            let groups =
                unsafe { libc::syscall(libc::SYS_setgroups, groups.len(), groups.as_ptr()) };
            // SAFETY: a plain system call with plain values.
            #[expect(unsafe_code, reason = "group of this process alone")]
            let group = unsafe { libc::syscall(libc::SYS_setresgid, gid, gid, gid) };
            // SAFETY: a plain system call with plain values; a failure of any of the three ends the child.
            #[expect(unsafe_code, reason = "user of this process alone")]
            let user = unsafe { libc::syscall(libc::SYS_setresuid, uid, uid, uid) };
            let failed = groups < 0 || group < 0 || user < 0;
            if failed {
                return Err(io::Error::last_os_error());
            }
        }
        Ok(())
    };
    // SAFETY: the closure makes system calls only (see above).
    #[expect(unsafe_code, reason = "pre_exec")]
    unsafe {
        command.pre_exec(prepare);
    }
    Ok(())
}

impl Input {
    /// Writes all of it, waiting while the process does not read. `false`: the process does not take input any more.
    pub(crate) async fn write(&self, bytes: &[u8]) -> bool {
        match self {
            Self::Terminal(master) => write_all(master, bytes).await.is_ok(),
            Self::Pipe(pipe) => match &*pipe.lock().await {
                Some(pipe) => write_all(pipe, bytes).await.is_ok(),
                None => false,
            },
        }
    }

    /// `false`: a terminal is not closed, it is sent the end-of-file character.
    pub(crate) async fn close(&self) -> bool {
        let Self::Pipe(pipe) = self else {
            return false;
        };
        pipe.lock().await.take();
        true
    }

    /// `false`: there is no terminal.
    pub(crate) fn resize(&self, terminal: Terminal) -> bool {
        let Self::Terminal(master) = self else {
            return false;
        };
        let size = Winsize::from(terminal);
        // SAFETY: `size` is the structure that TIOCSWINSZ takes and lives through the call.
        #[expect(unsafe_code, reason = "ioctl")]
        let result = unsafe { libc::ioctl(master.as_raw_fd(), libc::TIOCSWINSZ, &raw const size) };
        result == 0
    }
}

async fn write_all(fd: &AsyncFd<OwnedFd>, mut bytes: &[u8]) -> io::Result<()> {
    while !bytes.is_empty() {
        let mut ready = fd.writable().await?;
        match rustix::io::write(fd, bytes) {
            Ok(count) => bytes = &bytes[count..],
            Err(rustix::io::Errno::AGAIN) => ready.clear_ready(),
            Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}
