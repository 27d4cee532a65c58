//! Extractors that reject a request with an [`ApiError`]. Unknown fields are ignored.

use std::convert::Infallible;

use axum::Json;
use axum::extract::ws::WebSocketUpgrade;
use axum::extract::{FromRequest, FromRequestParts, Path, Query, Request};
use bytes::Bytes;
use http::request::Parts;
use locule_api::Object;
use locule_ids::SandboxId;
use serde::Deserialize;
use serde::de::DeserializeOwned;

use crate::body;
use crate::connection::Connection;
use crate::error::ApiError;
use crate::memory::{CallerTeam, Held};
use crate::state::AppState;

/// Reads a JSON object from a WebSocket message.
pub(crate) fn message<T: DeserializeOwned>(text: &str) -> Result<T, ApiError> {
    let read = serde_json::from_str(text).map(|Object(message)| message);
    read.map_err(|_| {
        ApiError::invalid(
            "the message cannot be read; send a JSON object of one of the documented types",
        )
    })
}

/// A JSON body.
#[derive(Debug)]
pub(crate) struct ApiJson<T>(pub(crate) T);

impl<T: DeserializeOwned> FromRequest<AppState> for ApiJson<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, app: &AppState) -> Result<Self, ApiError> {
        let request = body::whole(request, &app.memory).await?;
        let Json(Object(value)) = Json::from_request(request, app).await?;
        Ok(Self(value))
    }
}

/// A JSON body that may be missing or `null`. No `Content-Type` is required.
#[derive(Debug)]
pub(crate) struct OptionalJson<T>(pub(crate) T);

impl<T: DeserializeOwned + Default> FromRequest<AppState> for OptionalJson<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, app: &AppState) -> Result<Self, ApiError> {
        let request = body::whole(request, &app.memory).await?;
        let body = Bytes::from_request(request, app).await?;
        if body.iter().all(u8::is_ascii_whitespace) {
            return Ok(Self(T::default()));
        }
        let Json(value) = Json::<Option<Object<T>>>::from_bytes(&body)?;
        Ok(Self(value.map(|Object(value)| value).unwrap_or_default()))
    }
}

/// The query string.
#[derive(Debug)]
pub(crate) struct ApiQuery<T>(pub(crate) T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequestParts<S> for ApiQuery<T> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        let Query(value) = Query::from_request_parts(parts, state).await?;
        Ok(Self(value))
    }
}

/// Parameters of the path.
#[derive(Debug)]
pub(crate) struct ApiPath<T>(pub(crate) T);

impl<T: DeserializeOwned + Send, S: Send + Sync> FromRequestParts<S> for ApiPath<T> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        let Path(value) = Path::from_request_parts(parts, state).await?;
        Ok(Self(value))
    }
}

/// The path parameter `id` of a sandbox. The native dialect writes it with the prefix `sb-`, the E2B dialect as 25 digits; both
/// dialects accept either.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Id(pub(crate) SandboxId);

impl<S: Send + Sync> FromRequestParts<S> for Id {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        let ApiPath(IdParameter { id }) = ApiPath::from_request_parts(parts, state).await?;
        let id = id.parse().or_else(|_| SandboxId::from_base36(&id));
        id.map(Self)
            .map_err(|_| ApiError::invalid("the sandbox id is not valid"))
    }
}

#[derive(Deserialize)]
struct IdParameter {
    id: String,
}

/// A handler takes this parameter after the one that states its need.
impl FromRequestParts<AppState> for Held {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, app: &AppState) -> Result<Self, ApiError> {
        let team = parts.extensions.get::<CallerTeam>();
        let CallerTeam(team) = team.ok_or_else(ApiError::unauthorized)?;
        Ok(app.memory.held_by(*team))
    }
}

impl<S: Sync> FromRequestParts<S> for Connection {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        Ok(Self::of(parts))
    }
}

/// A request to upgrade the connection to a WebSocket.
#[derive(Debug)]
pub(crate) struct Upgrade(pub(crate) WebSocketUpgrade);

impl<S: Send + Sync> FromRequestParts<S> for Upgrade {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        let upgrade = WebSocketUpgrade::from_request_parts(parts, state).await;
        upgrade.map(Self).map_err(|_| {
            ApiError::invalid("the operation needs a WebSocket; send an upgrade request")
        })
    }
}

/// The header `Idempotency-Key`: 1 to 255 lower-case letters, digits and dashes.
#[derive(Debug)]
pub(crate) struct IdempotencyKey(pub(crate) Option<String>);

impl<S: Send + Sync> FromRequestParts<S> for IdempotencyKey {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, ApiError> {
        let Some(key) = parts.headers.get("idempotency-key") else {
            return Ok(Self(None));
        };
        let fits = |key: &&str| {
            (1..=255).contains(&key.len())
                && key
                    .bytes()
                    .all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-'))
        };
        let key = key.to_str().ok().filter(fits);
        key.map(|key| Self(Some(key.to_owned())))
            .ok_or_else(|| ApiError::invalid("the Idempotency-Key is not valid; use 1 to 255 lower-case letters, digits and dashes"))
    }
}
