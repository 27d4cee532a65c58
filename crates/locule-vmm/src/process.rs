//! One process, held by a descriptor that can never mean another one.

use std::fs;
use std::io;
use std::os::fd::{AsFd as _, OwnedFd};

use rustix::process::{Pid, PidfdFlags, Signal, WaitId, WaitIdOptions};
use tokio::io::unix::AsyncFd;

/// A process, ours or adopted.
#[derive(Debug)]
pub(crate) struct Process {
    pub(crate) start_ticks: u64,
    pidfd: AsyncFd<OwnedFd>,
}

impl Process {
    /// Opens a living process. `None`: there is none, or it is another one that got the same pid.
    pub(crate) fn open(pid: u32, start_ticks: Option<u64>) -> io::Result<Option<Self>> {
        let Some(raw) = i32::try_from(pid).ok().and_then(Pid::from_raw) else {
            return Ok(None);
        };
        let pidfd = match rustix::process::pidfd_open(raw, PidfdFlags::NONBLOCK) {
            Ok(pidfd) => pidfd,
            Err(rustix::io::Errno::SRCH) => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        // Read after opening: the descriptor now pins whatever process the pid names.
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

    /// Ends when the process has.
    pub(crate) async fn exited(&self) {
        // An error means that the runtime is going down: nobody waits any more.
        if let Ok(_ready) = self.pidfd.readable().await {
            reap(self.pidfd.get_ref());
        }
    }

    pub(crate) fn kill(&self) {
        // Gone already is what was wanted.
        let _ = rustix::process::pidfd_send_signal(self.pidfd.get_ref(), Signal::KILL);
    }
}

/// A process just started, killed unless somebody claims it: whoever gave up starting it leaves nothing running.
#[derive(Debug)]
pub(crate) struct Unclaimed(Option<Process>);

impl Unclaimed {
    pub(crate) fn new(process: Process) -> Self {
        Self(Some(process))
    }

    pub(crate) fn claim(mut self) -> Option<Process> {
        self.0.take()
    }

    /// Ends when the process has.
    pub(crate) async fn exited(&self) {
        if let Some(process) = &self.0 {
            process.exited().await;
        }
    }

    /// Kills it and waits for its end, also of one that is ending by itself: none is left behind as a zombie.
    pub(crate) async fn end(self) {
        if let Some(process) = self.claim() {
            process.kill();
            process.exited().await;
        }
    }
}

impl Drop for Unclaimed {
    fn drop(&mut self) {
        if let Some(process) = &self.0 {
            process.kill();
        }
    }
}

/// Reaps a dead process when it is our child; somebody else's is not ours to reap.
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

/// The command's name may hold spaces and parentheses: fields are counted from the last `)`.
fn parse_stat(stat: &str) -> Option<(char, u64)> {
    let mut fields = stat.rsplit_once(')')?.1.split_whitespace();
    let state = fields.next()?.chars().next()?;
    Some((state, fields.nth(18)?.parse().ok()?))
}

/// Every process whose command line holds `-name` followed by a name that `wanted` accepts. For sweeps.
pub fn find_by_name(wanted: impl Fn(&str) -> bool) -> Vec<u32> {
    let pids = fs::read_dir("/proc").into_iter().flatten().flatten();
    let pids = pids.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    pids.filter(|pid| {
        let command = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        let args: Vec<_> = command
            .split(|byte| *byte == 0)
            .map(String::from_utf8_lossy)
            .collect();
        args.windows(2)
            .any(|pair| pair[0] == "-name" && wanted(&pair[1]))
    })
    .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_name_cannot_confuse_the_parser() {
        let rest = "S 1 1 1 0 -1 4194304 1 0 0 0 0 0 0 0 20 0 1 0 4711 0 0";
        assert_eq!(
            parse_stat(&format!("12 (a) Z 1 (b)) {rest}")),
            Some(('S', 4711))
        );
        assert_eq!(parse_stat("12 (short) S 1"), None);
        assert_eq!(parse_stat(""), None);
    }

    #[tokio::test]
    async fn a_reused_pid_is_not_the_same_process() {
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
