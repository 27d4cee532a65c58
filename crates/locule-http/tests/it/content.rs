//! What a sandbox cannot say at the address of the API or for another host name, and which pages may read what (ADR 0025).

use http::{HeaderMap, StatusCode};
use locule_http::{Names, Origin};
use sqlx::PgPool;

use crate::app::{Answer, App};
use crate::hosts::{get, id_of, public_sandbox, request, started_with};

/// Makes every program of a sandbox answer with these headers.
fn answer_with(app: &App, pairs: &[(&'static str, &str)]) {
    let mut headers = HeaderMap::new();
    for (name, value) in pairs {
        headers.append(*name, value.parse().unwrap());
    }
    let answer = (StatusCode::OK, headers, "theirs".to_owned());
    *app.guest.web_answer.lock().unwrap() = Some(answer);
}

const HOSTILE: &[(&str, &str)] = &[
    ("set-cookie", "__Host-locule_oauth_state=x; Path=/; Secure"),
    ("set-cookie2", "a=b"),
    ("clear-site-data", "\"*\""),
    ("strict-transport-security", "max-age=0"),
    ("service-worker-allowed", "/"),
    ("alt-svc", "h3=\"evil.test:443\""),
    ("refresh", "0; url=https://evil.test"),
    ("location", "https://evil.test/"),
    ("link", "</x>; rel=preload; as=script"),
    ("nel", "{}"),
    ("report-to", "{}"),
    ("reporting-endpoints", "a=\"https://evil.test\""),
    ("public-key-pins", "x"),
    ("expect-ct", "max-age=1"),
    ("sourcemap", "/x"),
    ("origin-agent-cluster", "?1"),
    ("content-security-policy-report-only", "default-src *"),
    ("x-accel-redirect", "/internal"),
    ("x-accel-expires", "600"),
    ("www-authenticate", "Basic"),
    ("access-control-allow-credentials", "true"),
    ("access-control-allow-private-network", "true"),
    ("age", "1"),
    ("expires", "Thu, 31 Dec 2099 23:59:59 GMT"),
    ("server-timing", "x"),
    ("accept-ch", "Sec-CH-UA"),
];

/// What every response from the address of the API says that a sandbox sent, or that was refused for a sandbox.
fn assert_restricted(answer: &Answer) {
    for (name, value) in [
        ("cache-control", "private, no-store"),
        ("content-security-policy", "sandbox"),
        ("x-content-type-options", "nosniff"),
        ("cross-origin-resource-policy", "same-origin"),
        ("access-control-allow-origin", "*"),
    ] {
        assert_eq!(answer.headers[name], value);
    }
    let vary = answer.headers["vary"].to_str().unwrap();
    assert!(
        vary.ends_with("e2b-sandbox-id, e2b-sandbox-port, x-access-token"),
        "{vary}"
    );
}

#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn a_sandbox_does_not_speak_as_the_platform_at_the_address_of_the_api(pool: PgPool) {
    let app = App::start(pool).await;
    let sandbox = public_sandbox(&app).await;
    let mut sent = HOSTILE.to_vec();
    sent.extend([
        ("content-type", "text/html"),
        ("content-security-policy", "default-src *"),
        ("cache-control", "public, max-age=600"),
        ("x-request-id", "forged"),
        ("vary", "Accept"),
    ]);
    answer_with(&app, &sent);
    let headers = [
        ("host", "localhost"),
        ("e2b-sandbox-id", id_of(&sandbox)),
        ("e2b-sandbox-port", "8080"),
        ("x-api-key", &app.key),
    ];
    let answer = get(&app, "/docs", &headers).await;
    assert_eq!(
        (answer.status.as_u16(), answer.body.as_slice()),
        (200, &b"theirs"[..])
    );
    assert_restricted(&answer);
    for (name, _) in HOSTILE {
        assert!(!answer.headers.contains_key(*name), "{name}");
    }
    assert_eq!(answer.headers["content-type"], "text/html");
    assert_eq!(
        answer.headers["vary"],
        "accept, e2b-sandbox-id, e2b-sandbox-port, x-access-token"
    );
    assert_ne!(answer.headers["x-request-id"], "forged");
}

#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn the_refusals_of_requests_for_a_sandbox_are_restricted_too(pool: PgPool) {
    let app = App::start(pool).await;
    let sandbox = public_sandbox(&app).await;
    let (host, unknown) = (("host", "localhost"), "6dfzh5ik5uxynzmlf5cshamdk");
    for (id, port, status) in [
        (unknown, "8080", 403),
        (id_of(&sandbox), "0", 400),
        ("nope", "8080", 502),
    ] {
        let headers = [
            host,
            ("e2b-sandbox-id", id),
            ("e2b-sandbox-port", port),
            ("x-api-key", &app.key),
        ];
        let answer = get(&app, "/docs", &headers).await;
        assert_eq!(answer.status, status, "{id} {port}");
        assert_restricted(&answer);
    }
    let headers = [("host", "evil.test"), ("e2b-sandbox-id", id_of(&sandbox))];
    let answer = get(&app, "/docs", &headers).await;
    assert_eq!(answer.status, 421);
    assert_restricted(&answer);
}

#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn a_sandbox_acts_on_its_own_host_name_alone(pool: PgPool) {
    let app = App::start(pool).await;
    let sandbox = public_sandbox(&app).await;
    answer_with(
        &app,
        &[
            ("set-cookie", "a=b; Domain=localhost; Path=/"),
            ("set-cookie", "c=d; HttpOnly"),
            ("clear-site-data", "\"cookies\""),
            ("alt-svc", "h3=\":1\""),
            ("x-accel-redirect", "/internal"),
            ("x-request-id", "forged"),
            ("strict-transport-security", "max-age=1; includeSubDomains"),
            ("cache-control", "public"),
        ],
    );
    let host = format!("8080-{}.localhost", id_of(&sandbox));
    let headers = [
        ("host", host.as_str()),
        (
            "cookie",
            "theirs=1; locule_oauth_token=2; __Host-locule_x=3",
        ),
    ];
    let answer = get(&app, "/", &headers).await;
    assert_eq!(answer.status, 200);
    let cookies: Vec<_> = answer.headers.get_all("set-cookie").iter().collect();
    assert_eq!(cookies, ["a=b; Path=/", "c=d; HttpOnly"]);
    for name in [
        "clear-site-data",
        "alt-svc",
        "x-accel-redirect",
        "content-security-policy",
    ] {
        assert!(!answer.headers.contains_key(name), "{name}");
    }
    assert_ne!(answer.headers["x-request-id"], "forged");
    assert_eq!(answer.headers["cache-control"], "public");
    assert!(answer.headers.contains_key("strict-transport-security"));
    let arrived = app.guest.web_request.lock().unwrap().take().unwrap();
    assert_eq!(arrived.headers["cookie"], "theirs=1");
}

#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn every_response_of_the_api_varies_by_the_routing_headers(pool: PgPool) {
    let app = App::start(pool).await;
    let local = ("host", "localhost");
    for path in [
        "/docs",
        "/openapi.json",
        "/openapi.yaml",
        "/health",
        "/v1/sandboxes",
        "/nothing",
    ] {
        let answer = get(&app, path, &[local]).await;
        let vary: Vec<_> = answer.headers.get_all("vary").iter().collect();
        // nginx ignores a longer one, and all lines but one.
        assert_eq!(vary.len(), 1, "{path}");
        let vary = vary[0].to_str().unwrap();
        assert!(
            vary.ends_with("e2b-sandbox-id, e2b-sandbox-port, x-access-token") && vary.len() <= 128,
            "{path}: {vary}"
        );
    }
    let answer = app.call("GET", "/v1/sandboxes", "").await;
    assert_eq!(answer.headers["cache-control"], "private, no-store");
}

#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn pages_of_other_origins_do_not_call_the_api(pool: PgPool) {
    let names = Names {
        public: Origin::of_url("https://locule.example.com").ok(),
        ..Names::default()
    };
    let app = started_with(pool, names).await;
    for (origin, host, allowed) in [
        ("https://locule.example.com", "locule.example.com", true),
        ("http://127.0.0.1:8000", "localhost:8000", true),
        ("https://evil.example", "localhost:8000", false),
        ("http://80-x.localhost:8000", "localhost:8000", false),
        ("null", "localhost:8000", false),
    ] {
        let asks = [
            ("host", host),
            ("origin", origin),
            ("access-control-request-method", "POST"),
            (
                "access-control-request-headers",
                "authorization,content-type",
            ),
            ("access-control-request-private-network", "true"),
        ];
        let preflight = request(&app, "OPTIONS", "/v1/auth/signup", &asks).await;
        let called = get(
            &app,
            "/v1/sandboxes",
            &[asks[0], asks[1], ("x-api-key", &app.key)],
        )
        .await;
        for answer in [preflight, called] {
            let permitted = answer.headers.get("access-control-allow-origin");
            let permitted = permitted.map(|origin| origin.to_str().unwrap());
            assert_eq!(permitted, allowed.then_some(origin), "{origin}");
            for name in [
                "access-control-allow-private-network",
                "access-control-allow-credentials",
            ] {
                assert!(!answer.headers.contains_key(name), "{name}");
            }
        }
    }
}

#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn pages_of_any_origin_call_a_sandbox_without_cookies(pool: PgPool) {
    let app = App::start(pool).await;
    let sandbox = public_sandbox(&app).await;
    let agent = format!("49983-{}.localhost", id_of(&sandbox));
    for (host, requested) in [
        ("localhost:8000", "x-access-token, E2b-Sandbox-Id"),
        (agent.as_str(), "x-access-token"),
    ] {
        let asks = [
            ("host", host),
            ("origin", "https://page.test"),
            ("access-control-request-method", "POST"),
            ("access-control-request-headers", requested),
            ("access-control-request-private-network", "true"),
        ];
        let answer = request(&app, "OPTIONS", "/files", &asks).await;
        assert!(answer.status.is_success(), "{host}");
        assert_eq!(answer.headers["access-control-allow-origin"], "*");
        assert_eq!(answer.headers["access-control-allow-headers"], requested);
        if host != agent {
            // A permission that the browser kept would also cover a request for the API.
            assert_eq!(answer.headers["access-control-max-age"], "0");
        }
        for name in [
            "access-control-allow-private-network",
            "access-control-allow-credentials",
        ] {
            assert!(!answer.headers.contains_key(name), "{name}");
        }
    }
    for headers in [
        &[("host", agent.as_str())][..],
        &[
            ("host", "localhost"),
            ("e2b-sandbox-id", id_of(&sandbox)),
            ("e2b-sandbox-port", "49983"),
        ],
    ] {
        let headers = [headers, &[("origin", "https://page.test")]].concat();
        let answer = get(&app, "/health", &headers).await;
        assert_eq!(answer.status, 204);
        assert_eq!(answer.headers["access-control-allow-origin"], "*");
        assert!(
            !answer
                .headers
                .contains_key("access-control-allow-credentials")
        );
    }
}
