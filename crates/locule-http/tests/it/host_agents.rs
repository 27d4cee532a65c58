//! Hosts and their agents: registration, credentials, heartbeats, rights.

use axum::body::Body;
use http::Request;
use serde_json::{Value, json};
use sqlx::PgPool;

use crate::app::{Answer, App, Signed};

const NONE: Value = Value::Null;
const ADDRESS: &str = "10.0.0.7:50051";
/// A signing request for a key that no program has.
pub(crate) const CSR: &str = "-----BEGIN CERTIFICATE REQUEST-----\n\
    MIG6MGICAQAwADBZMBMGByqGSM49AgEGCCqGSM49AwEHA0IABND7n/7210R6HDqF\n\
    1DAwUr54a7NyGX8E1iwb9tk2VKQYPDhQsEoeWI00osvK/cTH5E7sntmzdF/vH2OF\n\
    K2ZFzLigADAKBggqhkjOPQQDAgNIADBFAiAf9aL1E382SEYWkxu1ZMKVZzYKkaa9\n\
    TZoLR0BIqSqVqAIhANENcZ7EH/CX/ynKNXNQvO4NfaUbhyax+K/TcXOGDftI\n\
    -----END CERTIFICATE REQUEST-----\n";

fn text(value: &Value) -> String {
    value.as_str().unwrap().to_owned()
}

fn beat() -> Value {
    json!({
        "agent_version": "0.1.0", "protocol": 1, "accelerator": "kvm", "boot_id": "b",
        "free_memory_mib": 1024, "pool_free_bytes": 1 << 30, "templates": [{ "name": "minimal", "sha256": "0".repeat(64) }], "inventory_hash": "h",
    })
}

/// A host of the platform, and its registration token.
async fn new_host(app: &App) -> (String, String) {
    let made = app
        .by(
            &app.token,
            "POST",
            "/v1/hosts",
            &json!({ "type": "regular" }),
        )
        .await;
    assert_eq!(made.status, 201, "{}", made.json);
    assert_eq!(made.json["host"]["status"], "pending");
    (
        text(&made.json["host"]["id"]),
        text(&made.json["registration_token"]),
    )
}

async fn register(app: &App, token: &str, address: &str) -> Answer {
    let body = json!({ "token": token, "address": address, "arch": "x86_64", "cpu_cores": 2, "memory_mb": 4096, "disk_gb": 50, "csr_pem": CSR });
    app.without_credential("POST", "/v1/hosts/register", &body)
        .await
}

/// Sends a request of a host agent.
pub(crate) async fn by_agent(app: &App, token: &str, path: &str, body: &Value) -> Answer {
    let request = Request::builder()
        .method("POST")
        .uri(path)
        .header("x-host-token", token)
        .header("content-type", "application/json");
    app.send(request.body(Body::from(body.to_string())).unwrap())
        .await
}

async fn heartbeat(app: &App, id: &str, token: &str) -> Answer {
    by_agent(app, token, &format!("/v1/hosts/{id}/heartbeat"), &beat()).await
}

/// A registered agent: its host and its credentials.
pub(crate) struct Agent {
    pub(crate) id: String,
    pub(crate) token: String,
    refresh_token: String,
}

impl Agent {
    fn of(answer: &Answer) -> Self {
        assert!(answer.status.is_success(), "{}", answer.json);
        Self {
            id: text(&answer.json["host"]["id"]),
            token: text(&answer.json["token"]),
            refresh_token: text(&answer.json["refresh_token"]),
        }
    }

    pub(crate) async fn registered(app: &App) -> Self {
        let (_, token) = new_host(app).await;
        Self::of(&register(app, &token, ADDRESS).await)
    }

    async fn beat(&self, app: &App) -> Answer {
        heartbeat(app, &self.id, &self.token).await
    }

    /// Asks for new credentials without an access token.
    async fn refresh(&self, app: &App) -> Answer {
        let body = json!({ "refresh_token": self.refresh_token, "csr_pem": CSR });
        app.without_credential("POST", "/v1/hosts/auth/refresh", &body)
            .await
    }

    /// Asks for new credentials, and shows the access token.
    async fn refresh_with_token(&self, app: &App) -> Answer {
        let body = json!({ "refresh_token": self.refresh_token, "csr_pem": CSR });
        by_agent(app, &self.token, "/v1/hosts/auth/refresh", &body).await
    }

    async fn status(&self, app: &App) -> String {
        let path = format!("/v1/hosts/{}", self.id);
        let host = app.by(&app.token, "GET", &path, &NONE).await;
        assert_eq!(host.status, 200, "{}", host.json);
        text(&host.json["status"])
    }
}

async fn run(app: &App, sql: &'static str) {
    sqlx::raw_sql(sql).execute(&app.pool).await.unwrap();
}

/// B-111.
#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn a_registration_token_is_good_for_one_registration_within_an_hour(pool: PgPool) {
    let app = App::start(pool).await;
    let (id, token) = new_host(&app).await;
    assert_eq!(token.len(), 64);
    let registered = register(&app, &token, ADDRESS).await;
    assert_eq!(registered.status, 201, "{}", registered.json);
    let host = &registered.json["host"];
    assert_eq!(
        (&host["id"], &host["address"], &host["memory_mb"]),
        (&json!(id), &json!(ADDRESS), &json!(4096))
    );
    assert_eq!(host["status"], "pending");
    assert_eq!(register(&app, &token, ADDRESS).await.status, 401);

    let (_, late) = new_host(&app).await;
    run(
        &app,
        "UPDATE host_tokens SET expires_at = now() WHERE used_at IS NULL",
    )
    .await;
    assert_eq!(register(&app, &late, ADDRESS).await.status, 401);

    // A new token replaces the earlier one.
    let (other, first) = new_host(&app).await;
    let path = format!("/v1/hosts/{other}/token");
    let second = app.by(&app.token, "POST", &path, &NONE).await;
    assert_eq!(second.status, 201, "{}", second.json);
    assert_eq!(register(&app, &first, ADDRESS).await.status, 401);
    let second = text(&second.json["registration_token"]);
    assert_eq!(register(&app, &second, ADDRESS).await.status, 201);
}

#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn a_bad_registration_changes_nothing(pool: PgPool) {
    let app = App::start(pool).await;
    let (_, token) = new_host(&app).await;
    for address in [
        "",
        "host",
        "http://10.0.0.7:1",
        "unix:/run/postgresql/.s.PGSQL.5432",
    ] {
        let refused = register(&app, &token, address).await;
        assert_eq!(refused.status, 400, "{address}: {}", refused.json);
        assert_eq!(refused.json["error"]["code"], "invalid_request");
    }
    let sizes = json!({ "token": token, "address": ADDRESS, "cpu_cores": -1 });
    let refused = app.without_credential("POST", "/v1/hosts/register", &sizes);
    assert_eq!(refused.await.status, 400);
    assert_eq!(register(&app, &token, ADDRESS).await.status, 201);
}

/// W-036: a host is online when the control plane has reached it, and not before.
#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn a_host_is_online_after_a_heartbeat_that_the_control_plane_answers_with_a_call(
    pool: PgPool,
) {
    let app = App::start(pool).await;
    let agent = Agent::registered(&app).await;
    app.host.go_away();
    let refused = agent.beat(&app).await;
    assert_eq!(refused.status, 409, "{}", refused.json);
    assert_eq!(refused.json["error"]["code"], "host_unreachable");
    assert!(text(&refused.json["error"]["message"]).contains(ADDRESS));
    assert_eq!(agent.status(&app).await, "pending");

    app.host.come_back();
    assert_eq!(agent.beat(&app).await.status, 204);
    assert_eq!(agent.status(&app).await, "online");
    let path = format!("/v1/hosts/{}", agent.id);
    let host = app.by(&app.token, "GET", &path, &NONE).await.json;
    assert_eq!(host["agent_version"], "0.1.0");
    assert!(host["last_heartbeat_at"].is_string());

    // An online host needs no new token, and cannot register again.
    let path = format!("/v1/hosts/{}/token", agent.id);
    let refused = app.by(&app.token, "POST", &path, &NONE).await;
    assert_eq!(
        (refused.status.as_u16(), &refused.json["error"]["code"]),
        (409, &json!("invalid_state"))
    );
}

/// B-114, W-036.
#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn a_new_address_counts_once_the_control_plane_has_reached_the_host_there(pool: PgPool) {
    let app = App::start(pool).await;
    let agent = Agent::registered(&app).await;
    assert_eq!(agent.beat(&app).await.status, 204);
    let moved = |address: &str| {
        let mut body = beat();
        body["address"] = json!(address);
        body
    };
    let path = format!("/v1/hosts/{}/heartbeat", agent.id);
    let address = async |app: &App| {
        let path = format!("/v1/hosts/{}", agent.id);
        text(&app.by(&app.token, "GET", &path, &NONE).await.json["address"])
    };
    app.host.go_away();
    let refused = by_agent(&app, &agent.token, &path, &moved("10.0.0.8:1")).await;
    assert_eq!(refused.status, 409, "{}", refused.json);
    assert_eq!(address(&app).await, ADDRESS);
    app.host.come_back();
    let taken = by_agent(&app, &agent.token, &path, &moved("10.0.0.8:1")).await;
    assert_eq!(taken.status, 204, "{}", taken.json);
    assert_eq!(address(&app).await, "10.0.0.8:1");
    let local = by_agent(&app, &agent.token, &path, &moved("unix:/run/x.sock")).await;
    assert_eq!(local.status, 400, "{}", local.json);
    assert_eq!(address(&app).await, "10.0.0.8:1");
}

/// A number that no later answer of the API could show.
#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn a_heartbeat_with_a_number_beyond_the_apis_is_refused(pool: PgPool) {
    let app = App::start(pool).await;
    let agent = Agent::registered(&app).await;
    let path = format!("/v1/hosts/{}/heartbeat", agent.id);
    for field in ["free_memory_mib", "pool_free_bytes"] {
        for (number, status) in [(i64::MAX.unsigned_abs(), 204), (1 << 63, 400)] {
            let mut body = beat();
            body[field] = json!(number);
            let answer = by_agent(&app, &agent.token, &path, &body).await;
            assert_eq!(answer.status, status, "{field} {number}: {}", answer.json);
        }
    }
}

/// B-129.
#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn a_hosts_token_is_no_login_and_a_login_is_no_hosts_token(pool: PgPool) {
    let app = App::start(pool).await;
    let (agent, other) = (Agent::registered(&app).await, Agent::registered(&app).await);
    for path in ["/v1/me", "/v1/hosts", "/v1/sandboxes"] {
        let refused = app.by(&agent.token, "GET", path, &NONE).await;
        assert_eq!(refused.status, 401, "{path}");
    }
    for token in [app.token.as_str(), app.key.as_str(), "", "x.y.z"] {
        let refused = heartbeat(&app, &agent.id, token).await;
        assert_eq!(refused.status, 401, "{token}");
    }
    let wrong = heartbeat(&app, &agent.id, &other.token).await;
    assert_eq!(wrong.status, 403, "{}", wrong.json);
}

/// B-113, B-125, B-126.
#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn a_refresh_token_is_replaced_when_it_is_used(pool: PgPool) {
    let app = App::start(pool).await;
    let first = Agent::registered(&app).await;
    let unknown = json!({ "refresh_token": "00" });
    let refused = app.without_credential("POST", "/v1/hosts/auth/refresh", &unknown);
    assert_eq!(refused.await.status, 401);

    let second = Agent::of(&first.refresh(&app).await);
    assert_ne!(second.refresh_token, first.refresh_token);
    assert_eq!(second.beat(&app).await.status, 204);
    assert_eq!(first.refresh(&app).await.status, 401);
    // The access token of the replaced credentials is valid until it expires.
    assert_eq!(first.beat(&app).await.status, 204);
    let third = Agent::of(&second.refresh(&app).await);
    run(&app, "UPDATE host_refresh_tokens SET expires_at = now()").await;
    assert_eq!(third.refresh(&app).await.status, 401);
}

/// The answer with the new credentials may be lost on its way.
#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn an_agent_that_did_not_receive_its_new_credentials_gets_others(pool: PgPool) {
    let app = App::start(pool).await;
    let agent = Agent::registered(&app).await;
    let lost = Agent::of(&agent.refresh(&app).await);
    assert_eq!(agent.refresh(&app).await.status, 401, "without its token");
    let stranger = Agent::registered(&app).await;
    let body = json!({ "refresh_token": agent.refresh_token });
    let refused = by_agent(&app, &stranger.token, "/v1/hosts/auth/refresh", &body).await;
    assert_eq!(refused.status, 401, "with the token of another host");

    let received = Agent::of(&agent.refresh_with_token(&app).await);
    assert_eq!(lost.refresh(&app).await.status, 401);
    assert_eq!(received.beat(&app).await.status, 204);
    // The agent has its new credentials now: the old ones are not its own any more.
    assert_eq!(agent.refresh_with_token(&app).await.status, 401);
    assert_eq!(Agent::of(&received.refresh(&app).await).id, agent.id);
}

#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn a_new_registration_ends_the_access_of_the_earlier_agent(pool: PgPool) {
    let app = App::start(pool).await;
    let earlier = Agent::registered(&app).await;
    let path = format!("/v1/hosts/{}/token", earlier.id);
    let token = app.by(&app.token, "POST", &path, &NONE).await.json;
    let later = register(&app, &text(&token["registration_token"]), ADDRESS).await;
    let later = Agent::of(&later);
    assert_eq!(later.id, earlier.id);
    assert_eq!(earlier.beat(&app).await.status, 401);
    assert_eq!(earlier.refresh_with_token(&app).await.status, 401);
    assert_eq!(later.beat(&app).await.status, 204);
}

/// B-128: only this code says that the host is gone.
#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn the_agent_of_a_deleted_host_is_told_so(pool: PgPool) {
    let app = App::start(pool).await;
    let agent = Agent::registered(&app).await;
    run(&app, "DELETE FROM hosts WHERE status = 'pending'").await;
    let told = agent.beat(&app).await;
    assert_eq!(told.status, 404, "{}", told.json);
    assert_eq!(told.json["error"]["code"], "host_deleted");
    assert_eq!(told.json["error"]["host_id"], json!(agent.id));
}

/// W-036: the control plane knows a host on another machine by the certificate that it issued for the host's key.
#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn a_host_on_another_machine_gets_a_certificate_for_its_signing_request_and_needs_one(
    pool: PgPool,
) {
    let app = App::start(pool).await;
    let (id, token) = new_host(&app).await;
    for csr in [NONE, json!(""), json!("garbage"), json!("x".repeat(9000))] {
        let body = json!({ "token": token, "address": ADDRESS, "csr_pem": csr });
        let refused = app.without_credential("POST", "/v1/hosts/register", &body);
        let refused = refused.await;
        assert_eq!(refused.status, 400, "{}", refused.json);
        assert!(text(&refused.json["error"]["message"]).contains("csr_pem"));
    }
    // A refused request does not use the token.
    let registered = register(&app, &token, ADDRESS).await;
    let agent = Agent::of(&registered);
    assert_eq!(agent.id, id);
    let ca = app.control.hosts.config().certificates.ca_pem();
    let first = text(&registered.json["cert_pem"]);
    assert!(first.starts_with("-----BEGIN CERTIFICATE-----"), "{first}");
    assert_eq!(text(&registered.json["ca_cert_pem"]), ca);

    let body = json!({ "refresh_token": agent.refresh_token });
    let refused = app.without_credential("POST", "/v1/hosts/auth/refresh", &body);
    assert_eq!(refused.await.status, 400);
    let renewed = agent.refresh(&app).await;
    assert_ne!(text(&renewed.json["cert_pem"]), first);
    assert_eq!(text(&renewed.json["ca_cert_pem"]), ca);
}

/// A team that may bring its own hosts, its owner, and one of its members.
async fn byoc_team(app: &App) -> (Signed, Signed) {
    let owner = app.sign_up("owner@locule.test").await;
    let member = app.sign_up("member@locule.test").await;
    app.join(&owner, &member, "member@locule.test").await;
    let switch = json!({ "team_id": owner.team });
    let switched = app.by(&member.token, "POST", "/v1/auth/switch-team", &switch);
    let member = Signed::of(&switched.await.json);
    let path = format!("/v1/admin/teams/{}/byoc", owner.team);
    let on = json!({ "enabled": true });
    assert_eq!(app.by(&app.token, "PUT", &path, &on).await.status, 204);
    (owner, member)
}

/// B-108, B-134, B-135.
#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn a_host_of_a_team_needs_a_live_team_that_may_bring_hosts_and_an_admin_of_it(pool: PgPool) {
    let app = App::start(pool).await;
    let (owner, member) = byoc_team(&app).await;
    let other = app.sign_up("other@locule.test").await;
    let byoc = |team: &str| json!({ "type": "byoc", "team_id": team });
    let create = async |token: &str, body: &Value| {
        let made = app.by(token, "POST", "/v1/hosts", body).await;
        made.status.as_u16()
    };
    assert_eq!(
        create(&owner.token, &json!({ "type": "regular" })).await,
        403
    );
    assert_eq!(create(&owner.token, &json!({ "type": "byoc" })).await, 400);
    assert_eq!(create(&app.token, &json!({ "type": "other" })).await, 400);
    let both = json!({ "type": "regular", "team_id": owner.team });
    assert_eq!(create(&app.token, &both).await, 400);
    let unknown = "team-00000000-0000-4000-8000-000000000001";
    assert_eq!(create(&app.token, &byoc(unknown)).await, 403);
    assert_eq!(create(&app.token, &byoc(&other.team)).await, 403);
    assert_eq!(create(&other.token, &byoc(&other.team)).await, 403);
    assert_eq!(create(&other.token, &byoc(&owner.team)).await, 403);
    assert_eq!(create(&member.token, &byoc(&owner.team)).await, 403);
    assert_eq!(create(&owner.token, &byoc(&owner.team)).await, 201);
    assert_eq!(create(&app.token, &byoc(&owner.team)).await, 201);

    let list = async |token: &str| {
        let answer = app.by(token, "GET", "/v1/hosts", &NONE).await;
        assert_eq!(answer.status, 200, "{}", answer.json);
        answer.json
    };
    assert_eq!(list(&member.token).await.as_array().unwrap().len(), 2);
    assert_eq!(list(&other.token).await, json!([]));
    let all = list(&app.token).await;
    let named = all.as_array().unwrap().iter();
    let named = named.filter(|host| host["team_name"] == "owner's Team");
    assert_eq!(named.count(), 2);

    // D-20: the permission stays while the team has hosts.
    let path = format!("/v1/admin/teams/{}/byoc", owner.team);
    let off = json!({ "enabled": false });
    assert_eq!(app.by(&app.token, "PUT", &path, &off).await.status, 409);

    let path = format!("/v1/admin/teams/{}", owner.team);
    assert_eq!(app.by(&app.token, "DELETE", &path, &NONE).await.status, 204);
    assert_eq!(create(&app.token, &byoc(&owner.team)).await, 403);
}

/// B-084, B-090.
#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn the_audit_log_of_a_team_says_when_its_host_was_added_and_came_back(pool: PgPool) {
    let app = App::start(pool).await;
    let (owner, _) = byoc_team(&app).await;
    let body = json!({ "type": "byoc", "team_id": owner.team, "provider": " hetzner " });
    let made = app.by(&owner.token, "POST", "/v1/hosts", &body).await;
    assert_eq!(made.json["host"]["provider"], "hetzner");
    let token = text(&made.json["registration_token"]);
    let agent = Agent::of(&register(&app, &token, ADDRESS).await);
    assert_eq!(agent.beat(&app).await.status, 204);
    run(&app, "UPDATE hosts SET status = 'unreachable'").await;
    assert_eq!(agent.beat(&app).await.status, 204);
    assert_eq!(agent.beat(&app).await.status, 204);
    let path = "/v1/audit-logs?resource_type=host";
    let log = app.by(&owner.token, "GET", path, &NONE).await.json;
    let entries = log["items"].as_array().unwrap().iter();
    let shown: Vec<String> = entries
        .map(|entry| format!("{} {}", text(&entry["actor_type"]), text(&entry["action"])))
        .collect();
    assert_eq!(shown, ["system marked_up", "user add"]);
}

#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn tags_are_a_sorted_set(pool: PgPool) {
    let app = App::start(pool).await;
    let (id, _) = new_host(&app).await;
    let path = format!("/v1/hosts/{id}/tags");
    let add = async |tag: &str| {
        let body = json!({ "tag": tag });
        app.by(&app.token, "POST", &path, &body).await.status
    };
    for tag in ["gpu", "eu-west", "gpu", " gpu "] {
        assert_eq!(add(tag).await, 204, "{tag}");
    }
    assert_eq!(add("  ").await, 400);
    let tags = async || app.by(&app.token, "GET", &path, &NONE).await.json;
    assert_eq!(tags().await, json!(["eu-west", "gpu"]));
    for _ in 0..2 {
        let removed = app
            .by(&app.token, "DELETE", &format!("{path}/gpu"), &NONE)
            .await;
        assert_eq!(removed.status, 204);
    }
    assert_eq!(tags().await, json!(["eu-west"]));
    for number in 1..100 {
        assert_eq!(add(&number.to_string()).await, 204);
    }
    assert_eq!(add("one more").await, 429);
    assert_eq!(add("99").await, 204);
}

/// Sandboxes run on a host that registered, as on the first.
#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn a_sandbox_runs_on_a_host_that_registered(pool: PgPool) {
    let app = App::start(pool).await;
    run(&app, "UPDATE hosts SET status = 'unreachable'").await;
    let create = async || app.call("POST", "/v1/sandboxes", "{}").await;
    let refused = create().await;
    assert_eq!(refused.json["error"]["code"], "no_hosts_available");
    let agent = Agent::registered(&app).await;
    assert_eq!(create().await.status, 503);
    assert_eq!(agent.beat(&app).await.status, 204);
    let made = create().await;
    assert_eq!(made.status, 201, "{}", made.json);
    assert_eq!(made.json["host_id"], json!(agent.id));
}
