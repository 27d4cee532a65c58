//! Whether a request for a port of a sandbox is admitted, and with what. A refused request reaches no sandbox and wakes none.
//!
//! | port | what a request needs |
//! |---|---|
//! | the guest agent's | a client's access token, or for `/files` a signature that was made with one; `GET /health` and a preflight need nothing |
//! | another one of a public sandbox | nothing |
//! | another one of a private sandbox | a client's traffic token, the cookie of a link to the port, or a key or login of the team that may use sandboxes |

use std::borrow::Cow;
use std::net::IpAddr;
use std::sync::Arc;

use axum::response::Response;
use http::{HeaderMap, HeaderValue, Method, StatusCode, Uri};
use locule_base::errors::chain;
use locule_control::{Cut, Grant, Route, RouteError, SandboxAccess};
use locule_domain::SandboxState;
use locule_edge::access::{FileLink, GuestNeed, takes_access_token};
use locule_edge::{
    ACCESS_TOKEN_HEADER, Address, GUEST_PORT, Pass, Refusal, guest_preflight, guest_refusal,
};
use locule_ids::SandboxId;

use crate::caller::MayUse;
use crate::state::AppState;

const TRAFFIC_TOKEN_HEADER: &str = "e2b-traffic-access-token";
/// Hexadecimal digits of a client's token.
const TOKEN_DIGITS: usize = 64;
const WRONG_TOKEN: &str = "the access token is missing or wrong";

/// A request that may be forwarded.
pub(super) struct Admission {
    pub(super) access: Arc<SandboxAccess>,
    pub(super) route: Route,
    pub(super) pass: Pass,
    pub(super) cut: Cut,
    /// The `Content-Disposition` of what a signed address reads.
    pub(super) attachment: Option<HeaderValue>,
}

/// The answer to a request that is not forwarded.
pub(super) enum Answer {
    Refusal(Refusal),
    /// The guest agent's own form of a refusal.
    Guest(StatusCode, Cow<'static, str>),
    Preflight,
}

impl From<Refusal> for Answer {
    fn from(refusal: Refusal) -> Self {
        Self::Refusal(refusal)
    }
}

impl Answer {
    fn wrong(message: &'static str) -> Self {
        Self::Guest(StatusCode::UNAUTHORIZED, message.into())
    }

    pub(super) fn response(self, address: Address, requested: Option<&HeaderValue>) -> Response {
        match self {
            Self::Refusal(refusal) => refusal.response(Some(address.sandbox), address.port),
            Self::Guest(status, message) => guest_refusal(status, &message),
            Self::Preflight => guest_preflight(requested),
        }
    }
}

/// The credentials that a request shows.
#[derive(Clone, Copy)]
pub(super) struct Credentials<'a> {
    pub(super) headers: &'a HeaderMap,
    /// The cookie of a link, if it counts.
    pub(super) cookie: Option<&'a str>,
}

/// What a request showed.
enum Shown {
    Valid(Grant),
    /// A credential that is not among those that are known.
    Unknown,
    Nothing,
}

/// Admits a request, or says why not. `visitor` is the address of its client.
pub(super) async fn admit(
    app: &AppState,
    address: Address,
    method: &Method,
    uri: &Uri,
    credentials: Credentials<'_>,
    visitor: Option<IpAddr>,
) -> Result<Admission, Answer> {
    let headers = credentials.headers;
    let found = app.sandboxes.access(address.sandbox).await;
    if address.port == GUEST_PORT {
        let (access, kept) = found.map_err(|error| refusal(address.sandbox, &error))?;
        let request = (method, uri, headers);
        return guest_port(app, address, access, kept, request, visitor).await;
    }
    let (access, kept) = found.map_err(|error| {
        let refusal = refusal(address.sandbox, &error);
        // As for a private sandbox, so that an outsider cannot tell whether there is one.
        if refusal == Refusal::NotFound {
            return Refusal::Forbidden;
        }
        refusal
    })?;
    other_port(app, address, access, kept, credentials, visitor).await
}

async fn guest_port(
    app: &AppState,
    address: Address,
    access: Arc<SandboxAccess>,
    kept: bool,
    (method, uri, headers): (&Method, &Uri, &HeaderMap),
    visitor: Option<IpAddr>,
) -> Result<Admission, Answer> {
    let route = access.route.as_ref().ok_or(Refusal::NotFound)?;
    reachable(route)?;
    let bad_query = |message: String| Answer::Guest(StatusCode::BAD_REQUEST, message.into());
    let need = GuestNeed::of(method, uri).map_err(bad_query)?;
    let link = match &need {
        GuestNeed::Control => return Err(Refusal::Control.into()),
        GuestNeed::Preflight => return Err(Answer::Preflight),
        GuestNeed::File(link) => Some(link),
        GuestNeed::Open | GuestNeed::AccessToken => None,
    };
    let check = |access: &SandboxAccess| by_token_or_signature(access, headers, link);
    let (access, shown) = known(app, address, access, kept, &check).await?;
    match shown {
        Shown::Valid(grant) => {
            let signed = link.filter(|_| by_access_token(&access, headers).is_none());
            if signed.is_some_and(|link| link.has_expired(app.clock.now().timestamp())) {
                return Err(Answer::wrong("signature is already expired"));
            }
            let attachment = signed.and_then(FileLink::attachment);
            let cut = app.sandboxes.guard(grant);
            let admission = admission(access, Pass::AccessToken, cut)?;
            Ok(Admission {
                attachment,
                ..admission
            })
        }
        Shown::Unknown | Shown::Nothing => match need {
            // Without a token the answer tells that the sandbox runs, but does not wake it.
            GuestNeed::Open if is_running(&access) => {
                admission(access, Pass::Probe(visitor), Cut::default())
            }
            GuestNeed::Open => Err(Refusal::NotFound.into()),
            GuestNeed::File(link) => Err(Answer::wrong(why_no_file(&link, headers))),
            GuestNeed::Control | GuestNeed::Preflight | GuestNeed::AccessToken => {
                Err(Answer::wrong(WRONG_TOKEN))
            }
        },
    }
}

async fn other_port(
    app: &AppState,
    address: Address,
    access: Arc<SandboxAccess>,
    kept: bool,
    credentials: Credentials<'_>,
    visitor: Option<IpAddr>,
) -> Result<Admission, Answer> {
    let headers = credentials.headers;
    let (access, cut) = if access.public_traffic {
        let cut = app.sandboxes.guard_visit(access.team, address.sandbox);
        (access, cut)
    } else {
        let now = app.clock.now();
        let check = |access: &SandboxAccess| {
            let by_cookie = |cookie| access.by_port_cookie(address.port, cookie, now);
            match by_traffic_token(access, headers) {
                Shown::Valid(grant) => Shown::Valid(grant),
                shown @ (Shown::Unknown | Shown::Nothing) => {
                    match credentials.cookie.map(by_cookie) {
                        Some(Some(grant)) => Shown::Valid(grant),
                        Some(None) => Shown::Unknown,
                        None => shown,
                    }
                }
            }
        };
        let (access, shown) = known(app, address, access, kept, &check).await?;
        let cut = match shown {
            Shown::Valid(grant) => app.sandboxes.guard(grant),
            Shown::Unknown | Shown::Nothing => by_key_or_login(app, &access, headers).await?,
        };
        (access, cut)
    };
    reachable(access.route.as_ref().ok_or(Refusal::NotFound)?)?;
    // The program behind the port must not see a client's token, so a token is looked up even where none is needed.
    let check = |access: &SandboxAccess| by_token_or_signature(access, headers, None);
    let (access, shown) = known(app, address, access, kept, &check).await?;
    // The code interpreter reads variables from the guest agent with the token of its request.
    let pass = match shown {
        Shown::Valid(_) if takes_access_token(address.port) => Pass::AccessToken,
        Shown::Valid(_) => Pass::Credential,
        Shown::Unknown | Shown::Nothing if access.public_traffic => Pass::Visitor(visitor),
        Shown::Unknown | Shown::Nothing => Pass::Credential,
    };
    admission(access, pass, cut)
}

fn admission(access: Arc<SandboxAccess>, pass: Pass, cut: Cut) -> Result<Admission, Answer> {
    let route = access.route.clone().ok_or(Refusal::NotFound)?;
    Ok(Admission {
        access,
        route,
        pass,
        cut,
        attachment: None,
    })
}

/// Checks what a request showed, once more against the database when it showed a credential that is not known.
async fn known(
    app: &AppState,
    address: Address,
    access: Arc<SandboxAccess>,
    kept: bool,
    check: &(impl Fn(&SandboxAccess) -> Shown + Sync),
) -> Result<(Arc<SandboxAccess>, Shown), Answer> {
    let shown = check(&access);
    if !(kept && matches!(shown, Shown::Unknown)) {
        return Ok((access, shown));
    }
    let now = app.sandboxes.access_now(address.sandbox).await;
    let now = now.map_err(|error| refusal(address.sandbox, &error))?;
    let access = now.unwrap_or(access);
    let shown = check(&access);
    Ok((access, shown))
}

fn by_access_token(access: &SandboxAccess, headers: &HeaderMap) -> Option<Grant> {
    let token = headers.get(ACCESS_TOKEN_HEADER)?;
    access.by_access_token(token.as_bytes())
}

fn by_token_or_signature(
    access: &SandboxAccess,
    headers: &HeaderMap,
    link: Option<&FileLink>,
) -> Shown {
    let signature = link.and_then(|link| Some((link, link.signature()?)));
    let by_signature = |(link, signature): (&FileLink, &str)| {
        access.by_signature(signature.as_bytes(), |token| link.signed_with(token))
    };
    let grant = by_access_token(access, headers).or_else(|| signature.and_then(by_signature));
    match grant {
        Some(grant) => Shown::Valid(grant),
        None if signature.is_some() || has_token(headers) => Shown::Unknown,
        None => Shown::Nothing,
    }
}

/// Whether the value of the header could be a client's token.
fn has_token(headers: &HeaderMap) -> bool {
    headers.get(ACCESS_TOKEN_HEADER).is_some_and(|value| {
        value.len() == TOKEN_DIGITS && value.as_bytes().iter().all(u8::is_ascii_hexdigit)
    })
}

fn by_traffic_token(access: &SandboxAccess, headers: &HeaderMap) -> Shown {
    match headers.get(TRAFFIC_TOKEN_HEADER) {
        None => Shown::Nothing,
        Some(token) => access
            .by_traffic_token(token.as_bytes())
            .map_or(Shown::Unknown, Shown::Valid),
    }
}

async fn by_key_or_login(
    app: &AppState,
    access: &SandboxAccess,
    headers: &HeaderMap,
) -> Result<Cut, Answer> {
    let caller = MayUse::of(headers, app).await.ok().flatten();
    let caller = caller.filter(|caller| caller.team() == access.team);
    let caller = caller.ok_or(Refusal::Forbidden)?;
    Ok(app.sandboxes.guard_caller(&caller.0, true))
}

/// Why a request for a file is refused: the texts are those of the guest agent, which the SDKs compare.
fn why_no_file(link: &FileLink, headers: &HeaderMap) -> &'static str {
    if link.signature().is_some() {
        "invalid signature"
    } else if headers.contains_key(ACCESS_TOKEN_HEADER) {
        WRONG_TOKEN
    } else {
        "missing signature query parameter"
    }
}

fn is_running(access: &SandboxAccess) -> bool {
    let route = access.route.as_ref();
    route.is_some_and(|route| matches!(route.state, SandboxState::Running))
}

/// Whether the sandbox runs, or may be woken by an admitted request.
pub(super) fn reachable(route: &Route) -> Result<(), Refusal> {
    match route.state {
        SandboxState::Running => Ok(()),
        SandboxState::Paused if route.auto_resume => Ok(()),
        SandboxState::Pending | SandboxState::Starting => Err(Refusal::Changing),
        SandboxState::Missing => Err(Refusal::HostUnavailable),
        SandboxState::Paused | SandboxState::Stopped { .. } | SandboxState::Error { .. } => {
            Err(Refusal::NotFound)
        }
    }
}

pub(super) fn refusal(sandbox: SandboxId, error: &RouteError) -> Refusal {
    match error {
        RouteError::NotFound => Refusal::NotFound,
        RouteError::Changing => Refusal::Changing,
        RouteError::Unavailable(_) => Refusal::HostUnavailable,
        RouteError::Internal(_) => {
            tracing::error!(sandbox.id = %sandbox, error = chain(error), "routing a request to the port of a sandbox failed");
            Refusal::Internal
        }
    }
}
