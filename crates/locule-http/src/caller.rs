//! Who is asking.

use axum::extract::FromRequestParts;
use http::request::Parts;
use http::{HeaderMap, Method, header};
use locule_control::Scope;
use locule_ids::TeamId;

use crate::error::ApiError;
use crate::state::AppState;

/// An authenticated caller that acts for a team.
#[derive(Debug, Clone)]
pub(crate) struct Caller(pub(crate) locule_control::Caller);

impl Caller {
    pub(crate) fn team(&self) -> TeamId {
        self.0.team
    }

    /// By `X-API-Key` alone when it is there, else by `Authorization: Bearer`. `None`: neither was sent.
    pub(crate) async fn of(headers: &HeaderMap, app: &AppState) -> Result<Option<Self>, ApiError> {
        if let Some(key) = headers.get("x-api-key") {
            let key = key.to_str().map_err(|_| ApiError::unauthorized())?;
            let caller = app.control.authenticate_key(key).await?;
            return Ok(Some(Self(caller)));
        }
        match bearer(headers) {
            None => Ok(None),
            Some(token) => Self::of_token(token, app).await.map(Some),
        }
    }

    /// Whether it may do more than look.
    pub(crate) fn may_write(&self) -> bool {
        self.0.scope != Scope::Read
    }

    pub(crate) async fn of_token(token: &str, app: &AppState) -> Result<Self, ApiError> {
        Ok(Self(app.control.authenticate_token(token).await?))
    }
}

/// The token of `Authorization: Bearer …`.
pub(crate) fn bearer(headers: &HeaderMap) -> Option<&str> {
    let value = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    let (scheme, token) = value.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

impl FromRequestParts<AppState> for Caller {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, app: &AppState) -> Result<Self, ApiError> {
        let caller = Self::of(&parts.headers, app)
            .await?
            .ok_or_else(ApiError::unauthorized)?;
        if caller.may_write() || only_looks(&parts.method, parts.uri.path()) {
            Ok(caller)
        } else {
            Err(ApiError::read_only())
        }
    }
}

/// What a key that may only look can do besides GET.
fn only_looks(method: &Method, path: &str) -> bool {
    let looks = ["/files/read", "/files/stream/read", "/files/list"];
    method == Method::GET || looks.iter().any(|end| path.ends_with(end))
}
