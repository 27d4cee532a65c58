//! Connects the user's terminal to a terminal in a sandbox.
//!
//! ```text
//! keyboard ─► feed ─► sandbox ─► show ─► screen
//!               ▲                  │ connection lost
//!               └── connect again ◄┘   by the tag, at the byte that was shown last
//! ```
//! The user's terminal is in raw mode meanwhile: Ctrl-C and Ctrl-Z are bytes for the program inside. A signal to this program ends
//! the session.

mod modes;
mod raw;

use std::convert::Infallible;
use std::io::IsTerminal as _;
use std::time::Duration;

use anyhow::{Context as _, bail};
use locule_api::{ErrorCode, Process, PtyClientMessage, PtyConnect, PtyStart};
use locule_client::{Client, ClientError, TerminalEvent, TerminalReader, TerminalWriter};
use locule_ids::SandboxId;
use tokio::io::AsyncReadExt as _;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::time::Instant;

use self::raw::RawMode;
use crate::interrupts::Signals;
use crate::printer::{self, Raw};

const RECONNECT_FIRST: Duration = Duration::from_millis(200);
const RECONNECT_MAX: Duration = Duration::from_secs(5);
/// A host that was just started again knows its sandboxes after this time.
const HOST_RESTART: Duration = Duration::from_secs(10);
/// How long to wait for the end of a program that was killed.
const KILL_TIMEOUT: Duration = Duration::from_secs(2);
/// Ctrl-C as a terminal in raw mode sends it.
const CTRL_C: u8 = 3;
/// 128 + SIGHUP: the user's terminal is gone.
const HUNG_UP: u8 = 129;

/// How a session begins, and what becomes of the program when this program is ended.
#[derive(Debug)]
pub(crate) enum Opening {
    /// Starts a program, and kills it at the end of this program.
    Start(PtyStart),
    /// Connects to the terminal with the tag, or starts a program under that tag. The program outlives this program.
    Named(String, PtyStart),
}

/// How the session ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ended {
    Exited {
        exit_code: i32,
        signal: Option<i32>,
    },
    /// A signal or the loss of the user's terminal ended this program, with this exit code.
    Abandoned(u8),
}

/// Why a connection is no longer followed.
enum Left {
    Exited {
        exit_code: i32,
        signal: Option<i32>,
    },
    /// A signal ends this program with this exit code, or the user's terminal is gone.
    Stopped(u8),
    Lost,
}

/// Refuses to run without a terminal on both sides. `what` needs them.
pub(crate) fn check(what: &str, instead: &str) -> anyhow::Result<()> {
    for (is_terminal, side) in [
        (std::io::stdin().is_terminal(), "input"),
        (std::io::stdout().is_terminal(), "output"),
    ] {
        if !is_terminal {
            bail!("{what} needs a terminal, and standard {side} is none: {instead}");
        }
    }
    Ok(())
}

/// Runs a program in a terminal of the sandbox until it exits, or until a signal ends this program.
pub(crate) async fn run(
    client: &Client,
    id: SandboxId,
    opening: Opening,
    signals: &mut Signals,
) -> anyhow::Result<Ended> {
    let keeps = matches!(opening, Opening::Named(..));
    let mut opening = Box::pin(open(client, id, opening));
    let opened = tokio::select! {
        opened = &mut opening => opened?,
        caught = signals.next() => {
            if !keeps {
                // The program may be about to start.
                let ended = async {
                    if let Ok((mut reader, mut writer, ..)) = opening.await {
                        end(&mut reader, &mut writer).await;
                    }
                };
                tokio::select! {
                    _ = tokio::time::timeout(KILL_TIMEOUT, ended) => {}
                    _ = signals.next() => {}
                }
            }
            return Ok(Ended::Abandoned(caught.code()));
        }
    };
    let (mut reader, mut writer, tag, offset) = opened;
    let mut session = Session {
        client,
        id,
        tag,
        offset,
        screen: Raw::new(),
        keyboard: tokio::io::stdin(),
        resized: signal(SignalKind::window_change())?,
        raw: RawMode::enter().context("cannot switch the terminal to raw mode")?,
    };
    loop {
        let left = session.attend(&mut reader, &mut writer, signals).await?;
        let left = match left {
            Left::Lost => match session.connect_again(signals).await? {
                Ok(again) => {
                    (reader, writer) = again;
                    continue;
                }
                Err(left) => left,
            },
            left @ (Left::Exited { .. } | Left::Stopped(_)) => left,
        };
        session.raw.restore();
        match left {
            Left::Exited { exit_code, signal } => {
                return Ok(Ended::Exited { exit_code, signal });
            }
            Left::Stopped(code) if keeps => {
                session.tell_how_to_connect();
                return Ok(Ended::Abandoned(code));
            }
            Left::Stopped(code) => {
                end(&mut reader, &mut writer).await;
                return Ok(Ended::Abandoned(code));
            }
            Left::Lost => {
                session.tell_how_to_connect();
                return Err(ClientError::Disconnected.into());
            }
        }
    }
}

/// Kills the program, and waits a moment for its end.
async fn end(reader: &mut TerminalReader, writer: &mut TerminalWriter) {
    writer.kill().await.ok();
    let exited = async { while reader.next().await.is_ok() {} };
    tokio::time::timeout(KILL_TIMEOUT, exited).await.ok();
}

type Opened = (TerminalReader, TerminalWriter, String, u64);

async fn open(client: &Client, id: SandboxId, opening: Opening) -> Result<Opened, ClientError> {
    match opening {
        Opening::Start(start) => opened(client, id, PtyClientMessage::Start(start)).await,
        Opening::Named(tag, start) => {
            let listed = client.list_processes(id).await?.processes;
            let runs = |process: &Process| process.tag.as_ref() == Some(&tag);
            let first = if listed.iter().any(runs) {
                let offset = Some(0);
                PtyClientMessage::Connect(PtyConnect { tag, offset })
            } else {
                let tag = Some(tag);
                PtyClientMessage::Start(PtyStart { tag, ..start })
            };
            opened(client, id, first).await
        }
    }
}

/// Opens a connection whose first event has arrived.
async fn opened(
    client: &Client,
    id: SandboxId,
    first: PtyClientMessage,
) -> Result<Opened, ClientError> {
    let (mut reader, writer) = client.terminal(id, &first).await?;
    match reader.next().await? {
        TerminalEvent::Started { tag, offset } => Ok((reader, writer, tag, offset)),
        TerminalEvent::Output(_)
        | TerminalEvent::Gap(_)
        | TerminalEvent::Refused(_)
        | TerminalEvent::Exited { .. } => Err(ClientError::Disconnected),
    }
}

const TRANSIENT: [ErrorCode; 5] = [
    ErrorCode::NotReady,
    ErrorCode::RateLimited,
    ErrorCode::HostUnavailable,
    ErrorCode::AgentError,
    ErrorCode::InternalError,
];

/// Whether the same connection may succeed later.
fn is_lost(error: &ClientError) -> bool {
    match error {
        ClientError::Unreachable { .. }
        | ClientError::TimedOut { .. }
        | ClientError::Disconnected
        | ClientError::UnexpectedStatus { status: 502..=504 } => true,
        ClientError::Refusal { code, .. } => TRANSIENT.iter().any(|known| code == known.as_str()),
        ClientError::Address(_) | ClientError::Key | ClientError::UnexpectedStatus { .. } => false,
    }
}

struct Session<'a> {
    client: &'a Client,
    id: SandboxId,
    tag: String,
    /// The position in the output of the next byte to show.
    offset: u64,
    screen: Raw,
    keyboard: tokio::io::Stdin,
    resized: Signal,
    raw: RawMode,
}

impl Session<'_> {
    /// Follows one connection.
    async fn attend(
        &mut self,
        reader: &mut TerminalReader,
        writer: &mut TerminalWriter,
        signals: &mut Signals,
    ) -> anyhow::Result<Left> {
        let Self {
            offset,
            screen,
            keyboard,
            resized,
            raw,
            ..
        } = self;
        tokio::select! {
            biased;
            caught = signals.next() => Ok(Left::Stopped(caught.code())),
            left = show(reader, screen, offset, raw) => left,
            never = feed(writer, keyboard, resized) => match never {},
        }
    }

    /// Connects until that succeeds, until the user gives up, or until it can no longer succeed.
    async fn connect_again(
        &mut self,
        signals: &mut Signals,
    ) -> anyhow::Result<Result<(TerminalReader, TerminalWriter), Left>> {
        printer::print_note(
            "the connection was lost: connecting again; Ctrl-C gives up, other input is discarded",
        );
        let (since, mut wait) = (Instant::now(), RECONNECT_FIRST);
        loop {
            let connect = PtyConnect {
                tag: self.tag.clone(),
                offset: Some(self.offset),
            };
            let again = opened(self.client, self.id, PtyClientMessage::Connect(connect));
            let error = tokio::select! {
                caught = signals.next() => return Ok(Err(Left::Stopped(caught.code()))),
                () = given_up(&mut self.keyboard) => return Ok(Err(Left::Lost)),
                again = again => match again {
                    Ok((reader, writer, _, offset)) => {
                        printer::print_note("connected again");
                        self.offset = offset;
                        return Ok(Ok((reader, writer)));
                    }
                    Err(error) => error,
                },
            };
            let restarting =
                error.code() == Some("invalid_state") && since.elapsed() < HOST_RESTART;
            if !restarting && !is_lost(&error) {
                return Err(error.into());
            }
            tokio::select! {
                caught = signals.next() => return Ok(Err(Left::Stopped(caught.code()))),
                () = given_up(&mut self.keyboard) => return Ok(Err(Left::Lost)),
                () = tokio::time::sleep(wait) => wait = (wait * 2).min(RECONNECT_MAX),
            }
        }
    }

    fn tell_how_to_connect(&self) {
        printer::print_message(&format!(
            "the program keeps running: connect to it with `locule sandbox shell --tag {} {}`",
            self.tag, self.id
        ));
    }
}

/// Shows the output until the program exits or the connection is lost.
async fn show(
    reader: &mut TerminalReader,
    screen: &mut Raw,
    offset: &mut u64,
    raw: &RawMode,
) -> anyhow::Result<Left> {
    loop {
        match reader.next().await {
            Ok(TerminalEvent::Started { .. }) => {}
            Ok(TerminalEvent::Output(bytes)) => {
                raw.shown(&bytes);
                if screen.stdout(&bytes).await.is_err() {
                    return Ok(Left::Stopped(HUNG_UP));
                }
                *offset = offset.saturating_add(bytes.len() as u64);
            }
            Ok(TerminalEvent::Gap(bytes)) => {
                *offset = offset.saturating_add(bytes);
                printer::print_note(&format!(
                    "{bytes} bytes of output are lost: the program printed more than the sandbox keeps"
                ));
            }
            Ok(TerminalEvent::Refused(why)) => printer::print_note(&why),
            Ok(TerminalEvent::Exited { exit_code, signal }) => {
                return Ok(Left::Exited { exit_code, signal });
            }
            Err(error) if is_lost(&error) => return Ok(Left::Lost),
            Err(error) => return Err(error.into()),
        }
    }
}

/// Sends the size of the window and what the user types. The reading side reports a broken connection.
async fn feed(
    writer: &mut TerminalWriter,
    keyboard: &mut tokio::io::Stdin,
    resized: &mut Signal,
) -> Infallible {
    let mut buffer = vec![0; TerminalWriter::INPUT_BYTES_MAX];
    // The window may have another size than at the start, or before the connection was lost.
    let mut sent = resize(writer).await;
    while sent.is_ok() {
        let typed = async {
            writer.ready().await?;
            Ok(keyboard.read(&mut buffer).await.unwrap_or(0))
        };
        sent = tokio::select! {
            biased;
            _ = resized.recv() => resize(writer).await,
            typed = typed => match typed {
                // The end of the input of a terminal: a signal follows.
                Ok(0) => break,
                Ok(count) => writer.input(&buffer[..count]).await,
                Err(error) => Err(error),
            },
        };
    }
    std::future::pending().await
}

async fn resize(writer: &mut TerminalWriter) -> Result<(), ClientError> {
    match raw::size() {
        Some((cols, rows)) => writer.resize(cols, rows).await,
        None => Ok(()),
    }
}

/// The size of the user's window; zeros, which mean the default, when it has none.
pub(crate) fn size() -> (u16, u16) {
    raw::size().unwrap_or_default()
}

/// Discards what the user types until Ctrl-C.
async fn given_up(keyboard: &mut tokio::io::Stdin) {
    let mut typed = [0; 256];
    loop {
        match keyboard.read(&mut typed).await {
            Ok(0) | Err(_) => std::future::pending().await,
            Ok(count) if typed[..count].contains(&CTRL_C) => return,
            Ok(_) => {}
        }
    }
}
