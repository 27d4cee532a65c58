//! Which headers of a sandbox's response reach the client. What a sandbox sends is never trusted to speak as the platform
//! (ADR 0025).
//!
//! | the request named the sandbox | the response comes from | its headers |
//! |---|---|---|
//! | in `E2b-Sandbox-Id` or its access token | the address of the API, or of another sandbox | those of `ALLOWED` |
//! | in its host name | a host name of its own | all but those of `DENIED`, no cookie for another host |

use http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode, header};
use locule_guest_api::{ACCESS_TOKEN_HEADER, OFFSET_HEADER};

use crate::Address;

const VARY_BY_ROUTING: [&str; 3] = ["e2b-sandbox-id", "e2b-sandbox-port", ACCESS_TOKEN_HEADER];

/// What a response may keep that comes from the address of the API: the description of its body, and what the SDKs read. Every
/// other header acts on the whole origin, on the proxy in front, or on what a browser does next, and new ones of that kind appear.
const ALLOWED: &[&str] = &[
    "content-type",
    "content-length",
    "content-encoding",
    "content-language",
    "content-disposition",
    "content-range",
    "accept-ranges",
    "allow",
    "etag",
    "last-modified",
    "location",
    "retry-after",
    "vary",
    "access-control-allow-origin",
    "access-control-allow-methods",
    "access-control-allow-headers",
    "access-control-expose-headers",
    "access-control-max-age",
    OFFSET_HEADER,
];

/// The Connect protocol, gRPC, and the handshake of a WebSocket.
const ALLOWED_PREFIXES: [&str; 4] = ["connect-", "grpc-", "trailer-", "sec-websocket-"];

/// What a response from a sandbox's own host name loses: headers that act beyond that host name.
const DENIED: &[&str] = &[
    // The platform's own.
    "x-request-id",
    // Clears the cookies of the whole site, the platform's among them.
    "clear-site-data",
    // `Set-Cookie` is rewritten; nothing sets cookies by its old sibling.
    "set-cookie2",
    // Names another server for the host name. The connection is the platform's, not the sandbox's.
    "alt-svc",
    // Orders to the proxy in front: to serve a file or an internal location of its own.
    "x-accel-redirect",
    "x-sendfile",
    "x-lighttpd-send-file",
    "x-lighttpd-send-tempfile",
    "x-litespeed-location",
    "x-reproxy-file",
    "x-reproxy-url",
];

/// Restricts a response to a request that named the sandbox in its headers. The platform's own refusals of such a request pass
/// through here too.
pub fn restrict_routed_by_header<B>(response: &mut Response<B>) {
    let switching = response.status() == StatusCode::SWITCHING_PROTOCOLS;
    let headers = response.headers_mut();
    let removed: Vec<HeaderName> = headers
        .keys()
        .filter(|name| !(is_allowed(name) || (switching && is_of_upgrade(name))))
        .cloned()
        .collect();
    for name in removed {
        headers.remove(name);
    }
    if !headers.get(header::LOCATION).is_none_or(is_path) {
        headers.remove(header::LOCATION);
    }
    for (name, value) in [
        (header::CACHE_CONTROL, "private, no-store"),
        (header::CONTENT_SECURITY_POLICY, "sandbox"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (CROSS_ORIGIN_RESOURCE_POLICY, "same-origin"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    allow_any_origin(headers);
}

const CROSS_ORIGIN_RESOURCE_POLICY: HeaderName =
    HeaderName::from_static("cross-origin-resource-policy");

/// Restricts a response to a request that named the sandbox in its host name.
pub fn restrict_routed_by_host<B>(response: &mut Response<B>, address: Address) {
    let headers = response.headers_mut();
    for name in DENIED {
        headers.remove(*name);
    }
    let cookies: Vec<HeaderValue> = headers
        .get_all(header::SET_COOKIE)
        .iter()
        .filter_map(host_only)
        .collect();
    headers.remove(header::SET_COOKIE);
    for cookie in cookies {
        headers.append(header::SET_COOKIE, cookie);
    }
    if address.is_guest_agent() {
        allow_any_origin(headers);
    }
}

/// Adds to `Vary` the headers by which requests are routed, so that a cache never answers a request for a sandbox with a
/// response of the API, or the reverse. All of `Vary` becomes one line: nginx before 1.23 reads one line alone.
pub fn vary_by_routing(headers: &mut HeaderMap) {
    let mut names: Vec<String> = headers
        .get_all(header::VARY)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .map(|name| name.trim().to_ascii_lowercase())
        .filter(|name| !name.is_empty() && !VARY_BY_ROUTING.contains(&name.as_str()))
        .collect();
    if names.iter().any(|name| name == "*") {
        // A cache stores no such response.
        names.retain(|name| name == "*");
        names.truncate(1);
    } else {
        names.extend(VARY_BY_ROUTING.map(str::to_owned));
    }
    if let Ok(value) = HeaderValue::try_from(names.join(", ")) {
        headers.insert(header::VARY, value);
    }
}

/// A web page of any origin may read the response. A browser sends no cookie with such a request, so what the page reads is what
/// its own credential opens.
fn allow_any_origin(headers: &mut HeaderMap) {
    for name in [
        header::ACCESS_CONTROL_ALLOW_ORIGIN,
        header::ACCESS_CONTROL_EXPOSE_HEADERS,
    ] {
        headers.entry(name).or_insert(HeaderValue::from_static("*"));
    }
}

fn is_allowed(name: &HeaderName) -> bool {
    let name = name.as_str();
    let begins = |prefix: &&str| name.starts_with(*prefix);
    ALLOWED.contains(&name) || ALLOWED_PREFIXES.iter().any(begins)
}

fn is_of_upgrade(name: &HeaderName) -> bool {
    [header::CONNECTION, header::UPGRADE].contains(name)
}

/// Whether a redirect stays at the address of the request: a client that follows a redirect sends its token along. Browsers read
/// `\` as `/`, and leave out tabs.
fn is_path(location: &HeaderValue) -> bool {
    let bytes = location.as_bytes();
    bytes.first() == Some(&b'/')
        && !matches!(bytes.get(1), Some(b'/' | b'\\'))
        && bytes.iter().all(u8::is_ascii_graphic)
}

/// The cookie without its `Domain` attributes: the browser then sends it to the sandbox's own host name only.
fn host_only(cookie: &HeaderValue) -> Option<HeaderValue> {
    let mut parts = cookie.as_bytes().split(|byte| *byte == b';');
    let mut kept = parts.next()?.to_vec();
    for attribute in parts {
        let name = attribute.split(|byte| *byte == b'=').next();
        if !name.is_some_and(|name| name.trim_ascii().eq_ignore_ascii_case(b"domain")) {
            kept.push(b';');
            kept.extend_from_slice(attribute);
        }
    }
    HeaderValue::from_bytes(&kept).ok()
}

#[cfg(test)]
mod tests {
    use locule_guest_api::GUEST_PORT;
    use locule_ids::SandboxId;

    use super::*;

    fn address(port: u16) -> Address {
        let sandbox = SandboxId::random();
        Address { sandbox, port }
    }

    fn response(status: u16, pairs: &[(&'static str, &str)]) -> Response<()> {
        let mut response = Response::new(());
        *response.status_mut() = StatusCode::from_u16(status).unwrap();
        for (name, value) in pairs {
            let value = value.parse().unwrap();
            response.headers_mut().append(*name, value);
        }
        response
    }

    fn lines(response: &Response<()>) -> Vec<String> {
        let headers = response.headers().iter();
        let line = |(name, value): (&HeaderName, &HeaderValue)| {
            format!("{name}: {}", value.to_str().unwrap())
        };
        let mut lines: Vec<String> = headers.map(line).collect();
        lines.sort();
        lines
    }

    const ADDED: [&str; 6] = [
        "access-control-allow-origin: *",
        "access-control-expose-headers: *",
        "cache-control: private, no-store",
        "content-security-policy: sandbox",
        "cross-origin-resource-policy: same-origin",
        "x-content-type-options: nosniff",
    ];

    #[test]
    fn a_response_routed_by_header_keeps_the_description_of_its_body_alone() {
        let mut sent = response(
            200,
            &[
                ("content-type", "text/html"),
                ("connect-content-encoding", "gzip"),
                ("locule-offset", "7"),
                ("set-cookie", "__Host-locule_oauth_state=x; Path=/; Secure"),
                ("cache-control", "public, max-age=600"),
                ("content-security-policy", "default-src *"),
                ("x-request-id", "forged"),
                ("x-accel-expires", "600"),
                ("access-control-allow-credentials", "true"),
                ("access-control-allow-private-network", "true"),
                ("upgrade", "h2c"),
                ("some-header-of-next-year", "1"),
            ],
        );
        restrict_routed_by_header(&mut sent);
        let kept = [
            "connect-content-encoding: gzip",
            "content-type: text/html",
            "locule-offset: 7",
        ];
        let mut expected: Vec<&str> = ADDED.into_iter().chain(kept).collect();
        expected.sort_unstable();
        assert_eq!(lines(&sent), expected);
    }

    #[test]
    fn a_redirect_routed_by_header_stays_at_its_address() {
        for (location, kept) in [
            ("/a?b=c", true),
            ("/", true),
            ("//evil.test/", false),
            ("/\\evil.test/", false),
            ("/\t/evil.test/", false),
            ("https://evil.test/", false),
            ("javascript:1", false),
            ("", false),
        ] {
            let mut sent = response(302, &[("location", location)]);
            restrict_routed_by_header(&mut sent);
            assert_eq!(
                sent.headers().contains_key("location"),
                kept,
                "{location:?}"
            );
        }
    }

    #[test]
    fn a_switch_of_protocols_keeps_its_handshake() {
        let handshake = [
            ("connection", "upgrade"),
            ("upgrade", "websocket"),
            ("sec-websocket-accept", "x"),
        ];
        let mut sent = response(101, &handshake);
        sent.headers_mut()
            .insert("set-cookie", HeaderValue::from_static("a=b"));
        restrict_routed_by_header(&mut sent);
        for (name, value) in handshake {
            assert_eq!(sent.headers()[name], value);
        }
        assert!(!sent.headers().contains_key("set-cookie"));
    }

    #[test]
    fn a_cookie_routed_by_host_is_for_its_own_host_alone() {
        for (cookie, expected) in [
            ("a=b; Path=/; Secure", "a=b; Path=/; Secure"),
            ("a=b; Domain=example.com; Path=/", "a=b; Path=/"),
            ("a=b;DOMAIN = .example.com;domain;Path=/", "a=b;Path=/"),
            ("domain=b; HttpOnly", "domain=b; HttpOnly"),
            ("a=b;\tdomain=example.com", "a=b"),
        ] {
            let mut sent = response(200, &[("set-cookie", cookie), ("set-cookie", "second=1")]);
            restrict_routed_by_host(&mut sent, address(80));
            let cookies: Vec<_> = sent.headers().get_all("set-cookie").iter().collect();
            assert_eq!(cookies, [expected, "second=1"]);
        }
    }

    #[test]
    fn a_response_routed_by_host_keeps_what_acts_on_its_own_host_alone() {
        let own = [
            ("strict-transport-security", "max-age=1; includeSubDomains"),
            ("cache-control", "public"),
            ("x-theirs", "1"),
            ("refresh", "5"),
        ];
        let mut sent = response(200, &own);
        for name in DENIED {
            sent.headers_mut()
                .insert(*name, HeaderValue::from_static("x"));
        }
        restrict_routed_by_host(&mut sent, address(80));
        let mut expected: Vec<String> = own.map(|(name, value)| format!("{name}: {value}")).into();
        expected.sort();
        assert_eq!(lines(&sent), expected);
        let mut sent = response(200, &[]);
        restrict_routed_by_host(&mut sent, address(GUEST_PORT));
        assert_eq!(sent.headers()["access-control-allow-origin"], "*");
    }

    #[test]
    fn vary_becomes_one_line_that_names_the_routing_headers() {
        let mut sent = response(200, &[("vary", "Origin, E2b-Sandbox-Id"), ("vary", "x")]);
        vary_by_routing(sent.headers_mut());
        assert_eq!(
            lines(&sent),
            ["vary: origin, x, e2b-sandbox-id, e2b-sandbox-port, x-access-token"]
        );
        let mut sent = response(200, &[("vary", "x, *"), ("vary", "*")]);
        vary_by_routing(sent.headers_mut());
        assert_eq!(lines(&sent), ["vary: *"]);
    }
}

#[cfg(test)]
mod fuzz {
    use super::*;

    #[test]
    fn no_spelling_of_a_cookie_names_a_domain() {
        let seeds = [
            "a=b; Domain=example.com",
            "a=b;domain;DOMAIN =x; \tdomain\t=y",
            "domain=1;path=/",
        ];
        locule_fuzz::fuzz(&seeds, |input| {
            let Ok(cookie) = HeaderValue::from_bytes(input) else {
                return None;
            };
            let kept = host_only(&cookie)?;
            let text = String::from_utf8_lossy(kept.as_bytes()).to_ascii_lowercase();
            let mut attributes = text.split(';').skip(1);
            assert!(
                !attributes.any(|one| one.split('=').next().unwrap_or_default().trim() == "domain"),
                "{text}"
            );
            Some(kept.len())
        });
    }
}
