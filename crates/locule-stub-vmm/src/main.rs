//! A virtual machine monitor without a machine: a real process that the QEMU driver starts, speaks to, captures and ends as
//! it does QEMU, and whose "guest" is a few pages of memory that it changes by a rule.
//!
//! ```text
//! agent ── control socket ──► monitor ─┐
//!       ── tap ── TCP ──────► wire ────┼─► guest: life (keys, names, frozen?) and model, all of it in guest memory
//!                        ticker ───────┘
//! ```
//!
//! What a restored guest knows comes from its memory image and nowhere else, and `GET /model` says whether every page and
//! every disk block is what the rule makes of the number of ticks. So hundreds of lives and deaths can be checked in the
//! time in which QEMU boots once. Never part of a release.

mod arguments;
mod guest;
mod http;
mod memory;
mod model;
mod monitor;
mod wire;

use std::process::ExitCode;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use anyhow::Result;

use crate::arguments::Arguments;
use crate::guest::{Guest, Tick};
use crate::monitor::{Monitor, Voice};
use crate::wire::Wire;

/// Between two changes of memory and disk.
const TICK: Duration = Duration::from_millis(2);

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    if let Some(answer) = about(&args) {
        #[expect(clippy::print_stdout, reason = "what was asked for")]
        {
            println!("{answer}");
        }
        return ExitCode::SUCCESS;
    }
    match Arguments::parse(&args).and_then(|arguments| run(&arguments)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            say(&format!("error: {error:#}"));
            ExitCode::FAILURE
        }
    }
}

/// What it says of itself, where that is all that is wanted. A test may name another version and, behind it, versions
/// whose machines it keeps.
fn about(args: &[String]) -> Option<String> {
    #[expect(
        clippy::disallowed_methods,
        reason = "how a test makes another version of this one"
    )]
    let versions = std::env::var("LOCULE_STUB_VERSION").unwrap_or_else(|_| "1.0".to_owned());
    let mut versions = versions.split(' ');
    match args {
        [version] if version == "--version" => {
            let version = versions.next()?;
            Some(format!(
                "stub emulator version {version} (a machine that is none)"
            ))
        }
        [machine, help] if machine == "-machine" && help == "help" => {
            let machines = versions.map(|version| format!("pc-q35-{version} kept\n"));
            Some(machines.collect())
        }
        _ => None,
    }
}

/// To the log that the driver gave this process.
fn say(line: &str) {
    #[expect(
        clippy::print_stderr,
        reason = "the log of a VMM is its standard error"
    )]
    {
        eprintln!("stub-vmm: {line}");
    }
}

/// Serves the control socket until it is told to quit.
fn run(arguments: &Arguments) -> Result<()> {
    let guest = Arc::new(Mutex::new(Guest::new(arguments)?));
    let wire = Wire::new(arguments.tap, arguments.mac)?;
    let (running, voice) = (guest.clone(), Voice::default());
    let events = voice.clone();
    let thread = std::thread::Builder::new().name("machine".to_owned());
    thread.spawn(move || machine(&running, wire, &events))?;
    Monitor::new(arguments.control, guest, voice).serve()
}

/// The virtual processor: while the machine runs, time passes for the guest and its network answers.
fn machine(guest: &Mutex<Guest>, mut wire: Wire, events: &Voice) {
    loop {
        {
            let mut guest = guest
                .lock()
                .unwrap_or_else(std::sync::PoisonError::into_inner);
            if guest.runs() {
                match guest.tick() {
                    Tick::Done => wire.poll(&mut guest),
                    Tick::NoRoom => events.tell_of_no_room(),
                }
            }
        }
        wire.wait(TICK);
    }
}
