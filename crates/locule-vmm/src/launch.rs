//! Starts a VMM process that owns nothing but what it was handed.
//!
//! Own user, no capability, no way to gain one; a root of its own with nothing in it but the program (see [`crate::jail`]);
//! empty network, PID and IPC namespaces; every descriptor named; limits; own session and no death signal, so that it
//! outlives the agent; output to a file, because a pipe would die with the agent.

mod filter;

use std::ffi::OsString;
use std::fs::File;
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd, RawFd};
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;

use rustix::process::{Resource, Rlimit, setrlimit};

use crate::cgroup;
use crate::jail::Jail;

/// What to start.
#[derive(Debug)]
pub(crate) struct Launch<'a> {
    pub(crate) program: &'a Path,
    pub(crate) args: Vec<OsString>,
    pub(crate) uid: u32,
    /// Stay open in the child, under the same numbers.
    pub(crate) descriptors: Vec<BorrowedFd<'a>>,
    pub(crate) log: &'a Path,
    pub(crate) jail: &'a Jail,
    /// The way into the control group that it is to run in.
    pub(crate) group: Option<File>,
    /// No file it writes may grow beyond this.
    pub(crate) file_bytes_max: u64,
}

/// A guest's memory is the VMM's largest part: when the host runs out, a VMM goes before the agent and the database.
const OOM_SCORE: &[u8] = b"500";
const OPEN_FILES_MAX: u64 = 1024;
/// vCPUs, and at most 64 workers for its disk.
pub(crate) const THREADS_MAX: u64 = 512;
/// Less than any dump needs. Nought would still feed a `core_pattern` that names a program; one ends that as well.
const CORE_BYTES_MAX: u64 = 1;

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
        let kept = self.descriptors.iter().map(AsRawFd::as_raw_fd);
        let confinement = Confinement {
            uid: self.uid,
            kept: kept.collect(),
            root: self.jail.namespace(),
            group: self.group,
            file_bytes_max: self.file_bytes_max,
            filter: filter::build(),
        };
        // SAFETY: `apply` makes system calls only; what it uses was allocated before the fork.
        #[expect(unsafe_code, reason = "pre_exec")]
        unsafe {
            command.pre_exec(move || confinement.apply());
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
        check(unsafe { libc::unshare(libc::CLONE_NEWPID) })?;
        Ok(command.spawn()?.id())
    })?;
    spawned
        .join()
        .map_err(|_| io::Error::other("the launching thread panicked"))?
}

fn check(result: impl Into<libc::c_long>) -> io::Result<()> {
    if result.into() < 0 {
        Err(io::Error::last_os_error())
    } else {
        Ok(())
    }
}

/// What a child does to itself between fork and exec. Nothing below may allocate or lock.
struct Confinement {
    uid: u32,
    kept: Vec<RawFd>,
    root: Arc<OwnedFd>,
    group: Option<File>,
    file_bytes_max: u64,
    filter: Vec<libc::sock_filter>,
}

impl Confinement {
    /// In an order that matters: what needs a right comes before the step that gives the right up.
    fn apply(&self) -> io::Result<()> {
        rustix::process::setsid()?;
        // Best effort: a host without /proc has no order to set.
        if let Ok(score) = rustix::fs::open(
            c"/proc/self/oom_score_adj",
            rustix::fs::OFlags::WRONLY,
            rustix::fs::Mode::empty(),
        ) {
            let _ = rustix::io::write(&score, OOM_SCORE);
        }
        if let Some(group) = &self.group {
            cgroup::enter(group)?;
        }
        self.limit()?;
        self.part_from_the_host()?;
        self.become_nobody()?;
        self.keep_only_named_descriptors()?;
        self.filter_calls()
    }

    fn limit(&self) -> io::Result<()> {
        let limits = [
            (Resource::Core, CORE_BYTES_MAX),
            (Resource::Nofile, OPEN_FILES_MAX),
            (Resource::Nproc, THREADS_MAX),
            (Resource::Fsize, self.file_bytes_max),
        ];
        for (resource, most) in limits {
            let (current, maximum) = (Some(most), Some(most));
            setrlimit(resource, Rlimit { current, maximum })?;
        }
        // A write beyond the limit is an error to the VMM, not its end: a guest that floods its console loses output.
        // SAFETY: ignoring a signal installs no handler; it survives the exec.
        #[expect(unsafe_code, reason = "signal")]
        let before = unsafe { libc::signal(libc::SIGXFSZ, libc::SIG_IGN) };
        if before == libc::SIG_ERR {
            return Err(io::Error::last_os_error());
        }
        Ok(())
    }

    /// The jail's mounts instead of the host's, as a copy that this process alone has, with its own /proc.
    fn part_from_the_host(&self) -> io::Result<()> {
        let namespaces = libc::CLONE_NEWNET | libc::CLONE_NEWIPC | libc::CLONE_NEWNS;
        let flags = libc::MS_RDONLY | libc::MS_NOSUID | libc::MS_NODEV | libc::MS_NOEXEC;
        #[expect(
            unsafe_code,
            clippy::multiple_unsafe_ops_per_block,
            reason = "one sequence of system calls, in an order that matters"
        )]
        // SAFETY: plain system calls on this process; no pointer but literals.
        unsafe {
            check(libc::setns(self.root.as_raw_fd(), libc::CLONE_NEWNS))?;
            check(libc::unshare(namespaces))?;
            check(libc::mount(
                c"proc".as_ptr(),
                c"/proc".as_ptr(),
                c"proc".as_ptr(),
                flags,
                c"subset=pid".as_ptr().cast(),
            ))
        }
    }

    fn become_nobody(&self) -> io::Result<()> {
        const CAPABILITY_VERSION_3: u32 = 0x2008_0522;
        let (header, none) = ([CAPABILITY_VERSION_3, 0], [0_u32; 6]);
        let uid = self.uid;
        #[expect(
            unsafe_code,
            clippy::multiple_unsafe_ops_per_block,
            reason = "one sequence of system calls, in an order that matters"
        )]
        // SAFETY: plain system calls on this process; the slices and arrays outlive the calls.
        unsafe {
            // Dropping stops at the first capability the kernel does not know.
            let mut capability = 0;
            while libc::prctl(libc::PR_CAPBSET_DROP, capability, 0, 0, 0) == 0 {
                capability += 1;
            }
            check(libc::setgroups(0, std::ptr::null()))?;
            check(libc::syscall(libc::SYS_setresgid, uid, uid, uid))?;
            check(libc::syscall(libc::SYS_setresuid, uid, uid, uid))?;
            // The change of user leaves the inheritable set as it was.
            check(libc::syscall(
                libc::SYS_capset,
                header.as_ptr(),
                none.as_ptr(),
            ))?;
            check(libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
        }
    }

    /// Whatever the agent has open, of its own or by accident, ends at the exec; then the list is kept.
    fn keep_only_named_descriptors(&self) -> io::Result<()> {
        #[expect(
            unsafe_code,
            clippy::multiple_unsafe_ops_per_block,
            reason = "one sequence of system calls"
        )]
        // SAFETY: plain system calls on this process's descriptors.
        unsafe {
            let (all, flag) = (libc::c_uint::MAX, libc::CLOSE_RANGE_CLOEXEC);
            check(libc::syscall(libc::SYS_close_range, 3, all, flag))?;
            for fd in &self.kept {
                check(libc::fcntl(*fd, libc::F_SETFD, 0))?;
            }
        }
        Ok(())
    }

    /// Last: it takes calls away that the steps before it needed.
    fn filter_calls(&self) -> io::Result<()> {
        let program = libc::sock_fprog {
            len: u16::try_from(self.filter.len()).unwrap_or(u16::MAX),
            filter: self.filter.as_ptr().cast_mut(),
        };
        // SAFETY: the kernel copies the filter during the call, which the vector outlives.
        #[expect(unsafe_code, reason = "prctl")]
        check(unsafe {
            libc::prctl(
                libc::PR_SET_SECCOMP,
                libc::SECCOMP_MODE_FILTER,
                &raw const program,
            )
        })
    }
}
