//! The program inside every sandbox: `/init` of the initramfs, then PID 1, then the guest agent.
//!
//! ```text
//! kernel ─► /init (PID 1): boot: mounts, modules, disk, network, change of root
//!              └─ fork ─► agent: serves HTTP and RPC on :49983, owns the user's processes
//!           PID 1 stays: reaps orphans, restarts the agent if it dies, never exits
//! ```
//!
//! Never talks to anybody first, never calls the system's name service (a static glibc crashes in it).

mod agent;
mod boot;
mod control;
mod files;
mod filesystem;
mod identity;
mod paths;
mod processes;
mod reaper;
mod rpc;
mod server;
mod users;
mod wire;

use std::process::ExitCode;

fn main() -> ExitCode {
    let mut args = std::env::args().skip(1);
    match args.next().as_deref() {
        Some("--version") => {
            let version = env!("CARGO_PKG_VERSION");
            #[expect(clippy::print_stdout, reason = "what --version is for")]
            {
                println!("locule-guest {version}");
            }
            ExitCode::SUCCESS
        }
        // For tests on an ordinary machine: serve on the given port and take anybody for the host.
        Some("--serve") => agent::run(agent::Options {
            port: args
                .next()
                .and_then(|port| port.parse().ok())
                .unwrap_or(locule_guest_api::GUEST_PORT),
            in_microvm: false,
        }),
        _ if std::process::id() == 1 => reaper::run(boot::run()),
        _ => {
            boot::say("locule-guest runs as PID 1 of a microVM; --version prints its version");
            ExitCode::from(64)
        }
    }
}
