//! The event stream of a team: what it tells to whom, and when it ends.

use std::time::Duration;

use axum::body::Body;
use futures::StreamExt as _;
use http::Request;
use serde_json::{Value, json};
use sqlx::PgPool;

use crate::app::{App, EMAIL, PATIENCE};

/// A follower of a team.
struct Follower {
    pieces: axum::body::BodyDataStream,
    read: String,
}

impl Follower {
    async fn open(app: &App, name: &str, value: &str) -> Self {
        let request = Request::get("/v1/events")
            .header("host", "localhost")
            .header(name, value);
        let response = app.open(request.body(Body::empty()).unwrap()).await;
        assert_eq!(response.status(), 200);
        assert_eq!(response.headers()["content-type"], "text/event-stream");
        assert_eq!(response.headers()["cache-control"], "private, no-store");
        Self {
            pieces: response.into_body().into_data_stream(),
            read: String::new(),
        }
    }

    async fn by(app: &App, token: &str) -> Self {
        Self::open(app, "authorization", &format!("Bearer {token}")).await
    }

    /// The name and the data of the next event. `None`: the stream has ended.
    async fn next(&mut self) -> Option<(String, Value)> {
        loop {
            if let Some((event, rest)) = self.read.split_once("\n\n") {
                let (event, rest) = (event.to_owned(), rest.to_owned());
                self.read = rest;
                let (name, data) = event.split_once('\n').unwrap();
                let name = name.strip_prefix("event: ").unwrap().to_owned();
                let data = data.strip_prefix("data: ").unwrap();
                return Some((name, serde_json::from_str(data).unwrap()));
            }
            let piece = tokio::time::timeout(PATIENCE, self.pieces.next()).await;
            let piece = piece.expect("an event in time")?;
            self.read += std::str::from_utf8(&piece.unwrap()).unwrap();
        }
    }

    /// The data of the next event with this name, and the names of the events before it.
    async fn until(&mut self, wanted: &str) -> (Value, Vec<String>) {
        let mut before = Vec::new();
        loop {
            let (name, data) = self.next().await.expect("the stream goes on");
            if name == wanted {
                return (data, before);
            }
            before.push(name);
        }
    }

    /// The next event is a `resync`.
    async fn begins(&mut self) {
        assert_eq!(self.next().await, Some(("resync".to_owned(), json!({}))));
    }
}

/// Starts to listen, and waits until followers are told of what changes from then on.
async fn listening(app: &App) {
    let mut follower = Follower::by(app, &app.token).await;
    follower.begins().await;
    app.control.start_events();
    follower.begins().await;
}

#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn a_stream_begins_with_resync_and_tells_what_changes_in_the_team(pool: PgPool) {
    let app = App::start(pool).await;
    listening(&app).await;
    let mut person = Follower::by(&app, &app.token).await;
    let mut program = Follower::open(&app, "x-api-key", &app.key).await;
    let stranger = app.sign_up("stranger@locule.test").await;
    let mut other = Follower::by(&app, &stranger.token).await;
    for follower in [&mut person, &mut program, &mut other] {
        follower.begins().await;
    }
    let id = app.sandbox().await;
    let (entry, _) = person.until("audit").await;
    let listed = app
        .by(&app.token, "GET", "/v1/audit-logs", &Value::Null)
        .await;
    assert_eq!(
        entry["id"], listed.json["items"][0]["id"],
        "{}",
        listed.json
    );
    for follower in [&mut person, &mut program] {
        loop {
            let (event, _) = follower.until("sandbox").await;
            assert_eq!(
                (&event["id"], &event["desired"]),
                (&json!(id), &json!("running"))
            );
            if event["status"] == "running" {
                break;
            }
        }
    }
    app.new_key(&app.token, &json!({})).await;
    let (_, before) = person.until("keys").await;
    assert!(!before.contains(&"members".to_owned()), "{before:?}");
    let path = format!("/v1/sandboxes/{id}");
    assert_eq!(app.call("DELETE", &path, "").await.status, 204);
    loop {
        let (event, before) = program.until("sandbox").await;
        assert_eq!(before, [""; 0], "a key is told of sandboxes alone");
        if event["desired"] == "gone" {
            break;
        }
    }
    app.new_key(&stranger.token, &json!({})).await;
    let (_, before) = other.until("keys").await;
    assert!(!before.contains(&"sandbox".to_owned()), "{before:?}");
}

#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn a_change_of_another_replica_is_told_and_one_that_is_rolled_back_is_not(pool: PgPool) {
    let app = App::start(pool.clone()).await;
    listening(&app).await;
    let mut follower = Follower::by(&app, &app.token).await;
    follower.begins().await;
    app.sandbox().await;
    app.new_key(&app.token, &json!({})).await;
    follower.until("keys").await;
    // What is rolled back, and what only moves the moment of the last use.
    let change = "UPDATE sandboxes SET labels = $1::jsonb";
    let mut rolled_back = pool.begin().await.unwrap();
    let undone = sqlx::query(change).bind(json!({"a": "1"}));
    undone.execute(&mut *rolled_back).await.unwrap();
    rolled_back.rollback().await.unwrap();
    let touch = sqlx::query("UPDATE sandboxes SET last_active_at = now()");
    touch.execute(&pool).await.unwrap();
    let replica = App::start_without_accounts(pool.clone(), |_| {}).await;
    replica.new_key(&app.token, &json!({})).await;
    let (_, before) = follower.until("keys").await;
    assert!(!before.contains(&"sandbox".to_owned()), "{before:?}");
    let committed = sqlx::query(change).bind(json!({"a": "2"}));
    committed.execute(&pool).await.unwrap();
    replica.new_key(&app.token, &json!({})).await;
    let (_, before) = follower.until("keys").await;
    let told = before.iter().filter(|name| *name == "sandbox").count();
    assert_eq!(told, 1, "{before:?}");
}

#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn a_stream_ends_when_its_login_ends_and_others_go_on(pool: PgPool) {
    let app = App::start_with(pool, |config| {
        config.sandboxes.recheck = Duration::from_millis(50);
    })
    .await;
    listening(&app).await;
    let login = app.login(EMAIL).await;
    let mut ended = Follower::by(&app, &login.token).await;
    let mut other = Follower::by(&app, &app.token).await;
    ended.begins().await;
    other.begins().await;
    let logout = app.by(&login.token, "POST", "/v1/auth/logout", &Value::Null);
    assert_eq!(logout.await.status, 204);
    let (error, _) = ended.until("error").await;
    assert_eq!(error["error"]["code"], "unauthorized");
    assert_eq!(ended.next().await, None);
    app.new_key(&app.token, &json!({})).await;
    other.until("keys").await;
}

#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn a_stream_is_told_to_load_anew_when_the_connection_to_the_database_broke(pool: PgPool) {
    let app = App::start(pool).await;
    listening(&app).await;
    let mut follower = Follower::by(&app, &app.token).await;
    follower.begins().await;
    let end = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND query LIKE 'LISTEN%'";
    locule_testkit::run_as_owner(&app.pool, end).await;
    follower.begins().await;
    app.new_key(&app.token, &json!({})).await;
    follower.until("keys").await;
}
