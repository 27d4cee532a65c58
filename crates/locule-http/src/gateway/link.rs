//! A link to a port of a private sandbox: at its first use the platform sets a cookie for the host name of the port, and from then on
//! the cookie admits what the pages of that host name request (ADR 0040).
//!
//! A browser sends cookies also with requests that pages of others make, for example the page of another sandbox, which shares the
//! domain. The cookie of such a request counts for nothing, but where the person follows a link to the port.

use axum::body::Body;
use axum::extract::Request;
use axum::response::{IntoResponse as _, Response};
use http::request::Parts;
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use locule_edge::{Address, Refusal};

use super::admission::refusal;
use crate::cookies::{Cookies, Kind};
use crate::destination::Destination;
use crate::state::AppState;

/// No request for this path reaches a program, at any host name of a sandbox.
const PATH: &str = "/.locule/open";
const TOKEN: &str = "token";
const COOKIE: &str = "port";
const FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");
const FETCH_MODE: HeaderName = HeaderName::from_static("sec-fetch-mode");
const FETCH_DEST: HeaderName = HeaderName::from_static("sec-fetch-dest");

/// The address of a link, from the origin of the port.
pub(crate) fn url(origin: &str, token: &str) -> String {
    format!("{origin}{PATH}?{TOKEN}={token}")
}

/// Whether the request follows a link: one for a host name of a sandbox, whose guest agent's port has no links.
pub(super) fn is_link(destination: Destination, request: &Request) -> bool {
    let by_host = matches!(destination, Destination::ByHost(address) if !address.is_guest_agent());
    by_host && request.uri().path() == PATH
}

/// Uses the link up, sets the cookie and redirects to the program.
pub(super) async fn follow(app: &AppState, address: Address, head: &Parts) -> Response {
    match followed(app, address, head).await {
        Ok(response) => response,
        Err(refusal) => without_trace(refusal.response(None, address.port)),
    }
}

async fn followed(app: &AppState, address: Address, head: &Parts) -> Result<Response, Refusal> {
    let query = head.uri.query().unwrap_or_default();
    let mut values = form_urlencoded::parse(query.as_bytes());
    let token = values.find(|(name, _)| name == TOKEN);
    let (_, token) = token.ok_or(Refusal::Link)?;
    // A HEAD request, which programs send to look at a link, does not use it up.
    if head.method != Method::GET {
        return Err(Refusal::Link);
    }
    let (sandbox, port) = (address.sandbox, address.port);
    let followed = app.sandboxes.follow_link(sandbox, port, &token).await;
    let cookie = match followed.map_err(|error| refusal(sandbox, &error)) {
        Ok(Some(cookie)) => cookie,
        Ok(None) | Err(Refusal::NotFound) => return Err(Refusal::Link),
        Err(refusal) => return Err(refusal),
    };
    let mut response = (StatusCode::SEE_OTHER, Body::empty()).into_response();
    let headers = response.headers_mut();
    headers.insert(header::LOCATION, HeaderValue::from_static("/"));
    let value = (COOKIE, cookie.value.as_str());
    cookies(app, &head.headers).set(headers, Kind::Server, value, cookie.seconds);
    Ok(without_trace(response))
}

/// The address with the token is kept by no cache and told to no page.
fn without_trace(mut response: Response) -> Response {
    let headers = response.headers_mut();
    for (name, value) in [
        (header::CACHE_CONTROL, "private, no-store"),
        (header::REFERRER_POLICY, "no-referrer"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    response
}

fn cookies(app: &AppState, headers: &HeaderMap) -> Cookies {
    let host = headers
        .get(header::HOST)
        .and_then(|host| host.to_str().ok());
    Cookies {
        secure: host.is_some_and(|host| app.config.names.is_secure(host)),
    }
}

/// The cookie of a request for a host name of a sandbox, if a page of that host name or the person made the request.
pub(super) fn cookie(
    app: &AppState,
    destination: Destination,
    request: &Request,
) -> Option<String> {
    let by_host = matches!(destination, Destination::ByHost(_));
    let headers = request.headers();
    let counts = by_host && is_own_request(request.method(), headers);
    counts
        .then(|| cookies(app, headers).get(headers, COOKIE))
        .flatten()
}

/// Whether the request comes from a page of its own host name, or from the person who opens an address.
fn is_own_request(method: &Method, headers: &HeaderMap) -> bool {
    let is = |name: &HeaderName, value: &str| headers.get(name).is_some_and(|sent| sent == value);
    let reads = [Method::GET, Method::HEAD].contains(method);
    let is_page = is(&FETCH_MODE, "navigate") && is(&FETCH_DEST, "document");
    let site = match headers.get(FETCH_SITE) {
        // Browsers tell the site over TLS and at loopback names.
        None => true,
        Some(site) if site == "same-origin" || site == "none" => true,
        Some(_) => reads && is_page,
    };
    let origin = match headers.get(header::ORIGIN) {
        // Browsers name the origin of whatever may change something, and of every WebSocket.
        None => reads && !headers.contains_key(header::UPGRADE),
        Some(origin) => headers
            .get(header::HOST)
            .is_some_and(|host| is_origin_of(origin, host)),
    };
    site && origin
}

/// The scheme is not compared: a proxy in front may end TLS.
fn is_origin_of(origin: &HeaderValue, host: &HeaderValue) -> bool {
    let origin = origin.to_str().ok();
    let authority = origin.and_then(|origin| Some(origin.split_once("://")?.1));
    authority.is_some_and(|authority| {
        let host = host.as_bytes();
        authority.as_bytes().eq_ignore_ascii_case(host)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    type Sent<'a> = &'a [(&'static str, &'a str)];

    #[test]
    fn a_cookie_counts_for_pages_of_its_host_and_for_the_person_alone() {
        let own = ("origin", "http://8080-x.localhost:8000");
        let foreign = ("origin", "http://8080-y.localhost:8000");
        let same = ("sec-fetch-site", "same-origin");
        let sibling = ("sec-fetch-site", "same-site");
        let cross = ("sec-fetch-site", "cross-site");
        let (navigate, document) = (
            ("sec-fetch-mode", "navigate"),
            ("sec-fetch-dest", "document"),
        );
        let socket = ("upgrade", "websocket");
        let cases: &[(&str, Sent<'_>, bool)] = &[
            ("GET", &[], true),
            ("GET", &[("sec-fetch-site", "none")], true),
            ("GET", &[same], true),
            ("POST", &[same, own], true),
            ("POST", &[own], true),
            ("GET", &[own, socket], true),
            ("GET", &[sibling, navigate, document], true),
            ("GET", &[cross, navigate, document], true),
            // What a page of another host name can make a browser send.
            ("GET", &[sibling], false),
            ("GET", &[cross, ("sec-fetch-mode", "no-cors")], false),
            (
                "GET",
                &[sibling, navigate, ("sec-fetch-dest", "iframe")],
                false,
            ),
            ("POST", &[cross, navigate, document, foreign], false),
            ("POST", &[sibling, navigate, document], false),
            ("POST", &[], false),
            ("DELETE", &[same], false),
            ("POST", &[foreign], false),
            ("POST", &[("origin", "null")], false),
            ("GET", &[foreign], false),
            ("GET", &[foreign, socket], false),
            ("GET", &[socket], false),
            ("GET", &[own, socket, sibling], false),
            (
                "POST",
                &[("origin", "http://8080-x.localhost:8000.evil.test")],
                false,
            ),
        ];
        for (method, sent, expected) in cases {
            let mut headers = HeaderMap::new();
            headers.insert("host", "8080-x.localhost:8000".parse().unwrap());
            for (name, value) in *sent {
                headers.insert(*name, value.parse().unwrap());
            }
            let method = method.parse().unwrap();
            let counts = is_own_request(&method, &headers);
            assert_eq!(counts, *expected, "{method} {sent:?}");
        }
    }
}
