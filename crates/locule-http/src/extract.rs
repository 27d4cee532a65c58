//! Extractors that reject a request with an [`ApiError`]. Unknown fields are ignored.

use std::net::{IpAddr, Ipv6Addr};
use std::time::Duration;

use axum::Json;
use axum::extract::ws::WebSocketUpgrade;
use axum::extract::{FromRequest, FromRequestParts, Path, Query, Request};
use bytes::Bytes;
use http::request::Parts;
use locule_api::Object;
use locule_ids::SandboxId;
use serde::Deserialize;
use serde::de::DeserializeOwned;

use crate::error::ApiError;
use crate::state::AppState;

/// Time in which a JSON body must arrive.
const BODY_TIMEOUT: Duration = Duration::from_secs(30);

async fn in_time<T, E>(body: impl Future<Output = Result<T, E>>) -> Result<T, ApiError>
where
    ApiError: From<E>,
{
    match tokio::time::timeout(BODY_TIMEOUT, body).await {
        Ok(read) => Ok(read?),
        Err(_) => Err(ApiError::too_slow()),
    }
}

/// Reads a JSON object from a WebSocket message.
pub(crate) fn message<T: DeserializeOwned>(text: &str) -> Result<T, ApiError> {
    let read = serde_json::from_str(text).map(|Object(message)| message);
    read.map_err(|_| {
        ApiError::invalid(
            "the message cannot be read; send a JSON object of the type ClientMessage",
        )
    })
}

/// A JSON body.
#[derive(Debug)]
pub(crate) struct ApiJson<T>(pub(crate) T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for ApiJson<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, state: &S) -> Result<Self, ApiError> {
        let Json(Object(value)) = in_time(Json::from_request(request, state)).await?;
        Ok(Self(value))
    }
}

/// A JSON body that may be missing or `null`. No `Content-Type` is required.
#[derive(Debug)]
pub(crate) struct OptionalJson<T>(pub(crate) T);

impl<T: DeserializeOwned + Default, S: Send + Sync> FromRequest<S> for OptionalJson<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, state: &S) -> Result<Self, ApiError> {
        let body = in_time(Bytes::from_request(request, state)).await?;
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

/// The address of the client, as the key of its rate limits.
#[derive(Debug, Clone)]
pub(crate) struct Peer(pub(crate) String);

impl FromRequestParts<AppState> for Peer {
    type Rejection = std::convert::Infallible;

    async fn from_request_parts(
        parts: &mut Parts,
        app: &AppState,
    ) -> Result<Self, Self::Rejection> {
        let forwarded = app.config.trust_forwarded_for.then(|| {
            let last = parts
                .headers
                .get_all("x-forwarded-for")
                .iter()
                .next_back()?;
            let last = last.to_str().ok()?.rsplit(',').next()?;
            last.trim().parse::<IpAddr>().ok()
        });
        let connected = parts.extensions.get::<PeerAddress>().map(|peer| peer.0);
        let address = forwarded.flatten().or(connected);
        Ok(Self(address.map(rate_limit_key).unwrap_or_default()))
    }
}

/// The remote address of a connection. The listener adds it to each request.
#[derive(Debug, Clone, Copy)]
pub(crate) struct PeerAddress(pub(crate) IpAddr);

/// IPv6 addresses are grouped by /64, which is what one customer of a provider usually has.
fn rate_limit_key(address: IpAddr) -> String {
    match address.to_canonical() {
        IpAddr::V4(address) => address.to_string(),
        IpAddr::V6(address) => {
            let [a, b, c, d, ..] = address.segments();
            Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0).to_string()
        }
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
