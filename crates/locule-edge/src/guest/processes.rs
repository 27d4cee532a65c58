//! `process.Process`: start, follow, feed and end programs.

use std::collections::BTreeMap;
use std::pin::Pin;
use std::time::Duration;

use bytes::Bytes;
use futures::{Stream, StreamExt as _, stream};
use locule_guest_api::OFFSET_HEADER;
use locule_guest_api::oneof;
use locule_guest_api::proto::process as wire;
use locule_guest_api::rpc::client::{CallOptions, ServerStream};

use super::attached::attached;
use super::{Guest, GuestError, as_user, header_name, unary};

/// A program to start.
#[derive(Debug, Clone, Default)]
pub struct Start {
    pub cmd: String,
    pub args: Vec<String>,
    pub envs: BTreeMap<String, String>,
    pub cwd: Option<String>,
    pub user: Option<String>,
    pub tag: Option<String>,
    /// An open pipe; else `/dev/null`.
    pub stdin: bool,
    /// Kills it after so long.
    pub timeout: Option<Duration>,
}

/// One process of a sandbox.
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
pub struct Ended {
    /// 128 + the number of the signal that ended it, as shells say it.
    pub exit_code: i32,
    pub signal: Option<i32>,
}

/// What happens to a process. `Started` comes first, `Ended` last.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    Started {
        pid: u32,
    },
    Stdout(Bytes),
    Stderr(Bytes),
    /// So much output is lost: nobody could follow, and it was more than the guest agent keeps.
    Gap {
        bytes: u64,
    },
    Ended(Ended),
}

/// Events of one process. Dropping them lets it run on.
pub type Events = Pin<Box<dyn Stream<Item = Result<Event, GuestError>> + Send>>;

/// One stream of events, as long as it lasts.
pub(super) struct Followed {
    pub(super) events: Events,
    /// Where in the process's output it begins, if the guest agent says so.
    pub(super) offset: Option<u64>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListedProcess {
    pub pid: u32,
    pub tag: Option<String>,
    pub cmd: String,
    pub args: Vec<String>,
}

fn selector(selector: &Selector) -> wire::ProcessSelector {
    wire::ProcessSelector {
        selector: Some(match selector {
            Selector::Pid(pid) => oneof::process_selector::Selector::Pid(*pid),
            Selector::Tag(tag) => oneof::process_selector::Selector::Tag(tag.clone()),
        }),
        ..Default::default()
    }
}

fn event(event: Option<wire::ProcessEvent>) -> Option<Event> {
    use oneof::process_event::Event as Kind;
    use oneof::process_event::data_event::Output;
    match event?.event? {
        Kind::Start(start) => Some(Event::Started { pid: start.pid }),
        Kind::Data(data) => match data.output? {
            Output::Stdout(bytes) | Output::Pty(bytes) => Some(Event::Stdout(bytes.into())),
            Output::Stderr(bytes) => Some(Event::Stderr(bytes.into())),
        },
        Kind::End(end) => {
            let signal = i32::try_from(end.signal).ok().filter(|signal| *signal > 0);
            Some(Event::Ended(Ended {
                exit_code: signal.map_or(end.exit_code, |signal| 128 + signal),
                signal,
            }))
        }
        Kind::Keepalive(_) => None,
    }
}

/// Turns one kind of response stream into events; ends after `Ended`, after an error, or with an error when the stream
/// ends without saying how the process did.
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
                    Some(last @ Event::Ended(_)) => return Some((Ok(last), None)),
                    Some(event) => return Some((Ok(event), Some(messages))),
                    None => {}
                }
            }
        });
        events.boxed() as Events
    }};
}

impl Guest {
    /// Starts a program. Its events begin with its process id, and outlive a restart of the host agent.
    pub async fn start(&self, start: Start) -> Result<Events, GuestError> {
        let mut options = as_user(CallOptions::default(), start.user.as_deref());
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
            ..Default::default()
        };
        let messages = self.processes.start_with_options(request, options).await?;
        let followed = Followed {
            events: events!(messages, wire::StartResponse),
            offset: Some(0),
        };
        Ok(attached(self.clone(), followed, start.timeout))
    }

    /// Follows a process from now on. Its events begin with its process id, and outlive a restart of the host agent.
    pub async fn connect(&self, process: &Selector) -> Result<Events, GuestError> {
        let followed = self.follow(process, None).await?;
        Ok(attached(self.clone(), followed, None))
    }

    /// Follows a process from a byte of its output, as far as the guest agent keeps it, or from now on.
    pub(super) async fn follow(
        &self,
        process: &Selector,
        offset: Option<u64>,
    ) -> Result<Followed, GuestError> {
        let mut options = CallOptions::default();
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
        let begins = messages
            .headers()
            .get(OFFSET_HEADER)
            .and_then(|value| value.to_str().ok()?.parse().ok());
        Ok(Followed {
            events: events!(messages, wire::ConnectResponse),
            offset: begins.or(offset),
        })
    }

    pub async fn list_processes(&self) -> Result<Vec<ListedProcess>, GuestError> {
        let answer = self
            .processes
            .list_with_options(wire::ListRequest::default(), unary())
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

    /// Writes to stdin; comes back when the process's pipe has taken all of it.
    pub async fn send_stdin(&self, process: &Selector, bytes: Bytes) -> Result<(), GuestError> {
        let input = wire::ProcessInput {
            input: Some(oneof::process_input::Input::Stdin(bytes.into())),
            ..Default::default()
        };
        let request = wire::SendInputRequest {
            process: selector(process).into(),
            input: input.into(),
            ..Default::default()
        };
        // No limit: a process may take its time to read. The caller gives up with its client.
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
