//! The exec and process `WebSocket`s: output as it comes, stdin with a window, signals.

#[cfg(test)]
mod fuzz;
mod session;

use std::time::Duration;

use axum::extract::State;
use axum::extract::ws::{CloseFrame, Message, WebSocket, WebSocketUpgrade, close_code};
use axum::response::Response;
use futures::StreamExt as _;
use http::HeaderMap;
use locule_api::{ClientMessage, OnDisconnect, ServerMessage, StartMessage, schema};
use locule_control::Credential;
use locule_edge::{Selector, Signal, StartProcess, retry_while_agent_restarts};
use locule_ids::SandboxId;

use self::session::{How, Session};
use super::started;
use crate::caller::{Caller, USE_SANDBOX};
use crate::error::ApiError;
use crate::extract::{ApiPath, Id, Upgrade, message};
use crate::processes::selector;
use crate::running::Running;
use crate::state::AppState;

/// A client that does not say within this who it is, or what to run, is cut off.
const FIRST_MESSAGE_TIMEOUT: Duration = Duration::from_secs(5);
const PARTING_TIMEOUT: Duration = Duration::from_secs(1);
/// A client has got the last message within this, or never.
const FAREWELL_TIMEOUT: Duration = Duration::from_secs(2);
/// Of one message: base64 of 1 MiB of stdin fits.
const MESSAGE_BYTES_MAX: usize = 2 * 1024 * 1024;
const TIMEOUT_MAX_SEC: i64 = 7 * 24 * 60 * 60;

/// Run a command over a WebSocket: see `ClientMessage` and `ServerMessage`.
#[utoipa::path(get, path = "/v1/sandboxes/{id}/exec/stream", tag = "processes", params(("id" = schema::SandboxId, Path)),
    responses((status = 101, description = "Switching to WebSocket")))]
pub(crate) async fn exec_stream(
    State(app): State<AppState>,
    Id(id): Id,
    headers: HeaderMap,
    Upgrade(upgrade): Upgrade,
) -> Response {
    let caller = Caller::of(&headers, &app).await;
    switch(upgrade, app, caller, id, None)
}

/// Follow a process that runs already; leaving does not end it.
#[utoipa::path(get, path = "/v1/sandboxes/{id}/processes/{selector}/stream", tag = "processes",
    params(("id" = schema::SandboxId, Path), ("selector" = String, Path)),
    responses((status = 101, description = "Switching to WebSocket")))]
pub(crate) async fn process_stream(
    State(app): State<AppState>,
    Id(id): Id,
    ApiPath(path): ApiPath<crate::processes::ProcessPath>,
    headers: HeaderMap,
    Upgrade(upgrade): Upgrade,
) -> Response {
    let caller = Caller::of(&headers, &app).await;
    switch(upgrade, app, caller, id, Some(path.selector))
}

type Found = Result<Option<Caller>, ApiError>;

/// Goes on as a `WebSocket`: about a process that runs already, or one to start.
fn switch(
    upgrade: WebSocketUpgrade,
    app: AppState,
    caller: Found,
    id: SandboxId,
    process: Option<String>,
) -> Response {
    upgrade
        .max_message_size(MESSAGE_BYTES_MAX)
        .on_upgrade(move |mut socket| async move {
            let talked = talk(&app, caller, id, process.as_deref(), &mut socket).await;
            if let Err(failure) = talked {
                refuse(&mut socket, &failure).await;
            }
            see_off(&mut socket).await;
        })
}

async fn talk(
    app: &AppState,
    caller: Found,
    id: SandboxId,
    process: Option<&str>,
    socket: &mut WebSocket,
) -> Result<(), ApiError> {
    let caller = authenticated(app, caller, socket).await?;
    let running = Running::find(app, caller.team(), id).await?;
    match process {
        None => exec(app, &running, socket).await?,
        Some(process) => follow(app, &running, process, socket).await?,
    }
    app.sandboxes.touch(id).await.ok();
    Ok(())
}

async fn exec(app: &AppState, running: &Running, socket: &mut WebSocket) -> Result<(), ApiError> {
    let ClientMessage::Start(start) = first_message(socket).await? else {
        return Err(ApiError::invalid("the first message must be start"));
    };
    let (on_disconnect, encoding) = (start.on_disconnect, start.encoding);
    let mut events = running.guest.start(wanted(start)?).await?;
    let process = Selector::Pid(started(&mut events).await?);
    let session = Session {
        guest: &running.guest,
        process: process.clone(),
        encoding,
        stop: app.tasks.token(),
        listens: true,
    };
    let how = session.run(events, socket).await;
    part(how, socket).await;
    if matches!(how, How::Left | How::Refused) && on_disconnect == OnDisconnect::Kill {
        let guest = running.guest.clone();
        // It must happen also while the role stops, and when the host agent is just restarting.
        app.tasks
            .spawn_detached("kill process of a client that left", async move {
                if let Err(error) =
                    retry_while_agent_restarts(|| guest.signal(&process, Signal::Kill)).await
                {
                    tracing::debug!(%error, "process of a client that left was not killed");
                }
            });
    }
    Ok(())
}

async fn follow(
    app: &AppState,
    running: &Running,
    process: &str,
    socket: &mut WebSocket,
) -> Result<(), ApiError> {
    let process = selector(process);
    let mut events = running.guest.connect(&process).await?;
    let pid = started(&mut events).await?;
    let session = Session {
        guest: &running.guest,
        process: Selector::Pid(pid),
        encoding: locule_api::Encoding::Utf8,
        stop: app.tasks.token(),
        listens: false,
    };
    let how = session.run(events, socket).await;
    part(how, socket).await;
    Ok(())
}

/// By the headers of the upgrade, else by the first message.
async fn authenticated(
    app: &AppState,
    caller: Found,
    socket: &mut WebSocket,
) -> Result<Caller, ApiError> {
    if let Some(caller) = caller? {
        caller.may(USE_SANDBOX)?;
        return Ok(caller);
    }
    match first_message(socket).await? {
        ClientMessage::Auth { token } => {
            let caller = Caller::by(Credential::bearer(&token), app).await?;
            caller.may(USE_SANDBOX)?;
            Ok(caller)
        }
        ClientMessage::Start(_)
        | ClientMessage::Stdin { .. }
        | ClientMessage::StdinClose
        | ClientMessage::Signal { .. }
        | ClientMessage::Stop => Err(ApiError::unauthorized()),
    }
}

async fn first_message(socket: &mut WebSocket) -> Result<ClientMessage, ApiError> {
    let next = async {
        while let Some(Ok(next)) = socket.next().await {
            if let Message::Text(text) = next {
                return message(&text);
            }
        }
        Err(ApiError::invalid("the client left"))
    };
    tokio::time::timeout(FIRST_MESSAGE_TIMEOUT, next)
        .await
        .unwrap_or_else(|_| Err(ApiError::invalid("no message came in time")))
}

fn wanted(start: StartMessage) -> Result<StartProcess, ApiError> {
    if start.cmd.is_empty() {
        return Err(ApiError::invalid("cmd is required"));
    }
    let timeout = match start.timeout_sec.unwrap_or_default() {
        0 => None,
        seconds @ 1..=TIMEOUT_MAX_SEC => Some(Duration::from_secs(seconds.unsigned_abs())),
        _ => {
            return Err(ApiError::invalid(
                "timeout_sec must be between 0 and a week",
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
    })
}

/// Tells a client that is left because we stop. Its process goes on, and can be followed from elsewhere.
async fn part(how: How, socket: &mut WebSocket) {
    if how == How::Stopping {
        let away = CloseFrame {
            code: close_code::AWAY,
            reason: "".into(),
        };
        let told = socket.send(Message::Close(Some(away)));
        // One that does not read is not waited for.
        tokio::time::timeout(PARTING_TIMEOUT, told).await.ok();
    }
}

/// Says why, then closes: 1008 when the client is at fault, 1011 when we are.
async fn refuse(socket: &mut WebSocket, failure: &ApiError) {
    let (status, code) = failure.status_and_code();
    let error = ServerMessage::Error {
        data: failure.message(),
    };
    if let Some(text) = text(&error) {
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

/// Reads what the client still sends until it leaves. A socket that is dropped with something unread is reset, and the reset
/// can overtake the last message.
async fn see_off(socket: &mut WebSocket) {
    let leaves = async { while let Some(Ok(_)) = socket.next().await {} };
    // One that does not leave is left.
    let _ = tokio::time::timeout(FAREWELL_TIMEOUT, leaves).await;
}

fn text(message: &ServerMessage) -> Option<Message> {
    serde_json::to_string(message)
        .ok()
        .map(|text| Message::Text(text.into()))
}
