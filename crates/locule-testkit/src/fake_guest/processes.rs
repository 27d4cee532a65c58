//! `process.Process` of the simulated guest agent: the programs of the table in [`super`].

use std::sync::Arc;
use std::sync::atomic::Ordering;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use futures::{Stream, StreamExt as _, stream};
use locule_guest_api::oneof::process_event::Event as Kind;
use locule_guest_api::oneof::process_event::data_event::Output;
use locule_guest_api::oneof::process_input::Input;
use locule_guest_api::oneof::process_selector::Selector;
use locule_guest_api::proto::process as wire;
use locule_guest_api::rpc::{
    self, ConnectError, Encodable, ErrorDetail, RequestContext, Response, ServiceRequest,
    ServiceResult, ServiceStream,
};
use locule_guest_api::{
    COMMAND_NOT_EXECUTABLE, COMMAND_NOT_FOUND, OFFSET_HEADER, OUTPUT_CHUNK_BYTES,
};
use tokio::sync::{mpsc, watch};

use super::{FIRST_PID, FakeGuest, lock};

#[derive(Debug)]
pub(super) struct Process {
    cmd: String,
    tag: Option<String>,
    events: mpsc::UnboundedSender<Kind>,
    signalled: watch::Sender<bool>,
}

struct Service(Arc<FakeGuest>);

/// Adds the service.
pub(super) fn register(router: rpc::Router, guest: Arc<FakeGuest>) -> rpc::Router {
    router.add_service(Arc::new(Service(guest)))
}

fn data(output: Output) -> Kind {
    wire::process_event::DataEvent {
        output: Some(output),
        ..Default::default()
    }
    .into()
}

fn end(exit_code: i32, signal: u32) -> Kind {
    wire::process_event::EndEvent {
        exit_code,
        signal,
        ..Default::default()
    }
    .into()
}

fn started(pid: u32) -> Kind {
    wire::process_event::StartEvent {
        pid,
        ..Default::default()
    }
    .into()
}

fn bytes(text: &str) -> Vec<u8> {
    STANDARD.decode(text).unwrap_or_default()
}

/// The refusal of a program that cannot be started.
fn refused_program(cmd: &str) -> ConnectError {
    let (reason, detail) = match cmd {
        "folder" => ("may not be executed", Some(COMMAND_NOT_EXECUTABLE)),
        "undetailed" => ("was not found", None),
        _ => ("was not found", Some(COMMAND_NOT_FOUND)),
    };
    let error = ConnectError::invalid_argument(format!("command '{cmd}' {reason}"));
    match detail {
        Some(detail) => error.with_detail(ErrorDetail {
            type_url: detail.to_owned(),
            value: Some(String::new()),
            debug: None,
        }),
        None => error,
    }
}

/// The first events of a program, and whether it runs on after them.
fn script(process: &wire::ProcessConfig) -> Result<(Vec<Kind>, bool), ConnectError> {
    let stdout = |bytes: Vec<u8>| data(Output::Stdout(bytes));
    let stderr = |bytes: &[u8]| data(Output::Stderr(bytes.to_vec()));
    Ok(match process.cmd.as_str() {
        "chunks" => {
            let chunks = process.args.iter().map(|chunk| stdout(bytes(chunk)));
            (chunks.chain([end(3, 0)]).collect(), false)
        }
        "echo" => {
            let words = process.args.join(" ").into_bytes();
            (vec![stdout(words), stderr(&[0xff]), end(3, 0)], false)
        }
        "fail" => (vec![stderr(b"no\n"), end(1, 0)], false),
        "printer" => (vec![stdout(b"abc".to_vec()), stderr(b"de")], true),
        "cat" | "sleep" | "/bin/sh" | "stuck" | "flood" => (Vec::new(), true),
        "print" => (vec![end(0, 0)], false),
        other => return Err(refused_program(other)),
    })
}

impl Service {
    fn events(
        &self,
        request: wire::StartRequest,
    ) -> Result<impl Stream<Item = wire::ProcessEvent> + Send + use<>, ConnectError> {
        let process = request.process.clone().into_option().unwrap_or_default();
        let tag = request.tag.clone();
        lock(&self.0.starts).push(request);
        let pid = self.0.next_pid.fetch_add(1, Ordering::SeqCst) + FIRST_PID;
        let (first, runs_on) = script(&process)?;
        let prints = matches!(process.cmd.as_str(), "flood" | "print");
        let flood = prints.then(|| process.args.first()?.parse().ok());
        let flood: Option<usize> = flood.flatten();
        let (events, received) = mpsc::unbounded_channel();
        for event in first {
            // The receiver is at hand.
            events.send(event).ok();
        }
        if runs_on {
            let process = Process {
                cmd: process.cmd,
                tag,
                events,
                signalled: watch::Sender::new(false),
            };
            lock(&self.0.processes).insert(pid, process);
        }
        let received = stream::unfold(received, |mut received| async move {
            Some((received.recv().await?, received))
        });
        let all = stream::iter([started(pid)])
            .chain(stream::iter(self.flood(flood)))
            .chain(received);
        Ok(all.map(|event| wire::ProcessEvent {
            event: Some(event),
            ..Default::default()
        }))
    }

    /// The output of `flood` and `print`, made while it is read.
    fn flood(&self, bytes: Option<usize>) -> impl Iterator<Item = Kind> + Send + use<> {
        let guest = self.0.clone();
        let chunks = bytes.unwrap_or_default() / OUTPUT_CHUNK_BYTES;
        (0..chunks).map(move |number| {
            if number + 1 == chunks {
                guest.floods.fetch_add(1, Ordering::SeqCst);
            }
            data(Output::Stdout(vec![b'x'; OUTPUT_CHUNK_BYTES]))
        })
    }

    /// What a client that attaches to a process gets: `printer` prints the scrollback from the offset and exits.
    fn scrollback(&self, cmd: &str, offset: Option<u64>) -> (u64, Vec<Kind>) {
        lock(&self.0.offsets).push(offset);
        let (first, kept) = lock(&self.0.scrollback).clone();
        let end_of_output = first + kept.len() as u64;
        let begins = offset.unwrap_or(end_of_output).max(first);
        if cmd != "printer" {
            return (begins, Vec::new());
        }
        let skipped = usize::try_from(begins - first).unwrap_or(usize::MAX);
        let rest = kept.get(skipped..).unwrap_or_default().to_vec();
        (begins, vec![data(Output::Stdout(rest)), end(0, 0)])
    }

    fn with<T>(
        &self,
        selector: Option<&wire::ProcessSelector>,
        act: impl FnOnce(u32, &Process) -> T,
    ) -> Result<T, ConnectError> {
        let processes = lock(&self.0.processes);
        let named = selector.and_then(|selector| selector.selector.clone());
        let named = |pid: u32, process: &Process| match &named {
            Some(Selector::Pid(named)) => pid == *named,
            Some(Selector::Tag(tag)) => process.tag.as_ref() == Some(tag),
            None => false,
        };
        let found = processes
            .iter()
            .find(|(pid, process)| named(**pid, process));
        let (pid, process) = found.ok_or_else(|| ConnectError::not_found("no such process"))?;
        Ok(act(*pid, process))
    }
}

impl wire::Process for Service {
    async fn start(
        &self,
        _: RequestContext,
        request: ServiceRequest<'_, wire::StartRequest>,
    ) -> ServiceResult<ServiceStream<impl Encodable<wire::StartResponse> + Send + use<>>> {
        let events = self.events(request.to_owned_message())?;
        Ok(Response::stream(events.map(|event| {
            Ok(wire::StartResponse {
                event: event.into(),
                ..Default::default()
            })
        })))
    }

    async fn connect(
        &self,
        context: RequestContext,
        request: ServiceRequest<'_, wire::ConnectRequest>,
    ) -> ServiceResult<ServiceStream<impl Encodable<wire::ConnectResponse> + Send + use<>>> {
        let offset = context.header(OFFSET_HEADER);
        let offset = offset.and_then(|offset| offset.to_str().ok()?.parse().ok());
        let request = request.to_owned_message();
        let (pid, (begins, events)) = self.with(request.process.as_option(), |pid, process| {
            (pid, self.scrollback(&process.cmd, offset))
        })?;
        let events = match events.as_slice() {
            [] => events,
            _ => std::iter::once(started(pid)).chain(events).collect(),
        };
        let events = events.into_iter().map(|event| {
            let event = wire::ProcessEvent {
                event: Some(event),
                ..Default::default()
            };
            Ok(wire::ConnectResponse {
                event: event.into(),
                ..Default::default()
            })
        });
        let events = stream::iter(events.collect::<Vec<_>>());
        Ok(Response::stream(events).with_header(OFFSET_HEADER, begins.to_string()))
    }

    async fn list<'a>(
        &'a self,
        _: RequestContext,
        _: ServiceRequest<'_, wire::ListRequest>,
    ) -> ServiceResult<impl Encodable<wire::ListResponse> + Send + use<'a>> {
        Response::ok(wire::ListResponse::default())
    }

    async fn send_input<'a>(
        &'a self,
        _: RequestContext,
        request: ServiceRequest<'_, wire::SendInputRequest>,
    ) -> ServiceResult<impl Encodable<wire::SendInputResponse> + Send + use<'a>> {
        let request = request.to_owned_message();
        let input = request.input.into_option().and_then(|input| input.input);
        let stuck = self.with(request.process.as_option(), |_, process| {
            let output = match input {
                Some(Input::Stdin(bytes)) => Some(Output::Stdout(bytes)),
                Some(Input::Pty(bytes)) => Some(Output::Pty(bytes)),
                None => None,
            };
            if let ("cat", Some(output)) = (process.cmd.as_str(), output) {
                process.events.send(data(output)).ok();
            }
            (process.cmd == "stuck").then(|| process.signalled.subscribe())
        })?;
        if let Some(mut signalled) = stuck {
            signalled.wait_for(|signalled| *signalled).await.ok();
        }
        Response::ok(wire::SendInputResponse::default())
    }

    async fn stream_input(
        &self,
        _: RequestContext,
        _: ServiceStream<rpc::StreamMessage<wire::StreamInputRequest>>,
    ) -> ServiceResult<impl Encodable<wire::StreamInputResponse> + Send + use<'_>> {
        Response::ok(wire::StreamInputResponse::default())
    }

    async fn close_stdin<'a>(
        &'a self,
        _: RequestContext,
        request: ServiceRequest<'_, wire::CloseStdinRequest>,
    ) -> ServiceResult<impl Encodable<wire::CloseStdinResponse> + Send + use<'a>> {
        self.with(
            request.to_owned_message().process.as_option(),
            |_, process| {
                process.events.send(end(0, 0)).ok();
            },
        )?;
        Response::ok(wire::CloseStdinResponse::default())
    }

    async fn send_signal<'a>(
        &'a self,
        _: RequestContext,
        request: ServiceRequest<'_, wire::SendSignalRequest>,
    ) -> ServiceResult<impl Encodable<wire::SendSignalResponse> + Send + use<'a>> {
        let request = request.to_owned_message();
        let signal = request.signal.to_i32();
        self.with(request.process.as_option(), |_, process| {
            process.events.send(end(-1, signal.unsigned_abs())).ok();
            process.signalled.send_replace(true);
        })?;
        lock(&self.0.signals).push(signal);
        Response::ok(wire::SendSignalResponse::default())
    }

    async fn update<'a>(
        &'a self,
        _: RequestContext,
        request: ServiceRequest<'_, wire::UpdateRequest>,
    ) -> ServiceResult<impl Encodable<wire::UpdateResponse> + Send + use<'a>> {
        let request = request.to_owned_message();
        self.with(request.process.as_option(), |_, _| ())?;
        let size = request
            .pty
            .into_option()
            .and_then(|pty| pty.size.into_option());
        let size = size.unwrap_or_default();
        lock(&self.0.sizes).push((size.cols, size.rows));
        Response::ok(wire::UpdateResponse::default())
    }
}
