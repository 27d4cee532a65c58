//! What will pause or end a sandbox, when, and what keeps it awake.

use axum::Json;
use axum::extract::State;
use locule_api::{Holder, HolderKind, IdleClock, SandboxClock, schema};
use locule_control::{Clock, HolderKind as Kind};

use crate::caller::MayRead;
use crate::error::ApiError;
use crate::extract::Id;
use crate::sandboxes::view::on_timeout;
use crate::state::AppState;
use crate::times::seconds;

/// Get the clock of a sandbox
///
/// Returns what will pause or end the sandbox, when, and what keeps it awake. The request does not count as activity and does not reach the sandbox.
#[utoipa::path(get, path = "/v1/sandboxes/{id}/clock", tag = "sandboxes", params(("id" = schema::SandboxId, Path)),
    responses((status = 200, body = SandboxClock), (status = 502)))]
pub(crate) async fn get_clock(
    State(app): State<AppState>,
    caller: MayRead,
    Id(id): Id,
) -> Result<Json<SandboxClock>, ApiError> {
    let clock = app.sandboxes.clock(caller.team(), id).await?;
    Ok(Json(clock_view(clock)))
}

fn clock_view(clock: Clock) -> SandboxClock {
    SandboxClock {
        now: seconds(clock.now),
        idle: clock.idle.map(|idle| IdleClock {
            timeout_sec: idle.timeout_sec,
            last_active_at: seconds(idle.last_active_at),
            pauses_at: idle.pauses_at.map(seconds),
        }),
        expires_at: clock.expiry.map(|(at, _)| seconds(at)),
        on_timeout: clock.expiry.map(|(_, action)| on_timeout(action)),
        held_by: clock.held_by.into_iter().map(holder).collect(),
    }
}

fn holder(holder: locule_control::Holder) -> Holder {
    Holder {
        kind: match holder.purpose.kind {
            Kind::Terminal => HolderKind::Terminal,
            Kind::Command => HolderKind::Command,
            Kind::ProcessStream => HolderKind::ProcessStream,
            Kind::Transfer => HolderKind::Transfer,
            Kind::Port => HolderKind::Port,
            Kind::Call => HolderKind::Call,
        },
        pid: holder.purpose.pid,
        tag: holder.purpose.tag,
        port: holder.purpose.port,
        count: holder.count,
        since: seconds(holder.since),
    }
}
