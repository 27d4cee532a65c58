//! Which headers pass into a sandbox and back. Our credentials never do: what runs inside is not trusted with them (W-037).

use http::{HeaderMap, HeaderName, HeaderValue, header};
use locule_agent_api::PROXY_ERROR_HEADER;
use locule_guest_api::CONTROL_KEY_HEADER;

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

/// Takes off what proves something to us and nothing to the program inside.
pub(crate) fn strip_credentials(headers: &mut HeaderMap) {
    let ours: Vec<HeaderName> = headers
        .keys()
        .filter(|name| is_ours(name.as_str()))
        .cloned()
        .collect();
    for name in &ours {
        headers.remove(name);
    }
    let bearer = headers.get_all(header::AUTHORIZATION).iter().any(is_bearer);
    if bearer {
        headers.remove(header::AUTHORIZATION);
    }
    strip_cookies(headers);
}

fn is_ours(name: &str) -> bool {
    name == "x-api-key"
        || name == CONTROL_KEY_HEADER
        || name == PROXY_ERROR_HEADER
        || name.starts_with("e2b-")
}

fn is_bearer(value: &HeaderValue) -> bool {
    let scheme = value.as_bytes().get(..6).unwrap_or_default();
    scheme.eq_ignore_ascii_case(b"bearer")
}

fn strip_cookies(headers: &mut HeaderMap) {
    let kept: Vec<HeaderValue> = headers
        .get_all(header::COOKIE)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .filter_map(|cookies| {
            let kept: Vec<&str> = cookies
                .split(';')
                .map(str::trim)
                .filter(|cookie| !cookie.starts_with(OUR_COOKIE_PREFIX))
                .collect();
            HeaderValue::from_str(&kept.join("; ")).ok()
        })
        .filter(|cookies| !cookies.is_empty())
        .collect();
    headers.remove(header::COOKIE);
    for cookies in kept {
        headers.append(header::COOKIE, cookies);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stripped(pairs: &[(&'static str, &str)]) -> Vec<String> {
        let mut headers = HeaderMap::new();
        for (name, value) in pairs {
            headers.append(*name, value.parse().unwrap());
        }
        strip_credentials(&mut headers);
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
            ("authorization", "bearer abc"),
            ("e2b-sandbox-id", "x"),
            ("e2b-traffic-access-token", "x"),
            ("locule-control-key", "x"),
            ("cookie", "locule_session=1; theirs=2"),
            ("cookie", "locule_session=1"),
            ("x-access-token", "theirs"),
        ];
        assert_eq!(
            stripped(&sent),
            ["x-access-token: theirs", "cookie: theirs=2"]
        );
    }

    #[test]
    fn a_user_name_for_the_guest_agent_passes() {
        let basic = [("authorization", "Basic cm9vdDo=")];
        assert_eq!(stripped(&basic), ["authorization: Basic cm9vdDo="]);
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
            strip_credentials(&mut headers);
            strip_hop_by_hop(&mut headers);
            for (name, value) in &headers {
                assert!(!is_ours(name.as_str()), "{name}");
                assert!(!HOP_BY_HOP.contains(name), "{name}");
                let bearer = name == header::AUTHORIZATION && is_bearer(value);
                assert!(!bearer, "{value:?}");
                let ours = |cookie: &str| cookie.trim().starts_with(OUR_COOKIE_PREFIX);
                if name == header::COOKIE {
                    assert!(!value.to_str().unwrap_or_default().split(';').any(ours));
                }
            }
            (upgraded, headers.len())
        });
    }
}
