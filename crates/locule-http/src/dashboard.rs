//! The files of the dashboard, which the build of `web/` has made.
//!
//! | path | answer | cache |
//! |---|---|---|
//! | `/_app/immutable/…` | the file; its name has a hash of its content | a year |
//! | another file | the file | asked for again each time, by its ETag |
//! | a path of the user interface, for a client that takes HTML | the page, whose script shows what the path names | likewise |
//! | everything else | none: the path is the API's | |

mod files;

use std::sync::LazyLock;

use axum::body::Body;
use axum::response::{Html, IntoResponse as _, Response};
use http::request::Parts;
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};

use self::files::{Embedded, Encoding, Files};

/// The page for every path of the user interface.
const PAGE: &str = "200.html";
const IMMUTABLE: &str = "_app/immutable/";
const YEAR: HeaderValue = HeaderValue::from_static("public, max-age=31536000, immutable");
const REVALIDATED: HeaderValue = HeaderValue::from_static("no-cache");
/// What the page shows where the program was built without `web/`.
const MISSING: &str = include_str!("dashboard/missing.html");
const MISSING_POLICY: &str =
    "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";
const META: &str = "<meta http-equiv=\"content-security-policy\" content=\"";

static EMBEDDED: LazyLock<Policy> = LazyLock::new(|| Policy::of(&Embedded));

/// The answer to a request for the dashboard. `None`: the path is not the dashboard's.
pub(crate) fn answer(request: &Parts) -> Option<Response> {
    answer_from(&Embedded, &EMBEDDED, request)
}

/// The Content-Security-Policy of the page, which has the hash of its script.
#[derive(Debug)]
struct Policy(Option<HeaderValue>);

impl Policy {
    /// Reads the policy from the page. A page's own element cannot forbid frames, so that the header adds that.
    fn of(files: &impl Files) -> Self {
        let policy = files.get(PAGE).and_then(|file| {
            let page = String::from_utf8(file.content.into_owned()).ok()?;
            let (_, rest) = page.split_once(META)?;
            let (policy, _) = rest.split_once('"')?;
            let policy = policy.replace("&#39;", "'").replace("&quot;", "\"");
            HeaderValue::from_str(&format!("{policy}; frame-ancestors 'none'")).ok()
        });
        Self(policy)
    }
}

fn answer_from(files: &impl Files, policy: &Policy, request: &Parts) -> Option<Response> {
    if request.method != Method::GET && request.method != Method::HEAD {
        return None;
    }
    let path = request.uri.path().strip_prefix('/')?;
    if path != PAGE
        && let Some(mut response) = file(files, path, &request.headers)
    {
        let cache = if path.starts_with(IMMUTABLE) {
            YEAR
        } else {
            REVALIDATED
        };
        protect(&mut response, cache);
        return Some(response);
    }
    if !is_of_interface(request.uri.path()) || !takes_html(&request.headers) {
        return None;
    }
    let (mut response, policy) = match (&policy.0, file(files, PAGE, &request.headers)) {
        (Some(policy), Some(page)) => (page, policy.clone()),
        _ => (
            (StatusCode::NOT_FOUND, Html(MISSING)).into_response(),
            HeaderValue::from_static(MISSING_POLICY),
        ),
    };
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_SECURITY_POLICY, policy);
    protect(&mut response, REVALIDATED);
    Some(response)
}

/// The paths that the dashboard's script knows. A path of the API that does not exist stays an error of the API.
fn is_of_interface(path: &str) -> bool {
    let whole = [
        "/",
        "/login",
        "/activate",
        "/forgot-password",
        "/reset-password",
        "/invitation",
    ];
    let trees = ["/dashboard", "/admin"];
    whole.contains(&path)
        || is_callback(path)
        || trees.iter().any(|tree| {
            path.strip_prefix(tree)
                .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        })
}

/// `/auth/{provider}/callback`, to which a sign-in with a provider redirects.
fn is_callback(path: &str) -> bool {
    let provider = path
        .strip_prefix("/auth/")
        .and_then(|rest| rest.strip_suffix("/callback"));
    provider.is_some_and(|provider| !provider.is_empty() && !provider.contains('/'))
}

fn takes_html(headers: &HeaderMap) -> bool {
    let accepted = headers.get_all(header::ACCEPT).iter();
    accepted
        .filter_map(|value| value.to_str().ok())
        .any(|value| value.contains("text/html"))
}

/// One file, in the smallest encoding that the client takes, or 304 when the client has the file already.
fn file(files: &impl Files, path: &str, headers: &HeaderMap) -> Option<Response> {
    let plain = files.get(path)?;
    let etag = plain.etag.clone();
    let (encoding, content) = Encoding::accepted(headers)
        .find_map(|encoding| {
            let packed = files.get(&format!("{path}.{}", encoding.extension()))?;
            Some((Some(encoding), packed.content))
        })
        .unwrap_or((None, plain.content));
    let known = headers.get(header::IF_NONE_MATCH);
    let mut response = if known.is_some_and(|known| known.as_bytes() == etag.as_bytes()) {
        StatusCode::NOT_MODIFIED.into_response()
    } else {
        Response::new(Body::from(content.into_owned()))
    };
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, content_type(path));
    headers.insert(header::VARY, HeaderValue::from_static("accept-encoding"));
    if let Ok(etag) = HeaderValue::from_str(&etag) {
        headers.insert(header::ETAG, etag);
    }
    if let Some(encoding) = encoding {
        headers.insert(header::CONTENT_ENCODING, encoding.name());
    }
    Some(response)
}

/// The media types of what the build makes.
fn content_type(path: &str) -> HeaderValue {
    let (_, extension) = path.rsplit_once('.').unwrap_or_default();
    HeaderValue::from_static(match extension {
        "html" => "text/html; charset=utf-8",
        "js" | "mjs" => "text/javascript; charset=utf-8",
        "css" => "text/css; charset=utf-8",
        "json" => "application/json",
        "svg" => "image/svg+xml",
        "woff2" => "font/woff2",
        "png" => "image/png",
        _ => "application/octet-stream",
    })
}

fn protect(response: &mut Response, cache: HeaderValue) {
    let headers: [(HeaderName, HeaderValue); 5] = [
        (header::CACHE_CONTROL, cache),
        (
            header::X_CONTENT_TYPE_OPTIONS,
            HeaderValue::from_static("nosniff"),
        ),
        (
            header::REFERRER_POLICY,
            HeaderValue::from_static("no-referrer"),
        ),
        (
            HeaderName::from_static("cross-origin-opener-policy"),
            HeaderValue::from_static("same-origin"),
        ),
        (
            HeaderName::from_static("cross-origin-resource-policy"),
            HeaderValue::from_static("same-origin"),
        ),
    ];
    response.headers_mut().extend(headers);
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use http::Request;

    use super::files::File;
    use super::*;

    const CSP: &str = "default-src 'none'; script-src 'self' 'sha256-x='";

    struct Build(BTreeMap<&'static str, String>);

    impl Files for Build {
        fn get(&self, path: &str) -> Option<File> {
            self.0.get(path).map(|content| File {
                content: content.clone().into_bytes().into(),
                etag: format!("\"{}\"", content.len()),
            })
        }
    }

    fn build() -> Build {
        let page = format!("<html>{META}{}\"></html>", CSP.replace('\'', "&#39;"));
        Build(BTreeMap::from([
            (PAGE, page),
            ("theme.js", "theme".to_owned()),
            ("_app/immutable/a.js", "script".to_owned()),
            ("_app/immutable/a.js.br", "brotli".to_owned()),
            ("_app/immutable/a.js.gz", "gzip".to_owned()),
        ]))
    }

    fn get(files: &Build, path: &str, headers: &[(&str, &str)]) -> Option<Response> {
        let mut request = Request::get(path);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let (parts, ()) = request.body(()).unwrap().into_parts();
        answer_from(files, &Policy::of(files), &parts)
    }

    fn header<'a>(response: &'a Response, name: &str) -> &'a str {
        response
            .headers()
            .get(name)
            .map_or("", |value| value.to_str().unwrap())
    }

    #[test]
    fn a_path_of_the_interface_is_answered_with_the_page_and_its_policy() {
        for path in [
            "/",
            "/login",
            "/auth/github/callback",
            "/dashboard/capsules/list?q=a",
            "/admin",
            "/reset-password?token=x",
        ] {
            let response = get(&build(), path, &[("accept", "text/html,*/*")]).unwrap();
            assert_eq!(response.status(), 200, "{path}");
            assert_eq!(
                header(&response, "content-security-policy"),
                format!("{CSP}; frame-ancestors 'none'")
            );
            assert_eq!(header(&response, "cache-control"), "no-cache");
            assert_eq!(header(&response, "x-content-type-options"), "nosniff");
            assert_eq!(
                header(&response, "content-type"),
                "text/html; charset=utf-8"
            );
        }
    }

    #[test]
    fn every_other_path_and_method_and_client_is_the_apis() {
        let html = [("accept", "text/html")];
        for path in [
            "/v1/sandboxes",
            "/dashboards",
            "/auth//callback",
            "/auth/oauth/github/callback",
            "/sandboxes",
            "/_app/immutable/missing.js",
            "/../Cargo.toml",
        ] {
            assert!(get(&build(), path, &html).is_none(), "{path}");
        }
        assert!(get(&build(), "/dashboard", &[("accept", "application/json")]).is_none());
        assert!(get(&build(), "/dashboard", &[]).is_none());
        let (parts, ()) = Request::post("/login")
            .header("accept", "text/html")
            .body(())
            .unwrap()
            .into_parts();
        assert!(answer_from(&build(), &Policy::of(&build()), &parts).is_none());
    }

    #[test]
    fn a_file_comes_in_the_best_encoding_that_the_client_takes() {
        let path = "/_app/immutable/a.js";
        for (accepted, encoding, length) in [
            ("gzip, deflate, br, zstd", "br", "brotli"),
            ("gzip", "gzip", "gzip"),
            ("identity", "", "script"),
            ("br;q=0, gzip", "gzip", "gzip"),
        ] {
            let response = get(&build(), path, &[("accept-encoding", accepted)]).unwrap();
            assert_eq!(header(&response, "content-encoding"), encoding);
            assert_eq!(header(&response, "vary"), "accept-encoding");
            assert_eq!(
                header(&response, "content-type"),
                "text/javascript; charset=utf-8"
            );
            assert_eq!(
                header(&response, "cache-control"),
                "public, max-age=31536000, immutable"
            );
            let body = axum::body::HttpBody::size_hint(response.body()).exact();
            assert_eq!(body, Some(length.len() as u64));
        }
    }

    #[test]
    fn a_client_that_has_the_file_is_not_sent_it_again() {
        let response = get(&build(), "/theme.js", &[]).unwrap();
        assert_eq!(header(&response, "cache-control"), "no-cache");
        let etag = header(&response, "etag").to_owned();
        let response = get(&build(), "/theme.js", &[("if-none-match", &etag)]).unwrap();
        assert_eq!(response.status(), 304);
        let response = get(&build(), "/theme.js", &[("if-none-match", "\"0\"")]).unwrap();
        assert_eq!(response.status(), 200);
    }

    #[test]
    fn a_program_that_was_built_without_the_dashboard_says_so() {
        let empty = Build(BTreeMap::new());
        let response = get(&empty, "/dashboard", &[("accept", "text/html")]).unwrap();
        assert_eq!(response.status(), 404);
        assert_eq!(header(&response, "content-security-policy"), MISSING_POLICY);
        assert!(get(&empty, "/theme.js", &[]).is_none());
    }
}
