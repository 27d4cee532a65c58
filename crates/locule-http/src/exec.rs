//! Operations that run a command: in the foreground, in the background, or over a WebSocket ([`stream`]).

mod result;
pub(crate) mod stream;
mod text;

use std::time::Duration;

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse as _, Response};
use futures::StreamExt as _;
use http::StatusCode;
use locule_api::{Encoding, ExecRequest, ExecResult, ExecStarted, schema};
use locule_base::tasks::Tasks;
use locule_edge::{
    GuestClient, GuestError, ProcessEvent, ProcessEvents, ProcessExit, Selector, Signal,
    StartProcess, retry_while_agent_restarts,
};
use locule_ids::SandboxId;

use self::result::Output;
use crate::caller::Use;
use crate::connection::Connection;
use crate::error::ApiError;
use crate::extract::ApiJson;
use crate::memory::Held;
use crate::running::Running;
use crate::state::AppState;

const TIMEOUT_DEFAULT_SEC: i64 = 30;
const TIMEOUT_MAX_SEC: i64 = 24 * 60 * 60;
/// Limit of stdout and stderr together: the response is one JSON document.
const OUTPUT_BYTES_MAX: usize = 16 * 1024 * 1024;
const SIGKILL: i32 = 9;
/// The exit code of a command that SIGKILL ended.
const KILLED: i32 = 128 + SIGKILL;

/// Run a command
///
/// Waits until the command exits, or starts the command in the background.
#[utoipa::path(post, path = "/v1/sandboxes/{id}/exec", tag = "processes", params(("id" = schema::SandboxId, Path)),
    request_body = ExecRequest,
    responses((status = 200, body = ExecResult), (status = 202, body = ExecStarted)))]
pub(crate) async fn exec(
    State(app): State<AppState>,
    running: Running<Use>,
    held: Held,
    connection: Connection,
    ApiJson(request): ApiJson<ExecRequest>,
) -> Result<Response, ApiError> {
    if request.cmd.is_empty() {
        return Err(ApiError::invalid("cmd is required"));
    }
    if request.background {
        return start_in_background(&app, &running, request).await;
    }
    let timeout = command_timeout(request.timeout_sec)?;
    let started = app.clock.monotonic();
    let cmd = request.cmd.clone();
    let events = running
        .guest
        .start(process_start(request, Some(timeout)))
        .await?;
    let collected = collect(events, &running, held, &app.tasks).await;
    app.sandboxes.touch(running.id).await.ok();
    let (end, output) = collected?;
    let duration = app.clock.monotonic().saturating_sub(started);
    let result = ExecResult {
        sandbox_id: running.id,
        cmd,
        stdout: String::new(),
        stderr: String::new(),
        exit_code: end.exit_code(),
        duration_ms: u64::try_from(duration.as_millis()).unwrap_or(u64::MAX),
        encoding: Encoding::Utf8,
        timed_out: matches!(end, End::TimedOut),
        truncated: matches!(end, End::Truncated),
    };
    output.answer(result, &connection)
}

/// How a command in the foreground ended. The limits of the request are outcomes, not errors: a client repeats a request that
/// failed, and the command would run twice.
#[derive(Debug)]
enum End {
    Exited(ProcessExit),
    /// It took longer than the request allows, and was killed.
    TimedOut,
    /// It printed more than a response holds, and is killed.
    Truncated,
}

impl End {
    const fn exit_code(&self) -> i32 {
        match self {
            Self::Exited(exit) => exit.exit_code,
            Self::TimedOut | Self::Truncated => KILLED,
        }
    }
}

fn command_timeout(timeout_sec: Option<i64>) -> Result<Duration, ApiError> {
    let seconds = match timeout_sec {
        None | Some(0) => TIMEOUT_DEFAULT_SEC,
        Some(seconds @ 1..=TIMEOUT_MAX_SEC) => seconds,
        Some(_) => {
            let message = format!("timeout_sec must be between 0 and {TIMEOUT_MAX_SEC}");
            return Err(ApiError::invalid(message));
        }
    };
    Ok(Duration::from_secs(seconds.unsigned_abs()))
}

fn process_start(request: ExecRequest, timeout: Option<Duration>) -> StartProcess {
    StartProcess {
        cmd: request.cmd,
        args: request.args,
        envs: request.envs,
        cwd: request.cwd,
        user: request.user,
        tag: request.tag,
        stdin: false,
        timeout,
        terminal: None,
    }
}

async fn start_in_background(
    app: &AppState,
    running: &Running<Use>,
    mut request: ExecRequest,
) -> Result<Response, ApiError> {
    let tag = request.tag.take().unwrap_or_else(|| generated_tag("proc"));
    request.tag = Some(tag.clone());
    let cmd = request.cmd.clone();
    let mut events = running.guest.start(process_start(request, None)).await?;
    let pid = started_pid(&mut events).await?;
    app.sandboxes.touch(running.id).await.ok();
    let result = ExecStarted {
        sandbox_id: running.id,
        cmd,
        pid,
        tag,
    };
    Ok((StatusCode::ACCEPTED, Json(result)).into_response())
}

pub(crate) fn generated_tag(prefix: &str) -> String {
    let random = SandboxId::random().as_uuid().simple().to_string();
    format!("{prefix}-{}", &random[..8])
}

/// Reads the process id from the first event.
pub(crate) async fn started_pid(events: &mut ProcessEvents) -> Result<u32, GuestError> {
    match events.next().await {
        Some(Ok(ProcessEvent::Started { pid })) => Ok(pid),
        Some(Err(error)) => Err(error),
        Some(Ok(_)) | None => Err(GuestError::Failed(
            "the guest agent sent no start event".into(),
        )),
    }
}

async fn collect(
    mut events: ProcessEvents,
    running: &Running<Use>,
    held: Held,
    tasks: &Tasks,
) -> Result<(End, Output), ApiError> {
    let pid = started_pid(&mut events).await?;
    let mut process = KillOnDrop::new(running, pid, tasks.clone());
    let mut output = Output::new(held);
    while let Some(event) = events.next().await {
        let event = match event {
            Err(GuestError::TimedOut) => return Ok((End::TimedOut, output)),
            event => event?,
        };
        let capacity = OUTPUT_BYTES_MAX - output.len();
        let (stream, bytes) = match event {
            ProcessEvent::Started { .. } => continue,
            ProcessEvent::Gap { bytes } => {
                let lost = format!(
                    "{bytes} bytes of the command's output were lost while the host was unreachable"
                );
                return Err(GuestError::Failed(lost.into()).into());
            }
            ProcessEvent::Stdout(bytes) => (&mut output.stdout, bytes),
            ProcessEvent::Stderr(bytes) => (&mut output.stderr, bytes),
            ProcessEvent::Exited(exit) => {
                process.disarm();
                return Ok((End::Exited(exit), output));
            }
        };
        stream.push(&bytes[..bytes.len().min(capacity)], &mut output.held)?;
        if bytes.len() > capacity {
            return Ok((End::Truncated, output));
        }
    }
    Err(GuestError::Failed("the guest agent sent no exit event".into()).into())
}

/// Kills the process when dropped before the process has exited: the request was cancelled or failed.
#[derive(Debug)]
struct KillOnDrop {
    process: Option<(SandboxId, GuestClient, u32, Tasks)>,
}

impl KillOnDrop {
    fn new(running: &Running<Use>, pid: u32, tasks: Tasks) -> Self {
        Self {
            process: Some((running.id, running.guest.for_cleanup(), pid, tasks)),
        }
    }

    /// The process has exited.
    fn disarm(&mut self) {
        self.process = None;
    }
}

impl Drop for KillOnDrop {
    fn drop(&mut self) {
        let Some((id, guest, pid, tasks)) = self.process.take() else {
            return;
        };
        tasks.spawn_detached("kill a command whose request was cancelled", async move {
            let process = Selector::Pid(pid);
            if let Err(error) = retry_while_agent_restarts(|| guest.signal(&process, Signal::Kill)).await {
                // The process may have exited by itself, or its sandbox may have ended.
                tracing::debug!(sandbox.id = %id, pid, %error, "killing a command whose request was cancelled failed");
            }
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_timeout_out_of_bounds_is_refused_and_an_absent_timeout_is_30_seconds() {
        command_timeout(Some(-1)).unwrap_err();
        command_timeout(Some(TIMEOUT_MAX_SEC + 1)).unwrap_err();
        assert_eq!(command_timeout(None).unwrap(), Duration::from_secs(30));
    }
}
