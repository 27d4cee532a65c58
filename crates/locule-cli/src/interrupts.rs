//! Catches the signals that would end this program, so that it can destroy its sandbox first.

use locule_api::SignalName;
use tokio::signal::unix::{Signal, SignalKind, signal};

/// A signal that was caught.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Caught {
    pub(crate) name: SignalName,
    number: u8,
}

impl Caught {
    /// The exit code that a shell reports for a program that this signal ended.
    pub(crate) fn code(self) -> u8 {
        128 + self.number
    }
}

/// Catches signals from its creation until the program exits.
#[derive(Debug)]
pub(crate) struct Signals {
    interrupt: Signal,
    terminate: Signal,
    hang_up: Signal,
    quit: Signal,
    /// The last signal, and the count of all.
    pub(crate) last: Option<Caught>,
    pub(crate) seen: u32,
}

impl Signals {
    pub(crate) fn catch() -> std::io::Result<Self> {
        Ok(Self {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
            hang_up: signal(SignalKind::hangup())?,
            quit: signal(SignalKind::quit())?,
            last: None,
            seen: 0,
        })
    }

    /// Waits for the next signal. Cancel safe.
    pub(crate) async fn next(&mut self) -> Caught {
        let (name, number) = tokio::select! {
            _ = self.interrupt.recv() => (SignalName::Int, 2),
            _ = self.terminate.recv() => (SignalName::Term, 15),
            _ = self.hang_up.recv() => (SignalName::Hup, 1),
            _ = self.quit.recv() => (SignalName::Quit, 3),
        };
        let caught = Caught { name, number };
        self.seen += 1;
        self.last = Some(caught);
        caught
    }
}
