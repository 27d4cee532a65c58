//! Commands and processes over a WebSocket: streamed output, stdin with a window, and signals.

#[cfg(test)]
mod fuzz;
mod input;
pub(crate) mod opening;
pub(crate) mod session;

use std::time::Duration;

use axum::extract::State;
use axum::extract::ws::{CloseFrame, Message, WebSocket, WebSocketUpgrade, close_code};
use axum::response::Response;
use futures::StreamExt as _;
use locule_api::{ClientMessage, OnDisconnect, ServerMessage, StartMessage, schema};
use locule_edge::{Selector, Signal, StartProcess, retry_while_agent_restarts};
use locule_ids::SandboxId;
use serde::Serialize;

use self::input::Window;
use self::opening::{authenticated, first_message};
use self::session::Session;
use super::started_pid;
use crate::caller::{SocketMayUse, Use};
use crate::connection::Connection;
use crate::error::ApiError;
use crate::extract::{ApiPath, Id, Upgrade};
use crate::memory::Held;
use crate::processes::selector;
use crate::running::Running;
use crate::state::AppState;

pub(crate) const GOING_AWAY_TIMEOUT: Duration = Duration::from_secs(1);
/// Time in which the client must close its side after the last message.
const LINGERING_CLOSE_TIMEOUT: Duration = Duration::from_secs(2);
/// Limit of one message and of one frame: 1 MiB of stdin in base64 fits.
const MESSAGE_BYTES_MAX: usize = 2 * 1024 * 1024;
/// Each socket has a buffer of this size.
const READ_BUFFER_BYTES: usize = 8 * 1024;
const TIMEOUT_MAX_SEC: i64 = 7 * 24 * 60 * 60;

/// The end of a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum SessionEnd {
    /// The process exited, or its stream of events ended.
    Finished,
    /// The client closed the socket.
    ClientLeft,
    /// A message of the client was not valid, or stdin was lost. The client received an error.
    Failed,
    /// The server stops. The process keeps running.
    Stopping,
    /// The caller lost its right to the sandbox.
    Revoked,
}

/// Run a command over a WebSocket
///
/// The messages on the socket are `ClientMessage` and `ServerMessage`.
#[utoipa::path(get, path = "/v1/sandboxes/{id}/exec/stream", tag = "processes", params(("id" = schema::SandboxId, Path)),
    responses((status = 101, description = "The connection continues as a WebSocket")))]
pub(crate) async fn exec_stream(
    State(app): State<AppState>,
    Id(id): Id,
    Upgrade(upgrade): Upgrade,
    caller: SocketMayUse,
) -> Response {
    continue_as_socket(upgrade, app, caller, id, None)
}

/// Attach to a process over a WebSocket
///
/// Streams the output of a running process. Closing the socket does not end the process.
#[utoipa::path(get, path = "/v1/sandboxes/{id}/processes/{selector}/stream", tag = "processes",
    params(("id" = schema::SandboxId, Path), ("selector" = String, Path)),
    responses((status = 101, description = "The connection continues as a WebSocket")))]
pub(crate) async fn process_stream(
    State(app): State<AppState>,
    Id(id): Id,
    ApiPath(path): ApiPath<crate::processes::ProcessPath>,
    Upgrade(upgrade): Upgrade,
    caller: SocketMayUse,
) -> Response {
    continue_as_socket(upgrade, app, caller, id, Some(path.selector))
}

/// Continues as a WebSocket, with the running process `process` or with one that the client starts.
fn continue_as_socket(
    upgrade: WebSocketUpgrade,
    app: AppState,
    caller: SocketMayUse,
    id: SandboxId,
    process: Option<String>,
) -> Response {
    within_limits(upgrade, &app, &caller).on_upgrade(move |mut socket| async move {
        let served = serve(&app, caller, id, process.as_deref(), &mut socket).await;
        if let Err(error) = served {
            send_error(&mut socket, &error, refusal).await;
        }
        close_lingering(&mut socket).await;
    })
}

/// Limits what the listener and the WebSocket library hold of the client's messages.
pub(crate) fn within_limits(
    upgrade: WebSocketUpgrade,
    app: &AppState,
    caller: &SocketMayUse,
) -> WebSocketUpgrade {
    match &caller.caller {
        Some(known) => caller.connection.meter(app.memory.held_by(known.team())),
        None => caller.connection.distrust(),
    }
    upgrade
        .max_message_size(MESSAGE_BYTES_MAX)
        .max_frame_size(MESSAGE_BYTES_MAX)
        .read_buffer_size(READ_BUFFER_BYTES)
}

async fn serve(
    app: &AppState,
    caller: SocketMayUse,
    id: SandboxId,
    process: Option<&str>,
    socket: &mut WebSocket,
) -> Result<(), ApiError> {
    let connection = caller.connection.clone();
    let caller = authenticated::<ClientMessage>(app, caller, socket).await?;
    let running = Running::find(app, &caller, id).await?;
    let held = app.memory.held_by(caller.team());
    match process {
        None => exec(app, &running, held, &connection, socket).await?,
        Some(process) => follow(app, &running, process, held, &connection, socket).await?,
    }
    app.sandboxes.touch(id).await.ok();
    Ok(())
}

async fn exec(
    app: &AppState,
    running: &Running<Use>,
    mut held: Held,
    connection: &Connection,
    socket: &mut WebSocket,
) -> Result<(), ApiError> {
    let (ClientMessage::Start(start), length) = first_message(connection, socket).await? else {
        return Err(ApiError::invalid(
            "the first message is not `start`; send `start` with the command",
        ));
    };
    // As it was read, and as it is sent to the guest agent, which may not take it.
    held.add(2 * length)?;
    let (on_disconnect, encoding) = (start.on_disconnect, start.encoding);
    let mut events = running.guest.start(process_start(start)?).await?;
    let process = Selector::Pid(started_pid(&mut events).await?);
    held.clear();
    let session = Session {
        sandbox: running.id,
        guest: &running.guest,
        connection,
        process: process.clone(),
        encoding,
        cut: &running.cut,
        stop: app.tasks.token(),
        accepts_input: true,
        window: Window::new(held),
    };
    let end = session.run(events, socket).await;
    close_early(end, socket).await;
    if matches!(
        end,
        SessionEnd::ClientLeft | SessionEnd::Failed | SessionEnd::Revoked
    ) && on_disconnect == OnDisconnect::Kill
    {
        let (id, guest) = (running.id, running.guest.for_cleanup());
        // Detached, so that the process is killed even when the server stops or the host agent is restarting.
        app.tasks
            .spawn_detached("kill the process of a client that left", async move {
                if let Err(error) =
                    retry_while_agent_restarts(|| guest.signal(&process, Signal::Kill)).await
                {
                    tracing::debug!(sandbox.id = %id, %error, "killing the process of a client that left failed");
                }
            });
    }
    Ok(())
}

async fn follow(
    app: &AppState,
    running: &Running<Use>,
    process: &str,
    held: Held,
    connection: &Connection,
    socket: &mut WebSocket,
) -> Result<(), ApiError> {
    let process = selector(process);
    let mut events = running.guest.connect(&process).await?;
    let pid = started_pid(&mut events).await?;
    let session = Session {
        sandbox: running.id,
        guest: &running.guest,
        connection,
        process: Selector::Pid(pid),
        encoding: locule_api::Encoding::Utf8,
        cut: &running.cut,
        stop: app.tasks.token(),
        accepts_input: false,
        window: Window::new(held),
    };
    let end = session.run(events, socket).await;
    close_early(end, socket).await;
    Ok(())
}

fn process_start(start: StartMessage) -> Result<StartProcess, ApiError> {
    if start.cmd.is_empty() {
        return Err(ApiError::invalid("cmd is required"));
    }
    let timeout = match start.timeout_sec.unwrap_or_default() {
        0 => None,
        seconds @ 1..=TIMEOUT_MAX_SEC => Some(Duration::from_secs(seconds.unsigned_abs())),
        _ => {
            return Err(ApiError::invalid(
                "timeout_sec must be between 0 and 604800",
            ));
        }
    };
    Ok(StartProcess {
        cmd: start.cmd,
        args: start.args,
        envs: start.envs,
        cwd: start.cwd,
        user: start.user,
        tag: None,
        stdin: start.stdin,
        timeout,
        terminal: None,
    })
}

/// Closes the socket of a session that the server ends: with 1001 when the server stops, so that the client can attach to the
/// process again, and with an error and 1008 when the caller lost its right.
async fn close_early(end: SessionEnd, socket: &mut WebSocket) {
    let close = async {
        match end {
            SessionEnd::Stopping => {
                socket.send(close_frame(close_code::AWAY)).await.ok();
            }
            SessionEnd::Revoked => send_error(socket, &ApiError::revoked(), refusal).await,
            SessionEnd::Finished | SessionEnd::ClientLeft | SessionEnd::Failed => {}
        }
    };
    // The timeout is for a client that does not read.
    tokio::time::timeout(GOING_AWAY_TIMEOUT, close).await.ok();
}

fn refusal(data: String) -> ServerMessage {
    ServerMessage::Error { data }
}

pub(crate) fn close_frame(code: u16) -> Message {
    let reason = "".into();
    Message::Close(Some(CloseFrame { code, reason }))
}

/// Sends the error and closes the socket, with 1008 for an error of the client and 1011 for an error of the server.
pub(crate) async fn send_error<M: Serialize>(
    socket: &mut WebSocket,
    error: &ApiError,
    message: fn(String) -> M,
) {
    let (status, code) = error.status_and_code();
    if let Some(text) = text(&message(error.message())) {
        socket.send(text).await.ok();
    }
    let close = CloseFrame {
        code: if status.is_server_error() {
            close_code::ERROR
        } else {
            close_code::POLICY
        },
        reason: code.as_str().into(),
    };
    socket.send(Message::Close(Some(close))).await.ok();
}

/// Reads and discards what the client still sends until the client closes. A socket that is dropped with unread bytes is reset,
/// and the reset can discard the last message before the client reads it.
pub(crate) async fn close_lingering(socket: &mut WebSocket) {
    let client_closes = async { while let Some(Ok(_)) = socket.next().await {} };
    let _ = tokio::time::timeout(LINGERING_CLOSE_TIMEOUT, client_closes).await;
}

pub(crate) fn text(message: &impl Serialize) -> Option<Message> {
    serde_json::to_string(message)
        .ok()
        .map(|text| Message::Text(text.into()))
}
