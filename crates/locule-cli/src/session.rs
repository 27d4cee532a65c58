//! One running command and this terminal: its output, its input, the signals in between.
//!
//! ```text
//! first signal   passed on as it is      (not Ctrl-C or Ctrl-\: killed if it does not end within 5 s)
//! second         SIGKILL                 (nothing heard for 10 s: left)
//! third          left at once
//! ```

use std::convert::Infallible;
use std::io::ErrorKind;
use std::time::Duration;

use anyhow::{Context as _, bail};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use locule_api::{Encoding, SignalName};
use locule_client::{ExecEvent, ExecReader, ExecStream, ExecWriter};
use tokio::io::AsyncReadExt as _;
use tokio::sync::mpsc;

use crate::interrupts::{Caught, Signals};
use crate::printer::Raw;

const GRACE: Duration = Duration::from_secs(5);
const KILL_PATIENCE: Duration = Duration::from_secs(10);
const INPUT_BYTES: usize = 32 * 1024;
/// Of both streams together: as JSON they are held until the end.
const KEPT_BYTES_MAX: usize = 16 * 1024 * 1024;
/// 128 + SIGPIPE: how a local program ends whose reader has left.
const READER_LEFT: u8 = 141;

/// How it ended for us.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ended {
    /// The command did.
    Exited { exit_code: i32, signal: Option<i32> },
    /// We left it, with this exit code; the server kills it when the connection is gone.
    Left(u8),
}

/// Where the output goes.
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
    /// Both as text, or both as base64 when either is none.
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
    /// `Some`: nobody reads it any more.
    async fn take(&mut self, to_stderr: bool, bytes: &[u8]) -> anyhow::Result<Option<Ended>> {
        let written = match self {
            Self::Raw(raw) if to_stderr => raw.stderr(bytes).await,
            Self::Raw(raw) => raw.stdout(bytes).await,
            Self::Kept(kept) => {
                if kept.stdout.len() + kept.stderr.len() + bytes.len() > KEPT_BYTES_MAX {
                    bail!("the command printed more than 16 MiB: run it without --json");
                }
                let stream = if to_stderr {
                    &mut kept.stderr
                } else {
                    &mut kept.stdout
                };
                stream.extend_from_slice(bytes);
                return Ok(None);
            }
        };
        match written {
            Err(error) if error.kind() == ErrorKind::BrokenPipe => {
                Ok(Some(Ended::Left(READER_LEFT)))
            }
            written => written.map(|()| None).context("cannot write the output"),
        }
    }
}

/// Until the command has ended, or nobody wants to wait for it any more.
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
        code = escort(signals, &orders) => Ok(Ended::Left(code)),
    }
}

async fn follow(reader: &mut ExecReader, output: &mut Output) -> anyhow::Result<Ended> {
    loop {
        let left = match reader.next().await? {
            ExecEvent::Started { .. } => None,
            ExecEvent::Stdout(bytes) => output.take(false, &bytes).await?,
            ExecEvent::Stderr(bytes) => output.take(true, &bytes).await?,
            ExecEvent::Exited { exit_code, signal } => {
                return Ok(Ended::Exited { exit_code, signal });
            }
        };
        if let Some(left) = left {
            return Ok(left);
        }
    }
}

/// Passes input and signals on. A connection that breaks is told by the reading side, which may still hold the exit.
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
                // A command that does not read must not keep signals from it.
                Some(input) => match writer.room().await {
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

/// Turns this program's signals into the command's. Ends with our exit code when it is time to leave.
async fn escort(signals: &mut Signals, orders: &mpsc::Sender<SignalName>) -> u8 {
    let mut patience = None;
    let mut killed = false;
    loop {
        let caught = match patience {
            Some(patience) => tokio::time::timeout(patience, signals.next()).await.ok(),
            None => Some(signals.next().await),
        };
        let order = match (caught, signals.seen) {
            (Some(caught), 1) => {
                let typed = matches!(caught.name, SignalName::Int | SignalName::Quit);
                patience = (!typed).then_some(GRACE);
                caught.name
            }
            (Some(_), 2) | (None, 1) if !killed => SignalName::Kill,
            _ => return signals.last.map_or(crate::FAILED, Caught::code),
        };
        if order == SignalName::Kill {
            killed = true;
            patience = Some(KILL_PATIENCE);
        }
        // A full queue means that the connection takes nothing any more; the patience runs all the same.
        let _ = orders.try_send(order);
    }
}
