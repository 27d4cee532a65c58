//! Sandboxes in the format of the native dialect.

use axum::Json;
use locule_api::{
    Actor, ActorKind, DesiredStatus, OnTimeout, Sandbox, SandboxOrigin, SandboxStatus,
};
use locule_control::{Author, AuthorId, AuthorKind, Described};
use locule_domain as domain;

use crate::error::ApiError;
use crate::state::AppState;
use crate::times::seconds;

/// The response with a sandbox that a use case returned.
pub(super) async fn answer(
    app: &AppState,
    sandbox: domain::Sandbox,
) -> Result<Json<Sandbox>, ApiError> {
    let described = app.sandboxes.describe(sandbox).await?;
    Ok(Json(sandbox_view(described)))
}

/// The sandbox in the format of this dialect.
pub(crate) fn sandbox_view(described: Described) -> Sandbox {
    let sandbox = described.sandbox;
    let reason = sandbox.state.reason().map(str::to_owned);
    Sandbox {
        id: sandbox.id,
        status: status(sandbox.state),
        desired: desired(sandbox.desired),
        status_reason: reason.or(sandbox.status_reason),
        last_error: sandbox.last_error,
        origin: SandboxOrigin {
            template: sandbox.template.clone(),
        },
        template: sandbox.template,
        created_by: actor(described.created_by),
        vcpus: sandbox.vcpus,
        memory_mb: sandbox.memory_mib,
        disk_size_mb: sandbox.disk_size_mb,
        timeout_sec: sandbox.timeouts.timeout_sec,
        on_timeout: on_timeout(sandbox.timeouts.on_timeout),
        auto_resume: sandbox.auto_resume,
        public_traffic: sandbox.public_traffic,
        host_id: sandbox.host,
        guest_ip: known(sandbox.guest_ip),
        host_ip: known(sandbox.host_ip),
        created_at: seconds(sandbox.created_at),
        started_at: sandbox.started_at.map(seconds),
        last_active_at: sandbox.last_active_at.map(seconds),
        last_updated: seconds(sandbox.last_updated),
        expires_at: sandbox.timeouts.expires_at.map(seconds),
        ended_at: described.ended_at.map(seconds),
        ended_by: described.ended_by.map(actor),
        labels: sandbox.labels,
        metadata: sandbox.metadata,
    }
}

/// `None` for an empty text: the value is not known yet.
fn known(text: String) -> Option<String> {
    Some(text).filter(|text| !text.is_empty())
}

fn actor(author: Author) -> Actor {
    Actor {
        kind: match author.kind {
            AuthorKind::User => ActorKind::User,
            AuthorKind::ApiKey => ActorKind::ApiKey,
            AuthorKind::System => ActorKind::System,
        },
        id: author.id.map(|id| match id {
            AuthorId::User(id) => id.to_string(),
            AuthorId::ApiKey(id) => id.to_string(),
        }),
        name: author.name.filter(|name| !name.is_empty()),
    }
}

pub(super) fn on_timeout(action: domain::OnTimeout) -> OnTimeout {
    match action {
        domain::OnTimeout::Kill => OnTimeout::Kill,
        domain::OnTimeout::Pause => OnTimeout::Pause,
    }
}

/// The action at `expires_at`, as a request names it.
pub(super) fn action(requested: OnTimeout) -> domain::OnTimeout {
    match requested {
        OnTimeout::Kill => domain::OnTimeout::Kill,
        OnTimeout::Pause => domain::OnTimeout::Pause,
    }
}

fn desired(desired: domain::Desired) -> DesiredStatus {
    match desired {
        domain::Desired::Running => DesiredStatus::Running,
        domain::Desired::Paused => DesiredStatus::Paused,
        domain::Desired::Gone => DesiredStatus::Gone,
    }
}

pub(crate) fn status(state: domain::SandboxState) -> SandboxStatus {
    match state {
        domain::SandboxState::Pending => SandboxStatus::Pending,
        domain::SandboxState::Starting => SandboxStatus::Starting,
        domain::SandboxState::Running => SandboxStatus::Running,
        domain::SandboxState::Paused => SandboxStatus::Paused,
        domain::SandboxState::Missing => SandboxStatus::Missing,
        domain::SandboxState::Stopped { .. } => SandboxStatus::Stopped,
        domain::SandboxState::Error { .. } => SandboxStatus::Error,
    }
}
