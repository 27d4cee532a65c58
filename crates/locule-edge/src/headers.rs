//! Which headers pass into a sandbox and back. Our credentials never do: what runs inside is not trusted with them (W-037).
//! Those of others do: programs inside have tokens of their own.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use http::{HeaderMap, HeaderName, HeaderValue, header};
use locule_agent_api::PROXY_ERROR_HEADER;
use locule_guest_api::{ACCESS_TOKEN_HEADER, CONTROL_KEY_HEADER, GUEST_PORT};

/// Cookies of the dashboard begin with this.
const OUR_COOKIE_PREFIX: &str = "locule_";

/// They describe one connection, not the message (RFC 9110 7.6.1).
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

/// The protocol a request wants to switch to.
pub(crate) fn upgrade(headers: &HeaderMap) -> Option<HeaderValue> {
    let connection = headers.get(header::CONNECTION)?.to_str().ok()?;
    let wanted = connection
        .split(',')
        .any(|option| option.trim().eq_ignore_ascii_case("upgrade"));
    wanted
        .then(|| headers.get(header::UPGRADE).cloned())
        .flatten()
}

/// Takes off everything that ends here, also what `Connection` names.
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

/// Takes off what proves something to us and nothing to the program inside: headers that only we read, and of those that
/// programs have too the values that hold a credential of ours.
pub(crate) fn strip_credentials(
    headers: &mut HeaderMap,
    port: u16,
    is_credential: impl Fn(&str) -> bool,
) {
    let ours: Vec<HeaderName> = headers
        .keys()
        .filter(|name| is_ours(name.as_str()))
        .cloned()
        .collect();
    for name in &ours {
        headers.remove(name);
    }
    let foreign = |value: &HeaderValue| (!holds(value, &is_credential)).then(|| value.clone());
    keep(headers, &header::AUTHORIZATION, foreign);
    if port != GUEST_PORT {
        // The guest agent asks for it.
        keep(
            headers,
            &HeaderName::from_static(ACCESS_TOKEN_HEADER),
            foreign,
        );
    }
    keep(headers, &header::COOKIE, without_ours);
}

fn is_ours(name: &str) -> bool {
    name == "x-api-key"
        || name == CONTROL_KEY_HEADER
        || name == PROXY_ERROR_HEADER
        || name.starts_with("e2b-")
}

/// Whether a word of the value is a credential, as it stands or in the base64 of `Basic`, whatever the scheme calls itself.
fn holds(value: &HeaderValue, is_credential: &impl Fn(&str) -> bool) -> bool {
    let shown = |text: &str| {
        text.split(|c: char| !(c.is_ascii_alphanumeric() || "_.-".contains(c)))
            .any(|word| !word.is_empty() && is_credential(word))
    };
    let text = String::from_utf8_lossy(value.as_bytes());
    let packed = |part: &str| {
        let bytes = STANDARD_NO_PAD.decode(part).unwrap_or_default();
        shown(&String::from_utf8_lossy(&bytes))
    };
    shown(&text) || text.split([' ', '\t', ',', '=']).any(packed)
}

/// Replaces the values of a header by what is left of them.
fn keep(
    headers: &mut HeaderMap,
    name: &HeaderName,
    rest: impl Fn(&HeaderValue) -> Option<HeaderValue>,
) {
    let kept: Vec<HeaderValue> = headers.get_all(name).iter().filter_map(rest).collect();
    headers.remove(name);
    for value in kept {
        headers.append(name, value);
    }
}

fn is_our_cookie(cookie: &str) -> bool {
    // Browsers let nobody but the host itself set those whose names begin so.
    let name = cookie.strip_prefix("__Host-").unwrap_or(cookie);
    name.starts_with(OUR_COOKIE_PREFIX)
}

fn without_ours(cookies: &HeaderValue) -> Option<HeaderValue> {
    let kept: Vec<&str> = cookies
        .to_str()
        .ok()?
        .split(';')
        .map(str::trim)
        .filter(|cookie| !is_our_cookie(cookie))
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
    fn credentials_of_ours_stay_outside() {
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
    fn credentials_of_others_pass() {
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
    fn our_access_token_passes_to_the_guest_agent_alone() {
        let sent = [("x-access-token", "e2b_0")];
        assert_eq!(stripped(&sent), [""; 0]);
        assert_eq!(stripped_at(GUEST_PORT, &sent), ["x-access-token: e2b_0"]);
    }

    #[test]
    fn headers_of_the_connection_end_here() {
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
    fn no_spelling_of_a_header_takes_our_credentials_inside() {
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
            let ours = |word: &str| word.contains("secret");
            strip_credentials(&mut headers, 8080, ours);
            strip_hop_by_hop(&mut headers);
            for (name, value) in &headers {
                assert!(!is_ours(name.as_str()), "{name}");
                assert!(!HOP_BY_HOP.contains(name), "{name}");
                let judged = name == header::AUTHORIZATION || name == ACCESS_TOKEN_HEADER;
                let text = String::from_utf8_lossy(value.as_bytes());
                assert!(!(judged && text.contains("secret")), "{value:?}");
                let ours = |cookie: &str| is_our_cookie(cookie.trim());
                if name == header::COOKIE {
                    assert!(!value.to_str().unwrap_or_default().split(';').any(ours));
                }
            }
            (upgraded, headers.len())
        });
    }
}
