//! Authentication: the one place where a credential is read, and the extractors that state what an operation needs of its
//! caller. Each operation has exactly one of them, or [`crate::need::Public`].
//!
//! | extractor | accepts |
//! |---|---|
//! | [`MayRead`] | an API key whose scope allows reading sandboxes, or a user in the token's team; acts for that team |
//! | [`MayUse`] | an API key whose scope allows using sandboxes, or a user in the token's team; acts for that team |
//! | [`SocketMayUse`] | as [`MayUse`], with the credential in the upgrade request or in the first message |
//! | [`Person`] | a user, whether in a team or not |
//! | [`Member`] | a user in the token's team |
//! | [`PlatformAdmin`] | a user that administers the platform |
//! | [`HostCaller`] | a host agent with an access token |

use std::marker::PhantomData;

use axum::extract::FromRequestParts;
use http::request::Parts;
use http::{HeaderMap, header};
use locule_api::HOST_TOKEN_HEADER;
use locule_control::{Caller, Credential, HostIdentity};
use locule_ids::TeamId;

use crate::connection::{Connection, Traffic};
use crate::error::ApiError;
use crate::memory::CallerTeam;
use crate::need::{Need, Parameter};
use crate::state::AppState;

/// The credential of a request: `X-API-Key` when present, else `Authorization: Bearer`. `None` when the request has neither.
fn credential(headers: &HeaderMap) -> Result<Option<Credential<'_>>, ApiError> {
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

/// The token after `Bearer`, whether it is valid or not.
pub(crate) fn bearer_token(headers: &HeaderMap) -> Option<&str> {
    match credential(headers) {
        Ok(Some(Credential::Token(token))) => Some(token),
        Ok(Some(Credential::Key(_)) | None) | Err(_) => None,
    }
}

/// Something that the scope of an API key may allow.
pub(crate) trait Right: Send + Sync + 'static {
    const NEED: Need;
    const KEY_NEED: locule_control::Need;
}

/// Read sandboxes and their files: no change, and no connection into a sandbox.
#[derive(Debug, Clone)]
pub(crate) struct Read;

impl Right for Read {
    const NEED: Need = Need::Read;
    const KEY_NEED: locule_control::Need = locule_control::Need {
        sandboxes: true,
        looks: true,
    };
}

/// Create, change and end sandboxes, and run commands in them.
#[derive(Debug, Clone)]
pub(crate) struct Use;

impl Right for Use {
    const NEED: Need = Need::Use;
    const KEY_NEED: locule_control::Need = locule_control::Need {
        sandboxes: true,
        looks: false,
    };
}

/// An authenticated caller that acts for a team and has the right `R`.
#[derive(Debug, Clone)]
pub(crate) struct May<R>(pub(crate) Caller, PhantomData<R>);

pub(crate) type MayRead = May<Read>;
pub(crate) type MayUse = May<Use>;

impl<R: Right> May<R> {
    pub(crate) fn team(&self) -> TeamId {
        self.0.team
    }

    /// The caller of a request. `None` when the request has no credential.
    pub(crate) async fn of(headers: &HeaderMap, app: &AppState) -> Result<Option<Self>, ApiError> {
        match credential(headers)? {
            None => Ok(None),
            Some(credential) => Self::by(credential, app).await.map(Some),
        }
    }

    pub(crate) async fn by(credential: Credential<'_>, app: &AppState) -> Result<Self, ApiError> {
        let identity = app.accounts.authenticate(credential).await?;
        let caller = identity.caller()?;
        caller.may(R::KEY_NEED)?;
        Ok(Self(caller, PhantomData))
    }

    /// Whether the caller also has the right to use sandboxes.
    pub(crate) fn may_use(&self) -> bool {
        self.0.may(Use::KEY_NEED).is_ok()
    }
}

impl<R: Right> Parameter for May<R> {
    const NEED: Option<Need> = Some(R::NEED);
}

impl<R: Right> FromRequestParts<AppState> for May<R> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, app: &AppState) -> Result<Self, ApiError> {
        let caller = Self::of(&parts.headers, app).await?;
        let caller = caller.ok_or_else(ApiError::unauthorized)?;
        app.count_request(&Connection::of(parts), caller.team(), Traffic::Api)?;
        parts.extensions.insert(CallerTeam(caller.team()));
        Ok(caller)
    }
}

/// The caller of an operation that continues as a WebSocket. A credential in the headers of the upgrade request decides before
/// the upgrade. A client that cannot set headers, such as a browser, sends its credential in the first message.
#[derive(Debug)]
pub(crate) struct SocketMayUse {
    pub(crate) caller: Option<MayUse>,
    pub(crate) connection: Connection,
}

impl Parameter for SocketMayUse {
    const NEED: Option<Need> = MayUse::NEED;
}

impl FromRequestParts<AppState> for SocketMayUse {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, app: &AppState) -> Result<Self, ApiError> {
        let connection = Connection::of(parts);
        let caller = match credential(&parts.headers)? {
            None => None,
            Some(_) => Some(MayUse::from_request_parts(parts, app).await?),
        };
        Ok(Self { caller, connection })
    }
}

/// A user that is logged in.
#[derive(Debug, Clone)]
pub(crate) struct Person(pub(crate) locule_control::Person);

impl Parameter for Person {
    const NEED: Option<Need> = Some(Need::Person);
}

impl FromRequestParts<AppState> for Person {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, app: &AppState) -> Result<Self, ApiError> {
        let credential = credential(&parts.headers)?.ok_or_else(ApiError::unauthorized)?;
        let identity = app.accounts.authenticate(credential).await?;
        Ok(Self(identity.person()?))
    }
}

/// A user that is logged in, and in the team that the token is for.
#[derive(Debug, Clone)]
pub(crate) struct Member(pub(crate) locule_control::Person);

impl Parameter for Member {
    const NEED: Option<Need> = Some(Need::Member);
}

impl FromRequestParts<AppState> for Member {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, app: &AppState) -> Result<Self, ApiError> {
        let Person(person) = Person::from_request_parts(parts, app).await?;
        person.membership()?;
        Ok(Self(person))
    }
}

/// A user that is logged in, and administers the platform.
#[derive(Debug, Clone)]
pub(crate) struct PlatformAdmin(pub(crate) locule_control::Person);

impl Parameter for PlatformAdmin {
    const NEED: Option<Need> = Some(Need::PlatformAdmin);
}

impl FromRequestParts<AppState> for PlatformAdmin {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, app: &AppState) -> Result<Self, ApiError> {
        let Person(person) = Person::from_request_parts(parts, app).await?;
        person.platform_admin()?;
        Ok(Self(person))
    }
}

/// The agent of a host. Its access token is read from a header of its own, so that a host's token is never taken for a login
/// (B-129).
#[derive(Debug, Clone, Copy)]
pub(crate) struct HostCaller(pub(crate) HostIdentity);

impl Parameter for HostCaller {
    const NEED: Option<Need> = Some(Need::Host);
}

impl FromRequestParts<AppState> for HostCaller {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, app: &AppState) -> Result<Self, ApiError> {
        let MaybeHostCaller(agent) = MaybeHostCaller::from_request_parts(parts, app).await?;
        agent.map(Self).ok_or_else(ApiError::unauthorized_host)
    }
}

/// The agent of a host, if the request has a valid access token of a host.
#[derive(Debug, Clone, Copy)]
pub(crate) struct MaybeHostCaller(pub(crate) Option<HostIdentity>);

impl Parameter for MaybeHostCaller {}

impl FromRequestParts<AppState> for MaybeHostCaller {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, app: &AppState) -> Result<Self, ApiError> {
        let token = parts.headers.get(HOST_TOKEN_HEADER);
        let token = token.and_then(|token| token.to_str().ok());
        let identity = token.and_then(|token| app.hosts.authenticate_host(token).ok());
        Ok(Self(identity))
    }
}
