//! Extractors whose refusals are in our envelope. Unknown fields are ignored everywhere.

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

/// A document that takes longer than this to arrive is not waited for.
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

/// A JSON object that came as a message of its own.
pub(crate) fn message<T: DeserializeOwned>(text: &str) -> Result<T, ApiError> {
    let read = serde_json::from_str(text).map(|Object(message)| message);
    read.map_err(|_| ApiError::invalid("the message cannot be read"))
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

/// A JSON body that may be missing or `null`; no `Content-Type` is asked for.
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

/// The parameter `id`: with its prefix in the native dialect, the bare 25 digits in the other; each takes both.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Id(pub(crate) SandboxId);

impl<S: Send + Sync> FromRequestParts<S> for Id {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        let ApiPath(IdParameter { id }) = ApiPath::from_request_parts(parts, state).await?;
        let id = id.parse().or_else(|_| SandboxId::from_base36(&id));
        id.map(Self)
            .map_err(|_| ApiError::invalid("not a valid sandbox id"))
    }
}

#[derive(Deserialize)]
struct IdParameter {
    id: String,
}

/// Who is at the other end of the connection, as text to tell them apart by.
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
        Ok(Self(address.map(group).unwrap_or_default()))
    }
}

/// Where a connection comes from. The listener puts it into each request.
#[derive(Debug, Clone, Copy)]
pub(crate) struct PeerAddress(pub(crate) IpAddr);

/// One customer has a whole /64 of IPv6.
fn group(address: IpAddr) -> String {
    match address.to_canonical() {
        IpAddr::V4(address) => address.to_string(),
        IpAddr::V6(address) => {
            let [a, b, c, d, ..] = address.segments();
            Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0).to_string()
        }
    }
}

/// The wish to go on as a `WebSocket`.
#[derive(Debug)]
pub(crate) struct Upgrade(pub(crate) WebSocketUpgrade);

impl<S: Send + Sync> FromRequestParts<S> for Upgrade {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        let upgrade = WebSocketUpgrade::from_request_parts(parts, state).await;
        upgrade
            .map(Self)
            .map_err(|_| ApiError::invalid("this is a WebSocket: send an upgrade"))
    }
}

/// `Idempotency-Key`: 1 to 255 lower-case letters, digits and dashes.
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
            .ok_or_else(|| ApiError::invalid("not a valid Idempotency-Key"))
    }
}
