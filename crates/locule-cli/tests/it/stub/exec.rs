//! The exec socket: a real program behind it.

use std::io::ErrorKind;
use std::process::{ExitStatus, Stdio};
use std::sync::Arc;

use axum::extract::ws::{CloseFrame, Message, WebSocket, WebSocketUpgrade, close_code};
use axum::extract::{Path, State};
use axum::response::Response;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use locule_api::{ClientMessage, SandboxStatus, ServerMessage, StartMessage};
use locule_ids::SandboxId;
use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;
use std::os::unix::process::ExitStatusExt as _;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWriteExt as _};
use tokio::process::{Child, ChildStdin, Command};
use tokio::sync::mpsc;

use super::Shared;

pub(super) async fn stream(
    State(shared): State<Arc<Shared>>,
    Path(id): Path<SandboxId>,
    upgrade: WebSocketUpgrade,
) -> Response {
    upgrade.on_upgrade(move |mut socket| async move {
        let status = shared.change(|seen| seen.sandboxes.get(&id).map(|sandbox| sandbox.status));
        match status {
            None => refuse(&mut socket, "sandbox not found", "not_found").await,
            Some(SandboxStatus::Paused) => {
                let message = "the sandbox is paused, not running";
                refuse(&mut socket, message, "invalid_state").await;
            }
            Some(_) => exec(&shared, socket).await,
        }
    })
}

async fn refuse(socket: &mut WebSocket, message: &str, code: &'static str) {
    let data = message.to_owned();
    send(socket, &ServerMessage::Error { data }).await;
    let close = CloseFrame {
        code: close_code::POLICY,
        reason: code.into(),
    };
    part(socket, Some(close)).await;
}

/// A close with something unread would be a reset, which may overtake the last messages: the client leaves first.
async fn part(socket: &mut WebSocket, close: Option<CloseFrame>) {
    socket.send(Message::Close(close)).await.ok();
    while let Some(Ok(_)) = socket.recv().await {}
}

async fn send(socket: &mut WebSocket, message: &ServerMessage) {
    let text = serde_json::to_string(message).unwrap();
    socket.send(Message::Text(text.into())).await.ok();
}

async fn hear(socket: &mut WebSocket) -> Option<ClientMessage> {
    while let Some(Ok(message)) = socket.recv().await {
        if let Message::Text(text) = message {
            return serde_json::from_str(&text).ok();
        }
    }
    None
}

fn spawn(shared: &Shared, start: &StartMessage) -> std::io::Result<Child> {
    let home = shared.folder.path();
    let own = shared.change(|seen| seen.path.clone());
    let own = own.map(|folder| folder.join(&start.cmd));
    let mut command = match own.filter(|program| program.exists()) {
        Some(program) => Command::new(program),
        None => Command::new(&start.cmd),
    };
    command
        .args(&start.args)
        .env("HOME", home)
        .envs(&start.envs)
        .current_dir(start.cwd.as_ref().map_or(home, std::path::Path::new))
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .process_group(0);
    command.stdin(if start.stdin {
        Stdio::piped()
    } else {
        Stdio::null()
    });
    command.spawn()
}

async fn pump(
    mut from: impl AsyncRead + Unpin,
    to: mpsc::Sender<ServerMessage>,
    wrap: fn(String) -> ServerMessage,
) {
    let mut buffer = vec![0; 16 * 1024];
    while let Ok(count @ 1..) = from.read(&mut buffer).await {
        let data = STANDARD.encode(&buffer[..count]);
        if to.send(wrap(data)).await.is_err() {
            return;
        }
    }
}

async fn feed(
    mut stdin: ChildStdin,
    mut input: mpsc::UnboundedReceiver<Vec<u8>>,
    to: mpsc::Sender<ServerMessage>,
) {
    while let Some(bytes) = input.recv().await {
        // Like a broken pipe: it does not read any more.
        stdin.write_all(&bytes).await.ok();
        to.send(ServerMessage::Ack { bytes: bytes.len() })
            .await
            .ok();
    }
}

fn exit(status: ExitStatus) -> ServerMessage {
    let signal = status.signal();
    ServerMessage::Exit {
        exit_code: signal.map_or(status.code().unwrap_or(-1), |signal| 128 + signal),
        signal,
    }
}

/// Joins a child to its messages; the last is its exit.
fn attach(
    mut child: Child,
    inputs: mpsc::UnboundedReceiver<Vec<u8>>,
    deaf: bool,
) -> mpsc::Receiver<ServerMessage> {
    let (messages, queue) = mpsc::channel(4);
    let stdin = child.stdin.take();
    let stdout = pump(child.stdout.take().unwrap(), messages.clone(), |data| {
        ServerMessage::Stdout { data }
    });
    let stderr = pump(child.stderr.take().unwrap(), messages.clone(), |data| {
        ServerMessage::Stderr { data }
    });
    if let (Some(stdin), false) = (stdin, deaf) {
        tokio::spawn(feed(stdin, inputs, messages.clone()));
    }
    tokio::spawn(async move {
        tokio::join!(stdout, stderr);
        let status = child.wait().await.unwrap();
        messages.send(exit(status)).await.ok();
    });
    queue
}

async fn exec(shared: &Shared, mut socket: WebSocket) {
    let Some(ClientMessage::Start(start)) = hear(&mut socket).await else {
        return;
    };
    shared.change(|seen| seen.started.push(start.clone()));
    let child = match spawn(shared, &start) {
        Ok(child) => child,
        Err(error) => {
            let (why, code) = if error.kind() == ErrorKind::NotFound {
                ("was not found", "command_not_found")
            } else {
                ("may not be executed", "command_not_executable")
            };
            let message = format!("command '{}' {why}", start.cmd);
            return refuse(&mut socket, &message, code).await;
        }
    };
    let pid = child.id().unwrap();
    let group = Pid::from_raw(i32::try_from(pid).unwrap());
    send(&mut socket, &ServerMessage::Start { pid }).await;
    let (input, inputs) = mpsc::unbounded_channel();
    let mut queue = attach(child, inputs, shared.change(|seen| seen.deaf));
    let mut input = Some(input);
    let cut = shared.change(|seen| seen.cut == Some(start.cmd.as_str()));
    loop {
        tokio::select! {
            Some(message) = queue.recv() => {
                send(&mut socket, &message).await;
                if matches!(message, ServerMessage::Exit { .. }) {
                    part(&mut socket, None).await;
                    break;
                }
                if cut {
                    break;
                }
            }
            message = hear(&mut socket) => match message {
                None | Some(ClientMessage::Stop | ClientMessage::Start(_) | ClientMessage::Auth { .. }) => {
                    shared.change(|seen| seen.left += 1);
                    break;
                }
                Some(ClientMessage::Stdin { data }) => {
                    if let Some(input) = &input {
                        input.send(STANDARD.decode(data).unwrap()).ok();
                    }
                }
                Some(ClientMessage::StdinClose) => input = None,
                Some(ClientMessage::Signal { signal }) => {
                    let name = serde_json::to_value(signal).unwrap().as_str().unwrap().to_owned();
                    let signal: Signal = name.parse().unwrap();
                    let immortal = shared.change(|seen| seen.immortal);
                    if !(immortal && signal == Signal::SIGKILL) {
                        killpg(group, signal).ok();
                    }
                    shared.change(|seen| seen.signals.push(name));
                }
            },
        }
    }
    // Also what it left running.
    killpg(group, Signal::SIGKILL).ok();
}
