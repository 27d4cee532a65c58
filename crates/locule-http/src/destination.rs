//! Decides, before all else, where a request goes, and restricts what comes back from a sandbox (ADR 0025).
//!
//! ```text
//! Host ─► one host? ─► answered here? ─► E2b-Sandbox-Id ─► sandbox, restricted as the API's address demands
//!          400          421           ├► <port>-<id>    ─► sandbox, restricted to its own host name
//!                                     ├► X-Access-Token ─► sandbox, as by E2b-Sandbox-Id (ADR 0037)
//!                                     ├► signed address ─► sandbox, likewise
//!                                     └► API, also for a connect path of the E2B dialect with a key
//! ```

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::Response;
use http::{HeaderValue, Method, StatusCode, Version, header};
use locule_api::ErrorCode;
use locule_control::Limited;
use locule_edge::access::{FileLink, GuestNeed};
use locule_edge::responses::{restrict_routed_by_header, restrict_routed_by_host, vary_by_routing};
use locule_edge::{Address, AddressError, GUEST_PORT, Refusal};

use crate::address::Peer;
use crate::cross_origin;
use crate::dialect::in_dialect;
use crate::error::ApiError;
use crate::names::{Authority, Names};
use crate::state::AppState;

/// Where a request goes. An extension of each request that passes [`check`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Destination {
    Api,
    /// The answer to a browser that asks whether a page may call a sandbox.
    Permission,
    /// Named in the headers.
    ByHeader(Address),
    /// Named in the host name.
    ByHost(Address),
}

impl Destination {
    pub(crate) fn of(request: &Request) -> Option<Self> {
        request.extensions().get().copied()
    }

    pub(crate) fn address(self) -> Option<Address> {
        match self {
            Self::Api | Self::Permission => None,
            Self::ByHeader(address) | Self::ByHost(address) => Some(address),
        }
    }
}

/// Why a request goes nowhere.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Misaddressed {
    /// It names no host, or not exactly one. A proxy in front may have read another one of them.
    Host(&'static str),
    /// The platform does not answer to its host name.
    Misdirected,
    /// The platform answers at its host name, but not to the headers that name a sandbox.
    Headers,
    Address(AddressError),
}

impl Misaddressed {
    fn response(self, path: &str) -> Response {
        let (status, code, message) = match self {
            Self::Host(message) => (StatusCode::BAD_REQUEST, ErrorCode::InvalidRequest, message),
            Self::Misdirected => (
                StatusCode::MISDIRECTED_REQUEST,
                ErrorCode::MisdirectedRequest,
                "the platform does not answer to the host name of the request; use its public URL, or the address that it listens on",
            ),
            Self::Headers => return Refusal::Misdirected.response(None, 0),
            // The SDKs ask by the same words whether a sandbox is there.
            Self::Address(AddressError::Sandbox) => return Refusal::NotFound.response(None, 0),
            Self::Address(error) => return Refusal::Address(error).response(None, 0),
        };
        let message = message.to_owned();
        in_dialect(
            path,
            ApiError::Request {
                status,
                code,
                message,
            },
        )
    }
}

/// Refuses requests that name no host of the platform, notes the destination of all others, and restricts their responses.
pub(crate) async fn check(
    State(app): State<AppState>,
    mut request: Request,
    next: Next,
) -> Response {
    let by_header = Address::is_in(request.headers());
    let mut destination = destination(&app.config.names, &request);
    if destination == Ok(Destination::Api)
        && let Some(link) = link_without_sandbox(&app.config.names, &request)
    {
        let Peer(client) = Peer::of(request.headers(), request.extensions(), &app);
        match signed(&app, &client, &link).await {
            Ok(Some(address)) => destination = Ok(Destination::ByHeader(address)),
            Ok(None) => {}
            Err(error) => return in_dialect(request.uri().path(), error),
        }
    }
    let mut response = match destination {
        Ok(Destination::Permission) => cross_origin::permit(&request),
        Ok(destination) => {
            request.extensions_mut().insert(destination);
            next.run(request).await
        }
        Err(error) => error.response(request.uri().path()),
    };
    match destination {
        Ok(Destination::ByHost(address)) => restrict_routed_by_host(&mut response, address),
        Ok(Destination::Api) => {}
        Ok(Destination::ByHeader(_)) => restrict_routed_by_header(&mut response),
        // A refusal may be made before the sandbox is known.
        _ if by_header => restrict_routed_by_header(&mut response),
        _ => {}
    }
    vary_by_routing(response.headers_mut());
    response
}

fn destination(names: &Names, request: &Request) -> Result<Destination, Misaddressed> {
    let authority = authority(request)?;
    let answers = match &authority {
        Some(authority) => names.answers(&authority.host),
        None => Some(names.answers_without_host()),
    };
    let answers = answers.ok_or(Misaddressed::Misdirected)?;
    let in_headers = Address::of_headers(request.headers());
    let in_host = answers.label.and_then(Address::of_label);
    // The SDKs name the sandbox in the headers of every request, whatever its host.
    if let Some(in_host) = in_host
        && in_headers.is_none_or(|address| address == in_host)
    {
        return in_host
            .map(Destination::ByHost)
            .map_err(Misaddressed::Address);
    }
    match in_headers {
        Some(_) if answers.api && connects_with_key(request) => Ok(Destination::Api),
        Some(_) if !answers.routing_headers => Err(Misaddressed::Headers),
        Some(address) => address
            .map(Destination::ByHeader)
            .map_err(Misaddressed::Address),
        None if answers.routing_headers && cross_origin::asks_for_sandbox(request) => {
            Ok(Destination::Permission)
        }
        None => match named_by_token(request) {
            Some(address) if answers.routing_headers => Ok(Destination::ByHeader(address)),
            _ if answers.api => Ok(Destination::Api),
            _ => Err(Misaddressed::Misdirected),
        },
    }
}

/// Older SDKs name the sandbox in the headers of the call to the API that connects to it. No other path is the API's then: a
/// program in a sandbox may serve each of them.
fn connects_with_key(request: &Request) -> bool {
    let path = request.uri().path();
    let path = path.strip_prefix("/v2").unwrap_or(path);
    let id = path
        .strip_prefix("/sandboxes/")
        .and_then(|rest| rest.strip_suffix("/connect"));
    request.method() == Method::POST
        && id.is_some_and(|id| !id.is_empty() && !id.contains('/'))
        && request.headers().contains_key("x-api-key")
}

/// Older SDKs that have connected to a sandbox send nothing but its access token with the calls to its guest agent. A credential of
/// the API makes the request one for the API; the SDKs' `Authorization: Basic` names a user of the sandbox.
fn named_by_token(request: &Request) -> Option<Address> {
    let headers = request.headers();
    let basic = |value: &HeaderValue| {
        let scheme = value.as_bytes().first_chunk::<6>();
        scheme.is_some_and(|scheme| scheme.eq_ignore_ascii_case(b"Basic "))
    };
    let for_api = headers.contains_key("x-api-key")
        || !headers.get_all(header::AUTHORIZATION).iter().all(basic);
    Address::of_access_token(headers).filter(|_| !for_api)
}

/// The signed address of a file that the SDKs make where sandboxes have no host names: it names no sandbox (ADR 0037).
fn link_without_sandbox(names: &Names, request: &Request) -> Option<FileLink> {
    match GuestNeed::of(request.method(), request.uri()) {
        Ok(GuestNeed::File(link)) if names.sandbox_domain.is_none() => {
            link.signature().is_some().then_some(link)
        }
        _ => None,
    }
}

/// The guest agent of the sandbox with whose token an address was signed. Anybody can ask for the search, so that a client whose
/// signatures match no sandbox is refused more searches for a while.
async fn signed(
    app: &AppState,
    client: &str,
    link: &FileLink,
) -> Result<Option<Address>, ApiError> {
    // Counted before the search, so that searches at the same time do not exceed the limit, and given back after it.
    app.accounts.limit(Limited::SignatureByAddress, client)?;
    let signature = link.signature().unwrap_or_default().as_bytes();
    let sign = |token: &str| link.signed_with(token);
    let found = app.sandboxes.signed_with_token_of(signature, sign).await;
    if !matches!(found, Ok(None)) {
        app.accounts.give_back(Limited::SignatureByAddress, client);
    }
    Ok(found?.map(|sandbox| Address {
        sandbox,
        port: GUEST_PORT,
    }))
}

/// The one host that a request names. `None` in a request of HTTP/1.0 without `Host`, which load balancers send to ask for the
/// health of a server.
fn authority(request: &Request) -> Result<Option<Authority>, Misaddressed> {
    let mut hosts = request.headers().get_all(header::HOST).iter();
    let Some(host) = hosts.next() else {
        return if request.version() == Version::HTTP_10 && request.uri().host().is_none() {
            Ok(None)
        } else {
            Err(Misaddressed::Host(
                "the request has no Host; send one Host header",
            ))
        };
    };
    if hosts.next().is_some() {
        return Err(Misaddressed::Host(
            "the request has two Host headers; send one",
        ));
    }
    let parsed = host.to_str().ok().and_then(Authority::parse);
    let authority = parsed.ok_or(Misaddressed::Host(
        "the Host of the request is not a host name with an optional port",
    ))?;
    // CONNECT names the end of the tunnel instead. It is refused.
    let target = request.uri().authority();
    let target = target.filter(|_| request.method() != Method::CONNECT);
    if let Some(target) = target {
        let implied = if request.uri().scheme_str() == Some("https") {
            443
        } else {
            80
        };
        let same = Authority::parse(target.as_str()).is_some_and(|target| {
            target.host == authority.host
                && target.port.unwrap_or(implied) == authority.port.unwrap_or(implied)
        });
        if !same {
            return Err(Misaddressed::Host(
                "the Host of the request differs from the host of its target",
            ));
        }
    }
    Ok(Some(authority))
}
