//! A virtual machine monitor without a machine: a real process that the QEMU driver starts, controls, captures and ends as it
//! does QEMU. Its "guest" is a few pages of memory that it changes by a rule.
//!
//! ```text
//! agent ── control socket ──► monitor ─┐
//!       ── tap ── TCP ──────► network ─┼─► guest: its state (keys, names, frozen?) and the model, all in guest memory
//!                        ticker ───────┘
//! ```
//!
//! A restored guest reads its state from guest memory only, and `GET /model` reports whether every page and every disk block
//! holds what the rule makes of the number of ticks. A test checks hundreds of creates, pauses and crashes in the time in
//! which QEMU boots once. Never part of a release.

mod arguments;
mod guest;
mod http;
mod log;
mod memory;
mod model;
mod monitor;
mod network;

use std::process::ExitCode;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use anyhow::Result;

use crate::arguments::Arguments;
use crate::guest::{StubGuest, Tick};
use crate::log::log;
use crate::monitor::{EventSink, Monitor};
use crate::network::Network;

/// The time between two changes of memory and disk.
const TICK: Duration = Duration::from_millis(2);

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    if let Some(answer) = about(&args) {
        #[expect(
            clippy::print_stdout,
            reason = "the answer to --version and -machine help"
        )]
        {
            println!("{answer}");
        }
        return ExitCode::SUCCESS;
    }
    match Arguments::parse(&args).and_then(|arguments| run(&arguments)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            log(&format!("error: {error:#}"));
            ExitCode::FAILURE
        }
    }
}

/// The answer to `--version` and `-machine help`. A test may set another version and, after it, the versions whose machine
/// types this one supports too.
fn about(args: &[String]) -> Option<String> {
    #[expect(clippy::disallowed_methods, reason = "how a test sets another version")]
    let versions = std::env::var("LOCULE_STUB_VERSION").unwrap_or_else(|_| "1.0".to_owned());
    let mut versions = versions.split(' ');
    match args {
        [version] if version == "--version" => {
            let version = versions.next()?;
            Some(format!(
                "stub emulator version {version} (without a machine)"
            ))
        }
        [machine, help] if machine == "-machine" && help == "help" => {
            let machines = versions.map(|version| format!("pc-q35-{version} kept\n"));
            Some(machines.collect())
        }
        _ => None,
    }
}

/// Serves the control socket until the `quit` command.
fn run(arguments: &Arguments) -> Result<()> {
    let guest = Arc::new(Mutex::new(StubGuest::new(arguments)?));
    let network = Network::new(arguments.tap, arguments.mac)?;
    let (running, events) = (guest.clone(), EventSink::default());
    let sink = events.clone();
    let thread = std::thread::Builder::new().name("machine".to_owned());
    thread.spawn(move || machine(&running, network, &sink))?;
    Monitor::new(arguments.control, guest, events).serve()
}

/// The virtual processor: while the machine runs, it makes the guest tick and answers its network.
fn machine(guest: &Mutex<StubGuest>, mut network: Network, events: &EventSink) {
    loop {
        {
            let mut guest = guest
                .lock()
                .unwrap_or_else(std::sync::PoisonError::into_inner);
            if guest.runs() {
                match guest.tick() {
                    Tick::Done => network.poll(&mut guest),
                    Tick::DiskFull => events.report_disk_full(),
                }
            }
        }
        network.wait(TICK);
    }
}
