//! `process.Process`: starts, follows, feeds and ends programs.

use std::collections::BTreeMap;
use std::pin::Pin;
use std::time::Duration;

use bytes::Bytes;
use futures::{Stream, StreamExt as _, stream};
use locule_agent_api::{HolderKind, Purpose};
use locule_guest_api::OFFSET_HEADER;
use locule_guest_api::oneof;
use locule_guest_api::proto::process as wire;
use locule_guest_api::rpc::client::{CallOptions, ServerStream};

use super::attached::attached;
use super::window::WindowSize;
use super::{GuestClient, GuestError, as_user, header_name, noted, unary, unary_list};

/// A program to start.
#[derive(Debug, Clone, Default)]
pub struct StartProcess {
    pub cmd: String,
    pub args: Vec<String>,
    pub envs: BTreeMap<String, String>,
    pub cwd: Option<String>,
    pub user: Option<String>,
    pub tag: Option<String>,
    /// Whether stdin is a pipe that stays open; otherwise it is `/dev/null`.
    pub stdin: bool,
    /// After this time the guest agent kills the process.
    pub timeout: Option<Duration>,
    /// Runs the program in a terminal of this size instead of with pipes.
    pub terminal: Option<WindowSize>,
}

/// Names one process of a sandbox.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Selector {
    Pid(u32),
    Tag(String),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Signal {
    Hup,
    Int,
    Quit,
    Kill,
    Term,
}

/// How a process ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProcessExit {
    /// The exit code, or 128 + the signal number as shells report it.
    pub exit_code: i32,
    pub signal: Option<i32>,
}

/// An event of a process. `Started` comes first, `Exited` last.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ProcessEvent {
    Started {
        pid: u32,
    },
    Stdout(Bytes),
    Stderr(Bytes),
    /// This much output is lost: the stream was broken, and the process printed more than the guest agent keeps.
    Gap {
        bytes: u64,
    },
    Exited(ProcessExit),
}

/// The events of one process. Dropping the stream does not end the process.
pub type ProcessEvents = Pin<Box<dyn Stream<Item = Result<ProcessEvent, GuestError>> + Send>>;

/// One stream of events, which ends when its connection breaks.
pub(super) struct OpenStream {
    pub(super) events: ProcessEvents,
    /// Position in the process's output of the stream's first byte, if the guest agent reports it.
    pub(super) offset: Option<u64>,
    /// What the host is told of the stream.
    pub(super) purpose: Purpose,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListedProcess {
    pub pid: u32,
    pub tag: Option<String>,
    pub cmd: String,
    pub args: Vec<String>,
}

pub(super) fn selector(selector: &Selector) -> wire::ProcessSelector {
    wire::ProcessSelector {
        selector: Some(match selector {
            Selector::Pid(pid) => oneof::process_selector::Selector::Pid(*pid),
            Selector::Tag(tag) => oneof::process_selector::Selector::Tag(tag.clone()),
        }),
        ..Default::default()
    }
}

fn event(event: Option<wire::ProcessEvent>) -> Option<ProcessEvent> {
    use oneof::process_event::Event as Kind;
    use oneof::process_event::data_event::Output;
    match event?.event? {
        Kind::Start(start) => Some(ProcessEvent::Started { pid: start.pid }),
        Kind::Data(data) => match data.output? {
            Output::Stdout(bytes) | Output::Pty(bytes) => Some(ProcessEvent::Stdout(bytes.into())),
            Output::Stderr(bytes) => Some(ProcessEvent::Stderr(bytes.into())),
        },
        Kind::End(end) => {
            let signal = i32::try_from(end.signal).ok().filter(|signal| *signal > 0);
            Some(ProcessEvent::Exited(ProcessExit {
                exit_code: signal.map_or(end.exit_code, |signal| 128 + signal),
                signal,
            }))
        }
        Kind::Keepalive(_) => None,
    }
}

/// Turns one kind of response stream into events. The events end after `Exited` or after an error; a stream that ends before
/// the process does is an error.
macro_rules! events {
    ($messages:expr, $message:ty) => {{
        let events = stream::unfold(Some($messages), |messages| async move {
            let mut messages: ServerStream<_, _> = messages?;
            loop {
                let message: $message = match messages.message().await {
                    Ok(Some(message)) => message.to_owned_message(),
                    Ok(None) => {
                        let early = "the stream ended before the process did";
                        return Some((Err(GuestError::Failed(early.into())), None));
                    }
                    Err(error) => return Some((Err(error.into()), None)),
                };
                match event(message.event.into_option()) {
                    Some(last @ ProcessEvent::Exited(_)) => return Some((Ok(last), None)),
                    Some(event) => return Some((Ok(event), Some(messages))),
                    None => {}
                }
            }
        });
        events.boxed() as ProcessEvents
    }};
}

impl GuestClient {
    /// Starts a program. The first event has its process id. The events continue across a restart of the host agent.
    pub async fn start(&self, start: StartProcess) -> Result<ProcessEvents, GuestError> {
        let purpose = start.purpose();
        let noted = noted(CallOptions::default(), &purpose);
        let mut options = as_user(noted, start.user.as_deref());
        if let Some(timeout) = start.timeout {
            options = options.with_timeout(timeout);
        }
        let config = wire::ProcessConfig {
            cmd: start.cmd,
            args: start.args,
            envs: start.envs.into_iter().collect(),
            cwd: start.cwd,
            ..Default::default()
        };
        let request = wire::StartRequest {
            process: config.into(),
            tag: start.tag,
            stdin: Some(start.stdin),
            pty: start.terminal.map(WindowSize::wire).into(),
            ..Default::default()
        };
        let messages = self.processes.start_with_options(request, options).await?;
        let stream = OpenStream {
            events: events!(messages, wire::StartResponse),
            offset: Some(0),
            purpose,
        };
        Ok(attached(self.clone(), stream, start.timeout))
    }

    /// Follows a process from now on. The first event has its process id. The events continue across a restart of the host
    /// agent.
    pub async fn connect(&self, process: &Selector) -> Result<ProcessEvents, GuestError> {
        let purpose = process.purpose(HolderKind::ProcessStream);
        let stream = self.follow(process, None, purpose).await?;
        Ok(attached(self.clone(), stream, None))
    }

    /// Follows a process from a position in its output, or from now on. The stream begins later when the guest agent no
    /// longer keeps that position.
    pub(super) async fn follow(
        &self,
        process: &Selector,
        offset: Option<u64>,
        purpose: Purpose,
    ) -> Result<OpenStream, GuestError> {
        let mut options = noted(CallOptions::default(), &purpose);
        if let Some(offset) = offset {
            options = options.with_header(header_name(OFFSET_HEADER), offset.to_string());
        }
        let request = wire::ConnectRequest {
            process: selector(process).into(),
            ..Default::default()
        };
        let messages = self
            .processes
            .connect_with_options(request, options)
            .await?;
        let first = messages
            .headers()
            .get(OFFSET_HEADER)
            .and_then(|value| value.to_str().ok()?.parse().ok());
        Ok(OpenStream {
            events: events!(messages, wire::ConnectResponse),
            offset: first.or(offset),
            purpose,
        })
    }

    pub async fn list_processes(&self) -> Result<Vec<ListedProcess>, GuestError> {
        let answer = self
            .processes
            .list_with_options(wire::ListRequest::default(), unary_list())
            .await?;
        let processes = answer.into_owned().processes.into_iter().map(|process| {
            let config = process.config.into_option().unwrap_or_default();
            ListedProcess {
                pid: process.pid,
                tag: process.tag,
                cmd: config.cmd,
                args: config.args,
            }
        });
        Ok(processes.collect())
    }

    /// Writes to stdin. Returns when the pipe of the process has accepted all bytes.
    pub async fn send_stdin(&self, process: &Selector, bytes: Bytes) -> Result<(), GuestError> {
        self.send_input(process, oneof::process_input::Input::Stdin(bytes.into()))
            .await
    }

    pub(super) async fn send_input(
        &self,
        process: &Selector,
        input: oneof::process_input::Input,
    ) -> Result<(), GuestError> {
        let input = wire::ProcessInput {
            input: Some(input),
            ..Default::default()
        };
        let request = wire::SendInputRequest {
            process: selector(process).into(),
            input: input.into(),
            ..Default::default()
        };
        // No timeout: a process may read slowly. The caller drops the call when its client leaves.
        self.processes.send_input(request).await?;
        Ok(())
    }

    pub async fn close_stdin(&self, process: &Selector) -> Result<(), GuestError> {
        let request = wire::CloseStdinRequest {
            process: selector(process).into(),
            ..Default::default()
        };
        self.processes
            .close_stdin_with_options(request, unary())
            .await?;
        Ok(())
    }

    pub async fn signal(&self, process: &Selector, signal: Signal) -> Result<(), GuestError> {
        let signal = match signal {
            Signal::Hup => wire::Signal::SIGNAL_SIGHUP,
            Signal::Int => wire::Signal::SIGNAL_SIGINT,
            Signal::Quit => wire::Signal::SIGNAL_SIGQUIT,
            Signal::Kill => wire::Signal::SIGNAL_SIGKILL,
            Signal::Term => wire::Signal::SIGNAL_SIGTERM,
        };
        let request = wire::SendSignalRequest {
            process: selector(process).into(),
            signal: signal.into(),
            ..Default::default()
        };
        self.processes
            .send_signal_with_options(request, unary())
            .await?;
        Ok(())
    }
}
