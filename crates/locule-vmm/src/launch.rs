//! Starts a VMM process that owns nothing but what it was handed.
//!
//! Own user, no capability, no way to gain one; empty network, PID, IPC and mount namespaces of its own; every descriptor
//! named; own session and no death signal, so that it outlives the agent; output to a file, because a pipe would die with
//! the agent.

use std::ffi::OsString;
use std::fs::File;
use std::io;
use std::os::fd::{BorrowedFd, RawFd};
use std::os::unix::fs::MetadataExt as _;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Command, Stdio};

/// What to start.
#[derive(Debug)]
pub(crate) struct Launch<'a> {
    pub(crate) program: &'a Path,
    pub(crate) args: Vec<OsString>,
    pub(crate) uid: u32,
    /// Stay open in the child, under the same numbers.
    pub(crate) descriptors: Vec<BorrowedFd<'a>>,
    pub(crate) log: &'a Path,
    /// Needs `/dev/kvm`: gets the group that owns it.
    pub(crate) kvm: bool,
}

/// A guest's memory is the VMM's largest part: when the host runs out, a VMM goes before the agent and the database.
const OOM_SCORE: &[u8] = b"500";
const OPEN_FILES_MAX: u64 = 1024;

impl Launch<'_> {
    /// Starts it and returns its pid. The caller waits for it by a pidfd.
    pub(crate) fn start(self) -> io::Result<u32> {
        let log = File::options().create(true).append(true).open(self.log)?;
        #[expect(
            clippy::disallowed_methods,
            reason = "a VMM must outlive this process: the command runner would wait for it"
        )]
        let mut command = Command::new(self.program);
        command
            .args(&self.args)
            .env_clear()
            .env("PATH", "/usr/bin:/bin")
            .current_dir("/");
        command
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log);
        let kept: Vec<RawFd> = self
            .descriptors
            .iter()
            .map(std::os::fd::AsRawFd::as_raw_fd)
            .collect();
        let groups: Vec<u32> = if self.kvm {
            vec![std::fs::metadata("/dev/kvm")?.gid()]
        } else {
            Vec::new()
        };
        let uid = self.uid;
        // SAFETY: `confine` makes system calls only; what it captures was allocated before the fork.
        #[expect(unsafe_code, reason = "pre_exec")]
        unsafe {
            command.pre_exec(move || confine(uid, &groups, &kept));
        }
        spawn_in_pid_namespace(command)
    }
}

/// A new PID namespace is entered by the next child of the thread that asked for it, so that thread is used once. The
/// VMM sees no process but itself, and can signal none.
fn spawn_in_pid_namespace(mut command: Command) -> io::Result<u32> {
    let thread = std::thread::Builder::new().name("vmm-launch".to_owned());
    let spawned = thread.spawn(move || {
        // SAFETY: changes which namespace this thread's children are born in, and nothing else.
        #[expect(unsafe_code, reason = "unshare")]
        check(libc::c_long::from(unsafe {
            libc::unshare(libc::CLONE_NEWPID)
        }))?;
        Ok(command.spawn()?.id())
    })?;
    spawned
        .join()
        .map_err(|_| io::Error::other("the launching thread panicked"))?
}

fn check(result: libc::c_long) -> io::Result<()> {
    if result < 0 {
        Err(io::Error::last_os_error())
    } else {
        Ok(())
    }
}

/// Runs in the child between fork and exec: nothing here may allocate or lock.
fn confine(uid: u32, groups: &[u32], kept: &[RawFd]) -> io::Result<()> {
    use rustix::process::{Resource, Rlimit, setrlimit};
    rustix::process::setsid()?;
    // Best effort: a host without /proc has no order to set.
    if let Ok(score) = rustix::fs::open(
        c"/proc/self/oom_score_adj",
        rustix::fs::OFlags::WRONLY,
        rustix::fs::Mode::empty(),
    ) {
        let _ = rustix::io::write(&score, OOM_SCORE);
    }
    let namespaces = libc::CLONE_NEWNET | libc::CLONE_NEWIPC | libc::CLONE_NEWNS;
    #[expect(
        unsafe_code,
        clippy::multiple_unsafe_ops_per_block,
        reason = "one sequence of system calls, in an order that matters"
    )]
    // SAFETY: plain system calls on this process; no pointer but literals and slices that outlive the call.
    unsafe {
        check(libc::c_long::from(libc::unshare(namespaces)))?;
        let private = libc::MS_REC | libc::MS_PRIVATE;
        check(libc::c_long::from(libc::mount(
            std::ptr::null(),
            c"/".as_ptr(),
            std::ptr::null(),
            private,
            std::ptr::null(),
        )))?;
        // Dropping stops at the first capability the kernel does not know.
        let mut capability = 0;
        while libc::prctl(libc::PR_CAPBSET_DROP, capability, 0, 0, 0) == 0 {
            capability += 1;
        }
        check(libc::syscall(
            libc::SYS_setgroups,
            groups.len(),
            groups.as_ptr(),
        ))?;
        check(libc::syscall(libc::SYS_setresgid, uid, uid, uid))?;
        check(libc::syscall(libc::SYS_setresuid, uid, uid, uid))?;
        check(libc::c_long::from(libc::prctl(
            libc::PR_SET_NO_NEW_PRIVS,
            1,
            0,
            0,
            0,
        )))?;
        // Whatever the agent has open, of its own or by accident, ends at the exec; then the list is kept.
        check(libc::syscall(
            libc::SYS_close_range,
            3,
            libc::c_uint::MAX,
            libc::CLOSE_RANGE_CLOEXEC,
        ))?;
        for fd in kept {
            check(libc::c_long::from(libc::fcntl(*fd, libc::F_SETFD, 0)))?;
        }
    }
    setrlimit(
        Resource::Core,
        Rlimit {
            current: Some(0),
            maximum: Some(0),
        },
    )?;
    setrlimit(
        Resource::Nofile,
        Rlimit {
            current: Some(OPEN_FILES_MAX),
            maximum: Some(OPEN_FILES_MAX),
        },
    )?;
    Ok(())
}
