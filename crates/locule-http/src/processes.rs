//! Operations that list and signal the processes that clients started in a sandbox.

use axum::Json;
use axum::extract::State;
use http::StatusCode;
use locule_api::{Process, ProcessList, SignalName, schema};
use locule_edge::{Selector, Signal};
use serde::Deserialize;

use crate::caller::{Read, Use};
use crate::error::ApiError;
use crate::extract::{ApiPath, ApiQuery};
use crate::running::Running;
use crate::state::AppState;

#[derive(Debug, Deserialize)]
pub(crate) struct ProcessPath {
    pub(crate) selector: String,
}

#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct SignalQuery {
    /// The signal to send; `SIGKILL` when absent.
    #[param(value_type = Option<SignalName>)]
    signal: Option<String>,
}

/// Reads a selector: a decimal number is a process id, any other text a tag.
pub(crate) fn selector(text: &str) -> Selector {
    text.parse()
        .map_or_else(|_| Selector::Tag(text.to_owned()), Selector::Pid)
}

/// List processes
///
/// Returns the processes that clients started in the sandbox.
#[utoipa::path(get, path = "/v1/sandboxes/{id}/processes", tag = "processes", params(("id" = schema::SandboxId, Path)),
    responses((status = 200, body = ProcessList)))]
pub(crate) async fn list_processes(
    State(app): State<AppState>,
    running: Running<Read>,
) -> Result<Json<ProcessList>, ApiError> {
    let listed = running.guest.list_processes().await?;
    app.sandboxes.touch(running.id).await.ok();
    let processes = listed.into_iter().map(|process| Process {
        pid: process.pid,
        tag: process.tag,
        cmd: process.cmd,
        args: process.args,
    });
    Ok(Json(ProcessList {
        processes: processes.collect(),
    }))
}

/// Send a signal to a process
#[utoipa::path(delete, path = "/v1/sandboxes/{id}/processes/{selector}", tag = "processes",
    params(("id" = schema::SandboxId, Path), ("selector" = String, Path, description = "The process id or the tag of a process"), SignalQuery),
    responses((status = 204)))]
pub(crate) async fn kill_process(
    State(app): State<AppState>,
    running: Running<Use>,
    ApiPath(path): ApiPath<ProcessPath>,
    ApiQuery(query): ApiQuery<SignalQuery>,
) -> Result<StatusCode, ApiError> {
    let signal = match query.signal.as_deref() {
        None | Some("SIGKILL") => Signal::Kill,
        Some("SIGTERM") => Signal::Term,
        Some("SIGINT") => Signal::Int,
        Some("SIGHUP") => Signal::Hup,
        Some("SIGQUIT") => Signal::Quit,
        Some(_) => {
            return Err(ApiError::invalid(
                "the signal is unknown; use SIGKILL, SIGTERM, SIGINT, SIGHUP or SIGQUIT",
            ));
        }
    };
    running
        .guest
        .signal(&selector(&path.selector), signal)
        .await?;
    app.sandboxes.touch(running.id).await.ok();
    Ok(StatusCode::NO_CONTENT)
}
