//! Content encodings of a download.

use axum::http::{HeaderMap, header};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Encoding {
    Plain,
    Gzip,
}

/// Chooses the encoding for an `Accept-Encoding` header. A client that accepts gzip only, or refuses plain bytes, gets gzip. A
/// list of encodings, which HTTP libraries send by default, gets plain bytes, and so a length. `None`: the client accepts
/// neither.
pub(super) fn choose(headers: &HeaderMap) -> Option<Encoding> {
    let accepted = read(headers);
    match (accepted.identity, accepted.gzip) {
        (true, true) if accepted.only_gzip => Some(Encoding::Gzip),
        (true, _) => Some(Encoding::Plain),
        (false, true) => Some(Encoding::Gzip),
        (false, false) => None,
    }
}

/// Whether the client refuses plain bytes, even for an empty file or a range.
pub(super) fn refuses_identity(headers: &HeaderMap) -> bool {
    !read(headers).identity
}

struct Accepted {
    identity: bool,
    gzip: bool,
    only_gzip: bool,
}

fn read(headers: &HeaderMap) -> Accepted {
    let mut named: Vec<(String, bool)> = Vec::new();
    for value in headers.get_all(header::ACCEPT_ENCODING) {
        let Ok(text) = value.to_str() else { continue };
        for item in text.split(',').filter(|item| !item.trim().is_empty()) {
            let (coding, rest) = item.split_once(';').unwrap_or((item, ""));
            let coding = match coding.trim().to_ascii_lowercase().as_str() {
                "x-gzip" => "gzip".to_owned(),
                coding => coding.to_owned(),
            };
            named.push((coding, weight(rest) > 0.0));
        }
    }
    let accepts = |coding: &str| {
        let found = named.iter().find(|(name, _)| name == coding);
        found.map(|(_, accepted)| *accepted)
    };
    Accepted {
        identity: accepts("identity").or_else(|| accepts("*")).unwrap_or(true),
        gzip: accepts("gzip").or_else(|| accepts("*")).unwrap_or(false),
        only_gzip: named
            .iter()
            .all(|(name, accepted)| name == "gzip" || !accepted),
    }
}

/// The `q` parameter of an item; 1 if it has none, or one that cannot be parsed.
fn weight(parameters: &str) -> f32 {
    parameters
        .split(';')
        .find_map(|parameter| {
            let (name, value) = parameter.split_once('=')?;
            let is_weight = name.trim().eq_ignore_ascii_case("q");
            is_weight.then(|| value.trim().parse().ok())?
        })
        .unwrap_or(1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gzip_is_chosen_only_when_the_client_accepts_nothing_else() {
        let cases = [
            (None, Some(Encoding::Plain)),
            (Some(""), Some(Encoding::Plain)),
            (Some("gzip"), Some(Encoding::Gzip)),
            (Some("GZIP;q=0.5"), Some(Encoding::Gzip)),
            (Some("gzip;q=0"), Some(Encoding::Plain)),
            (Some("gzip, deflate"), Some(Encoding::Plain)),
            (Some("gzip, deflate, br, zstd"), Some(Encoding::Plain)),
            (Some("br"), Some(Encoding::Plain)),
            (Some("*"), Some(Encoding::Plain)),
            (Some("identity"), Some(Encoding::Plain)),
            (Some("identity;q=0, gzip"), Some(Encoding::Gzip)),
            (Some("gzip, *;q=0"), Some(Encoding::Gzip)),
            (Some("identity;q=0"), None),
            (Some("br, *; q=0"), None),
            (Some("gzip;q=0, identity;q=0.000"), None),
        ];
        for (header, chosen) in cases {
            let mut headers = HeaderMap::new();
            if let Some(header) = header {
                headers.insert(header::ACCEPT_ENCODING, header.parse().unwrap());
            }
            assert_eq!(choose(&headers), chosen, "{header:?}");
        }
    }
}
