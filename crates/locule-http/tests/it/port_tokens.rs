//! Which credential opens a port: the tokens of clients, signatures of file addresses, and what a program behind a port sees.

use axum::body::Body;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use http::Request;
use locule_ids::SandboxId;
use locule_testkit::{Call, Fault, run_as_owner};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use sqlx::PgPool;

use crate::app::{Answer, App, PATIENCE};

const WRONG: &str = "the access token is missing or wrong";

/// A sandbox over the E2B dialect, with the tokens of the caller.
pub(crate) struct Made {
    pub(crate) id: String,
    pub(crate) access: String,
    pub(crate) traffic: String,
}

impl Made {
    fn of(answer: &Answer) -> Self {
        let text = |name: &str| answer.json[name].as_str().unwrap_or_default().to_owned();
        Self {
            id: text("sandboxID"),
            access: text("envdAccessToken"),
            traffic: text("trafficAccessToken"),
        }
    }

    /// Creates a private sandbox.
    pub(crate) async fn private(app: &App, more: Value) -> Self {
        let mut body = json!({"templateID": "base", "network": {"allowPublicTraffic": false}});
        let more = more.as_object().unwrap().clone();
        body.as_object_mut().unwrap().extend(more);
        let made = app.call("POST", "/v2/sandboxes", &body.to_string()).await;
        assert_eq!(made.status, 201, "{}", made.json);
        Self::of(&made)
    }

    /// The tokens that `connect` gives to a key.
    pub(crate) async fn connect(&self, app: &App, key: &str) -> Self {
        let path = format!("/v2/sandboxes/{}/connect", self.id);
        let connected = app.call_as(key, "POST", &path, "{}").await;
        assert!(connected.status.is_success(), "{}", connected.json);
        Self::of(&connected)
    }

    fn tokens(&self) -> (&str, &str) {
        (&self.access, &self.traffic)
    }
}

/// The signature of a file address by the holder of a token.
pub(crate) fn signature(
    path: &str,
    operation: &str,
    token: &str,
    expiration: Option<i64>,
) -> String {
    let mut text = format!("{path}:{operation}::{token}");
    if let Some(expiration) = expiration {
        text = format!("{text}:{expiration}");
    }
    format!("v1_{}", STANDARD_NO_PAD.encode(Sha256::digest(text)))
}

pub(crate) fn query(signature: &str) -> String {
    signature.replace('+', "%2B").replace('/', "%2F")
}

pub(crate) async fn visit(
    app: &App,
    id: &str,
    port: u16,
    path: &str,
    headers: &[(&str, &str)],
) -> Answer {
    visit_by(app, "GET", id, port, path, headers).await
}

async fn visit_by(
    app: &App,
    method: &str,
    id: &str,
    port: u16,
    path: &str,
    headers: &[(&str, &str)],
) -> Answer {
    let mut request = Request::builder()
        .method(method)
        .uri(path)
        .header("e2b-sandbox-id", id)
        .header("e2b-sandbox-port", port);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    app.send(request.body(Body::empty()).unwrap()).await
}

fn resumes(app: &App, id: &str) -> usize {
    app.host
        .asked(Call::Resume, SandboxId::from_base36(id).unwrap())
}

/// The access token of the last request to the guest agent.
fn arrived(app: &App) -> Option<String> {
    app.guest.access_tokens.lock().unwrap().pop().flatten()
}

#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn a_caller_keeps_its_tokens_and_no_two_callers_have_the_same(pool: PgPool) {
    let app = App::start(pool).await;
    let (ada, body) = (Made::private(&app, json!({})).await, json!({}));
    let other_key = app.new_key(&app.token, &body).await;
    let bob = ada.connect(&app, &other_key).await;
    assert_ne!(ada.tokens(), bob.tokens());
    assert_ne!(ada.access, ada.traffic);
    let pause = format!("/sandboxes/{}/pause", ada.id);
    assert_eq!(app.call("POST", &pause, "").await.status, 204);
    for key in [&other_key, &app.key, &app.key] {
        let expected = if *key == app.key { &ada } else { &bob };
        assert_eq!(ada.connect(&app, key).await.tokens(), expected.tokens());
    }
    let shown = app.call("GET", &format!("/sandboxes/{}", ada.id), "").await;
    assert_eq!(shown.json["envdAccessToken"], ada.access.as_str());
    let another = Made::private(&app, json!({})).await;
    assert_ne!(another.tokens(), ada.tokens());
    for made in [&ada, &bob] {
        let headers = [("x-access-token", made.access.as_str())];
        let answer = visit(&app, &ada.id, 49983, "/files?path=/x", &headers).await;
        assert_eq!(
            answer.status, 404,
            "the guest agent answers that there is no file"
        );
        let headers = [("e2b-traffic-access-token", made.traffic.as_str())];
        assert_eq!(visit(&app, &ada.id, 8080, "/x", &headers).await.status, 200);
    }
}

#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn the_guest_agent_is_reached_with_its_own_token_which_opens_nothing_from_outside(
    pool: PgPool,
) {
    let app = App::start(pool).await;
    let made = Made::private(&app, json!({})).await;
    let headers = [("x-access-token", made.access.as_str())];
    visit(&app, &made.id, 49983, "/metrics", &headers).await;
    let own = arrived(&app).unwrap();
    assert_ne!(own, made.access);
    // Root in the sandbox can read this token.
    for headers in [
        [("x-access-token", own.as_str())],
        [("x-access-token", made.traffic.as_str())],
        [("x-access-token", "")],
        [("x-api-key", app.key.as_str())],
        [("e2b-traffic-access-token", made.traffic.as_str())],
    ] {
        let answer = visit(&app, &made.id, 49983, "/metrics", &headers).await;
        assert_eq!(answer.status, 401, "{headers:?}");
        assert_eq!(answer.json, json!({"code": 401, "message": WRONG}));
        assert_eq!(answer.headers["access-control-allow-origin"], "*");
    }
    for token in [&own, &made.access] {
        let headers = [("e2b-traffic-access-token", token.as_str())];
        assert_eq!(
            visit(&app, &made.id, 8080, "/x", &headers).await.status,
            403
        );
    }
    let path = format!(
        "/files?path=/x&signature={}",
        query(&signature("/x", "read", &own, None))
    );
    let answer = visit(&app, &made.id, 49983, &path, &[]).await;
    assert_eq!(
        answer.json,
        json!({"code": 401, "message": "invalid signature"})
    );
    assert_eq!(
        arrived(&app),
        None,
        "no refused request reached the guest agent"
    );
}

/// The access tokens that reach the program on a port with a request that carries these.
async fn seen_by_program(app: &App, made: &Made, port: u16, sent: &[&str]) -> Vec<String> {
    let mut headers = vec![("e2b-traffic-access-token", made.traffic.as_str())];
    headers.extend(sent.iter().map(|token| ("x-access-token", *token)));
    let answer = visit(app, &made.id, port, "/envs", &headers).await;
    assert_eq!(answer.status, 200, "{port} {sent:?}: {}", answer.json);
    let arrived = app.guest.web_request.lock().unwrap().take().unwrap();
    let seen = arrived.headers.get_all("x-access-token").iter();
    seen.map(|value| value.to_str().unwrap().to_owned())
        .collect()
}

#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn the_code_interpreter_gets_the_guest_agents_own_token_and_no_program_gets_a_clients(
    pool: PgPool,
) {
    let app = App::start(pool).await;
    let ada = Made::private(&app, json!({})).await;
    let bob = ada
        .connect(&app, &app.new_key(&app.token, &json!({})).await)
        .await;
    let headers = [("x-access-token", ada.access.as_str())];
    visit(&app, &ada.id, 49983, "/metrics", &headers).await;
    let own = arrived(&app).unwrap();
    let (own, foreign, wrong) = (own.as_str(), "of-a-program", "0".repeat(64));
    let none: &[&str] = &[];
    let (interpreter, other) = (49999, 8080);
    for (port, sent, seen) in [
        (interpreter, &[ada.access.as_str()][..], &[own][..]),
        (interpreter, &[bob.access.as_str()], &[own]),
        (interpreter, &[ada.access.as_str(), foreign], &[own]),
        (interpreter, none, none),
        (interpreter, &[foreign], &[foreign]),
        (interpreter, &[wrong.as_str()], &[wrong.as_str()]),
        // The token that root in the sandbox can read opens nothing, and a traffic token is no access token.
        (interpreter, &[own], none),
        (interpreter, &[ada.traffic.as_str()], none),
        (other, &[ada.access.as_str()], none),
        (other, &[bob.access.as_str()], none),
        (other, &[bob.traffic.as_str()], none),
        (other, &[foreign, ada.access.as_str()], &[foreign]),
        (other, &[own], none),
        (other, &[foreign], &[foreign]),
    ] {
        let reached = seen_by_program(&app, &ada, port, sent).await;
        assert_eq!(reached, seen, "{port} {sent:?}");
    }
}

#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn a_file_address_is_checked_for_its_signature_and_then_for_its_age(pool: PgPool) {
    let app = App::start(pool).await;
    let made = Made::private(&app, json!({})).await;
    app.guest
        .files
        .lock()
        .unwrap()
        .insert("/a b".to_owned(), b"text".to_vec());
    let (ahead, past) = (Some(4_000_000_000), Some(1_000_000_000));
    let address = |operation: &str, token: &str, expiration: Option<i64>| {
        let signed = query(&signature("/a b", operation, token, expiration));
        let until = expiration.map(|at| format!("&signature_expiration={at}"));
        format!(
            "/files?path=/a%20b&signature={signed}{}",
            until.unwrap_or_default()
        )
    };
    let token = made.access.as_str();
    for good in [address("read", token, None), address("read", token, ahead)] {
        // A wrong token in the header does not make a good signature bad, as at the guest agent.
        for headers in [&[][..], &[("x-access-token", "wrong")]] {
            let answer = visit(&app, &made.id, 49983, &good, headers).await;
            assert_eq!(
                (answer.status.as_u16(), answer.body.as_slice()),
                (200, &b"text"[..])
            );
            assert_ne!(arrived(&app).as_deref(), Some("wrong"));
        }
    }
    let expired = "signature is already expired";
    for (address, headers, message) in [
        (address("read", token, past), &[][..], expired),
        (address("write", token, None), &[], "invalid signature"),
        (address("write", token, past), &[], "invalid signature"),
        (
            address("read", &made.traffic, None),
            &[],
            "invalid signature",
        ),
        (
            "/files?path=/a%20b".to_owned(),
            &[],
            "missing signature query parameter",
        ),
        (
            "/files?path=/a%20b".to_owned(),
            &[("x-access-token", "wrong")],
            WRONG,
        ),
    ] {
        let answer = visit(&app, &made.id, 49983, &address, headers).await;
        assert_eq!(
            answer.json,
            json!({"code": 401, "message": message}),
            "{address}"
        );
    }
    let headers = [("x-access-token", token)];
    let answer = visit(
        &app,
        &made.id,
        49983,
        &address("read", token, past),
        &headers,
    )
    .await;
    assert_eq!(answer.status, 200, "the token itself has no age");
    let unreadable = "/files?path=/x&signature_expiration=soon";
    assert_eq!(
        visit(&app, &made.id, 49983, unreadable, &[]).await.status,
        400
    );
    let upload = address("write", token, ahead);
    let answer = visit_by(&app, "POST", &made.id, 49983, &upload, &[]).await;
    assert_eq!(answer.status, 200);
    let answer = visit_by(
        &app,
        "POST",
        &made.id,
        49983,
        &address("read", token, None),
        &[],
    )
    .await;
    assert_eq!(answer.json["message"], "invalid signature");
}

#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn the_health_of_a_sandbox_and_a_preflight_need_no_token_and_reveal_none(pool: PgPool) {
    let app = App::start(pool).await;
    let made = Made::private(&app, json!({})).await;
    let answer = visit(
        &app,
        &made.id,
        49983,
        "/health",
        &[("x-access-token", "wrong")],
    )
    .await;
    assert_eq!(answer.status, 204);
    assert_eq!(arrived(&app), None);
    let headers = [("access-control-request-headers", "x-access-token")];
    let path = "/process.Process/Start";
    let answer = visit_by(&app, "OPTIONS", &made.id, 49983, path, &headers).await;
    assert_eq!(answer.status, 204);
    assert_eq!(
        answer.headers["access-control-allow-headers"],
        "x-access-token"
    );
    assert_eq!(
        visit_by(&app, "POST", &made.id, 49983, "/health", &[])
            .await
            .status,
        401
    );
}

#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn a_request_is_checked_before_it_wakes_a_sandbox(pool: PgPool) {
    let app = App::start(pool).await;
    let made = Made::private(&app, json!({"autoResume": {"enabled": true}})).await;
    let pause = format!("/sandboxes/{}/pause", made.id);
    assert_eq!(app.call("POST", &pause, "").await.status, 204);
    let bad = signature("/x", "read", "wrong", None);
    for (method, path, status) in [
        ("GET", "/files?path=/x".to_owned(), 401),
        (
            "GET",
            format!("/files?path=/x&signature={}", query(&bad)),
            401,
        ),
        ("POST", "/process.Process/Start".to_owned(), 401),
        ("GET", "/health".to_owned(), 502),
        ("OPTIONS", "/files".to_owned(), 204),
        ("GET", "/init".to_owned(), 404),
    ] {
        let answer = visit_by(&app, method, &made.id, 49983, &path, &[]).await;
        assert_eq!(answer.status, status, "{method} {path}");
    }
    assert_eq!(visit(&app, &made.id, 8080, "/x", &[]).await.status, 403);
    assert_eq!(resumes(&app, &made.id), 0);
    let signed = query(&signature("/x", "read", &made.access, None));
    let path = format!("/files?path=/x&signature={signed}");
    assert_eq!(visit(&app, &made.id, 49983, &path, &[]).await.status, 404);
    assert_eq!(resumes(&app, &made.id), 1);
}

#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn an_outsider_cannot_tell_a_private_sandbox_from_one_that_does_not_exist(pool: PgPool) {
    let app = App::start(pool).await;
    let (made, ended) = (
        Made::private(&app, json!({})).await,
        Made::private(&app, json!({})).await,
    );
    app.call("DELETE", &format!("/sandboxes/{}", ended.id), "")
        .await;
    let unknown = SandboxId::random().base36();
    let stranger = app.stranger().await;
    for headers in [
        &[][..],
        &[("x-api-key", stranger.as_str())],
        &[("e2b-traffic-access-token", ended.traffic.as_str())],
        &[
            ("e2b-traffic-access-token", "wrong"),
            ("x-api-key", "wrong"),
        ],
    ] {
        let mut seen = Vec::new();
        for id in [&made.id, &unknown] {
            let answer = visit(&app, id, 8080, "/x", headers).await;
            assert_eq!(answer.status, 403, "{headers:?}");
            seen.push((answer.json["message"].clone(), answer.headers.len()));
        }
        assert_eq!(seen[0], seen[1]);
    }
    let theirs = [("e2b-traffic-access-token", ended.traffic.as_str())];
    let answer = visit(&app, &ended.id, 8080, "/x", &theirs).await;
    assert_eq!(
        (answer.status.as_u16(), &answer.json["message"]),
        (502, &json!("The sandbox was not found"))
    );
    assert_eq!(visit(&app, &ended.id, 8080, "/x", &[]).await.status, 403);
}

#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn a_sandbox_that_must_go_is_not_served_even_while_its_host_fails_to_destroy_it(
    pool: PgPool,
) {
    let app = App::start(pool).await;
    let made = Made::private(&app, json!({})).await;
    let token = [("e2b-traffic-access-token", made.traffic.as_str())];
    assert_eq!(visit(&app, &made.id, 8080, "/x", &token).await.status, 200);
    app.host.fail(Call::Destroy, Fault::Late);
    let destroyed = app
        .call("DELETE", &format!("/sandboxes/{}", made.id), "")
        .await;
    assert_ne!(destroyed.status, 204);
    assert_eq!(visit(&app, &made.id, 8080, "/x", &token).await.status, 502);
    let token = [("x-access-token", made.access.as_str())];
    for path in ["/health", "/metrics"] {
        assert_eq!(visit(&app, &made.id, 49983, path, &token).await.status, 502);
    }
}

#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn requests_for_a_port_do_not_read_the_database_each_time(pool: PgPool) {
    let app = App::start_with(pool, |config| config.sandboxes.recheck = 10 * PATIENCE).await;
    let made = Made::private(&app, json!({})).await;
    let token = [("e2b-traffic-access-token", made.traffic.as_str())];
    assert_eq!(visit(&app, &made.id, 8080, "/x", &token).await.status, 200);
    run_as_owner(&app.pool, "ALTER TABLE sandbox_callers RENAME TO elsewhere").await;
    assert_eq!(visit(&app, &made.id, 8080, "/x", &token).await.status, 200);
    let headers = [("x-access-token", made.access.as_str())];
    assert_eq!(
        visit(&app, &made.id, 49983, "/metrics", &headers)
            .await
            .status,
        404
    );
}
