//! Starts a process: user, groups, directory, environment, control group, and pipes or a terminal.

use std::collections::BTreeMap;
use std::io;
use std::os::fd::AsFd;
use std::os::unix::fs::fchown;
use std::path::PathBuf;
use std::process::Stdio;
use std::sync::Arc;

use locule_guest_api::{OUTPUT_CHUNK_BYTES, PTY_CHUNK_BYTES};
use nix::libc;
use nix::pty::Winsize;
use rustix::fs::Mode;

use super::file_limits::FileLimits;
use super::input::{Input, Terminal};
use super::pump::Source;
use super::scrollback::OutputStream;
use crate::fd::non_blocking;
use crate::users::User;

const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
/// When memory runs out, the kernel ends a user's process before this agent.
const OOM_SCORE: &str = "100";

/// A process to start.
#[derive(Debug, Clone)]
pub(crate) struct SpawnSpec {
    pub(crate) command: String,
    pub(crate) args: Vec<String>,
    /// The variables that the caller gave. `environment` builds the whole set.
    pub(crate) envs: BTreeMap<String, String>,
    pub(crate) sandbox_env: BTreeMap<String, String>,
    /// Used in a microVM only.
    pub(crate) cgroup: &'static str,
    /// An absolute path to an existing directory.
    pub(crate) directory: PathBuf,
    pub(crate) user: User,
    pub(crate) tag: Option<String>,
    pub(crate) stdin: bool,
    pub(crate) terminal: Option<Terminal>,
}

#[derive(Debug, thiserror::Error)]
pub(crate) enum SpawnError {
    #[error("the sandbox runs as many processes as it may: end one and try again")]
    TooMany,
    #[error("command '{command}' was not found")]
    NotFound { command: String },
    #[error("command '{command}' may not be executed")]
    NotExecutable { command: String },
    #[error("the command, its arguments or its environment cannot be passed to the program: {0}")]
    InvalidArguments(io::Error),
    #[error("the sandbox has no resources for another process: {0}")]
    Exhausted(io::Error),
    #[error("cannot start the process: {0}")]
    System(#[from] io::Error),
}

#[derive(Debug)]
pub(super) struct Spawned {
    pub(super) pid: u32,
    pub(super) child: tokio::process::Child,
    pub(super) sources: Vec<Source>,
    pub(super) input: Input,
}

pub(super) fn spawn(
    spec: &SpawnSpec,
    in_microvm: bool,
    limits: FileLimits,
) -> Result<Spawned, SpawnError> {
    #[expect(
        clippy::disallowed_methods,
        reason = "the one place that starts the user's programs"
    )]
    let mut command = tokio::process::Command::new(&spec.command);
    command
        .args(&spec.args)
        .env_clear()
        .envs(environment(spec))
        .current_dir(&spec.directory);
    let (sources, input) = match spec.terminal {
        Some(terminal) => attach_terminal(&mut command, terminal, &spec.user)?,
        None => attach_pipes(&mut command, spec.stdin, &spec.user)?,
    };
    prepare_child(&mut command, spec, in_microvm, limits)?;
    let child = command.spawn().map_err(|error| failed(spec, error))?;
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

fn failed(spec: &SpawnSpec, error: io::Error) -> SpawnError {
    let command = spec.command.clone();
    #[expect(
        clippy::wildcard_enum_match_arm,
        reason = "the library's enum may grow"
    )]
    match error.kind() {
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => SpawnError::NotFound { command },
        io::ErrorKind::PermissionDenied => SpawnError::NotExecutable { command },
        // A zero byte in a text, or more arguments than the kernel accepts.
        io::ErrorKind::InvalidInput
        | io::ErrorKind::ArgumentListTooLong
        | io::ErrorKind::InvalidFilename => SpawnError::InvalidArguments(error),
        io::ErrorKind::WouldBlock | io::ErrorKind::OutOfMemory => SpawnError::Exhausted(error),
        _ if error.raw_os_error() == Some(libc::ENOEXEC) => SpawnError::NotExecutable { command },
        _ => SpawnError::System(error),
    }
}

/// Only documented variables: the agent's PATH and character set, the user's, the sandbox's, then those of the call. Later ones
/// win.
fn environment(spec: &SpawnSpec) -> BTreeMap<String, String> {
    let user = &spec.user;
    let mut env = BTreeMap::from([
        ("PATH".to_owned(), PATH.to_owned()),
        // There is no login that would read the template's /etc/default/locale.
        ("LANG".to_owned(), "C.UTF-8".to_owned()),
        ("HOME".to_owned(), user.home.to_string_lossy().into_owned()),
        ("USER".to_owned(), user.name.clone()),
        ("LOGNAME".to_owned(), user.name.clone()),
    ]);
    env.extend(spec.sandbox_env.clone());
    env.extend(spec.envs.clone());
    env
}

fn attach_pipes(
    command: &mut tokio::process::Command,
    stdin: bool,
    user: &User,
) -> io::Result<(Vec<Source>, Input)> {
    let pipe = || {
        let pipe = rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC)?;
        // Both ends are one inode. A program opens it by name too, as `/dev/stdout`, and the kernel then checks the owner.
        fchown(pipe.0.as_fd(), Some(user.uid), Some(user.gid))?;
        io::Result::Ok(pipe)
    };
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
        source(OutputStream::Stdout, stdout)?,
        source(OutputStream::Stderr, stderr)?,
    ];
    Ok((sources, Input::Pipe(tokio::sync::Mutex::new(input))))
}

fn attach_terminal(
    command: &mut tokio::process::Command,
    terminal: Terminal,
    user: &User,
) -> io::Result<(Vec<Source>, Input)> {
    let pair = nix::pty::openpty(&Winsize::from(terminal), None)?;
    // As a login does. The mount of the terminals gives them to the group `tty`.
    fchown(pair.slave.as_fd(), Some(user.uid), None)?;
    rustix::fs::fchmod(&pair.slave, Mode::RUSR | Mode::WUSR | Mode::WGRP)?;
    rustix::io::fcntl_setfd(&pair.master, rustix::io::FdFlags::CLOEXEC)?;
    let theirs = || pair.slave.try_clone().map(Stdio::from);
    command.stdin(theirs()?).stdout(theirs()?).stderr(theirs()?);
    rustix::io::fcntl_setfd(&pair.slave, rustix::io::FdFlags::CLOEXEC)?;
    let master = Arc::new(non_blocking(pair.master)?);
    let source = Source {
        stream: OutputStream::Terminal,
        fd: master.clone(),
        chunk_bytes: PTY_CHUNK_BYTES,
    };
    Ok((vec![source], Input::Terminal(master)))
}

/// Sets up the child between fork and exec: a session of its own, the cgroup, limits, and the user's ids.
fn prepare_child(
    command: &mut tokio::process::Command,
    spec: &SpawnSpec,
    in_microvm: bool,
    limits: FileLimits,
) -> io::Result<()> {
    let open = |path: &str| std::fs::OpenOptions::new().write(true).open(path);
    let cgroup = in_microvm
        .then(|| open(&format!("{}/cgroup.procs", spec.cgroup)))
        .transpose()?;
    let (uid, gid, groups) = (spec.user.uid, spec.user.gid, spec.user.groups.clone());
    let terminal = spec.terminal.is_some();
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
        limits.apply()?;
        if let Ok(score) = rustix::fs::open(
            c"/proc/self/oom_score_adj",
            rustix::fs::OFlags::WRONLY,
            Mode::empty(),
        ) {
            // A guest without /proc has no out-of-memory score to set.
            let _ = rustix::io::write(&score, OOM_SCORE.as_bytes());
        }
        if become_user {
            // SAFETY: a plain system call; the groups outlive it. libc's wrapper is not used: it would signal other threads.
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
