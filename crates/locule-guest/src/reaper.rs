//! PID 1 after boot: reaps orphaned processes, restarts the agent if it exits, and never exits itself.
//!
//! The agent is a child, so that it waits for its own children only. PID 1 has no threads, which makes the fork safe. It keeps
//! what an agent needs to go on in the place of the one before: the listening socket, so that calls wait instead of being
//! refused and no program takes the port, and the identity.

use std::process::ExitCode;
use std::time::Duration;

use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::{ForkResult, Pid, fork};

use crate::agent::{self, Inheritance, Options};
use crate::console;

/// An agent that ends at once shall not keep a CPU busy.
const RESTART_DELAY: Duration = Duration::from_millis(50);

pub(crate) fn run(booted: anyhow::Result<()>) -> ExitCode {
    if let Err(error) = booted {
        console::log(&format!("cannot boot: {error:#}"));
        // When PID 1 exits, the kernel panics, and `panic=-1` with `-no-reboot` ends the microVM: the host notices at once.
        return ExitCode::FAILURE;
    }
    supervise(Options {
        port: locule_guest_api::GUEST_PORT,
        in_microvm: true,
    })
}

/// Runs an agent, and another one whenever it ends. Returns only if there can be none.
pub(crate) fn supervise(options: Options) -> ExitCode {
    let mut inheritance = match Inheritance::new(options) {
        Ok(inheritance) => inheritance,
        Err(error) => {
            console::log(&format!("cannot start the guest agent: {error:#}"));
            return ExitCode::FAILURE;
        }
    };
    let mut agent = start_agent(&inheritance);
    loop {
        match waitpid(None::<Pid>, None::<WaitPidFlag>) {
            Ok(status) if status.pid() == Some(agent) && ended(status) => {
                console::log(&format!(
                    "the guest agent exited ({status:?}); restarting it"
                ));
                std::thread::sleep(RESTART_DELAY);
                inheritance.restarted = true;
                agent = start_agent(&inheritance);
            }
            Ok(_) | Err(nix::errno::Errno::EINTR) => {}
            Err(error) => console::log(&format!("cannot wait for processes: {error}")),
        }
    }
}

fn ended(status: WaitStatus) -> bool {
    matches!(status, WaitStatus::Exited(..) | WaitStatus::Signaled(..))
}

fn start_agent(inheritance: &Inheritance) -> Pid {
    loop {
        // SAFETY: PID 1 has one thread, so the child may run ordinary code.
        #[expect(unsafe_code, reason = "fork")]
        let forked = unsafe { fork() };
        match forked {
            Ok(ForkResult::Parent { child }) => return child,
            Ok(ForkResult::Child) => {
                // PID 1 never ends; the supervisor of a test does, and then its agent does too.
                let kill = Some(rustix::process::Signal::KILL);
                let _ = rustix::process::set_parent_process_death_signal(kill);
                let _: ExitCode = agent::run(inheritance);
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
                std::thread::sleep(Duration::from_secs(1));
            }
        }
    }
}
