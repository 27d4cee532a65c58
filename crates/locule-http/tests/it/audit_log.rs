//! Reading the audit log.

use serde_json::{Value, json};
use sqlx::PgPool;

use crate::app::{App, Signed};

const NONE: Value = Value::Null;

async fn read(app: &App, token: &str, query: &str) -> Value {
    let path = format!("/v1/audit-logs{query}");
    let answer = app.by(token, "GET", &path, &NONE).await;
    assert_eq!(answer.status, 200, "{query}: {}", answer.json);
    answer.json
}

fn told(page: &Value) -> Vec<String> {
    let entries = page["items"].as_array().unwrap().iter();
    entries
        .map(|entry| {
            let word = |name: &str| entry[name].as_str().unwrap_or("-").to_owned();
            [
                word("actor_type"),
                word("actor_name"),
                word("resource_type"),
                word("action"),
                word("scope"),
                word("status"),
                entry["metadata"].to_string(),
            ]
            .join(" ")
        })
        .collect()
}

/// B-081, B-082, B-085, B-088: the entries, and their readers.
#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn the_audit_log_names_actors_and_is_read_only_by_its_team(pool: PgPool) {
    let app = App::start(pool).await;
    let (ada, bob) = (
        app.sign_up("ada@locule.test").await,
        app.sign_up("bob@locule.test").await,
    );
    let key = app.new_key(&ada.token, &json!({ "name": "robot" })).await;
    app.call_as(&key, "POST", "/v1/sandboxes", "{}").await;
    let team = format!("/v1/teams/{}", ada.team);
    app.join(&ada, &bob, "bob@locule.test").await;
    app.by(&ada.token, "PATCH", &team, &json!({ "name": "New" }))
        .await;
    let switched = app
        .by(
            &bob.token,
            "POST",
            "/v1/auth/switch-team",
            &json!({ "team_id": ada.team }),
        )
        .await;
    let bob = Signed::of(&switched.json);
    let all = read(&app, &ada.token, "").await;
    assert_eq!(
        told(&all),
        [
            r#"user ada team rename team info {"new_name":"New","old_name":"ada's Team"}"#,
            r#"user bob member add admin success {"email":"bob@locule.test","role":"member"}"#,
            r#"user ada member invite admin info {"email":"bob@locule.test","role":"member"}"#,
            r#"api_key robot sandbox create team success {"template":"minimal"}"#,
            r#"user ada api_key create team success {"name":"robot"}"#,
        ]
    );
    assert_eq!(all["items"][1]["resource_id"], bob.user);
    assert_eq!(all["items"][1]["actor_id"], bob.user);
    assert_eq!(all["items"][2]["actor_id"], ada.user);
    assert!(
        all["items"][3]["actor_id"]
            .as_str()
            .unwrap()
            .starts_with("key-")
    );
    let seen_by_bob = read(&app, &bob.token, "").await;
    assert_eq!(seen_by_bob["items"].as_array().unwrap().len(), 3);
    app.by(&bob.token, "POST", &format!("{team}/leave"), &NONE)
        .await;
    let last = read(&app, &ada.token, "?limit=1").await;
    assert_eq!(told(&last), ["user bob member leave admin info null"]);
    // The audit log of another team is not readable.
    assert!(told(&read(&app, &app.token, "?resource_type=team").await).is_empty());
}

/// B-086, B-087, B-089, W-051.
#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn consecutive_pages_of_the_audit_log_have_no_gap(pool: PgPool) {
    let app = App::start(pool).await;
    let ada = app.sign_up("ada@locule.test").await;
    for _ in 0..23 {
        app.new_key(&ada.token, &json!({})).await;
    }
    app.by(&ada.token, "POST", "/v1/sandboxes", &json!({}))
        .await;
    // All entries have the same second, as in a busy second.
    let mut seen = Vec::new();
    let mut query = "?limit=5".to_owned();
    loop {
        let page = read(&app, &ada.token, &query).await;
        let ids = page["items"].as_array().unwrap().iter();
        seen.extend(ids.map(|entry| entry["id"].as_str().unwrap().to_owned()));
        let Some(next) = page["next_before"].as_str() else {
            break;
        };
        query = format!("?limit=5&before={next}&before_id=log-ignored");
    }
    let unique: std::collections::BTreeSet<_> = seen.iter().collect();
    assert_eq!((seen.len(), unique.len()), (24, 24));
    for (query, count) in [
        ("", 24),
        ("?limit=100000", 24),
        ("?resource_type=sandbox", 1),
        ("?resource_type=sandbox,api_key&action=create", 24),
        ("?resource_type=sandbox&resource_type=team", 1),
        ("?action=destroy", 0),
    ] {
        let page = read(&app, &ada.token, query).await;
        assert_eq!(page["items"].as_array().unwrap().len(), count, "{query}");
    }
    for wrong in [
        "?limit=0",
        "?limit=-1",
        "?limit=x",
        "?before=x",
        "?before=1.x",
        "?action=%00",
    ] {
        let path = format!("/v1/audit-logs{wrong}");
        let answer = app.by(&ada.token, "GET", &path, &NONE).await;
        assert_eq!(answer.json["error"]["code"], "invalid_request", "{wrong}");
    }
}

/// The ids of the entries that a query selects, newest first.
async fn selected(app: &App, token: &str, query: &str) -> Vec<String> {
    let page = read(app, token, query).await;
    let entries = page["items"].as_array().unwrap().iter();
    entries
        .map(|entry| entry["id"].as_str().unwrap().to_owned())
        .collect()
}

/// B-087.
#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn entries_are_selected_by_resource_actor_and_time(pool: PgPool) {
    let app = App::start(pool).await;
    let ada = app.sign_up("ada@locule.test").await;
    let key = app.new_key(&ada.token, &json!({ "name": "robot" })).await;
    let made = app.call_as(&key, "POST", "/v1/sandboxes", "{}").await;
    let sandbox = made.json["id"].as_str().unwrap().to_owned();
    app.by(&ada.token, "POST", "/v1/sandboxes", &json!({}))
        .await;
    let all = read(&app, &ada.token, "").await;
    let ids = selected(&app, &ada.token, "").await;
    let robot = all["items"][1]["actor_id"].as_str().unwrap();
    let at = all["items"][1]["created_at"].as_str().unwrap();
    let later = "2100-01-01T00:00:00%2B02:00";
    for (query, count) in [
        (format!("?resource_id={sandbox}"), 1),
        (format!("?resource_id={sandbox}&action=destroy"), 0),
        (format!("?resource_id={robot},{sandbox}"), 2),
        (format!("?actor_id={robot}"), 1),
        (format!("?actor_id={robot}&actor_id={}", ada.user), 3),
        (format!("?actor_id={}", ada.team), 0),
        (format!("?from={at}&to={later}"), 3),
        (format!("?from={later}"), 0),
        (format!("?to={at}"), 0),
    ] {
        let found = selected(&app, &ada.token, &query).await;
        // The time of an entry is shown in whole seconds: entries before it may be in the same second.
        let fits = found.len() == count || query.contains("from=20") && found.len() >= 2;
        assert!(fits, "{query}: {found:?}");
        assert!(found.iter().all(|id| ids.contains(id)), "{query}");
    }
    for wrong in [
        "?from=x",
        "?to=2026-11-29",
        "?resource_id=%00",
        "?actor_id=%00",
    ] {
        let path = format!("/v1/audit-logs{wrong}");
        let answer = app.by(&ada.token, "GET", &path, &NONE).await;
        assert_eq!(answer.json["error"]["code"], "invalid_request", "{wrong}");
    }
}

#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn one_entry_is_read_by_those_who_may_list_it(pool: PgPool) {
    let app = App::start(pool).await;
    let (ada, bob) = (
        app.sign_up("ada@locule.test").await,
        app.sign_up("bob@locule.test").await,
    );
    app.new_key(&ada.token, &json!({ "name": "robot" })).await;
    app.join(&ada, &bob, "bob@locule.test").await;
    let switch = json!({ "team_id": ada.team });
    let switched = app
        .by(&bob.token, "POST", "/v1/auth/switch-team", &switch)
        .await;
    let member = Signed::of(&switched.json);
    let all = read(&app, &ada.token, "").await;
    let [join, _, key] = [0, 1, 2].map(|at| all["items"][at].clone());
    let path = |entry: &Value| format!("/v1/audit-logs/{}", entry["id"].as_str().unwrap());
    for (who, entry, status) in [
        (&ada, &join, 200),
        (&ada, &key, 200),
        (&member, &key, 200),
        // The scope of the entry is `admin`.
        (&member, &join, 404),
        (&bob, &key, 404),
    ] {
        let answer = app.by(&who.token, "GET", &path(entry), &NONE).await;
        assert_eq!(answer.status, status, "{}", answer.json);
        if status == 200 {
            assert_eq!(answer.json, *entry);
        }
    }
    let log = read(&app, &app.token, "").await;
    assert!(!log.to_string().contains(key["id"].as_str().unwrap()));
    let platform = "/v1/admin/audit-logs";
    let list = app.by(&app.token, "GET", platform, &NONE).await;
    let newest = &list.json["items"][0];
    let one = format!("{platform}/{}", newest["id"].as_str().unwrap());
    let answer = app.by(&app.token, "GET", &one, &NONE).await;
    assert_eq!((answer.status.as_u16(), &answer.json), (200, newest));
    let answer = app.by(&ada.token, "GET", &one, &NONE).await;
    assert_eq!(answer.status, 403);
    let of_team = format!("{platform}/{}", key["id"].as_str().unwrap());
    let answer = app.by(&app.token, "GET", &of_team, &NONE).await;
    assert_eq!(answer.status, 404, "{}", answer.json);
}

/// Names for ids, also of a key that is gone.
#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn entries_name_the_users_teams_and_keys_that_they_are_about(pool: PgPool) {
    let app = App::start(pool).await;
    let (ada, bob) = (
        app.sign_up("ada@locule.test").await,
        app.sign_up("bob@locule.test").await,
    );
    app.new_key(&ada.token, &json!({ "name": "robot" })).await;
    let keys = app.by(&ada.token, "GET", "/v1/api-keys", &NONE).await;
    assert_eq!(keys.json[0]["created_by_name"], "ada");
    let key = format!("/v1/api-keys/{}", keys.json[0]["id"].as_str().unwrap());
    app.by(&ada.token, "DELETE", &key, &NONE).await;
    app.join(&ada, &bob, "bob@locule.test").await;
    let team = format!("/v1/teams/{}", ada.team);
    app.by(&ada.token, "PATCH", &team, &json!({ "name": "New" }))
        .await;
    let page = read(&app, &ada.token, "").await;
    let entries = page["items"].as_array().unwrap().iter();
    let named: Vec<_> = entries
        .map(|entry| {
            (
                entry["action"].as_str().unwrap(),
                entry["resource_name"].as_str(),
            )
        })
        .collect();
    let expected = [
        ("rename", Some("New")),
        ("add", Some("bob")),
        // The invited person may have no account: the entry has the address.
        ("invite", None),
        ("revoke", Some("robot")),
        ("create", Some("robot")),
    ];
    assert_eq!(named, expected);
}
