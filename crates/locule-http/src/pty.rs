//! Terminals over a WebSocket. The program in a terminal outlives its connections: a client comes back by the terminal's tag and
//! continues at the byte where it was.

#[cfg(test)]
mod fuzz;
mod input;
mod session;

use axum::extract::State;
use axum::extract::ws::{WebSocket, close_code};
use axum::response::Response;
use locule_api::terminal::{DEFAULT_COLS, DEFAULT_ROWS};
use locule_api::{PtyClientMessage, PtyConnect, PtyServerMessage, PtyStart, schema};
use locule_edge::{
    GuestClient, GuestError, ProcessEvents, Selector, StartProcess, WindowSize,
    retry_while_agent_restarts,
};
use locule_ids::SandboxId;

use self::session::{Session, SessionEnd};
use crate::caller::SocketMayUse;
use crate::error::ApiError;
use crate::exec::stream::opening::{authenticated, first_message};
use crate::exec::stream::{
    GOING_AWAY_TIMEOUT, close_frame, close_lingering, send_error, within_limits,
};
use crate::exec::{generated_tag, started_pid};
use crate::extract::{Id, Upgrade};
use crate::running::Running;
use crate::state::AppState;

/// The programs of a terminal whose client names none. The second is for a sandbox without the first.
const SHELLS: [&str; 2] = ["/bin/bash", "/bin/sh"];
const TAG_BYTES_MAX: usize = 64;

/// Connect to a terminal over a WebSocket
///
/// Starts a program in a pseudo-terminal, or attaches to a running one. The messages on the socket are `PtyClientMessage` and
/// `PtyServerMessage`. Closing the socket does not end the program: connect again with its tag and your position in the output.
#[utoipa::path(get, path = "/v1/sandboxes/{id}/pty", tag = "processes", params(("id" = schema::SandboxId, Path)),
    responses((status = 101, description = "The connection continues as a WebSocket")))]
pub(crate) async fn pty(
    State(app): State<AppState>,
    Id(id): Id,
    Upgrade(upgrade): Upgrade,
    caller: SocketMayUse,
) -> Response {
    within_limits(upgrade, &app, &caller).on_upgrade(move |mut socket| async move {
        let end = serve(&app, caller, id, &mut socket).await;
        let close = async {
            match end {
                Ok(SessionEnd::Exited) => {
                    socket.send(close_frame(close_code::NORMAL)).await.ok();
                }
                Ok(SessionEnd::Stopping) => {
                    socket.send(close_frame(close_code::AWAY)).await.ok();
                }
                Ok(SessionEnd::ClientLeft) => {}
                Err(error) => send_error(&mut socket, &error, refusal).await,
            }
        };
        // The timeout is for a client that does not read.
        tokio::time::timeout(GOING_AWAY_TIMEOUT, close).await.ok();
        close_lingering(&mut socket).await;
    })
}

fn refusal(data: String) -> PtyServerMessage {
    PtyServerMessage::Error { data, fatal: true }
}

async fn serve(
    app: &AppState,
    caller: SocketMayUse,
    id: SandboxId,
    socket: &mut WebSocket,
) -> Result<SessionEnd, ApiError> {
    let connection = caller.connection.clone();
    let caller = authenticated::<PtyClientMessage>(app, caller, socket).await?;
    let running = Running::find(app, &caller, id).await?;
    let (first, length) = first_message(&connection, socket).await?;
    // As it was read, and as it is sent to the guest agent, which may not take it.
    let mut held = app.memory.held_by(caller.team());
    held.add(2 * length)?;
    let opened = match first {
        PtyClientMessage::Start(start) => started(&running.guest, start).await?,
        PtyClientMessage::Connect(connect) => connected(&running.guest, connect).await?,
        PtyClientMessage::Auth { .. }
        | PtyClientMessage::Input { .. }
        | PtyClientMessage::Resize { .. }
        | PtyClientMessage::Kill
        | PtyClientMessage::Pong => {
            return Err(ApiError::invalid(
                "the first message is neither `start` nor `connect`; send one of them to open the terminal",
            ));
        }
    };
    held.clear();
    let session = Session {
        sandbox: id,
        guest: &running.guest,
        connection: &connection,
        process: Selector::Pid(opened.pid),
        input: input::Input::new(held),
        cut: &running.cut,
        tasks: &app.tasks,
    };
    let end = session.run(opened, socket).await;
    app.sandboxes.touch(id).await.ok();
    end
}

/// A program in a terminal, and where its output continues.
struct Opened {
    tag: String,
    pid: u32,
    events: ProcessEvents,
    /// The position of the first byte.
    first: u64,
    /// The position that the client asked for.
    requested: Option<u64>,
}

impl Opened {
    /// What the client is told before the output.
    fn messages(&self) -> (PtyServerMessage, Option<PtyServerMessage>) {
        let offset = self
            .requested
            .map_or(self.first, |requested| requested.min(self.first));
        let bytes = self.first - offset;
        let started = PtyServerMessage::Started {
            tag: self.tag.clone(),
            pid: self.pid,
            offset,
        };
        let gap = (bytes > 0).then_some(PtyServerMessage::Gap { bytes });
        (started, gap)
    }
}

async fn started(guest: &GuestClient, start: PtyStart) -> Result<Opened, ApiError> {
    let (tag, process) = process_start(start)?;
    let mut programs = match &process.cmd {
        cmd if cmd.is_empty() => SHELLS.to_vec(),
        cmd => vec![cmd.as_str()],
    }
    .into_iter()
    .peekable();
    while let Some(program) = programs.next() {
        let process = StartProcess {
            cmd: program.to_owned(),
            ..process.clone()
        };
        match started_program(guest, process).await {
            Err(GuestError::CommandNotFound(_)) if programs.peek().is_some() => {}
            opened => {
                let (pid, events) = opened?;
                return Ok(Opened {
                    tag,
                    pid,
                    events,
                    first: 0,
                    requested: None,
                });
            }
        }
    }
    Err(ApiError::invalid("cmd is required"))
}

async fn started_program(
    guest: &GuestClient,
    process: StartProcess,
) -> Result<(u32, ProcessEvents), GuestError> {
    let mut events = guest.start(process).await?;
    let pid = started_pid(&mut events).await?;
    Ok((pid, events))
}

/// The tag of the terminal, and the process to start in it; without a command when the client names none.
fn process_start(start: PtyStart) -> Result<(String, StartProcess), ApiError> {
    let given = |text: Option<String>| text.filter(|text| !text.is_empty());
    let or_default = |size, default| if size == 0 { default } else { size };
    let tag = match given(start.tag) {
        Some(tag) if is_tag(&tag) => tag,
        Some(_) => {
            return Err(ApiError::invalid(
                "the tag is not valid; send a letter, then up to 63 letters, digits, '.', '_' and '-'",
            ));
        }
        None => generated_tag("pty"),
    };
    let mut envs = start.envs;
    envs.entry("TERM".to_owned())
        .or_insert_with(|| "xterm-256color".to_owned());
    let process = StartProcess {
        cmd: given(start.cmd).unwrap_or_default(),
        args: start.args,
        envs,
        cwd: given(start.cwd),
        user: given(start.user),
        tag: Some(tag.clone()),
        stdin: true,
        timeout: None,
        terminal: Some(WindowSize {
            cols: or_default(start.cols, DEFAULT_COLS),
            rows: or_default(start.rows, DEFAULT_ROWS),
        }),
    };
    Ok((tag, process))
}

/// A tag that begins with a digit could be taken for a process id.
fn is_tag(tag: &str) -> bool {
    tag.len() <= TAG_BYTES_MAX
        && tag.starts_with(|first: char| first.is_ascii_alphabetic())
        && tag
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte))
}

async fn connected(guest: &GuestClient, connect: PtyConnect) -> Result<Opened, ApiError> {
    let PtyConnect { tag, offset } = connect;
    if tag.is_empty() {
        return Err(ApiError::invalid("tag is required"));
    }
    let process = Selector::Tag(tag.clone());
    let (mut events, first) =
        retry_while_agent_restarts(|| guest.connect_at(&process, offset)).await?;
    Ok(Opened {
        tag,
        pid: started_pid(&mut events).await?,
        events,
        first,
        requested: offset,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tag_is_a_name_that_no_process_id_looks_like() {
        for tag in ["a", "pty-0a1b2c3d", "Build_1.x", &"a".repeat(64)] {
            assert!(is_tag(tag), "{tag}");
        }
        for tag in ["", "1", "-a", "a b", "ä", "a/b", &"a".repeat(65)] {
            assert!(!is_tag(tag), "{tag}");
        }
    }

    #[test]
    fn the_position_and_the_gap_add_up_to_the_first_byte() {
        let told = |first, requested| {
            let opened = Opened {
                tag: "t".to_owned(),
                pid: 1,
                events: Box::pin(futures::stream::empty()),
                first,
                requested,
            };
            match opened.messages() {
                (PtyServerMessage::Started { offset, .. }, None) => (offset, 0),
                (
                    PtyServerMessage::Started { offset, .. },
                    Some(PtyServerMessage::Gap { bytes }),
                ) => (offset, bytes),
                other => panic!("{other:?}"),
            }
        };
        assert_eq!(told(7, None), (7, 0));
        assert_eq!(told(7, Some(7)), (7, 0));
        assert_eq!(told(7, Some(2)), (2, 5));
        // Another terminal has the tag, and printed less.
        assert_eq!(told(7, Some(9)), (7, 0));
    }
}
