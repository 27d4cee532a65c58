//! Cross-origin requests of web pages (CORS). Pages of listed origins may call the API; pages of any origin may call a sandbox.
//! No response allows a browser to send cookies, or a page of a public site to reach a private network.

use axum::body::Body;
use axum::extract::Request;
use axum::response::Response;
use http::{HeaderValue, Method, header};
use locule_edge::Address;
use tower_http::cors::{AllowHeaders, AllowOrigin, Any, CorsLayer};

use crate::names::{Authority, Names};

/// The layer of the API.
pub(crate) fn layer(names: Names) -> CorsLayer {
    let allowed = move |origin: &HeaderValue, request: &http::request::Parts| {
        let host = request.headers.get(header::HOST);
        let host = host.and_then(|host| Authority::parse(host.to_str().ok()?));
        names.allow_origin(origin, host.as_ref())
    };
    CorsLayer::new()
        .allow_origin(AllowOrigin::predicate(allowed))
        .allow_methods(Any)
        // Mirrored, because `*` does not include Authorization.
        .allow_headers(AllowHeaders::mirror_request())
        .expose_headers(Any)
}

/// Whether a browser asks for the permission to send another request.
fn is_preflight(request: &Request) -> bool {
    let headers = request.headers();
    request.method() == Method::OPTIONS
        && headers.contains_key(header::ORIGIN)
        && headers.contains_key(header::ACCESS_CONTROL_REQUEST_METHOD)
}

/// Whether the request that a browser asks about names a sandbox in its headers.
pub(crate) fn asks_for_sandbox(request: &Request) -> bool {
    let requested = request
        .headers()
        .get_all(header::ACCESS_CONTROL_REQUEST_HEADERS);
    is_preflight(request)
        && requested
            .iter()
            .filter_map(|names| names.to_str().ok())
            .flat_map(|names| names.split(','))
            .any(|name| name.trim().eq_ignore_ascii_case(Address::HEADER))
}

/// Permits the request that a browser asks about, from any page and without cookies.
pub(crate) fn permit(request: &Request) -> Response {
    let mut response = Response::new(Body::empty());
    let requested = request
        .headers()
        .get(header::ACCESS_CONTROL_REQUEST_HEADERS);
    let headers = response.headers_mut();
    for (name, value) in [
        (header::ACCESS_CONTROL_ALLOW_ORIGIN, "*"),
        (header::ACCESS_CONTROL_ALLOW_METHODS, "*"),
        // The browser asks before each request: a permission that it kept would also cover a request for the API that has the
        // same path and headers.
        (header::ACCESS_CONTROL_MAX_AGE, "0"),
        (header::VARY, "access-control-request-headers"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    if let Some(requested) = requested {
        // Mirrored, because `*` does not include Authorization.
        headers.insert(header::ACCESS_CONTROL_ALLOW_HEADERS, requested.clone());
    }
    response
}
