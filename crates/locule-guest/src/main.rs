//! The program inside every sandbox: `/init` of the initramfs, then PID 1, then the guest agent.
//!
//! ```text
//! kernel ─► /init (PID 1): boot: mounts, modules, disk, network, change of root
//!              └─ fork ─► agent: serves HTTP and RPC on :49983, owns the user's processes
//!           PID 1 stays: reaps orphans, restarts the agent if it exits, never exits itself
//! ```
//!
//! The program opens no connection of its own but those to its own loopback ports that the host asks for, and it never calls the system's name service: a static glibc crashes there.

mod agent;
mod answer;
mod attributes;
mod boot;
mod cgroup;
mod console;
mod control;
mod fd;
mod files;
mod filesystem;
mod identity;
mod ids;
mod metrics;
mod network;
mod paths;
mod ports;
mod processes;
mod reaper;
mod rpc;
mod server;
mod state;
mod tasks;
mod tunnel;
mod users;

use std::process::ExitCode;

fn main() -> ExitCode {
    let mut args = std::env::args().skip(1);
    match args.next().as_deref() {
        Some("--version") => {
            let version = env!("CARGO_PKG_VERSION");
            #[expect(clippy::print_stdout, reason = "the answer to --version")]
            {
                println!("locule-guest {version}");
            }
            ExitCode::SUCCESS
        }
        // For tests on an ordinary machine: serves on the given port, and every peer counts as the host.
        Some("--serve") => serve(test_options(args.next())),
        // The same, restarted by a parent as PID 1 restarts it.
        Some("--supervise") => reaper::supervise(test_options(args.next())),
        _ if std::process::id() == 1 => reaper::run(boot::run()),
        _ => {
            console::log("this program runs as PID 1 of a microVM; --version prints its version");
            ExitCode::from(64)
        }
    }
}

fn test_options(port: Option<String>) -> agent::Options {
    let port = port.and_then(|port| port.parse().ok());
    agent::Options {
        port: port.unwrap_or(locule_guest_api::GUEST_PORT),
        in_microvm: false,
    }
}

fn serve(options: agent::Options) -> ExitCode {
    match agent::Inheritance::new(options) {
        Ok(inheritance) => agent::run(&inheritance),
        Err(error) => {
            console::log(&format!("cannot start the guest agent: {error:#}"));
            ExitCode::FAILURE
        }
    }
}
