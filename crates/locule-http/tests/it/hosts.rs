//! The host names that the platform answers to, and where it answers to the routing headers (ADR 0025).

use axum::body::Body;
use http::{Request, Version};
use locule_http::{HttpConfig, Names, Origin};
use serde_json::{Value, json};
use sqlx::PgPool;

use crate::app::{Answer, App};
use crate::raw::exchange;

/// Creates a sandbox with public ports over the E2B dialect.
pub(crate) async fn public_sandbox(app: &App) -> Value {
    let body = json!({"templateID": "base"}).to_string();
    let made = app.call("POST", "/v2/sandboxes", &body).await;
    assert_eq!(made.status, 201, "{}", made.json);
    made.json
}

pub(crate) fn id_of(sandbox: &Value) -> &str {
    sandbox["sandboxID"].as_str().unwrap()
}

pub(crate) async fn get(app: &App, path: &str, headers: &[(&str, &str)]) -> Answer {
    request(app, "GET", path, headers).await
}

pub(crate) async fn request(
    app: &App,
    method: &str,
    path: &str,
    headers: &[(&str, &str)],
) -> Answer {
    let mut request = Request::builder().method(method).uri(path);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    app.send_as_it_is(request.body(Body::empty()).unwrap())
        .await
}

#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn the_platform_answers_to_its_own_host_names_alone(pool: PgPool) {
    let names = Names {
        listen: Some([0, 0, 0, 0].into()),
        public: Origin::of_url("https://locule.example.com").ok(),
        ..Names::default()
    };
    let app = started_with(pool, names).await;
    for host in [
        "localhost:8000",
        "x.localhost",
        "127.0.0.1",
        "127.1.2.3:1",
        "[::1]:8000",
        "0.0.0.0:8000",
        "LOCULE.example.com",
        "locule.example.com:8443",
    ] {
        let answer = get(&app, "/health", &[("host", host)]).await;
        assert_eq!(answer.status, 200, "{host}");
    }
    for host in [
        "evil.test",
        "192.0.2.1",
        "locule.example.com.evil.test",
        "80-x.locule.example.com",
    ] {
        let answer = get(
            &app,
            "/v1/sandboxes",
            &[("host", host), ("x-api-key", &app.key)],
        )
        .await;
        assert_eq!(answer.status, 421, "{host}");
        assert_eq!(answer.json["error"]["code"], "misdirected_request");
        let answer = get(&app, "/sandboxes", &[("host", host)]).await;
        assert_eq!(answer.json["error_code"], "misdirected_request");
        assert_eq!(answer.json["code"], 421);
    }
}

#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn a_page_that_rebinds_its_own_name_reaches_nothing(pool: PgPool) {
    let app = App::start(pool).await;
    let rebound = [
        ("host", "evil.test:8000"),
        ("origin", "http://evil.test:8000"),
        ("content-type", "application/json"),
    ];
    let answer = request(&app, "POST", "/v1/auth/signup", &rebound).await;
    assert_eq!(answer.status, 421);
    let sandbox = public_sandbox(&app).await;
    let host = format!("8080-{}.evil.test", id_of(&sandbox));
    assert_eq!(get(&app, "/", &[("host", &host)]).await.status, 421);
    assert!(app.guest.web_request.lock().unwrap().is_none());
}

#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn a_request_names_exactly_one_host(pool: PgPool) {
    let app = App::start(pool).await;
    let sandbox = public_sandbox(&app).await;
    let port = format!("8080-{}.localhost", id_of(&sandbox));
    for (head, status) in [
        (
            "GET /health HTTP/1.1\r\nHost: localhost\r\n".to_owned(),
            200,
        ),
        (
            "GET /health HTTP/1.1\r\nHost: localhost\r\nHost: localhost\r\n".to_owned(),
            400,
        ),
        (
            format!("GET / HTTP/1.1\r\nHost: localhost\r\nHost: {port}\r\n"),
            400,
        ),
        (
            format!("GET / HTTP/1.1\r\nHost: {port}\r\nHost: localhost\r\n"),
            400,
        ),
        ("GET /health HTTP/1.1\r\n".to_owned(), 400),
        ("GET /health HTTP/1.1\r\nHost:\r\n".to_owned(), 400),
        (
            "GET /health HTTP/1.1\r\nHost: a@localhost\r\n".to_owned(),
            400,
        ),
        (
            "GET http://localhost:80/health HTTP/1.1\r\nHost: localhost\r\n".to_owned(),
            200,
        ),
        (
            format!("GET http://{port}/ HTTP/1.1\r\nHost: localhost\r\n"),
            400,
        ),
        (
            "GET http://localhost/health HTTP/1.1\r\nHost: evil.test\r\n".to_owned(),
            400,
        ),
        (
            "GET http://localhost:81/health HTTP/1.1\r\nHost: localhost\r\n".to_owned(),
            400,
        ),
        // Health checks of load balancers; no browser sends HTTP/1.0.
        ("GET /health HTTP/1.0\r\n".to_owned(), 200),
        (
            "GET /health HTTP/1.0\r\nHost: evil.test\r\n".to_owned(),
            421,
        ),
    ] {
        let said = exchange(
            app.listen().await,
            &format!("{head}Connection: close\r\n\r\n"),
        )
        .await;
        let begin = said.split(' ').nth(1);
        assert_eq!(begin, Some(status.to_string().as_str()), "{head}: {said}");
    }
    assert!(app.guest.web_request.lock().unwrap().is_none());
}

pub(crate) async fn started_with(pool: PgPool, names: Names) -> App {
    let http = HttpConfig {
        names,
        ..HttpConfig::default()
    };
    App::start_within(pool, http).await
}

#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn with_a_sandbox_domain_sandboxes_are_answered_under_it_alone(pool: PgPool) {
    let names = Names {
        sandbox_domain: "sbx.test:8443".parse().ok(),
        ..Names::default()
    };
    let app = started_with(pool, names).await;
    let sandbox = public_sandbox(&app).await;
    assert_eq!(sandbox["domain"], "sbx.test:8443");
    let id = id_of(&sandbox);
    let (label, prefixed) = (
        format!("8080-{id}.sbx.test:8443"),
        format!("8080-{id}.sbx.test"),
    );
    let of_sandbox = [
        ("e2b-sandbox-id", id),
        ("e2b-sandbox-port", "8080"),
        ("x-api-key", app.key.as_str()),
    ];
    for (host, by_header, status) in [
        ("sbx.test", true, 200),
        ("sandbox.sbx.test:8443", true, 200),
        ("api.sbx.test", true, 200),
        (&label, true, 200),
        (&prefixed, false, 200),
        ("localhost", true, 421),
        ("127.0.0.1:8000", true, 421),
        ("evil.test", true, 421),
        // The domain is the sandboxes', except for the API of clients that know the domain alone.
        ("sbx.test", false, 421),
        ("sandbox.sbx.test", false, 421),
    ] {
        let mut headers = vec![("host", host)];
        headers.extend(of_sandbox.iter().filter(|_| by_header));
        let answer = get(&app, "/x", &headers).await;
        assert_eq!(answer.status, status, "{host} {by_header}");
        let is_restricted = answer.headers.contains_key("content-security-policy");
        assert_eq!(
            is_restricted,
            by_header && host != label,
            "{host} {by_header}"
        );
    }
    let refused = get(
        &app,
        "/x",
        &[&[("host", "localhost")], &of_sandbox[..]].concat(),
    )
    .await;
    let message = refused.json["message"].as_str().unwrap();
    assert!(
        message.contains("sandbox domain") && refused.json["code"] == 421,
        "{message}"
    );
    for host in ["api.sbx.test", "localhost:8000"] {
        let answer = get(&app, "/health", &[("host", host)]).await;
        assert_eq!(answer.status, 200, "{host}");
    }
}

#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn headers_and_host_name_of_different_sandboxes_are_routed_by_header(pool: PgPool) {
    let app = App::start(pool).await;
    let (one, other) = (public_sandbox(&app).await, public_sandbox(&app).await);
    let host = format!("8080-{}.localhost", id_of(&other));
    for (sandbox, by_header) in [(&one, true), (&other, false)] {
        let headers = [
            ("host", host.as_str()),
            ("e2b-sandbox-id", id_of(sandbox)),
            ("e2b-sandbox-port", "8080"),
            ("x-api-key", &app.key),
        ];
        let answer = get(&app, "/", &headers).await;
        assert_eq!(answer.status, 200);
        assert_eq!(
            answer.headers.contains_key("content-security-policy"),
            by_header
        );
    }
}

#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn an_old_request_without_a_host_is_for_the_api(pool: PgPool) {
    let app = App::start(pool).await;
    let request = Request::get("/health").version(Version::HTTP_10);
    let answer = app
        .send_as_it_is(request.body(Body::empty()).unwrap())
        .await;
    assert_eq!(answer.status, 200);
}
