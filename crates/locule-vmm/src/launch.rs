//! Starts a VMM process that has access only to the descriptors it is given.
//!
//! The process has a user of its own, no capability and no way to gain one; a root file system with only its program (see
//! [`crate::jail`]); empty network, PID and IPC namespaces; an explicit list of descriptors; and resource limits. It outlives
//! the agent: it has a session of its own and no `PR_SET_PDEATHSIG`, and its output goes to a file, because a pipe would
//! break when the agent exits.

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

/// A VMM process to start.
#[derive(Debug)]
pub(crate) struct Launch<'a> {
    pub(crate) program: &'a Path,
    pub(crate) args: Vec<OsString>,
    pub(crate) uid: u32,
    /// Stay open in the child under the same numbers.
    pub(crate) descriptors: Vec<BorrowedFd<'a>>,
    pub(crate) log: &'a Path,
    pub(crate) jail: &'a Jail,
    /// The membership file of the control group for the process.
    pub(crate) group: Option<File>,
    /// The limit for the size of every file that the process writes.
    pub(crate) file_bytes_max: u64,
}

/// When the host runs out of memory, the kernel kills VMMs, which use most of it, before the agent and the database.
const OOM_SCORE: &[u8] = b"500";
const OPEN_FILES_MAX: u64 = 1024;
/// Threads for the vCPUs and for at most 64 disk workers.
pub(crate) const THREADS_MAX: u64 = 512;
/// Too small for any dump. With zero the kernel still pipes a dump to a `core_pattern` program; with one it does not.
const CORE_BYTES_MAX: u64 = 1;

impl Launch<'_> {
    /// Starts the process and returns its pid. The caller waits for the process through a pidfd.
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
        // SAFETY: `apply` makes system calls only; its data was allocated before the fork.
        #[expect(unsafe_code, reason = "pre_exec")]
        unsafe {
            command.pre_exec(move || confinement.apply());
        }
        spawn_in_pid_namespace(command)
    }
}

/// Spawns the process in a PID namespace of its own: it sees and signals no process but itself. The namespace applies to
/// the next children of the calling thread, so the thread serves this one call.
fn spawn_in_pid_namespace(mut command: Command) -> io::Result<u32> {
    let thread = std::thread::Builder::new().name("vmm-launch".to_owned());
    let spawned = thread.spawn(move || {
        // SAFETY: changes only the PID namespace of this thread's future children.
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

/// The restrictions that a child applies to itself between fork and exec. The methods must not allocate or lock.
struct Confinement {
    uid: u32,
    kept: Vec<RawFd>,
    root: Arc<OwnedFd>,
    group: Option<File>,
    file_bytes_max: u64,
    filter: Vec<libc::sock_filter>,
}

impl Confinement {
    /// The order matters: a step that needs a privilege comes before the step that drops it.
    fn apply(&self) -> io::Result<()> {
        rustix::process::setsid()?;
        // Best effort: without /proc the score cannot be set.
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
        self.enter_namespaces()?;
        self.drop_privileges()?;
        self.keep_only_named_descriptors()?;
        self.filter_system_calls()
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
        // A write beyond the limit then fails instead of killing the VMM: a guest that floods its console loses output.
        // SAFETY: ignoring a signal installs no handler; it survives the exec.
        #[expect(unsafe_code, reason = "signal")]
        let before = unsafe { libc::signal(libc::SIGXFSZ, libc::SIG_IGN) };
        if before == libc::SIG_ERR {
            return Err(io::Error::last_os_error());
        }
        Ok(())
    }

    /// Replaces the host's mounts by a private copy of the jail's, with a /proc of its own, and leaves the host's network
    /// and IPC namespaces.
    fn enter_namespaces(&self) -> io::Result<()> {
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

    /// Changes to the VMM's user, without groups and capabilities.
    fn drop_privileges(&self) -> io::Result<()> {
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
            // The call fails for the first capability that the kernel does not know.
            let mut capability = 0;
            while libc::prctl(libc::PR_CAPBSET_DROP, capability, 0, 0, 0) == 0 {
                capability += 1;
            }
            check(libc::setgroups(0, std::ptr::null()))?;
            check(libc::syscall(libc::SYS_setresgid, uid, uid, uid))?;
            check(libc::syscall(libc::SYS_setresuid, uid, uid, uid))?;
            // The change of user does not clear the inheritable set.
            check(libc::syscall(
                libc::SYS_capset,
                header.as_ptr(),
                none.as_ptr(),
            ))?;
            check(libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
        }
    }

    /// Marks every descriptor of the agent to be closed at the exec, except those in the list.
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

    /// Must be the last step: the filter refuses system calls that the earlier steps make.
    fn filter_system_calls(&self) -> io::Result<()> {
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
