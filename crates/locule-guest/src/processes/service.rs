//! `process.Process` on the wire.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use futures::{Stream, StreamExt as _, stream};
use locule_guest_api::proto::process as wire;
use locule_guest_api::proto::process::__buffa::oneof;
use locule_guest_api::rpc::{
    ConnectError, Encodable, RequestContext, Response, Router, ServiceRequest, ServiceResult,
    ServiceStream,
};
use locule_guest_api::{DEFAULT_USER, KEEPALIVE_DEFAULT, KEEPALIVE_HEADER, OFFSET_HEADER, rpc};
use nix::sys::signal::Signal;

use super::output::{Follower, Stream as Printed};
use super::spawn::resolve;
use super::{End, Event, Process, Selector, SpawnError, Terminal, Wanted};
use crate::agent::Guest;
use crate::users::{self, User};

struct Service(Arc<Guest>);

pub(crate) fn register(guest: Arc<Guest>, router: Router) -> Router {
    router.add_service(Arc::new(Service(guest)))
}

impl From<SpawnError> for ConnectError {
    fn from(error: SpawnError) -> Self {
        let text = error.to_string();
        match error {
            SpawnError::TooMany => Self::resource_exhausted(text),
            SpawnError::NotFound { .. } | SpawnError::NotExecutable { .. } => {
                Self::invalid_argument(text)
            }
            SpawnError::System(_) => Self::internal(text),
        }
    }
}

/// The user that a request names by Basic authentication, else the sandbox's default.
pub(crate) fn caller_user(
    ctx: &RequestContext,
    default: Option<&str>,
) -> Result<User, ConnectError> {
    let named = ctx.header("authorization").and_then(|value| {
        let encoded = value.to_str().ok()?.strip_prefix("Basic ")?;
        let text = String::from_utf8(STANDARD.decode(encoded.trim()).ok()?).ok()?;
        Some(text.split(':').next().unwrap_or_default().to_owned())
    });
    let name = named
        .as_deref()
        .filter(|name| !name.is_empty())
        .or(default)
        .unwrap_or(DEFAULT_USER);
    users::find(name)
        .ok_or_else(|| ConnectError::unauthenticated(format!("invalid username: '{name}'")))
}

fn selector(selector: Option<&wire::ProcessSelector>) -> Result<Selector, ConnectError> {
    match selector.and_then(|selector| selector.selector.clone()) {
        Some(oneof::process_selector::Selector::Pid(pid)) => Ok(Selector::Pid(pid)),
        Some(oneof::process_selector::Selector::Tag(tag)) => Ok(Selector::Tag(tag)),
        None => Err(ConnectError::invalid_argument(
            "a process selector (pid or tag) is required",
        )),
    }
}

fn terminal(pty: &wire::PTY) -> Terminal {
    let size = pty.size.as_option();
    let bounded = |value: Option<u32>, default| match value.map(u16::try_from) {
        None | Some(Ok(0)) => default,
        Some(Ok(value)) => value,
        Some(Err(_)) => u16::MAX,
    };
    Terminal {
        columns: bounded(size.map(|s| s.cols), 80),
        rows: bounded(size.map(|s| s.rows), 24),
    }
}

fn event(event: oneof::process_event::Event) -> wire::ProcessEvent {
    wire::ProcessEvent {
        event: Some(event),
        ..Default::default()
    }
}

fn started(pid: u32) -> wire::ProcessEvent {
    event(
        wire::process_event::StartEvent {
            pid,
            ..Default::default()
        }
        .into(),
    )
}

fn keepalive() -> wire::ProcessEvent {
    event(wire::process_event::KeepAlive::default().into())
}

fn printed(printed: Event) -> wire::ProcessEvent {
    use oneof::process_event::data_event::Output;
    let data = match printed {
        Event::Data(Printed::Stdout, bytes) => Output::Stdout(bytes.into()),
        Event::Data(Printed::Stderr, bytes) => Output::Stderr(bytes.into()),
        Event::Data(Printed::Terminal, bytes) => Output::Pty(bytes.into()),
        Event::End(End {
            exit_code,
            exited,
            status,
            error,
            signal,
        }) => {
            let end = wire::process_event::EndEvent {
                exit_code,
                exited,
                status,
                error,
                signal,
                ..Default::default()
            };
            return event(end.into());
        }
    };
    event(
        wire::process_event::DataEvent {
            output: Some(data),
            ..Default::default()
        }
        .into(),
    )
}

/// How long a stream may be silent before it says that it lives.
fn keepalive_interval(ctx: &RequestContext) -> Duration {
    let asked = ctx
        .header(KEEPALIVE_HEADER)
        .and_then(|value| value.to_str().ok()?.parse().ok());
    asked
        .filter(|seconds| *seconds > 0)
        .map_or(KEEPALIVE_DEFAULT, Duration::from_secs)
}

/// Number of the signal that ends a process past its deadline.
const KILLED: u32 = Signal::SIGKILL as u32;

fn passed(deadline: tokio::time::Instant) -> bool {
    deadline.elapsed() > Duration::ZERO
}

fn too_long() -> ConnectError {
    ConnectError::deadline_exceeded("the process took too long and was killed")
}

/// `start`, then everything the follower sees, `end` last; keepalives in between.
fn events(
    pid: u32,
    follower: Follower,
    interval: Duration,
    deadline: Option<tokio::time::Instant>,
) -> impl Stream<Item = Result<wire::ProcessEvent, ConnectError>> + Send + 'static {
    let rest = stream::unfold(Some(follower), move |follower| async move {
        let mut follower = follower?;
        let expired = async {
            match deadline {
                Some(deadline) => tokio::time::sleep_until(deadline).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            biased;
            next = tokio::time::timeout(interval, follower.next()) => match next {
                Err(_) => Some((Ok(keepalive()), Some(follower))),
                Ok(None) => None,
                // The kill may be told before this stream's own timer rings.
                Ok(Some(Event::End(end))) if end.signal == KILLED && deadline.is_some_and(passed) => Some((Err(too_long()), None)),
                Ok(Some(last @ Event::End(_))) => Some((Ok(printed(last)), None)),
                Ok(Some(data)) => Some((Ok(printed(data)), Some(follower))),
            },
            () = expired => Some((Err(too_long()), None)),
        }
    });
    stream::once(async move { Ok(started(pid)) }).chain(rest)
}

impl Service {
    fn find(&self, wanted: Option<&wire::ProcessSelector>) -> Result<Arc<Process>, ConnectError> {
        let selector = selector(wanted)?;
        self.0.processes.find(&selector).ok_or_else(|| {
            ConnectError::not_found(match selector {
                Selector::Pid(pid) => format!("process with pid {pid} not found"),
                Selector::Tag(tag) => format!("process with tag '{tag}' not found"),
            })
        })
    }

    fn find_running(
        &self,
        wanted: Option<&wire::ProcessSelector>,
    ) -> Result<Arc<Process>, ConnectError> {
        let process = self.find(wanted)?;
        if process.output.ended() {
            return Err(ConnectError::not_found(format!(
                "process with pid {} has ended",
                process.pid
            )));
        }
        Ok(process)
    }

    fn wanted(
        &self,
        ctx: &RequestContext,
        request: wire::StartRequest,
    ) -> Result<Wanted, ConnectError> {
        let identity = self.0.identity.snapshot();
        let user = caller_user(ctx, identity.default_user.as_deref())?;
        let config = request.process.into_option().unwrap_or_default();
        if config.cmd.is_empty() {
            return Err(ConnectError::invalid_argument("a command is required"));
        }
        let default = identity
            .default_workdir
            .unwrap_or_else(|| user.home.clone());
        let given = config.cwd.unwrap_or_default();
        let directory = resolve(&given, &user, &default);
        if !directory.is_dir() {
            let shown = if given.is_empty() {
                directory.to_string_lossy().into_owned()
            } else {
                given
            };
            return Err(ConnectError::invalid_argument(format!(
                "cwd '{shown}' does not exist"
            )));
        }
        Ok(Wanted {
            command: config.cmd,
            args: config.args,
            envs: config.envs.into_iter().collect::<BTreeMap<_, _>>(),
            sandbox_env: identity.env,
            directory,
            user,
            tag: request.tag,
            stdin: request.stdin.unwrap_or(true),
            terminal: request.pty.into_option().map(|pty| terminal(&pty)),
        })
    }

    async fn write(
        &self,
        process: &Process,
        input: Option<wire::ProcessInput>,
    ) -> Result<(), ConnectError> {
        use oneof::process_input::Input;
        let Some(Input::Stdin(bytes) | Input::Pty(bytes)) = input.and_then(|input| input.input)
        else {
            return Ok(());
        };
        if process.input.write(&bytes).await {
            Ok(())
        } else {
            Err(ConnectError::failed_precondition(
                "the process does not take input: its stdin is closed",
            ))
        }
    }
}

/// Kills a process whose caller gave it a limit. Belongs to the process, not to the stream: closing one does not lift the other.
fn bound(process: &Arc<Process>, deadline: Option<tokio::time::Instant>) {
    let Some(deadline) = deadline else { return };
    let process = process.clone();
    let mut follower = process.output.follow_end();
    crate::server::spawn(async move {
        if tokio::time::timeout_at(deadline, follower.changed())
            .await
            .is_err()
        {
            process.signal(Signal::SIGKILL);
        }
    });
}

impl wire::Process for Service {
    async fn start(
        &self,
        ctx: RequestContext,
        request: ServiceRequest<'_, wire::StartRequest>,
    ) -> ServiceResult<ServiceStream<impl Encodable<wire::StartResponse> + Send + use<>>> {
        let wanted = self.wanted(&ctx, request.to_owned_message())?;
        let (process, follower) = self.0.processes.start(wanted)?;
        let deadline = ctx.deadline().map(tokio::time::Instant::from_std);
        bound(&process, deadline);
        let events = events(process.pid, follower, keepalive_interval(&ctx), deadline);
        Ok(Response::stream(events.map(|event| {
            event.map(|event| wire::StartResponse {
                event: event.into(),
                ..Default::default()
            })
        })))
    }

    async fn connect(
        &self,
        ctx: RequestContext,
        request: ServiceRequest<'_, wire::ConnectRequest>,
    ) -> ServiceResult<ServiceStream<impl Encodable<wire::ConnectResponse> + Send + use<>>> {
        let process = self.find(request.to_owned_message().process.as_option())?;
        let offset = ctx
            .header(OFFSET_HEADER)
            .and_then(|value| value.to_str().ok()?.parse().ok());
        let follower = process.output.follow(offset);
        let events = events(process.pid, follower, keepalive_interval(&ctx), None);
        Ok(Response::stream(events.map(|event| {
            event.map(|event| wire::ConnectResponse {
                event: event.into(),
                ..Default::default()
            })
        })))
    }

    async fn list<'a>(
        &'a self,
        _ctx: RequestContext,
        _request: ServiceRequest<'_, wire::ListRequest>,
    ) -> ServiceResult<impl Encodable<wire::ListResponse> + Send + use<'a>> {
        let describe = |process: Arc<Process>| {
            let wanted = &process.wanted;
            let config = wire::ProcessConfig {
                cmd: wanted.command.clone(),
                args: wanted.args.clone(),
                envs: wanted.envs.clone().into_iter().collect(),
                cwd: Some(wanted.directory.to_string_lossy().into_owned()),
                ..Default::default()
            };
            wire::ProcessInfo {
                config: config.into(),
                pid: process.pid,
                tag: wanted.tag.clone(),
                ..Default::default()
            }
        };
        let processes = self
            .0
            .processes
            .running()
            .into_iter()
            .map(describe)
            .collect();
        Response::ok(wire::ListResponse {
            processes,
            ..Default::default()
        })
    }

    async fn send_input<'a>(
        &'a self,
        _ctx: RequestContext,
        request: ServiceRequest<'_, wire::SendInputRequest>,
    ) -> ServiceResult<impl Encodable<wire::SendInputResponse> + Send + use<'a>> {
        let request = request.to_owned_message();
        let process = self.find_running(request.process.as_option())?;
        self.write(&process, request.input.into_option()).await?;
        Response::ok(wire::SendInputResponse::default())
    }

    async fn stream_input(
        &self,
        _ctx: RequestContext,
        mut requests: ServiceStream<rpc::StreamMessage<wire::StreamInputRequest>>,
    ) -> ServiceResult<impl Encodable<wire::StreamInputResponse> + Send + use<'_>> {
        use oneof::stream_input_request::Event;
        let mut process = None;
        while let Some(request) = requests.next().await {
            match (request?.to_owned_message().event, &process) {
                (Some(Event::Start(start)), None) => {
                    process = Some(self.find_running(start.process.as_option())?);
                }
                (Some(Event::Data(data)), Some(process)) => {
                    self.write(process, data.input.into_option()).await?;
                }
                (Some(Event::Keepalive(_)) | None, _) => {}
                (Some(Event::Start(_)), Some(_)) => {
                    return Err(ConnectError::invalid_argument("start may come only once"));
                }
                (Some(Event::Data(_)), None) => {
                    return Err(ConnectError::invalid_argument(
                        "the first message must be start",
                    ));
                }
            }
        }
        Response::ok(wire::StreamInputResponse::default())
    }

    async fn close_stdin<'a>(
        &'a self,
        _ctx: RequestContext,
        request: ServiceRequest<'_, wire::CloseStdinRequest>,
    ) -> ServiceResult<impl Encodable<wire::CloseStdinResponse> + Send + use<'a>> {
        self.find_running(request.to_owned_message().process.as_option())?
            .input
            .close()
            .await;
        Response::ok(wire::CloseStdinResponse::default())
    }

    async fn send_signal<'a>(
        &'a self,
        _ctx: RequestContext,
        request: ServiceRequest<'_, wire::SendSignalRequest>,
    ) -> ServiceResult<impl Encodable<wire::SendSignalResponse> + Send + use<'a>> {
        let request = request.to_owned_message();
        let process = self.find_running(request.process.as_option())?;
        let signal = match request.signal.as_known() {
            Some(wire::Signal::SIGNAL_SIGHUP) => Signal::SIGHUP,
            Some(wire::Signal::SIGNAL_SIGINT) => Signal::SIGINT,
            Some(wire::Signal::SIGNAL_SIGQUIT) => Signal::SIGQUIT,
            Some(wire::Signal::SIGNAL_SIGKILL) => Signal::SIGKILL,
            Some(wire::Signal::SIGNAL_SIGTERM) => Signal::SIGTERM,
            Some(wire::Signal::SIGNAL_UNSPECIFIED) | None => {
                return Err(ConnectError::invalid_argument("unknown signal"));
            }
        };
        if process.signal(signal) {
            Response::ok(wire::SendSignalResponse::default())
        } else {
            Err(ConnectError::not_found(format!(
                "process with pid {} has ended",
                process.pid
            )))
        }
    }

    async fn update<'a>(
        &'a self,
        _ctx: RequestContext,
        request: ServiceRequest<'_, wire::UpdateRequest>,
    ) -> ServiceResult<impl Encodable<wire::UpdateResponse> + Send + use<'a>> {
        let request = request.to_owned_message();
        let process = self.find_running(request.process.as_option())?;
        if let Some(pty) = request.pty.as_option()
            && !process.input.resize(terminal(pty))
        {
            return Err(ConnectError::failed_precondition(
                "the process has no terminal",
            ));
        }
        Response::ok(wire::UpdateResponse::default())
    }
}
