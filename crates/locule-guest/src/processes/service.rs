//! The RPC service `process.Process`.

use std::sync::Arc;

use futures::StreamExt as _;
use locule_guest_api::proto::process as wire;
use locule_guest_api::rpc::{
    ConnectError, Encodable, RequestContext, Response, Router, ServiceRequest, ServiceResult,
    ServiceStream,
};
use locule_guest_api::{OFFSET_HEADER, oneof, rpc};
use nix::sys::signal::Signal;

use super::events::events;
use super::request::{replay_offset, selector, spawn_spec, terminal};
use super::table::{Process, Processes, Selector};
use crate::identity::SharedIdentity;
use crate::rpc::{blocking, caller_name, keepalive_interval};
use crate::tasks;

struct Service {
    identity: Arc<SharedIdentity>,
    processes: Arc<Processes>,
}

pub(crate) fn register(
    identity: Arc<SharedIdentity>,
    processes: Arc<Processes>,
    router: Router,
) -> Router {
    router.add_service(Arc::new(Service {
        identity,
        processes,
    }))
}

fn exited(pid: u32) -> ConnectError {
    ConnectError::not_found(format!("process with pid {pid} has exited"))
}

impl Service {
    fn find(&self, named: Option<&wire::ProcessSelector>) -> Result<Arc<Process>, ConnectError> {
        let selector = selector(named)?;
        self.processes.find(&selector).ok_or_else(|| {
            let why = if self.processes.restarted {
                ": the guest agent was killed and started again, and knows no process from before"
            } else {
                ""
            };
            ConnectError::not_found(match selector {
                Selector::Pid(pid) => format!("process with pid {pid} not found{why}"),
                Selector::Tag(tag) => format!("process with tag '{tag}' not found{why}"),
            })
        })
    }

    fn find_running(
        &self,
        named: Option<&wire::ProcessSelector>,
    ) -> Result<Arc<Process>, ConnectError> {
        let process = self.find(named)?;
        if process.output.ended() {
            return Err(exited(process.pid));
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
                "cannot write to the process: its standard input is closed",
            ))
        }
    }
}

/// Kills the process at the deadline that its caller gave. The deadline holds even after the caller closes the stream.
fn kill_at(process: &Arc<Process>, deadline: Option<tokio::time::Instant>) {
    let Some(deadline) = deadline else { return };
    let process = process.clone();
    let mut follower = process.output.follow_end();
    tasks::spawn(async move {
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
        let identity = self.identity.snapshot();
        let spec = blocking(move || spawn_spec(identity, named.as_deref(), request)).await?;
        let (process, follower) = self.processes.start(spec).await?;
        let deadline = ctx.deadline().map(tokio::time::Instant::from_std);
        kill_at(&process, deadline);
        let starts_at = follower.starts_at();
        let events = events(process, follower, keepalive_interval(&ctx), deadline);
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
        let offset = replay_offset(&ctx)?;
        let follower = process.output.follow(offset);
        let starts_at = follower.starts_at();
        let events = events(process, follower, keepalive_interval(&ctx), None);
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
            let spec = &process.spec;
            let config = wire::ProcessConfig {
                cmd: spec.command.clone(),
                args: spec.args.clone(),
                envs: spec.envs.clone().into_iter().collect(),
                cwd: Some(spec.directory.to_string_lossy().into_owned()),
                ..Default::default()
            };
            wire::ProcessInfo {
                config: config.into(),
                pid: process.pid,
                tag: spec.tag.clone(),
                ..Default::default()
            }
        };
        let processes = self.processes.running().into_iter().map(describe).collect();
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
        use oneof::StreamInputKind;
        let mut process = None;
        while let Some(request) = requests.next().await {
            match (request?.to_owned_message().event, &process) {
                (Some(StreamInputKind::Start(start)), None) => {
                    process = Some(self.find_running(start.process.as_option())?);
                }
                (Some(StreamInputKind::Data(data)), Some(process)) => {
                    self.write(process, data.input.into_option()).await?;
                }
                (Some(StreamInputKind::Keepalive(_)) | None, _) => {}
                (Some(StreamInputKind::Start(_)), Some(_)) => {
                    return Err(ConnectError::invalid_argument(
                        "the stream may contain only one start message",
                    ));
                }
                (Some(StreamInputKind::Data(_)), None) => {
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
                "a terminal cannot be closed: send Ctrl+D (0x04) instead",
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
                return Err(ConnectError::invalid_argument(
                    "the signal is not supported: send SIGHUP, SIGINT, SIGQUIT, SIGTERM or SIGKILL",
                ));
            }
        };
        if process.signal(signal) {
            Response::ok(wire::SendSignalResponse::default())
        } else {
            Err(exited(process.pid))
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
                "the process has no terminal to resize",
            ));
        }
        Response::ok(wire::UpdateResponse::default())
    }
}
