//! Which headers the proxy forwards into a sandbox and back. Credentials of the platform are removed, because programs in a
//! sandbox are not trusted with them (W-037). Other credentials are forwarded: programs in a sandbox have their own tokens.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use http::{HeaderMap, HeaderName, HeaderValue, header};
use locule_agent_api::{
    PROXY_ERROR_HEADER, PROXY_PROBE_HEADER, PROXY_USE_HEADER, PROXY_VISITOR_HEADER,
};
use locule_guest_api::{ACCESS_TOKEN_HEADER, CONTROL_KEY_HEADER, GUEST_PORT};

use crate::pass::Pass;

/// The prefix of the dashboard's cookies.
const PLATFORM_COOKIE_PREFIX: &str = "locule_";

/// Headers that describe one connection, not the message (RFC 9110 7.6.1).
const HOP_BY_HOP: [HeaderName; 9] = [
    header::CONNECTION,
    header::TE,
    header::TRAILER,
    header::TRANSFER_ENCODING,
    header::UPGRADE,
    HeaderName::from_static("keep-alive"),
    HeaderName::from_static("proxy-connection"),
    header::PROXY_AUTHENTICATE,
    header::PROXY_AUTHORIZATION,
];

/// The protocol that a request asks to switch to.
pub(crate) fn upgrade(headers: &HeaderMap) -> Option<HeaderValue> {
    let connection = headers.get(header::CONNECTION)?.to_str().ok()?;
    let requested = connection
        .split(',')
        .any(|option| option.trim().eq_ignore_ascii_case("upgrade"));
    requested
        .then(|| headers.get(header::UPGRADE).cloned())
        .flatten()
}

/// Removes the hop-by-hop headers, including those that `Connection` names.
pub(crate) fn strip_hop_by_hop(headers: &mut HeaderMap) {
    let named: Vec<HeaderName> = headers
        .get_all(header::CONNECTION)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .filter_map(|name| name.trim().parse().ok())
        .collect();
    for name in HOP_BY_HOP.iter().chain(&named) {
        headers.remove(name);
    }
}

/// Removes the platform's credentials: every header that only the platform reads, and each value of a shared header (such as
/// `Authorization`) that contains a credential of the platform.
pub(crate) fn strip_credentials(
    headers: &mut HeaderMap,
    port: u16,
    is_credential: impl Fn(&str) -> bool,
) {
    let platform: Vec<HeaderName> = headers
        .keys()
        .filter(|name| is_platform_header(name.as_str()))
        .cloned()
        .collect();
    for name in &platform {
        headers.remove(name);
    }
    let foreign =
        |value: &HeaderValue| (!contains_credential(value, &is_credential)).then(|| value.clone());
    filter_values(headers, &header::AUTHORIZATION, foreign);
    let access_token = HeaderName::from_static(ACCESS_TOKEN_HEADER);
    if port == GUEST_PORT {
        // The edge has checked the header; `present` sets the guest agent's own token.
        headers.remove(&access_token);
    } else {
        filter_values(headers, &access_token, foreign);
    }
    filter_values(headers, &header::COOKIE, without_platform_cookies);
}

/// Removes the cookies of a response that have a name of the platform's: a program neither sets nor clears them.
pub(crate) fn strip_platform_cookies(headers: &mut HeaderMap) {
    filter_values(headers, &header::SET_COOKIE, |cookie| {
        let name = cookie.as_bytes().trim_ascii_start();
        let is_platforms = is_platform_cookie(&String::from_utf8_lossy(name));
        (!is_platforms).then(|| cookie.clone())
    });
}

/// Adds what the host agent and the program in the sandbox are told about an admitted request.
pub(crate) fn present(headers: &mut HeaderMap, pass: Pass, own_token: &str) {
    let visitor = pass.visitor().map(|address| address.to_string());
    if let Some(visitor) = visitor.and_then(|address| HeaderValue::from_str(&address).ok()) {
        headers.insert(PROXY_VISITOR_HEADER, visitor);
    }
    match pass {
        Pass::AccessToken => {
            // The token is hexadecimal.
            if let Ok(token) = HeaderValue::from_str(own_token) {
                headers.insert(ACCESS_TOKEN_HEADER, token);
            }
        }
        Pass::Probe(_) => {
            headers.insert(PROXY_PROBE_HEADER, HeaderValue::from_static("1"));
        }
        Pass::Credential | Pass::Visitor(_) => {}
    }
}

fn is_platform_header(name: &str) -> bool {
    name == "x-api-key"
        || name == CONTROL_KEY_HEADER
        || name == PROXY_ERROR_HEADER
        || name == PROXY_PROBE_HEADER
        || name == PROXY_VISITOR_HEADER
        || name == PROXY_USE_HEADER
        || name.starts_with("e2b-")
}

/// Whether a word of the value is a credential, in plain text or base64-encoded as in `Basic`, under any scheme name.
fn contains_credential(value: &HeaderValue, is_credential: &impl Fn(&str) -> bool) -> bool {
    let in_text = |text: &str| {
        text.split(|c: char| !(c.is_ascii_alphanumeric() || "_.-".contains(c)))
            .any(|word| !word.is_empty() && is_credential(word))
    };
    let text = String::from_utf8_lossy(value.as_bytes());
    let in_base64 = |part: &str| {
        let bytes = STANDARD_NO_PAD.decode(part).unwrap_or_default();
        in_text(&String::from_utf8_lossy(&bytes))
    };
    in_text(&text) || text.split([' ', '\t', ',', '=']).any(in_base64)
}

/// Replaces each value of a header by the result of `filter`, and removes the value when there is none.
fn filter_values(
    headers: &mut HeaderMap,
    name: &HeaderName,
    filter: impl Fn(&HeaderValue) -> Option<HeaderValue>,
) {
    let kept: Vec<HeaderValue> = headers.get_all(name).iter().filter_map(filter).collect();
    headers.remove(name);
    for value in kept {
        headers.append(name, value);
    }
}

fn is_platform_cookie(cookie: &str) -> bool {
    // A browser accepts a cookie with this prefix only from the exact host that it is for.
    let name = cookie.strip_prefix("__Host-").unwrap_or(cookie);
    name.starts_with(PLATFORM_COOKIE_PREFIX)
}

fn without_platform_cookies(cookies: &HeaderValue) -> Option<HeaderValue> {
    let kept: Vec<&str> = cookies
        .to_str()
        .ok()?
        .split(';')
        .map(str::trim)
        .filter(|cookie| !is_platform_cookie(cookie))
        .collect();
    let kept = HeaderValue::from_str(&kept.join("; ")).ok()?;
    (!kept.is_empty()).then_some(kept)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stripped(pairs: &[(&'static str, &str)]) -> Vec<String> {
        stripped_at(8080, pairs)
    }

    fn stripped_at(port: u16, pairs: &[(&'static str, &str)]) -> Vec<String> {
        let mut headers = HeaderMap::new();
        for (name, value) in pairs {
            headers.append(*name, value.parse().unwrap());
        }
        strip_credentials(&mut headers, port, |word| word == "e2b_0");
        strip_hop_by_hop(&mut headers);
        headers
            .iter()
            .map(|(name, value)| format!("{name}: {}", value.to_str().unwrap()))
            .collect()
    }

    #[test]
    fn credentials_of_the_platform_are_removed() {
        // W-037
        let sent = [
            ("x-api-key", "e2b_0"),
            ("authorization", "bearer e2b_0"),
            ("authorization", "Token token=\"e2b_0\", x"),
            ("authorization", "Basic dTplMmJfMA=="),
            ("authorization", "e2b_0"),
            ("e2b-sandbox-id", "x"),
            ("e2b-traffic-access-token", "x"),
            ("locule-control-key", "x"),
            ("locule-visitor", "203.0.113.7"),
            ("cookie", "locule_session=1; theirs=2; __Host-locule_x=1"),
            ("cookie", "locule_session=1"),
            ("x-access-token", "theirs"),
        ];
        assert_eq!(
            stripped(&sent),
            ["x-access-token: theirs", "cookie: theirs=2"]
        );
    }

    #[test]
    fn other_credentials_are_forwarded() {
        for value in [
            "Bearer abc",
            "bearer e2b_",
            "Basic cm9vdDo=",
            "Digest a=\"b\"",
        ] {
            let sent = [("authorization", value)];
            assert_eq!(stripped(&sent), [format!("authorization: {value}")]);
        }
    }

    #[test]
    fn the_access_token_of_a_client_reaches_no_program() {
        for token in ["e2b_0", "another"] {
            let sent = [("x-access-token", token), ("x-access-token", "e2b_0")];
            assert_eq!(stripped_at(GUEST_PORT, &sent), [""; 0]);
        }
        assert_eq!(stripped(&[("x-access-token", "e2b_0")]), [""; 0]);
    }

    #[test]
    fn only_an_admitted_request_has_the_guests_own_token() {
        let address = "203.0.113.7".parse().ok();
        let visitor = ("locule-visitor", "203.0.113.7");
        let cases: [(Pass, &[(&str, &str)]); 5] = [
            (Pass::AccessToken, &[("x-access-token", "own")]),
            (Pass::Probe(address), &[visitor, ("locule-probe", "1")]),
            (Pass::Visitor(address), &[visitor]),
            (Pass::Visitor(None), &[]),
            (Pass::Credential, &[]),
        ];
        for (pass, expected) in cases {
            let mut headers = HeaderMap::new();
            present(&mut headers, pass, "own");
            let seen: Vec<_> = headers
                .iter()
                .map(|(name, value)| (name.as_str(), value.to_str().unwrap()))
                .collect();
            assert_eq!(seen, expected, "{pass:?}");
        }
    }

    #[test]
    fn a_program_sets_no_cookie_of_the_platform() {
        let mut headers = HeaderMap::new();
        for cookie in [
            "__Host-locule_port=x; Path=/; Secure",
            " locule_port=; Max-Age=0",
            "theirs=locule_port",
        ] {
            headers.append(header::SET_COOKIE, cookie.parse().unwrap());
        }
        strip_platform_cookies(&mut headers);
        let kept: Vec<_> = headers.get_all(header::SET_COOKIE).iter().collect();
        assert_eq!(kept, ["theirs=locule_port"]);
    }

    #[test]
    fn hop_by_hop_headers_are_removed() {
        let sent = [
            ("connection", "keep-alive, X-Secret"),
            ("x-secret", "1"),
            ("keep-alive", "1"),
            ("transfer-encoding", "chunked"),
            ("accept", "*/*"),
        ];
        assert_eq!(stripped(&sent), ["accept: */*"]);
    }
}

#[cfg(test)]
mod fuzz {
    use super::*;

    #[test]
    fn no_spelling_of_a_header_forwards_a_credential_of_the_platform() {
        let seeds = [
            "connection: keep-alive, upgrade\nupgrade: websocket\nx-api-key: secret",
            "cookie: locule_session=secret; a=b\ncookie: a=b;locule_x=secret",
            "authorization: Bearer secret\nE2b-Sandbox-Id: secret\nlocule-control-key: secret",
            "authorization: Basic c2VjcmV0\nauthorization: Digest a=\"secret\", b\nx-access-token: secret",
            "locule-proxy-error: secret\nconnection: cookie, te",
        ];
        locule_fuzz::fuzz(&seeds, |input| {
            let mut headers = HeaderMap::new();
            for line in input.split(|byte| *byte == b'\n').take(64) {
                let at = line.iter().position(|byte| *byte == b':').unwrap_or(0);
                let (name, value) = line.split_at(at);
                if let Ok(name) = HeaderName::from_bytes(name)
                    && let Ok(value) = HeaderValue::from_bytes(value[1..].trim_ascii())
                {
                    headers.append(name, value);
                }
            }
            let upgraded = upgrade(&headers).is_some();
            let is_credential = |word: &str| word.contains("secret");
            strip_credentials(&mut headers, 8080, is_credential);
            strip_hop_by_hop(&mut headers);
            for (name, value) in &headers {
                assert!(!is_platform_header(name.as_str()), "{name}");
                assert!(!HOP_BY_HOP.contains(name), "{name}");
                let shared = name == header::AUTHORIZATION || name == ACCESS_TOKEN_HEADER;
                let text = String::from_utf8_lossy(value.as_bytes());
                assert!(!(shared && text.contains("secret")), "{value:?}");
                if name == header::COOKIE {
                    let mut cookies = value.to_str().unwrap_or_default().split(';');
                    assert!(!cookies.any(|cookie| is_platform_cookie(cookie.trim())));
                }
            }
            (upgraded, headers.len())
        });
    }
}
