//! The list of sandboxes in the native dialect, their fields, their clock, updates, and the limits of the team.

use locule_control::{Holder, HolderKind, Purpose};
use locule_ids::SandboxId;
use locule_testkit::Call;
use serde_json::{Value, json};
use sqlx::PgPool;

use crate::app::{Answer, App, EMAIL};
use crate::raw::Raw;

async fn created(app: &App, body: &Value) -> String {
    let made = app.call("POST", "/v1/sandboxes", &body.to_string()).await;
    assert_eq!(made.status, 201, "{}", made.json);
    made.json["id"].as_str().unwrap().to_owned()
}

async fn page(app: &App, query: &str) -> Answer {
    let answer = app.call("GET", &format!("/v1/sandboxes{query}"), "").await;
    assert_eq!(answer.status, 200, "{query}: {}", answer.json);
    answer
}

fn ids(answer: &Answer) -> Vec<String> {
    let listed = answer.json.as_array().unwrap().iter();
    let id = |sandbox: &Value| sandbox["id"].as_str().unwrap().to_owned();
    listed.map(id).collect()
}

async fn patch(app: &App, id: &str, body: &Value) -> Answer {
    let path = format!("/v1/sandboxes/{id}");
    app.call("PATCH", &path, &body.to_string()).await
}

#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn a_list_is_filtered_and_has_ended_sandboxes_on_request(pool: PgPool) {
    let app = App::start(pool).await;
    let prod = json!({ "labels": { "stage": "Prod", "x": "1" } });
    let (a, b) = (created(&app, &prod).await, created(&app, &json!({})).await);
    let c = created(&app, &json!({ "labels": { "stage": "test" } })).await;
    app.call("POST", &format!("/v1/sandboxes/{b}/pause"), "")
        .await;
    app.call("DELETE", &format!("/v1/sandboxes/{c}"), "").await;
    let key = app.call("GET", &format!("/v1/sandboxes/{a}"), "").await;
    let key = key.json["created_by"]["id"].as_str().unwrap().to_owned();
    let other = "key-6ba7b810-9dad-11d1-80b4-00c04fd430c8";
    let bare = a.parse::<SandboxId>().unwrap().base36();
    for (query, expected) in [
        ("", vec![&b, &a]),
        ("?status=paused", vec![&b]),
        ("?status=running&status=paused", vec![&b, &a]),
        ("?status=running,stopped", vec![&c, &a]),
        ("?status=error", vec![]),
        ("?ended=true", vec![&c, &b, &a]),
        ("?ended=false", vec![&b, &a]),
        ("?label=stage", vec![&a]),
        ("?label=stage&ended=true", vec![&c, &a]),
        ("?label=stage=Prod&label=x", vec![&a]),
        ("?label=stage=prod", vec![]),
        ("?q=prod", vec![&a]),
        ("?q=MINIMAL", vec![&b, &a]),
        (&format!("?q={}", &a[..20]), vec![&a]),
        (&format!("?q={bare}"), vec![&a]),
        ("?q=%25", vec![]),
        ("?template=minimal", vec![&b, &a]),
        ("?template=none", vec![]),
        (&format!("?created_by={key}"), vec![&b, &a]),
        (&format!("?created_by={other}"), vec![]),
    ] {
        let answer = page(&app, query).await;
        assert_eq!(ids(&answer).iter().collect::<Vec<_>>(), expected, "{query}");
        let total = answer.headers["x-total-count"].to_str().unwrap();
        assert_eq!(total, expected.len().to_string(), "{query}");
        assert!(!answer.headers.contains_key("link"), "{query}");
    }
    let refused = app.call("GET", "/v1/sandboxes?status=gone", "").await;
    assert_eq!(refused.status, 400, "{}", refused.json);
    let stranger = app.stranger().await;
    let path = "/v1/sandboxes?ended=true";
    let foreign = app.call_as(&stranger, "GET", path, "").await;
    assert_eq!(foreign.json, json!([]));
    assert_eq!(foreign.headers["x-total-count"], "0");
}

#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn the_pages_of_a_list_lead_through_every_sandbox_once(pool: PgPool) {
    let app = App::start(pool).await;
    for number in 0..5 {
        created(&app, &json!({ "labels": { "n": number.to_string() } })).await;
    }
    let whole = ids(&page(&app, "").await);
    let (mut walked, mut query) = (Vec::new(), "?limit=2&label=n".to_owned());
    loop {
        let answer = page(&app, &query).await;
        assert_eq!(answer.headers["x-total-count"], "5");
        walked.extend(ids(&answer));
        let Some(link) = answer.headers.get("link") else {
            break;
        };
        let link = link.to_str().unwrap();
        let next = link.strip_prefix("</v1/sandboxes").unwrap();
        query = next.strip_suffix(">; rel=\"next\"").unwrap().to_owned();
    }
    assert_eq!(walked, whole);
    let refused = app.call("GET", "/v1/sandboxes?cursor=x", "").await;
    assert_eq!(refused.status, 400);
}

#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn a_sandbox_tells_who_created_it_what_is_wanted_of_it_and_who_ended_it(pool: PgPool) {
    let app = App::start(pool).await;
    let body = json!({ "public_traffic": true, "auto_resume": true, "on_timeout": "pause", "expires_in_sec": 60 });
    let id = created(&app, &body).await;
    let path = format!("/v1/sandboxes/{id}");
    let seen = app.call("GET", &path, "").await.json;
    let fields = [
        "desired",
        "auto_resume",
        "public_traffic",
        "on_timeout",
        "disk_size_mb",
        "origin",
    ];
    let shown: Vec<&Value> = fields.iter().map(|name| &seen[*name]).collect();
    assert_eq!(
        json!(shown),
        json!(["running", true, true, "pause", 5120, { "template": "minimal" }])
    );
    assert!(seen["host_id"].as_str().unwrap().starts_with("host-"));
    let key = &seen["created_by"];
    assert_eq!(
        (&key["kind"], &key["name"]),
        (&json!("api_key"), &json!("first key"))
    );
    assert_eq!((seen.get("ended_at"), seen.get("ended_by")), (None, None));
    app.by(&app.token, "DELETE", &path, &Value::Null).await;
    let ended = app.call("GET", &path, "").await.json;
    assert_eq!(ended["desired"], "gone");
    assert!(ended["ended_at"].is_string(), "{ended}");
    assert_eq!(ended["ended_by"]["kind"], "user");
    assert_eq!(ended["ended_by"]["name"], "admin");
}

#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn an_update_changes_what_its_body_names_and_bad_values_change_nothing(pool: PgPool) {
    let app = App::start(pool).await;
    let id = created(&app, &json!({ "labels": { "a": "1", "b": "2" } })).await;
    let body = json!({ "labels": { "a": null, "c": "3" }, "timeout_sec": 60, "expires_in_sec": 600, "on_timeout": "pause" });
    let updated = patch(&app, &id, &body).await;
    assert_eq!(updated.status, 200, "{}", updated.json);
    assert_eq!(updated.json["labels"], json!({ "b": "2", "c": "3" }));
    assert_eq!(updated.json["timeout_sec"], 60);
    assert_eq!(updated.json["on_timeout"], "pause");
    assert!(updated.json["expires_at"].is_string());
    for bad in [
        json!({ "labels": { "": "x" } }),
        json!({ "labels": { "a": "\u{0}" } }),
        json!({ "labels": { "a": 1 } }),
        json!({ "timeout_sec": -1 }),
        json!({ "timeout_sec": 2_592_001 }),
        json!({ "expires_in_sec": 0 }),
        json!({ "expires_in_sec": 2_592_001 }),
        json!({ "on_timeout": "stop" }),
        json!({ "auto_resume": "yes", "timeout_sec": 1 }),
        json!([]),
    ] {
        let refused = patch(&app, &id, &bad).await;
        assert_eq!(refused.status, 400, "{bad}: {}", refused.json);
    }
    // An absent field stays; `null` is the end of an expiry, and no value elsewhere.
    let same = patch(&app, &id, &json!({ "timeout_sec": null, "labels": null })).await;
    assert_eq!(same.json, updated.json);
    let never = patch(&app, &id, &json!({ "expires_in_sec": null })).await;
    assert_eq!(never.json.get("expires_at"), None);
    app.call("DELETE", &format!("/v1/sandboxes/{id}"), "").await;
    let ended = patch(&app, &id, &json!({ "timeout_sec": 1 })).await;
    assert_eq!(
        (ended.status.as_u16(), &ended.json["error"]["code"]),
        (409, &json!("invalid_state"))
    );
}

/// ADR 0038: closing the ports of a sandbox ends the visits that are open.
#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn a_sandbox_that_is_not_public_any_more_has_no_visitor_left(pool: PgPool) {
    let app = App::start(pool).await;
    let id = created(&app, &json!({ "public_traffic": true })).await;
    let bare = id.parse::<SandboxId>().unwrap().base36();
    let address = app.listen().await;
    let hang = format!("GET /hang HTTP/1.1\r\nHost: 8080-{bare}.localhost\r\n\r\n");
    let open = Raw::open("a visit", address, &hang, b"").await;
    let open = open.until(b"begun").await;
    let updated = patch(&app, &id, &json!({ "public_traffic": false })).await;
    assert_eq!(updated.json["public_traffic"], false, "{}", updated.json);
    open.ended().await;
    let again = Raw::open("a later visit", address, &hang, b"").await;
    again.until(b"HTTP/1.1 403").await;
}

#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn the_clock_tells_what_holds_a_sandbox_and_asking_is_no_use(pool: PgPool) {
    let app = App::start(pool).await;
    let body = json!({ "timeout_sec": 600, "expires_in_sec": 3600, "on_timeout": "pause" });
    let id = created(&app, &body).await;
    let path = format!("/v1/sandboxes/{id}/clock");
    let before = app.call("GET", &path, "").await;
    assert_eq!(before.status, 200, "{}", before.json);
    let idle = &before.json["idle"];
    assert_eq!(idle["timeout_sec"], 600);
    assert!(idle["pauses_at"].is_string(), "{}", before.json);
    assert_eq!(before.json["on_timeout"], "pause");
    assert_eq!(before.json["held_by"], json!([]));
    let sandbox: SandboxId = id.parse().unwrap();
    let seen = app.host.report(sandbox).unwrap().last_active_at;
    let since = chrono::DateTime::from_timestamp(1_800_000_000, 0).unwrap();
    let holder = |purpose, count| Holder {
        purpose,
        count,
        since,
    };
    let terminal = Purpose {
        tag: Some("pty-1".to_owned()),
        ..Purpose::new(HolderKind::Terminal)
    };
    let port = Purpose {
        port: Some(8080),
        ..Purpose::new(HolderKind::Port)
    };
    let held = vec![holder(terminal, 1), holder(port, 12)];
    app.host.set_holders(sandbox, held);
    let during = app.call("GET", &path, "").await.json;
    assert_eq!(during["idle"].get("pauses_at"), None, "{during}");
    let at = "2027-01-15T08:00:00Z";
    assert_eq!(
        during["held_by"],
        json!([
            { "kind": "terminal", "tag": "pty-1", "count": 1, "since": at },
            { "kind": "port", "port": 8080, "count": 12, "since": at },
        ])
    );
    assert_eq!(app.host.report(sandbox).unwrap().last_active_at, seen);
    assert_eq!(app.host.asked(Call::Ping, sandbox), 0);
    assert!(app.guest.starts.lock().unwrap().is_empty());
    // A host that does not answer is no reason to guess.
    app.host.go_away();
    let away = app.call("GET", &path, "").await;
    assert_eq!(away.status, 503, "{}", away.json);
    app.host.come_back();
    app.call("POST", &format!("/v1/sandboxes/{id}/pause"), "")
        .await;
    let paused = app.call("GET", &path, "").await.json;
    let fields: Vec<&String> = paused.as_object().unwrap().keys().collect();
    assert_eq!(fields, ["held_by", "now"]);
}

#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn the_limits_of_a_team_tell_what_its_sandboxes_use(pool: PgPool) {
    let app = App::start(pool).await;
    created(
        &app,
        &json!({ "vcpus": 2, "memory_mb": 256, "timeout_sec": 60 }),
    )
    .await;
    let paused = created(&app, &json!({})).await;
    app.call("POST", &format!("/v1/sandboxes/{paused}/pause"), "")
        .await;
    let limits = app.call("GET", "/v1/limits", "").await.json;
    let used = |name: &str| limits[name]["used"].as_u64().unwrap();
    let all = [
        "sandboxes",
        "vcpus",
        "memory_mb",
        "paused_sandboxes",
        "storage_mb",
    ]
    .map(used);
    assert_eq!(all, [1, 2, 256, 2, 0]);
    assert_eq!(limits["sandboxes"]["max"], 1000);
    assert_eq!(limits["sandbox"]["memory_mb_step"], 128);
    let team = app.login(EMAIL).await.team;
    let path = format!("/v1/admin/teams/{team}/quota");
    let set = app
        .by(&app.token, "PUT", &path, &json!({ "vcpus_max": 3 }))
        .await;
    assert_eq!(set.status, 204, "{}", set.json);
    let limits = app.call("GET", "/v1/limits", "").await.json;
    assert_eq!(limits["vcpus"], json!({ "used": 2, "max": 3 }));
}
