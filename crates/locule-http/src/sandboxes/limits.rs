//! The limits of a team.

use axum::Json;
use axum::extract::State;
use locule_api::{LimitUse, SandboxLimits, TeamLimits};
use locule_domain::MEMORY_STEP_MIB;

use crate::caller::MayRead;
use crate::error::ApiError;
use crate::state::AppState;

const MIB: u64 = 1 << 20;

/// Get the limits of the team
///
/// Returns the limits of the team, and the use of each limit by its sandboxes.
#[utoipa::path(get, path = "/v1/limits", tag = "sandboxes", responses((status = 200, body = TeamLimits)))]
pub(crate) async fn get_limits(
    State(app): State<AppState>,
    caller: MayRead,
) -> Result<Json<TeamLimits>, ApiError> {
    let limits = app.sandboxes.team_limits(caller.team()).await?;
    Ok(Json(limits_view(&limits)))
}

/// The limits in the format of this dialect.
pub(crate) fn limits_view(limits: &locule_control::TeamLimits) -> TeamLimits {
    let (quota, used, sandbox) = (&limits.quota, &limits.used, &limits.sandbox);
    let of = |used: u32, max: u32| LimitUse {
        used: used.into(),
        max: max.into(),
    };
    TeamLimits {
        sandboxes: of(used.sandboxes, quota.sandboxes_max),
        vcpus: of(used.vcpus, quota.vcpus_max),
        memory_mb: of(used.memory_mib, quota.memory_mib_max),
        paused_sandboxes: of(used.paused.saturating_add(used.places), quota.paused_max),
        storage_mb: LimitUse {
            used: used.stored_bytes.div_ceil(MIB),
            max: quota.storage_mib_max.into(),
        },
        creates_per_minute_max: quota.creates_per_minute_max,
        sandbox: SandboxLimits {
            vcpus_max: sandbox.vcpus_max,
            memory_mb_min: sandbox.memory_mib_min,
            memory_mb_max: sandbox.memory_mib_max,
            memory_mb_step: MEMORY_STEP_MIB,
            timeout_sec_max: sandbox.timeout_max.as_secs(),
        },
    }
}
