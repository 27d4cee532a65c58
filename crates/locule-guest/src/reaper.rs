//! PID 1 after boot: reaps orphaned processes, restarts the agent if it exits, and never exits itself.
//!
//! The agent is a child, so that it waits for its own children only. PID 1 has no threads, which makes the fork safe.

use std::process::ExitCode;

use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::{ForkResult, Pid, fork};

use crate::{agent, console};

pub(crate) fn run(booted: anyhow::Result<()>) -> ExitCode {
    if let Err(error) = booted {
        console::log(&format!("cannot boot: {error:#}"));
        // When PID 1 exits, the kernel panics, and `panic=-1` with `-no-reboot` ends the microVM: the host notices at once.
        return ExitCode::FAILURE;
    }
    let mut agent = start_agent();
    loop {
        match waitpid(None::<Pid>, None::<WaitPidFlag>) {
            Ok(status) if status.pid() == Some(agent) && ended(status) => {
                console::log(&format!(
                    "the guest agent exited ({status:?}); restarting it"
                ));
                agent = start_agent();
            }
            Ok(_) | Err(nix::errno::Errno::EINTR) => {}
            Err(error) => console::log(&format!("cannot wait for processes: {error}")),
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
                console::log(&format!(
                    "cannot fork the guest agent, retrying in a second: {error}"
                ));
                std::thread::sleep(std::time::Duration::from_secs(1));
            }
        }
    }
}
