//! Who is asking: the one place where a credential is read, and the extractors that say what an operation asks of it.
//!
//! | extractor | let in |
//! |---|---|
//! | [`Caller`] | a key, or a person in the token's team, acting for that team; keys within their scope |
//! | [`Person`] | whoever is logged in, in a team or not |
//! | [`Member`] | whoever is logged in, and in the token's team |
//! | [`PlatformAdmin`] | whoever is logged in, and administers the platform |

use axum::extract::FromRequestParts;
use http::request::Parts;
use http::{HeaderMap, Method, header};
use locule_control::{Credential, Need};
use locule_ids::TeamId;

use crate::error::ApiError;
use crate::state::AppState;

/// Using a sandbox, as opposed to looking at one.
pub(crate) const USE_SANDBOX: Need = Need {
    sandboxes: true,
    looks: false,
};

/// By `X-API-Key` alone when it is there, else by `Authorization: Bearer`. `None`: neither was sent.
fn shown(headers: &HeaderMap) -> Result<Option<Credential<'_>>, ApiError> {
    if let Some(key) = headers.get("x-api-key") {
        let key = key.to_str().map_err(|_| ApiError::unauthorized())?;
        return Ok(Some(Credential::Key(key)));
    }
    let Some(value) = headers.get(header::AUTHORIZATION) else {
        return Ok(None);
    };
    let (scheme, token) = value
        .to_str()
        .ok()
        .and_then(|value| value.split_once(' '))
        .ok_or_else(ApiError::unauthorized)?;
    let bearer = scheme.eq_ignore_ascii_case("bearer");
    Ok(bearer.then(|| Credential::bearer(token.trim())))
}

/// An authenticated caller that acts for a team.
#[derive(Debug, Clone)]
pub(crate) struct Caller(pub(crate) locule_control::Caller);

impl Caller {
    pub(crate) fn team(&self) -> TeamId {
        self.0.team
    }

    /// `None`: no credential was sent.
    pub(crate) async fn of(headers: &HeaderMap, app: &AppState) -> Result<Option<Self>, ApiError> {
        match shown(headers)? {
            None => Ok(None),
            Some(credential) => Self::by(credential, app).await.map(Some),
        }
    }

    pub(crate) async fn by(credential: Credential<'_>, app: &AppState) -> Result<Self, ApiError> {
        let identity = app.accounts.authenticate(credential).await?;
        Ok(Self(identity.caller()?))
    }

    pub(crate) fn may(&self, need: Need) -> Result<(), ApiError> {
        Ok(self.0.may(need)?)
    }
}

impl FromRequestParts<AppState> for Caller {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, app: &AppState) -> Result<Self, ApiError> {
        let caller = Self::of(&parts.headers, app).await?;
        let caller = caller.ok_or_else(ApiError::unauthorized)?;
        caller.may(need(&parts.method, parts.uri.path()))?;
        Ok(caller)
    }
}

/// What an operation asks of a key. Those that become sockets ask for themselves: they are GET, and
/// open something.
fn need(method: &Method, path: &str) -> Need {
    let looks = ["/files/read", "/files/stream/read", "/files/list"];
    let sandboxes = ["/v1/sandboxes", "/sandboxes", "/v2/sandboxes"];
    let under = |root: &&str| {
        let rest = path.strip_prefix(*root);
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    };
    Need {
        sandboxes: sandboxes.iter().any(under),
        looks: method == Method::GET || looks.iter().any(|end| path.ends_with(end)),
    }
}

/// Somebody who is logged in.
#[derive(Debug, Clone)]
pub(crate) struct Person(pub(crate) locule_control::Person);

impl FromRequestParts<AppState> for Person {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, app: &AppState) -> Result<Self, ApiError> {
        let credential = shown(&parts.headers)?.ok_or_else(ApiError::unauthorized)?;
        let identity = app.accounts.authenticate(credential).await?;
        Ok(Self(identity.person()?))
    }
}

/// Somebody who is logged in, and in the team that the token is for.
#[derive(Debug, Clone)]
pub(crate) struct Member(pub(crate) locule_control::Person);

impl FromRequestParts<AppState> for Member {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, app: &AppState) -> Result<Self, ApiError> {
        let Person(person) = Person::from_request_parts(parts, app).await?;
        person.membership()?;
        Ok(Self(person))
    }
}

/// Somebody who is logged in, and administers the platform.
#[derive(Debug, Clone)]
pub(crate) struct PlatformAdmin(pub(crate) locule_control::Person);

impl FromRequestParts<AppState> for PlatformAdmin {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, app: &AppState) -> Result<Self, ApiError> {
        let Person(person) = Person::from_request_parts(parts, app).await?;
        person.platform_admin()?;
        Ok(Self(person))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_operation_asks_for_what_it_does() {
        for (method, path, sandboxes, looks) in [
            (Method::GET, "/v1/sandboxes", true, true),
            (Method::POST, "/v1/sandboxes/sb-1/exec", true, false),
            (Method::POST, "/v1/sandboxes/sb-1/files/list", true, true),
            (Method::DELETE, "/sandboxes/x", true, false),
            (Method::GET, "/v2/sandboxes", true, true),
            (Method::GET, "/v1/sandboxesque", false, true),
            (Method::GET, "/templates", false, true),
        ] {
            assert_eq!(need(&method, path), Need { sandboxes, looks }, "{path}");
        }
    }
}
