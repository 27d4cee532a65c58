//! The client's messages to a running process: stdin within a window, and signals.

use std::sync::{Mutex, MutexGuard, PoisonError};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use locule_api::stream::STDIN_WINDOW_BYTES;
use locule_api::{ClientMessage, SignalName};
use locule_edge::Signal;
use tokio::sync::mpsc;

use crate::memory::Held;

/// Limit of the queued messages. The window limits their bytes.
pub(super) const STDIN_MESSAGES: usize = 1024;

#[derive(Debug)]
pub(super) enum Input {
    Bytes(Bytes),
    Close,
}

#[derive(Debug)]
pub(super) enum Command {
    Input(Input),
    Signal(Signal),
}

/// Reads a message as a command to the running process.
pub(super) fn command(message: ClientMessage) -> Result<Command, String> {
    match message {
        ClientMessage::Stdin { data } => match STANDARD.decode(data) {
            Ok(bytes) => Ok(Command::Input(Input::Bytes(bytes.into()))),
            Err(_) => Err("the data of stdin is not base64".to_owned()),
        },
        ClientMessage::StdinClose => Ok(Command::Input(Input::Close)),
        ClientMessage::Signal { signal } => Ok(Command::Signal(match signal {
            SignalName::Hup => Signal::Hup,
            SignalName::Int => Signal::Int,
            SignalName::Quit => Signal::Quit,
            SignalName::Kill => Signal::Kill,
            SignalName::Term => Signal::Term,
        })),
        ClientMessage::Stop => Ok(Command::Signal(Signal::Kill)),
        ClientMessage::Auth { .. } | ClientMessage::Start(_) => Err(
            "the process is already running; send stdin, stdin_close, signal or stop".to_owned(),
        ),
    }
}

/// The stdin that the process has not taken, which is memory of the client's team.
#[derive(Debug)]
pub(super) struct Window(Mutex<Waiting>);

#[derive(Debug)]
struct Waiting {
    bytes: usize,
    held: Held,
}

impl Window {
    pub(super) fn new(held: Held) -> Self {
        Self(Mutex::new(Waiting { bytes: 0, held }))
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn add(&self, bytes: usize) -> Result<(), String> {
        let mut waiting = self.lock();
        if waiting.bytes + bytes > STDIN_WINDOW_BYTES {
            return Err("stdin exceeds the window of 1 MiB; wait for an ack".to_owned());
        }
        waiting.bytes += bytes;
        waiting.held.add(bytes).map_err(|error| error.message())
    }

    /// The process has taken so many bytes.
    pub(super) fn taken(&self, bytes: usize) {
        let mut waiting = self.lock();
        waiting.bytes -= bytes;
        waiting.held.remove(bytes);
    }

    #[cfg(test)]
    pub(super) fn bytes(&self) -> usize {
        self.lock().bytes
    }
}

/// Queues stdin within the window.
pub(super) fn enqueue(
    input: Input,
    stdin: &mpsc::Sender<Input>,
    window: &Window,
) -> Result<(), String> {
    if let Input::Bytes(bytes) = &input {
        window.add(bytes.len())?;
    }
    let queued = stdin.try_send(input);
    queued.map_err(|_| "too many stdin messages are waiting; wait for an ack".to_owned())
}
