//! Connects one running command to this terminal: output, input and signals.
//!
//! ```text
//! first signal    passed to the command   (after SIGTERM and SIGHUP: SIGKILL follows after 5 s)
//! second signal   SIGKILL                 (without an exit after 10 s: the program exits)
//! third signal    the program exits at once
//! ```

use std::convert::Infallible;
use std::io::ErrorKind;
use std::time::Duration;

use anyhow::Context as _;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use locule_api::{Encoding, SignalName};
use locule_client::{ExecEvent, ExecReader, ExecStream, ExecWriter};
use tokio::io::AsyncReadExt as _;
use tokio::sync::mpsc;

use crate::interrupts::{Caught, Signals};
use crate::printer::Raw;

const TERMINATION_GRACE: Duration = Duration::from_secs(5);
const KILL_TIMEOUT: Duration = Duration::from_secs(10);
const INPUT_BYTES: usize = 32 * 1024;
/// Limit of both outputs together with `--json`, which holds them in memory until the command exits.
const KEPT_BYTES_MAX: usize = 16 * 1024 * 1024;
/// 128 + SIGPIPE: the exit code of a local program whose output pipe is closed.
const READER_LEFT: u8 = 141;

/// How the session ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ended {
    /// The command exited.
    Exited { exit_code: i32, signal: Option<i32> },
    /// The server killed the command, which ran longer than its timeout.
    TimedOut,
    /// The command printed more than is kept. The server kills the command when the connection closes.
    Truncated,
    /// This program stops waiting and exits with this code. The server kills the command when the connection closes.
    Abandoned(u8),
}

/// The destination of the output.
#[derive(Debug)]
pub(crate) enum Output {
    Raw(Raw),
    Kept(Kept),
}

#[derive(Debug, Default)]
pub(crate) struct Kept {
    stdout: Vec<u8>,
    stderr: Vec<u8>,
}

impl Kept {
    /// Both outputs as text, or both as base64 when either is not UTF-8.
    pub(crate) fn text(self) -> (String, String, Encoding) {
        match (
            std::str::from_utf8(&self.stdout),
            std::str::from_utf8(&self.stderr),
        ) {
            (Ok(stdout), Ok(stderr)) => (stdout.to_owned(), stderr.to_owned(), Encoding::Utf8),
            _ => (
                STANDARD.encode(self.stdout),
                STANDARD.encode(self.stderr),
                Encoding::Base64,
            ),
        }
    }
}

impl Output {
    /// Writes output. `Some` when the reader of the output has closed its pipe.
    async fn take(&mut self, to_stderr: bool, bytes: &[u8]) -> anyhow::Result<Option<Ended>> {
        let written = match self {
            Self::Raw(raw) if to_stderr => raw.stderr(bytes).await,
            Self::Raw(raw) => raw.stdout(bytes).await,
            Self::Kept(kept) => {
                let capacity = KEPT_BYTES_MAX - kept.stdout.len() - kept.stderr.len();
                let stream = if to_stderr {
                    &mut kept.stderr
                } else {
                    &mut kept.stdout
                };
                stream.extend_from_slice(&bytes[..bytes.len().min(capacity)]);
                return Ok((bytes.len() > capacity).then_some(Ended::Truncated));
            }
        };
        match written {
            Err(error) if error.kind() == ErrorKind::BrokenPipe => {
                Ok(Some(Ended::Abandoned(READER_LEFT)))
            }
            written => written.map(|()| None).context("cannot write the output"),
        }
    }
}

/// Runs the session until the command exits or a signal ends the wait.
pub(crate) async fn run(
    stream: ExecStream,
    stdin: bool,
    output: &mut Output,
    signals: &mut Signals,
) -> anyhow::Result<Ended> {
    let (mut reader, writer) = stream.split();
    let (orders, ordered) = mpsc::channel(4);
    tokio::select! {
        ended = follow(&mut reader, output) => ended,
        never = feed(writer, stdin, ordered) => match never {},
        code = forward_signals(signals, &orders) => Ok(Ended::Abandoned(code)),
    }
}

async fn follow(reader: &mut ExecReader, output: &mut Output) -> anyhow::Result<Ended> {
    loop {
        let left = match reader.next().await? {
            ExecEvent::Started { .. } => None,
            ExecEvent::Stdout(bytes) => output.take(false, &bytes).await?,
            ExecEvent::Stderr(bytes) => output.take(true, &bytes).await?,
            ExecEvent::Exited {
                timed_out: true, ..
            } => return Ok(Ended::TimedOut),
            ExecEvent::Exited {
                exit_code, signal, ..
            } => return Ok(Ended::Exited { exit_code, signal }),
        };
        if let Some(left) = left {
            return Ok(left);
        }
    }
}

/// Sends input and signals. The reading side reports a broken connection, because it may still hold the exit.
async fn feed(
    mut writer: ExecWriter,
    stdin: bool,
    mut orders: mpsc::Receiver<SignalName>,
) -> Infallible {
    let mut input = stdin.then(tokio::io::stdin);
    let mut buffer = vec![0; INPUT_BYTES];
    loop {
        let read = async {
            match &mut input {
                // Signals are sent even while the command does not read its input.
                Some(input) => match writer.ready_for_stdin().await {
                    Ok(()) => Ok(input.read(&mut buffer).await.unwrap_or(0)),
                    Err(error) => Err(error),
                },
                None => std::future::pending().await,
            }
        };
        let sent = tokio::select! {
            biased;
            Some(signal) = orders.recv() => writer.signal(signal).await,
            count = read => match count {
                Ok(0) => {
                    input = None;
                    writer.close_stdin().await
                }
                Ok(count) => writer.stdin(&buffer[..count]).await,
                Err(error) => Err(error),
            },
        };
        if sent.is_err() {
            return std::future::pending().await;
        }
    }
}

/// Turns signals to this program into signals to the command. Returns the exit code when this program shall exit.
async fn forward_signals(signals: &mut Signals, orders: &mpsc::Sender<SignalName>) -> u8 {
    let mut timeout = None;
    let mut killed = false;
    loop {
        let caught = match timeout {
            Some(timeout) => tokio::time::timeout(timeout, signals.next()).await.ok(),
            None => Some(signals.next().await),
        };
        let order = match (caught, signals.seen) {
            (Some(caught), 1) => {
                let typed = matches!(caught.name, SignalName::Int | SignalName::Quit);
                timeout = (!typed).then_some(TERMINATION_GRACE);
                caught.name
            }
            (Some(_), 2) | (None, 1) if !killed => SignalName::Kill,
            _ => return signals.last.map_or(crate::FAILED, Caught::code),
        };
        if order == SignalName::Kill {
            killed = true;
            timeout = Some(KILL_TIMEOUT);
        }
        // A full queue means that the connection is stuck. The timeout still applies.
        let _ = orders.try_send(order);
    }
}
