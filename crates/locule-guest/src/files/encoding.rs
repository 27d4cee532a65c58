//! How a file may travel.

use axum::http::{HeaderMap, header};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Encoding {
    Identity,
    Gzip,
}

/// What to send for an `Accept-Encoding`. A caller who names gzip and nothing else gets it, as does one who refuses plain
/// bytes; a list, which is what libraries send by themselves, gets plain bytes and with them a length. `None`: neither will do.
pub(super) fn choose(headers: &HeaderMap) -> Option<Encoding> {
    let accepted = read(headers);
    match (accepted.identity, accepted.gzip) {
        (true, true) if accepted.only_gzip => Some(Encoding::Gzip),
        (true, _) => Some(Encoding::Identity),
        (false, true) => Some(Encoding::Gzip),
        (false, false) => None,
    }
}

/// Whether plain bytes will not do, not even for an empty file or a part of one.
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
    let said = |coding: &str| {
        let found = named.iter().find(|(name, _)| name == coding);
        found.map(|(_, wanted)| *wanted)
    };
    Accepted {
        identity: said("identity").or_else(|| said("*")).unwrap_or(true),
        gzip: said("gzip").or_else(|| said("*")).unwrap_or(false),
        only_gzip: named.iter().all(|(name, wanted)| name == "gzip" || !wanted),
    }
}

/// The `q` of one item; 1 where there is none that can be read.
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
    fn gzip_is_for_those_who_ask_for_nothing_else() {
        let cases = [
            (None, Some(Encoding::Identity)),
            (Some(""), Some(Encoding::Identity)),
            (Some("gzip"), Some(Encoding::Gzip)),
            (Some("GZIP;q=0.5"), Some(Encoding::Gzip)),
            (Some("gzip;q=0"), Some(Encoding::Identity)),
            (Some("gzip, deflate"), Some(Encoding::Identity)),
            (Some("gzip, deflate, br, zstd"), Some(Encoding::Identity)),
            (Some("br"), Some(Encoding::Identity)),
            (Some("*"), Some(Encoding::Identity)),
            (Some("identity"), Some(Encoding::Identity)),
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
