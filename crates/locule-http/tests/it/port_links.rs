//! Links that open a port of a private sandbox in a browser, and the cookies that they leave (ADR 0040).

use std::time::Duration;

use http::Request;
use locule_http::{Names, Origin};
use serde_json::{Value, json};
use sqlx::PgPool;

use crate::app::{Answer, App, EMAIL};
use crate::file_addresses::parts;
use crate::hosts::{request, started_with};

const REFUSED: &str =
    "The sandbox is private or does not exist; send its traffic access token or a key of its team";

/// A browser at the host name of a port.
struct Browser {
    host: String,
    cookie: String,
}

impl Browser {
    /// Follows a link.
    async fn follow(app: &App, url: &str) -> Self {
        let (host, path) = parts(url);
        let answer = request(app, "GET", &path, &[("host", &host)]).await;
        assert_eq!(answer.status, 303, "{}", answer.json);
        assert_eq!(answer.headers["location"], "/");
        assert_eq!(answer.headers["referrer-policy"], "no-referrer");
        assert_eq!(answer.headers["cache-control"], "private, no-store");
        let set = answer.headers["set-cookie"].to_str().unwrap();
        let (cookie, attributes) = set.split_once("; ").unwrap();
        assert!(
            attributes.starts_with("Path=/; HttpOnly; Max-Age="),
            "{set}"
        );
        assert!(attributes.contains("; SameSite=Lax"), "{set}");
        let cookie = cookie.to_owned();
        Self { host, cookie }
    }

    async fn ask(&self, app: &App, method: &str, headers: &[(&str, &str)]) -> Answer {
        let mut all = vec![("host", self.host.as_str()), ("cookie", &self.cookie)];
        all.extend_from_slice(headers);
        request(app, method, "/x", &all).await
    }

    async fn status(&self, app: &App) -> u16 {
        self.ask(app, "GET", &[]).await.status.as_u16()
    }
}

async fn linked(app: &App, credential: (&str, &str), host: &str, path: &str) -> Answer {
    let request = Request::post(path)
        .header("host", host)
        .header(credential.0, credential.1);
    let request = request.body(axum::body::Body::empty()).unwrap();
    app.send_as_it_is(request).await
}

/// A link of the first team's key to port 8080.
async fn link(app: &App, id: &str) -> String {
    let path = format!("/v1/sandboxes/{id}/ports/8080/link");
    let answer = linked(app, ("x-api-key", &app.key), "localhost:8000", &path).await;
    assert_eq!(answer.status, 200, "{}", answer.json);
    answer.json["url"].as_str().unwrap().to_owned()
}

/// The path and the cookies of the request that reached the program.
fn arrived(app: &App) -> Option<(String, Option<String>)> {
    let seen = app.guest.web_request.lock().unwrap().take()?;
    let cookies = seen.headers.get("cookie");
    let cookies = cookies.map(|cookies| cookies.to_str().unwrap().to_owned());
    Some((seen.path, cookies))
}

#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn a_link_opens_a_private_port_once_and_no_program_sees_it_or_its_cookie(pool: PgPool) {
    let app = App::start(pool).await;
    let id = app.sandbox().await;
    let url = link(&app, &id).await;
    let (host, path) = parts(&url);
    assert_eq!(host, format!("8080-{id}.localhost:8000"));
    let outside = request(&app, "GET", "/x", &[("host", &host)]).await;
    assert_eq!(
        (outside.status.as_u16(), &outside.json["message"]),
        (403, &json!(REFUSED))
    );
    // Programs that look at a link do not use it up.
    for method in ["HEAD", "POST"] {
        let answer = request(&app, method, &path, &[("host", &host)]).await;
        assert_eq!(answer.status, 403, "{method}");
    }
    let mut browser = Browser::follow(&app, &url).await;
    assert_eq!(arrived(&app), None);
    browser.cookie += "; theirs=1";
    assert_eq!(browser.status(&app).await, 200);
    assert_eq!(
        arrived(&app),
        Some(("/x".to_owned(), Some("theirs=1".to_owned())))
    );
    let again = request(&app, "GET", &path, &[("host", &host)]).await;
    assert_eq!(again.status, 403);
    assert!(again.headers.get("set-cookie").is_none());
    assert_eq!(arrived(&app), None);
}

#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn a_link_and_its_cookie_open_no_other_port_sandbox_or_address(pool: PgPool) {
    let app = App::start(pool).await;
    let (id, other) = (app.sandbox().await, app.sandbox().await);
    let url = link(&app, &id).await;
    let (host, path) = parts(&url);
    let elsewhere = [
        format!("49999-{id}.localhost:8000"),
        format!("8080-{other}.localhost:8000"),
    ];
    for host in &elsewhere {
        let answer = request(&app, "GET", &path, &[("host", host)]).await;
        assert_eq!(answer.status, 403, "{host}");
    }
    // The API and the guest agent have no such path.
    for (host, status) in [
        ("localhost:8000", 404),
        (&format!("49983-{id}.localhost"), 401),
    ] {
        let answer = request(&app, "GET", &path, &[("host", host)]).await;
        assert_eq!(answer.status, status, "{host}");
    }
    let by_header = [
        ("host", "localhost:8000"),
        ("e2b-sandbox-id", &id),
        ("e2b-sandbox-port", "8080"),
    ];
    assert_eq!(request(&app, "GET", &path, &by_header).await.status, 403);
    let browser = Browser::follow(&app, &url).await;
    assert_eq!(browser.status(&app).await, 200);
    let cookie = ("cookie", browser.cookie.as_str());
    let mut headers = by_header.to_vec();
    headers.push(cookie);
    assert_eq!(request(&app, "GET", "/x", &headers).await.status, 403);
    for host in &elsewhere {
        let answer = request(&app, "GET", "/x", &[("host", host), cookie]).await;
        assert_eq!(answer.status, 403, "{host}");
    }
    let api = request(&app, "GET", "/v1/sandboxes", &[("host", &host), cookie]).await;
    assert_eq!(api.body, b"", "the program answers, not the API");
    let api = request(
        &app,
        "GET",
        "/v1/sandboxes",
        &[("host", "localhost"), cookie],
    )
    .await;
    assert_eq!(api.status, 401);
}

#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn with_tls_the_cookie_has_the_prefix_that_binds_it_to_its_host(pool: PgPool) {
    let names = Names {
        public: Origin::of_url("https://locule.test").ok(),
        sandbox_domain: "sbx.test".parse().ok(),
        ..Names::default()
    };
    let app = started_with(pool, names).await;
    let id = app.sandbox().await;
    let url = link(&app, &id).await;
    assert!(
        url.starts_with(&format!("https://8080-{id}.sbx.test/")),
        "{url}"
    );
    let mut browser = Browser::follow(&app, &url).await;
    assert_eq!(browser.status(&app).await, 200);
    let bare = browser.cookie.strip_prefix("__Host-").unwrap().to_owned();
    browser.cookie = bare;
    assert_eq!(browser.status(&app).await, 403);
}

#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn a_page_of_another_sandbox_does_nothing_with_the_cookie(pool: PgPool) {
    let app = App::start(pool).await;
    let (id, hostile) = (app.sandbox().await, app.sandbox().await);
    let browser = Browser::follow(&app, &link(&app, &id).await).await;
    let foreign = format!("http://8080-{hostile}.localhost:8000");
    let own = format!("http://{}", browser.host);
    let socket = [
        ("connection", "upgrade"),
        ("upgrade", "websocket"),
        ("origin", foreign.as_str()),
    ];
    for (method, headers) in [
        ("POST", &[("origin", foreign.as_str())][..]),
        ("GET", &[("sec-fetch-site", "same-site")]),
        ("GET", &[("sec-fetch-site", "cross-site")]),
        ("GET", &socket),
        ("POST", &[]),
    ] {
        let answer = browser.ask(&app, method, headers).await;
        assert_eq!(answer.status, 403, "{method} {headers:?}");
    }
    assert_eq!(arrived(&app), None);
    let headers = [("origin", own.as_str()), ("sec-fetch-site", "same-origin")];
    assert_eq!(browser.ask(&app, "POST", &headers).await.status, 200);
}

#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn a_cookie_and_a_link_end_with_the_right_of_their_caller(pool: PgPool) {
    let app = App::start_with(pool, |config| config.sandboxes.recheck = Duration::ZERO).await;
    let id = app.sandbox().await;
    let path = format!("/v1/sandboxes/{id}/ports/8080/link");
    let made = app.by(&app.token, "POST", "/v1/api-keys", &json!({})).await;
    let key = made.json["key"].as_str().unwrap();
    let key_path = format!("/v1/api-keys/{}", made.json["id"].as_str().unwrap());
    let login = app.login(EMAIL).await;
    let bearer = format!("Bearer {}", login.token);
    let lasting = Browser::follow(&app, &link(&app, &id).await).await;
    for (credential, method, end) in [
        (("x-api-key", key), "DELETE", key_path.as_str()),
        (
            ("authorization", bearer.as_str()),
            "POST",
            "/v1/auth/logout",
        ),
    ] {
        let mut urls = Vec::new();
        for _ in 0..2 {
            let answer = linked(&app, credential, "localhost:8000", &path).await;
            assert_eq!(answer.status, 200, "{}", answer.json);
            urls.push(answer.json["url"].as_str().unwrap().to_owned());
        }
        let browser = Browser::follow(&app, &urls[0]).await;
        assert_eq!(browser.status(&app).await, 200);
        let by = if method == "POST" {
            &login.token
        } else {
            &app.token
        };
        assert!(
            app.by(by, method, end, &Value::Null)
                .await
                .status
                .is_success()
        );
        assert_eq!(browser.status(&app).await, 403, "{end}");
        let (host, unused) = parts(&urls[1]);
        let answer = request(&app, "GET", &unused, &[("host", &host)]).await;
        assert_eq!(answer.status, 403, "{end}");
    }
    assert_eq!(lasting.status(&app).await, 200);
}

#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn a_link_that_is_too_old_or_forged_opens_nothing(pool: PgPool) {
    let app = App::start(pool).await;
    let id = app.sandbox().await;
    let url = link(&app, &id).await;
    let (host, path) = parts(&url);
    let (begin, token) = path.split_once("token=").unwrap();
    let forged = format!("{}{}", &token[..25], "0".repeat(64));
    for token in ["", "x", &token[..88], &forged, &format!("{token}0")] {
        let path = format!("{begin}token={token}");
        let answer = request(&app, "GET", &path, &[("host", &host)]).await;
        assert_eq!(answer.status, 403, "{token}");
    }
    let age = sqlx::query("UPDATE port_links SET expires_at = now() - interval '1 ms'");
    age.execute(&app.pool).await.unwrap();
    let answer = request(&app, "GET", &path, &[("host", &host)]).await;
    assert_eq!(answer.status, 403);
    link(&app, &id).await;
    let kept = sqlx::query_scalar::<_, i64>("SELECT count(*) FROM port_links");
    assert_eq!(
        kept.fetch_one(&app.pool).await.unwrap(),
        1,
        "the old one is deleted"
    );
}

#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn a_link_is_refused_where_it_would_lead_nowhere(pool: PgPool) {
    let names = Names {
        public: Origin::of_url("https://locule.test").ok(),
        ..Names::default()
    };
    let app = started_with(pool, names).await;
    let id = app.sandbox().await;
    for (host, port, status) in [
        ("locule.test", "8080", 400),
        ("localhost", "0", 400),
        ("localhost", "49983", 400),
        ("localhost", "65536", 400),
        ("localhost", "web", 400),
        ("localhost", "65535", 200),
    ] {
        let path = format!("/v1/sandboxes/{id}/ports/{port}/link");
        let answer = linked(&app, ("x-api-key", &app.key), host, &path).await;
        assert_eq!(answer.status, status, "{host} {port}: {}", answer.json);
    }
    let reader = app.new_key(&app.token, &json!({ "scope": "read" })).await;
    let path = format!("/v1/sandboxes/{id}/ports/8080/link");
    let answer = linked(&app, ("x-api-key", &reader), "localhost", &path).await;
    assert_eq!(answer.status, 403);
}
