//! PID 1 after boot: buries whoever dies without a parent, keeps the agent alive, never exits.
//!
//! The agent is a child so that it can wait for its own children in peace; this process has no threads, which is what
//! makes the fork safe.

use std::process::ExitCode;

use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::{ForkResult, Pid, fork};

use crate::{agent, boot};

pub(crate) fn run(booted: anyhow::Result<()>) -> ExitCode {
    if let Err(error) = booted {
        boot::say(&format!("cannot boot: {error:#}"));
        // The end of PID 1 is a kernel panic, and `panic=-1` with `-no-reboot` ends the microVM: the host sees it at once.
        return ExitCode::FAILURE;
    }
    let mut agent = start_agent();
    loop {
        match waitpid(None::<Pid>, None::<WaitPidFlag>) {
            Ok(status) if status.pid() == Some(agent) && ended(status) => {
                boot::say(&format!(
                    "the guest agent ended ({status:?}); starting it again"
                ));
                agent = start_agent();
            }
            Ok(_) | Err(nix::errno::Errno::EINTR) => {}
            Err(error) => boot::say(&format!("wait: {error}")),
        }
    }
}

fn ended(status: WaitStatus) -> bool {
    matches!(status, WaitStatus::Exited(..) | WaitStatus::Signaled(..))
}

fn start_agent() -> Pid {
    loop {
        // SAFETY: PID 1 has one thread, so the child may run ordinary code.
        #[expect(unsafe_code, reason = "fork")]
        let forked = unsafe { fork() };
        match forked {
            Ok(ForkResult::Parent { child }) => return child,
            Ok(ForkResult::Child) => {
                let options = agent::Options {
                    port: locule_guest_api::GUEST_PORT,
                    in_microvm: true,
                };
                let _: ExitCode = agent::run(options);
                // SAFETY: ends the forked child without running the parent's exit handlers.
                #[expect(unsafe_code, reason = "_exit")]
                unsafe {
                    nix::libc::_exit(1)
                }
            }
            Err(error) => {
                boot::say(&format!("fork: {error}"));
                std::thread::sleep(std::time::Duration::from_secs(1));
            }
        }
    }
}
