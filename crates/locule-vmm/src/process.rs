//! A process, held by a pidfd, which never refers to another process.

use std::fs;
use std::io;
use std::os::fd::{AsFd as _, OwnedFd};

use rustix::process::{Pid, PidfdFlags, Signal, WaitId, WaitIdOptions};
use tokio::io::unix::AsyncFd;

/// A child process, or an adopted one.
#[derive(Debug)]
pub(crate) struct Process {
    pub(crate) start_ticks: u64,
    pidfd: AsyncFd<OwnedFd>,
}

impl Process {
    /// Opens a running process. `None`: the process has exited, or another process got its pid.
    pub(crate) fn open(pid: u32, start_ticks: Option<u64>) -> io::Result<Option<Self>> {
        let Some(raw) = i32::try_from(pid).ok().and_then(Pid::from_raw) else {
            return Ok(None);
        };
        let pidfd = match rustix::process::pidfd_open(raw, PidfdFlags::NONBLOCK) {
            Ok(pidfd) => pidfd,
            Err(rustix::io::Errno::SRCH) => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        // Read after opening: the descriptor now pins the process that has this pid.
        let Some((state, ticks)) = state_and_start(pid) else {
            return Ok(None);
        };
        if start_ticks.is_some_and(|expected| expected != ticks) {
            return Ok(None);
        }
        if state == 'Z' {
            reap(&pidfd);
            return Ok(None);
        }
        // SAFETY: the pidfd is owned by the AsyncFd and stays open and the same as long as it is registered.
        #[expect(unsafe_code, reason = "registration with the reactor")]
        let pidfd = unsafe { AsyncFd::register(pidfd) }?;
        Ok(Some(Self {
            start_ticks: ticks,
            pidfd,
        }))
    }

    /// Completes when the process has exited.
    pub(crate) async fn exited(&self) {
        // An error means that the runtime shuts down: no task waits any more.
        if let Ok(_ready) = self.pidfd.readable().await {
            reap(self.pidfd.get_ref());
        }
    }

    pub(crate) fn kill(&self) {
        // An error means that the process has exited already.
        let _ = rustix::process::pidfd_send_signal(self.pidfd.get_ref(), Signal::KILL);
    }
}

/// Kills a newly started process when it is dropped, until [`Self::disarm`]: a start that is given up leaves no process.
#[derive(Debug)]
pub(crate) struct KillOnDrop(Option<Process>);

impl KillOnDrop {
    pub(crate) fn new(process: Process) -> Self {
        Self(Some(process))
    }

    pub(crate) fn disarm(mut self) -> Option<Process> {
        self.0.take()
    }

    /// Completes when the process has exited.
    pub(crate) async fn exited(&self) {
        if let Some(process) = &self.0 {
            process.exited().await;
        }
    }

    /// Kills the process and reaps it, also one that is exiting by itself: no zombie is left behind.
    pub(crate) async fn end(self) {
        if let Some(process) = self.disarm() {
            process.kill();
            process.exited().await;
        }
    }
}

impl Drop for KillOnDrop {
    fn drop(&mut self) {
        if let Some(process) = &self.0 {
            process.kill();
        }
    }
}

/// Reaps an exited process that is a child of this one. The call fails for any other process, which has its own parent.
fn reap(pidfd: &OwnedFd) {
    let _ = rustix::process::waitid(
        WaitId::PidFd(pidfd.as_fd()),
        WaitIdOptions::EXITED | WaitIdOptions::NOHANG,
    );
}

/// State letter and start time (in clock ticks since boot) from `/proc/PID/stat`.
fn state_and_start(pid: u32) -> Option<(char, u64)> {
    parse_stat(&fs::read_to_string(format!("/proc/{pid}/stat")).ok()?)
}

/// The command's name may contain spaces and parentheses: fields are counted from the last `)`.
fn parse_stat(stat: &str) -> Option<(char, u64)> {
    let mut fields = stat.rsplit_once(')')?.1.split_whitespace();
    let state = fields.next()?.chars().next()?;
    Some((state, fields.nth(18)?.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_name_with_parentheses_does_not_confuse_the_stat_parser() {
        let rest = "S 1 1 1 0 -1 4194304 1 0 0 0 0 0 0 0 20 0 1 0 4711 0 0";
        assert_eq!(
            parse_stat(&format!("12 (a) Z 1 (b)) {rest}")),
            Some(('S', 4711))
        );
        assert_eq!(parse_stat("12 (short) S 1"), None);
        assert_eq!(parse_stat(""), None);
    }

    #[tokio::test]
    async fn a_pid_with_another_start_time_is_another_process() {
        let pid = std::process::id();
        let me = Process::open(pid, None).unwrap().unwrap();
        assert!(Process::open(pid, Some(me.start_ticks)).unwrap().is_some());
        assert!(
            Process::open(pid, Some(me.start_ticks + 1))
                .unwrap()
                .is_none()
        );
    }
}
