//! Cordon, drain and delete of a host (B-120, B-121, W-011).

use locule_agent_api::WriteMark;
use serde_json::{Value, json};
use sqlx::PgPool;

use crate::app::{Answer, App};

const NONE: Value = Value::Null;

/// The path of the only host, which is online.
async fn host(app: &App) -> String {
    let hosts = app.by(&app.token, "GET", "/v1/hosts", &NONE).await;
    assert_eq!(hosts.json.as_array().map(Vec::len), Some(1));
    format!("/v1/hosts/{}", hosts.json[0]["id"].as_str().unwrap())
}

async fn by_admin(app: &App, method: &str, path: &str, body: &Value) -> Answer {
    app.by(&app.token, method, path, body).await
}

async fn sandbox(app: &App, id: &str) -> Value {
    let path = format!("/v1/sandboxes/{id}");
    app.call("GET", &path, "").await.json
}

#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn nothing_is_placed_on_a_cordoned_host_and_what_runs_there_stays(pool: PgPool) {
    let app = App::start(pool).await;
    let (host, running) = (host(&app).await, app.sandbox().await);
    let cordoned = by_admin(&app, "PATCH", &host, &json!({ "cordoned": true })).await;
    assert_eq!(cordoned.status, 200, "{}", cordoned.json);
    assert_eq!(cordoned.json["cordoned"], true);
    assert_eq!(cordoned.json["running_sandboxes"], 1);
    let refused = app.call("POST", "/v1/sandboxes", "{}").await;
    assert_eq!(refused.status, 503, "{}", refused.json);
    assert_eq!(refused.json["error"]["code"], "no_hosts_available");

    assert_eq!(sandbox(&app, &running).await["status"], "running");
    let path = format!("/v1/sandboxes/{running}");
    for act in ["pause", "resume"] {
        let done = app.call("POST", &format!("{path}/{act}"), "").await;
        assert_eq!(done.status, 200, "{act}: {}", done.json);
    }
    let again = by_admin(&app, "PATCH", &host, &json!({ "cordoned": false })).await;
    assert_eq!(again.json["cordoned"], false);
    app.sandbox().await;
}

#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn a_drain_pauses_what_runs_and_nothing_resumes_until_it_ends(pool: PgPool) {
    let app = App::start(pool).await;
    let (host, running, paused) = (host(&app).await, app.sandbox().await, app.sandbox().await);
    let pause = format!("/v1/sandboxes/{paused}/pause");
    assert_eq!(app.call("POST", &pause, "").await.status, 200);

    let drain = format!("{host}/drain");
    // The sandboxes that run are left alone.
    let waiting = by_admin(&app, "POST", &drain, &json!({ "running": "wait" })).await;
    assert_eq!(waiting.status, 200, "{}", waiting.json);
    assert_eq!(waiting.json["host"]["drain"], "wait");
    assert_eq!(waiting.json["sandboxes"].as_array().map(Vec::len), Some(2));
    app.control.monitor_hosts().await.unwrap();
    assert_eq!(sandbox(&app, &running).await["status"], "running");

    let drained = by_admin(&app, "POST", &drain, &json!({ "running": "pause" })).await;
    assert_eq!(drained.json["host"]["drain"], "pause");
    assert_eq!(drained.json["host"]["cordoned"], true);
    // The task that the request started may be at work on the sandbox, which this pass then leaves to the task.
    while sandbox(&app, &running).await["status"] != "paused" {
        app.control.monitor_hosts().await.unwrap();
        tokio::task::yield_now().await;
    }
    assert_eq!(
        sandbox(&app, &running).await["status_reason"],
        "host_drained"
    );
    for id in [&running, &paused] {
        let resume = format!("/v1/sandboxes/{id}/resume");
        let refused = app.call("POST", &resume, "").await;
        assert_eq!(refused.status, 503, "{}", refused.json);
        assert_eq!(refused.json["error"]["code"], "no_hosts_available");
        assert_eq!(sandbox(&app, id).await["status"], "paused");
    }
    let held = by_admin(&app, "GET", &format!("{host}/sandboxes"), &NONE).await;
    let held = held.json.as_array().unwrap();
    assert!(held.iter().all(|one| one["status"] == "paused"), "{held:?}");

    let ended = by_admin(&app, "PATCH", &host, &json!({ "cordoned": false })).await;
    assert_eq!(ended.json["drain"], NONE);
    let resume = format!("/v1/sandboxes/{running}/resume");
    assert_eq!(app.call("POST", &resume, "").await.status, 200);
}

#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn a_host_with_sandboxes_is_deleted_only_by_force(pool: PgPool) {
    let app = App::start(pool).await;
    let (host, running, paused) = (host(&app).await, app.sandbox().await, app.sandbox().await);
    let pause = format!("/v1/sandboxes/{paused}/pause");
    assert_eq!(app.call("POST", &pause, "").await.status, 200);
    let mut all = [running.clone(), paused.clone()];
    all.sort();

    let preview = by_admin(&app, "GET", &format!("{host}/delete-preview"), &NONE).await;
    assert_eq!(preview.status, 200, "{}", preview.json);
    let ids = |value: &Value| {
        let ids = value.as_array().unwrap().iter();
        let mut ids: Vec<String> = ids.map(|id| id.as_str().unwrap().to_owned()).collect();
        ids.sort();
        ids
    };
    assert_eq!(ids(&preview.json["sandbox_ids"]), all);
    // D-19: the list is at both places.
    let refused = by_admin(&app, "DELETE", &host, &NONE).await;
    assert_eq!(refused.status, 409, "{}", refused.json);
    assert_eq!(refused.json["error"]["code"], "has_active_sandboxes");
    assert_eq!(ids(&refused.json["error"]["sandbox_ids"]), all);
    assert_eq!(ids(&refused.json["sandbox_ids"]), all);
    assert_eq!(sandbox(&app, &running).await["status"], "running");
    let still = by_admin(&app, "GET", &host, &NONE).await;
    assert_eq!(still.json["cordoned"], false);

    let deleted = by_admin(&app, "DELETE", &format!("{host}?force=true"), &NONE).await;
    assert_eq!(deleted.status, 204, "{}", deleted.json);
    for id in [&running, &paused] {
        let ended = sandbox(&app, id).await;
        assert_eq!(ended["status"], "stopped");
        assert_eq!(ended["status_reason"], "host_deleted");
    }
    assert_eq!(app.host.count(), 0);
    assert_eq!(by_admin(&app, "GET", &host, &NONE).await.status, 404);
    let again = by_admin(&app, "DELETE", &host, &NONE).await;
    assert_eq!(again.status, 404);
}

/// B-121: an agent that cannot be reached does not stop the delete.
#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn a_host_that_does_not_answer_is_deleted_by_force(pool: PgPool) {
    let app = App::start(pool).await;
    let (host, running) = (host(&app).await, app.sandbox().await);
    app.host.go_away();
    let deleted = by_admin(&app, "DELETE", &format!("{host}?force=true"), &NONE).await;
    assert_eq!(deleted.status, 204, "{}", deleted.json);
    assert_eq!(sandbox(&app, &running).await["status"], "stopped");
    // The files stay on the host, whose agent keeps them (behaviour 3.3).
    app.host.come_back();
    app.control.sweep().await.unwrap();
    assert_eq!(app.host.count(), 1);
}

/// As after the restore of a backup that is older than the sandbox.
#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn a_sandbox_that_is_not_in_the_database_is_listed_and_imported(pool: PgPool) {
    let app = App::start(pool).await;
    let (host, id) = (host(&app).await, app.sandbox().await);
    let quarantine = format!("{host}/quarantine");
    assert_eq!(
        by_admin(&app, "GET", &quarantine, &NONE).await.json,
        json!([])
    );
    let delete = sqlx::query("DELETE FROM sandboxes");
    delete.execute(&app.pool).await.unwrap();
    let held = by_admin(&app, "GET", &quarantine, &NONE).await;
    assert_eq!(held.status, 200, "{}", held.json);
    assert_eq!(held.json[0]["id"], id);
    assert_eq!(held.json[0]["status"], "running");
    assert_eq!(held.json[0]["template"], "minimal");

    let import = format!("{quarantine}/{id}/import");
    let imported = by_admin(&app, "POST", &import, &NONE).await;
    assert_eq!(imported.status, 201, "{}", imported.json);
    assert_eq!(imported.json["id"], id);
    assert_eq!(imported.json["status"], "paused");
    assert_eq!(sandbox(&app, &id).await["created_by"]["kind"], "system");
    assert_eq!(
        by_admin(&app, "GET", &quarantine, &NONE).await.json,
        json!([])
    );
    let again = by_admin(&app, "POST", &import, &json!({})).await;
    assert_eq!(again.status, 409, "{}", again.json);
    let resume = format!("/v1/sandboxes/{id}/resume");
    assert_eq!(app.call("POST", &resume, "").await.status, 200);

    app.host.go_away();
    let silent = by_admin(&app, "GET", &quarantine, &NONE).await;
    assert_eq!(silent.status, 503, "{}", silent.json);
    assert_eq!(silent.json["error"]["code"], "host_unavailable");
}

/// As after the restore of a backup, on a host that the backup's orders and later ones have reached.
#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn an_administrator_accepts_a_database_that_is_older_than_the_host(pool: PgPool) {
    let app = App::start(pool).await;
    let (host, id) = (host(&app).await, app.sandbox().await);
    let now = locule_control::database_mark(&app.pool).await.unwrap();
    app.host.record_mark(WriteMark {
        counter: now.counter + 1000,
        ..now
    });
    let delete = sqlx::query("DELETE FROM sandboxes");
    delete.execute(&app.pool).await.unwrap();
    app.control.sweep().await.unwrap();
    let quarantine = format!("{host}/quarantine");
    let held = by_admin(&app, "GET", &quarantine, &NONE).await;
    assert_eq!(held.json[0]["status"], "running");
    let import = format!("{quarantine}/{id}/import");
    let refused = by_admin(&app, "POST", &import, &NONE).await;
    assert_eq!(refused.status, 409, "{}", refused.json);

    // The second call finds nothing to accept.
    for _ in 0..2 {
        let accept = format!("{host}/accept-database");
        let accepted = by_admin(&app, "POST", &accept, &NONE).await;
        assert_eq!(accepted.status, 200, "{}", accepted.json);
    }
    let told = "SELECT count(*) FROM audit_logs WHERE action = 'accept_database'";
    let told: i64 = sqlx::query_scalar(told).fetch_one(&app.pool).await.unwrap();
    assert_eq!(told, 1);
    app.control.sweep().await.unwrap();
    let held = by_admin(&app, "GET", &quarantine, &NONE).await;
    assert_eq!(held.json[0]["status"], "paused");
    let imported = by_admin(&app, "POST", &import, &NONE).await;
    assert_eq!(imported.status, 201, "{}", imported.json);
}
