//! API keys of the team that the token is for.

use axum::Json;
use axum::extract::State;
use http::StatusCode;
use locule_api::{ApiKey, CreateApiKeyRequest, CreatedSandboxes, KeyScope, schema};
use locule_control::{NewApiKey, Scope};
use locule_ids::ApiKeyId;

use crate::caller::Member;
use crate::error::ApiError;
use crate::extract::{ApiPath, OptionalJson};
use crate::state::AppState;
use crate::teams::created_view;
use crate::times::{four_digit_year, seconds};

fn key_view(key: locule_control::ApiKey, secret: Option<String>) -> ApiKey {
    ApiKey {
        id: key.id,
        team_id: key.team,
        name: key.name,
        key_prefix: key.prefix,
        scope: match key.scope {
            Scope::Full => KeyScope::Full,
            Scope::Read => KeyScope::Read,
            Scope::Sandbox => KeyScope::Sandbox,
        },
        created_by: key.created_by,
        created_by_name: key.creator_name,
        creator_email: key.creator_email,
        created_at: seconds(key.created_at),
        expires_at: key.expires_at.map(seconds),
        last_used: key.last_used.map(seconds),
        key: secret,
    }
}

/// Create an API key
///
/// No other response contains the secret key.
#[utoipa::path(post, path = "/v1/api-keys", tag = "api-keys", security(("token" = [])),
    request_body = Option<CreateApiKeyRequest>,
    responses((status = 201, body = ApiKey)))]
pub(crate) async fn create_api_key(
    State(app): State<AppState>,
    Member(person): Member,
    OptionalJson(request): OptionalJson<CreateApiKeyRequest>,
) -> Result<(StatusCode, Json<ApiKey>), ApiError> {
    let new = NewApiKey {
        name: request.name,
        scope: match request.scope {
            KeyScope::Full => Scope::Full,
            KeyScope::Read => Scope::Read,
            KeyScope::Sandbox => Scope::Sandbox,
        },
        expires_at: request.expires_at.map(four_digit_year).transpose()?,
    };
    let (key, secret) = app.accounts.create_api_key(&person, &new).await?;
    Ok((StatusCode::CREATED, Json(key_view(key, Some(secret)))))
}

/// List API keys
///
/// Returns the team's keys, newest first, without the secret keys.
#[utoipa::path(get, path = "/v1/api-keys", tag = "api-keys", security(("token" = [])),
    responses((status = 200, body = Vec<ApiKey>)))]
pub(crate) async fn list_api_keys(
    State(app): State<AppState>,
    Member(person): Member,
) -> Result<Json<Vec<ApiKey>>, ApiError> {
    let keys = app.accounts.list_api_keys(&person).await?;
    Ok(Json(
        keys.into_iter().map(|key| key_view(key, None)).collect(),
    ))
}

/// Revoke an API key
///
/// Returns the sandboxes that the key created and that still exist. A member may revoke the member's own keys, the team's owner and
/// admins any key. Revoking a key that does not exist succeeds.
#[utoipa::path(delete, path = "/v1/api-keys/{id}", tag = "api-keys", security(("token" = [])),
    params(("id" = schema::ApiKeyId, Path)),
    responses((status = 200, body = CreatedSandboxes)))]
pub(crate) async fn revoke_api_key(
    State(app): State<AppState>,
    Member(person): Member,
    ApiPath(id): ApiPath<ApiKeyId>,
) -> Result<Json<CreatedSandboxes>, ApiError> {
    let created = app.accounts.revoke_api_key(&person, id).await?;
    Ok(Json(created_view(created)))
}
