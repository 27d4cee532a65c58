//! `process.Process` on the wire.

use std::collections::BTreeMap;
use std::sync::Arc;

use futures::StreamExt as _;
use locule_guest_api::proto::process as wire;
use locule_guest_api::proto::process::__buffa::oneof;
use locule_guest_api::rpc::{
    ConnectError, Encodable, ErrorDetail, RequestContext, Response, Router, ServiceRequest,
    ServiceResult, ServiceStream,
};
use locule_guest_api::{COMMAND_NOT_EXECUTABLE, COMMAND_NOT_FOUND, OFFSET_HEADER, rpc};
use nix::sys::signal::Signal;

use super::events::events;
use super::{Process, Selector, SpawnError, Terminal, Wanted};
use crate::agent::Guest;
use crate::identity::Identity;
use crate::paths::resolve;
use crate::rpc::{blocking, caller_name, find_user, keepalive_interval};

struct Service(Arc<Guest>);

pub(crate) fn register(guest: Arc<Guest>, router: Router) -> Router {
    router.add_service(Arc::new(Service(guest)))
}

impl From<SpawnError> for ConnectError {
    fn from(error: SpawnError) -> Self {
        let text = error.to_string();
        match error {
            SpawnError::TooMany | SpawnError::NoRoom(_) => Self::resource_exhausted(text),
            SpawnError::NotFound { .. } => refused_program(text, COMMAND_NOT_FOUND),
            SpawnError::NotExecutable { .. } => refused_program(text, COMMAND_NOT_EXECUTABLE),
            SpawnError::Unpassable(_) => Self::invalid_argument(text),
            SpawnError::System(_) => Self::internal(text),
        }
    }
}

fn refused_program(text: String, why: &str) -> ConnectError {
    ConnectError::invalid_argument(text).with_detail(ErrorDetail {
        type_url: why.to_owned(),
        // Not absent: clients take a detail without a value for a broken answer.
        value: Some(String::new()),
        debug: None,
    })
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

fn asked_offset(ctx: &RequestContext) -> Result<Option<u64>, ConnectError> {
    let Some(value) = ctx.header(OFFSET_HEADER) else {
        return Ok(None);
    };
    let offset = value.to_str().ok().and_then(|text| text.parse().ok());
    let bad = || ConnectError::invalid_argument(format!("{OFFSET_HEADER} must be a number"));
    offset.map(Some).ok_or_else(bad)
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

/// What a request asks to run. Looks at files, so it blocks.
fn wanted(
    identity: Identity,
    named: Option<&str>,
    request: wire::StartRequest,
) -> Result<Wanted, ConnectError> {
    let user = find_user(named, identity.default_user.as_deref())?;
    let config = request.process.into_option().unwrap_or_default();
    if config.cmd.is_empty() {
        return Err(ConnectError::invalid_argument("a command is required"));
    }
    if let Some(name) = config.envs.keys().find(|n| n.is_empty() || n.contains('=')) {
        return Err(ConnectError::invalid_argument(format!(
            "'{name}' cannot be the name of an environment variable"
        )));
    }
    let cgroup = identity.cgroup();
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
        cgroup,
        sandbox_env: identity.env,
        directory,
        user,
        tag: request.tag,
        stdin: request.stdin.unwrap_or(true),
        terminal: request.pty.into_option().map(|pty| terminal(&pty)),
    })
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
        let (request, named) = (request.to_owned_message(), caller_name(&ctx));
        let identity = self.0.identity.snapshot();
        let wanted = blocking(move || wanted(identity, named.as_deref(), request)).await?;
        let (process, follower) = self.0.processes.start(wanted).await?;
        let deadline = ctx.deadline().map(tokio::time::Instant::from_std);
        bound(&process, deadline);
        let starts_at = follower.starts_at();
        let events = events(process.pid, follower, keepalive_interval(&ctx), deadline);
        let answer = Response::stream(events.map(|event| {
            event.map(|event| wire::StartResponse {
                event: event.into(),
                ..Default::default()
            })
        }));
        Ok(answer.with_header(OFFSET_HEADER, starts_at))
    }

    async fn connect(
        &self,
        ctx: RequestContext,
        request: ServiceRequest<'_, wire::ConnectRequest>,
    ) -> ServiceResult<ServiceStream<impl Encodable<wire::ConnectResponse> + Send + use<>>> {
        let process = self.find(request.to_owned_message().process.as_option())?;
        let offset = asked_offset(&ctx)?;
        let follower = process.output.follow(offset);
        let starts_at = follower.starts_at();
        let events = events(process.pid, follower, keepalive_interval(&ctx), None);
        let answer = Response::stream(events.map(|event| {
            event.map(|event| wire::ConnectResponse {
                event: event.into(),
                ..Default::default()
            })
        }));
        Ok(answer.with_header(OFFSET_HEADER, starts_at))
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
        let process = self.find_running(request.to_owned_message().process.as_option())?;
        if !process.input.close().await {
            return Err(ConnectError::failed_precondition(
                "a terminal is not closed: send it Ctrl+D (0x04)",
            ));
        }
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
