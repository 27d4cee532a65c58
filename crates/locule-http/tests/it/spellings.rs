//! Requests that are spelled so that two programs may read them differently, as raw bytes: targets, framing, and headers that
//! are about the connection. None reaches what its sender may not reach.

use std::net::SocketAddr;
use std::sync::atomic::Ordering;
use std::time::Duration;

use locule_http::ListenerLimits;
use serde_json::json;
use sqlx::PgPool;

use crate::app::App;
use crate::port_tokens::Made;
use crate::raw::{ONCE, Raw};

/// An application on a port that closes no connection for its slowness: an answer that ends the connection does.
async fn started(pool: PgPool) -> (App, SocketAddr) {
    let app = App::start(pool).await;
    let limits = ListenerLimits {
        head_timeout: Duration::from_mins(10),
        ..ListenerLimits::default()
    };
    let address = app.listen_within(limits).await;
    (app, address)
}

/// Sends raw bytes, and returns what the server sent until it closed the connection.
async fn exchange(address: SocketAddr, bytes: &[u8]) -> String {
    let raw = Raw::open("raw bytes", address, "", bytes).await;
    raw.ended().await
}

/// The status of the one answer.
fn status(said: &str, shown: &str) -> u16 {
    assert_eq!(said.matches("HTTP/1.1 ").count(), 1, "{shown}: {said}");
    let status = said
        .strip_prefix("HTTP/1.1 ")
        .and_then(|rest| rest.get(..3));
    status.unwrap_or_default().parse().expect(shown)
}

/// Whether the spelling is refused at the edge: by its meaning (404) or as no HTTP (400); or may pass to the guest agent,
/// for which it is no control path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Spelling {
    Control,
    Malformed,
    Passes,
}

fn spellings(name: &str, host: &str) -> Vec<(Vec<u8>, Spelling)> {
    use Spelling::{Control, Malformed, Passes};
    let code = format!("%{:02x}", name.as_bytes()[0]);
    let rest = &name[1..];
    let mut spellings: Vec<_> = [
        (format!("/{name}"), Control),
        (format!("//{name}"), Control),
        (format!("/./{name}"), Control),
        (format!("/x/../{name}"), Control),
        (format!("/../{name}"), Control),
        (format!("/%2f{name}"), Control),
        (format!("/%2e%2e/{name}"), Control),
        (format!("/%5c{name}"), Control),
        (format!("/\\{name}"), Control),
        (format!("/{code}{rest}"), Control),
        (format!("/%25{}{rest}", &code[1..]), Control),
        (format!("/{name};a=b"), Control),
        (format!("/;/{name}"), Control),
        (format!("/{name}%00"), Control),
        (format!("/{name}%20"), Control),
        (format!("/{name}%23a"), Control),
        (format!("/{name}#a"), Control),
        (format!("/{name}?a"), Control),
        (format!("/{name}/"), Control),
        (format!("/{}", name.to_uppercase()), Control),
        (format!("http://{host}/{name}"), Control),
        (format!("\\{name}"), Malformed),
        (name.to_owned(), Malformed),
        (format!("/ {name}"), Malformed),
        (format!("/{name}\0"), Malformed),
        (format!("/%c0%af{name}"), Passes),
        (format!("/x/{name}"), Passes),
    ]
    .map(|(target, spelling)| (target.into_bytes(), spelling))
    .into();
    // An over-long encoding of `/`, which is not UTF-8.
    spellings.push(([b"/\xc0\xaf", name.as_bytes()].concat(), Malformed));
    spellings
}

#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn no_raw_spelling_of_a_control_path_reaches_the_guest_agent(pool: PgPool) {
    let (app, address) = started(pool).await;
    let made = Made::private(&app, json!({})).await;
    let label = format!("49983-{}.localhost", made.id);
    let by_header = format!(
        "localhost\r\nE2b-Sandbox-Id: {}\r\nE2b-Sandbox-Port: 49983",
        made.id
    );
    let mut passed = 0;
    for name in ["init", "freeze", "thaw", "sync"] {
        for host in [&label, &by_header] {
            let authority = host.lines().next().unwrap_or_default();
            for (target, spelling) in spellings(name, authority) {
                let headers = format!(
                    " HTTP/1.1\r\nHost: {host}\r\n{ONCE}X-Access-Token: {}\r\nLocule-Control-Key: x\r\nContent-Length: 0\r\n\r\n",
                    made.access
                );
                let request = [b"POST ", target.as_slice(), headers.as_bytes()].concat();
                let said = exchange(address, &request).await;
                let shown = format!("{} {host}", String::from_utf8_lossy(&target));
                let refused = status(&said, &shown);
                let expected: &[u16] = match spelling {
                    Spelling::Control => &[404],
                    Spelling::Malformed => &[400],
                    // The guest agent says that there is no such path, or no such call.
                    Spelling::Passes => &[404, 415],
                };
                assert!(expected.contains(&refused), "{shown}: {said}");
                passed += usize::from(spelling == Spelling::Passes);
            }
        }
    }
    assert_eq!(app.guest.control_calls.load(Ordering::SeqCst), 0);
    let arrived = app.guest.access_tokens.lock().unwrap().len();
    assert_eq!(arrived, passed, "requests for control paths were forwarded");
}

/// A path is the sandbox's own, whatever it is: none leads to another sandbox, or to a call of the host agent.
#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn no_path_leaves_the_sandbox_that_the_request_names(pool: PgPool) {
    let (app, address) = started(pool).await;
    let (made, other) = (
        Made::private(&app, json!({})).await,
        Made::private(&app, json!({})).await,
    );
    for path in [
        format!("/../../{}/8080/x", other.id),
        format!("/..%2f..%2f{}%2f8080/x", other.id),
        format!("/%2e%2e/%2e%2e/{}/8080/x", other.id),
        format!("//proxy/{}/8080/x", other.id),
        "/../../../locule.agent.v1.HostAgent/List".to_owned(),
    ] {
        let request = format!(
            "GET {path} HTTP/1.1\r\nHost: 8080-{}.localhost\r\n{ONCE}E2b-Traffic-Access-Token: {}\r\n\r\n",
            made.id, made.traffic
        );
        let said = exchange(address, request.as_bytes()).await;
        assert_eq!(status(&said, &path), 200, "{said}");
        let arrived = app.guest.web_request.lock().unwrap().take();
        assert_eq!(arrived.unwrap().path, path);
    }
}

/// Headers about the connection and trailers change neither what a request carries inward nor what it is.
#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn headers_about_the_connection_and_trailers_are_harmless(pool: PgPool) {
    let (app, address) = started(pool).await;
    let made = Made::private(&app, json!({})).await;
    let port = |port: u16| {
        format!(
            "Host: {port}-{}.localhost\r\nE2b-Traffic-Access-Token: {}\r\nX-Access-Token: {}\r\n",
            made.id, made.traffic, made.access
        )
    };
    let (web, guest) = (port(8080), port(49983));
    let h2c = "Connection: Upgrade, HTTP2-Settings, close\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA\r\n";
    let chunked = "Transfer-Encoding: chunked\r\nTrailer: Locule-Control-Key, X-Theirs\r\n\r\n3\r\nabc\r\n0\r\nLocule-Control-Key: x\r\nX-Theirs: x\r\nX-Access-Token: x\r\n\r\n";
    let named =
        "Connection: close, X-Access-Token, Host, Content-Length, Locule-Probe, E2b-Sandbox-Id\r\n";
    for (request, expected) in [
        (
            format!("GET /health HTTP/1.1\r\nHost: localhost\r\n{h2c}\r\n"),
            200,
        ),
        (format!("GET /health HTTP/1.1\r\n{guest}{h2c}\r\n"), 204),
        (format!("GET /x HTTP/1.1\r\n{web}{h2c}\r\n"), 200),
        (format!("POST /x HTTP/1.1\r\n{web}{ONCE}{chunked}"), 200),
        (
            format!("POST /x HTTP/1.1\r\n{web}{named}Content-Length: 3\r\n\r\nabc"),
            200,
        ),
        (
            format!("GET /files?path=/x HTTP/1.1\r\n{guest}{named}\r\n"),
            404,
        ),
    ] {
        let said = exchange(address, request.as_bytes()).await;
        assert_eq!(status(&said, &request), expected, "{request}: {said}");
        if let Some(arrived) = app.guest.web_request.lock().unwrap().take() {
            let body: &[u8] = if request.starts_with("POST") {
                b"abc"
            } else {
                b""
            };
            assert_eq!(arrived.body, body, "{request}");
            for name in [
                "locule-control-key",
                "locule-probe",
                "x-access-token",
                "x-theirs",
            ] {
                assert!(!arrived.headers.contains_key(name), "{request}: {name}");
            }
        }
    }
    // `Connection` named the token that the edge had read: the guest agent gets its own all the same.
    let arrived = app.guest.access_tokens.lock().unwrap().pop().flatten();
    assert_ne!(arrived.unwrap(), made.access);
}

/// Requests whose end two programs may find at different places.
const AMBIGUOUS: [&str; 21] = [
    "Content-Length: 1\r\nContent-Length: 2\r\n\r\nab",
    "Content-Length: 1, 1\r\n\r\na",
    "Content-Length: +1\r\n\r\na",
    "Content-Length: -1\r\n\r\n",
    "Content-Length: 0x1\r\n\r\na",
    "Content-Length: 1 1\r\n\r\na",
    "Content-Length:\r\n\r\n",
    "Content-Length: 18446744073709551616\r\n\r\n",
    "Content-Length : 1\r\n\r\na",
    "Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n",
    "Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
    "Transfer-Encoding: identity\r\n\r\n0\r\n\r\n",
    "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n0\r\n\r\n",
    "Transfer-Encoding: \"chunked\"\r\n\r\n0\r\n\r\n",
    "Transfer-Encoding: chunked;a=b\r\n\r\n0\r\n\r\n",
    "Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n",
    "Transfer-Encoding:\x0bchunked\r\n\r\n0\r\n\r\n",
    "X-Theirs: a\r\n b\r\n\r\n",
    "X-Theirs: a\0b\r\n\r\n",
    "X-Theirs: a\rb\r\n\r\n",
    "X-Theirs: a\rTransfer-Encoding: chunked\r\n\r\n",
];

#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn a_request_whose_end_is_ambiguous_is_refused_and_its_connection_closed(pool: PgPool) {
    let (app, address) = started(pool).await;
    let made = Made::private(&app, json!({})).await;
    let hidden = format!(
        "GET /hidden HTTP/1.1\r\nHost: 8080-{}.localhost\r\nE2b-Traffic-Access-Token: {}\r\n\r\n",
        made.id, made.traffic
    );
    let head = hidden.replace("GET /hidden", "POST /x");
    let head = head.strip_suffix("\r\n").unwrap();
    for framing in AMBIGUOUS {
        let said = exchange(address, format!("{head}{framing}{hidden}").as_bytes()).await;
        assert_eq!(status(&said, framing), 400, "{framing}: {said}");
    }
    for request in [
        format!("GET /hidden\r\n{hidden}"),
        format!("GET  /hidden  HTTP/1.1\r\n{hidden}"),
        format!("GET /hidden HTTP/1.1\rHost: x\r\n\r\n{hidden}"),
        format!("{}{hidden}", hidden.replace("HTTP/1.1", "HTTP/3.1")),
        format!(
            "{}Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n{hidden}",
            head.replace("HTTP/1.1", "HTTP/1.0")
        ),
        format!("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n{hidden}"),
    ] {
        let said = exchange(address, request.as_bytes()).await;
        assert!(
            !said.contains("HTTP/1.1 2") && !said.contains("HTTP/1.0 2"),
            "{request}: {said}"
        );
        assert!(said.matches("HTTP/1.").count() <= 1, "{request}: {said}");
    }
    assert!(
        app.guest.web_request.lock().unwrap().is_none(),
        "a program in the sandbox saw a part of a refused request"
    );
}

/// Both lengths: the chunks count, and the connection ends after the one answer.
#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn a_request_with_two_kinds_of_length_is_the_last_of_its_connection(pool: PgPool) {
    let (app, address) = started(pool).await;
    let made = Made::private(&app, json!({})).await;
    let head = format!(
        "POST /x HTTP/1.1\r\nHost: 8080-{}.localhost\r\nE2b-Traffic-Access-Token: {}\r\n",
        made.id, made.traffic
    );
    let hidden = "0\r\n\r\nGET /hidden HTTP/1.1\r\nHost: x\r\n\r\n";
    let lengths = [
        format!("Content-Length: {}\r\n", hidden.len()),
        "Transfer-Encoding: chunked\r\n".to_owned(),
    ];
    for [first, second] in [[0, 1], [1, 0]] {
        let framing = format!("{}{}\r\n", lengths[first], lengths[second]);
        let said = exchange(address, format!("{head}{framing}{hidden}").as_bytes()).await;
        status(&said, &framing);
        if let Some(arrived) = app.guest.web_request.lock().unwrap().take() {
            let headers = &arrived.headers;
            assert!(!headers.contains_key("content-length"), "{headers:?}");
            assert_eq!(
                (arrived.path.as_str(), arrived.body.as_slice()),
                ("/x", &b""[..])
            );
        }
    }
}

#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn a_chunk_that_is_no_chunk_ends_the_request_and_its_connection(pool: PgPool) {
    let (app, address) = started(pool).await;
    let made = Made::private(&app, json!({})).await;
    let hidden = "GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n";
    let api = "POST /v1/auth/login HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n";
    let port = format!(
        "POST /x HTTP/1.1\r\nHost: 8080-{}.localhost\r\nE2b-Traffic-Access-Token: {}\r\nTransfer-Encoding: chunked\r\n\r\n",
        made.id, made.traffic
    );
    for chunk in [
        "ffffffffffffffff1\r\n",
        "10000000000000000\r\nab\r\n0\r\n\r\n",
        "-1\r\nab\r\n0\r\n\r\n",
        "0x1\r\na\r\n0\r\n\r\n",
        "zz\r\n",
        "\r\n",
        "1\r\nab\r\n0\r\n\r\n",
        "1;\0\n\r\na\r\n0\r\n\r\n",
    ] {
        let said = exchange(address, format!("{api}{chunk}{hidden}").as_bytes()).await;
        assert_eq!(status(&said, chunk), 400, "{chunk}: {said}");
        let said = exchange(address, format!("{port}{chunk}{hidden}").as_bytes()).await;
        assert!(!said.contains("HTTP/1.1 2"), "{chunk}: {said}");
        assert!(said.matches("HTTP/1.1 ").count() <= 1, "{chunk}: {said}");
    }
    assert!(app.guest.web_request.lock().unwrap().is_none());
}
