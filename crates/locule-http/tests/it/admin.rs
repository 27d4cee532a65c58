//! What platform administrators look up: users, teams, sandboxes, periodic tasks.

use locule_testkit::eventually;
use serde_json::{Value, json};
use sqlx::PgPool;

use crate::app::{App, EMAIL};

const NONE: Value = Value::Null;

/// The values of a field in a list, in the order of the list.
async fn found(app: &App, list: &str, query: &str, field: &str) -> Vec<String> {
    let path = format!("/v1/admin/{list}{query}");
    let answer = app.by(&app.token, "GET", &path, &NONE).await;
    assert_eq!(answer.status, 200, "{path}: {}", answer.json);
    let rows = answer.json[list].as_array().unwrap();
    assert_eq!(answer.json["total"], rows.len(), "{path}");
    let text = |row: &Value| row[field].as_str().unwrap().to_owned();
    rows.iter().map(text).collect()
}

#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn users_are_found_by_a_part_of_the_name_the_address_or_the_id(pool: PgPool) {
    let app = App::start(pool).await;
    let ada = app.sign_up("ada@locule.test").await;
    app.sign_up("bob_100@other.test").await;
    let rename = json!({ "name": "Countess LOVELACE" });
    app.by(&ada.token, "PATCH", "/v1/me", &rename).await;
    let all = ["bob_100@other.test", "ada@locule.test", EMAIL];
    let by_id = format!("?q={}", &ada.user[10..30]);
    let cases: [(&str, &[&str]); 11] = [
        ("", &all),
        ("?q=", &all),
        ("?q=lovelace", &all[1..2]),
        ("?q=+COUNTESS+", &all[1..2]),
        ("?q=LOCULE.test", &all[1..]),
        (&by_id, &all[1..2]),
        ("?q=b_1", &all[..1]),
        ("?q=0%25@", &[]),
        ("?q=a%25b", &[]),
        ("?q=a_a", &[]),
        ("?q=%5C", &[]),
    ];
    for (query, expected) in cases {
        assert_eq!(
            found(&app, "users", query, "email").await,
            expected,
            "{query}"
        );
    }
}

#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn teams_are_found_by_a_part_of_the_name_the_id_or_the_owner(pool: PgPool) {
    let app = App::start(pool).await;
    let ada = app.sign_up("ada@locule.test").await;
    let atlas = json!({ "name": "Atlas @ Home" });
    app.by(&ada.token, "POST", "/v1/teams", &atlas).await;
    let own = "ada's Team";
    let by_id = format!("?q={}", &ada.team[8..28]);
    let cases: [(&str, &[&str]); 4] = [
        ("?q=atlas", &["Atlas @ Home"]),
        ("?q=ADA@locule", &["Atlas @ Home", own]),
        (&by_id, &[own]),
        ("?q=zzz", &[]),
    ];
    for (query, expected) in cases {
        assert_eq!(
            found(&app, "teams", query, "name").await,
            expected,
            "{query}"
        );
    }
    for wrong in ["?q=%00".to_owned(), format!("?q={}", "x".repeat(255))] {
        for list in ["users", "teams"] {
            let path = format!("/v1/admin/{list}{wrong}");
            let answer = app.by(&app.token, "GET", &path, &NONE).await;
            assert_eq!(answer.json["error"]["code"], "invalid_request", "{path}");
        }
    }
}

/// The application of these tests starts this task, and none of the jobs that one process runs for all.
#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn the_passes_of_periodic_tasks_are_shown(pool: PgPool) {
    let app = App::start(pool).await;
    let task = async || {
        let answer = app.by(&app.token, "GET", "/v1/admin/tasks", &NONE).await;
        assert_eq!(answer.status, 200, "{}", answer.json);
        let tasks = answer.json["items"].as_array().unwrap().clone();
        let find = |name: &str| tasks.iter().find(|task| task["name"] == name).cloned();
        assert_eq!(find("sandbox sweep").unwrap()["last_finished_at"], NONE);
        find("revocation").unwrap()
    };
    eventually("a pass has ended", async || {
        task().await["last_finished_at"].is_string()
    })
    .await;
    let task = task().await;
    assert_eq!(task["period_sec"], json!(5));
    assert!(task["last_started_at"].is_string());
    assert_eq!(task["last_error"], NONE);
}

#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn an_administrator_lists_the_sandboxes_of_all_teams_or_of_one_team_or_host(pool: PgPool) {
    let app = App::start(pool).await;
    let ada = app.sign_up("ada@locule.test").await;
    let labels = json!({ "labels": { "job": "nightly" } });
    let mut made = Vec::new();
    for (token, body) in [
        (&app.token, json!({})),
        (&ada.token, json!({})),
        (&ada.token, labels),
    ] {
        let answer = app.by(token, "POST", "/v1/sandboxes", &body).await;
        assert_eq!(answer.status, 201, "{}", answer.json);
        made.push(answer.json["id"].as_str().unwrap().to_owned());
    }
    made.reverse();
    let list = async |query: &str| {
        let path = format!("/v1/admin/sandboxes{query}");
        let answer = app.by(&app.token, "GET", &path, &NONE).await;
        assert_eq!(answer.status, 200, "{path}: {}", answer.json);
        (answer.headers, answer.json.as_array().unwrap().clone())
    };
    let ids = |rows: &[Value]| -> Vec<String> {
        let text = |row: &Value| row["id"].as_str().unwrap().to_owned();
        rows.iter().map(text).collect()
    };
    let (headers, all) = list("").await;
    assert_eq!(ids(&all), made);
    assert_eq!(headers["x-total-count"], "3");
    assert_eq!(
        all[0]["team"],
        json!({ "id": ada.team, "name": "ada's Team" })
    );
    let host = all[0]["host_id"].as_str().unwrap();
    let other = "host-00000000-0000-4000-8000-000000000000";
    let cases: [(String, &[String]); 5] = [
        (format!("?team={}", ada.team), &made[..2]),
        (format!("?host={host}"), &made),
        (format!("?host={other}"), &[]),
        (format!("?team={}&label=job=nightly", ada.team), &made[..1]),
        (format!("?q={}", made[2]), &made[2..]),
    ];
    for (query, expected) in cases {
        assert_eq!(ids(&list(&query).await.1), expected, "{query}");
    }
    let (headers, first) = list(&format!("?team={}&limit=1", ada.team)).await;
    assert_eq!(ids(&first), made[..1]);
    let link = headers["link"].to_str().unwrap();
    let next = link.split(['<', '>']).nth(1).unwrap();
    let next = next.strip_prefix("/v1/admin/sandboxes").unwrap();
    assert_eq!(ids(&list(next).await.1), made[1..2]);
    for wrong in ["?team=x", "?host=x", "?limit=0"] {
        let path = format!("/v1/admin/sandboxes{wrong}");
        let answer = app.by(&app.token, "GET", &path, &NONE).await;
        assert_eq!(answer.json["error"]["code"], "invalid_request", "{wrong}");
    }
    let answer = app
        .by(&ada.token, "GET", "/v1/admin/sandboxes", &NONE)
        .await;
    assert_eq!(answer.status, 403);
}

#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn the_limits_of_a_team_are_shown_as_they_were_set_and_as_they_hold(pool: PgPool) {
    let app = App::start(pool).await;
    let ada = app.sign_up("ada@locule.test").await;
    let path = format!("/v1/admin/teams/{}/quota", ada.team);
    let before = app.by(&app.token, "GET", &path, &NONE).await;
    assert_eq!(before.status, 200, "{}", before.json);
    assert_eq!(before.json["own"]["vcpus_max"], NONE);
    let default = before.json["limits"]["vcpus"]["max"].as_u64().unwrap();

    let own = json!({ "vcpus_max": default + 1 });
    app.by(&app.token, "PUT", &path, &own).await;
    let after = app.by(&app.token, "GET", &path, &NONE).await.json;
    assert_eq!(after["own"]["vcpus_max"], default + 1);
    assert_eq!(after["own"]["sandboxes_max"], NONE);
    let of_team = app.by(&ada.token, "GET", "/v1/limits", &NONE).await.json;
    assert_eq!(after["limits"], of_team);
    assert_eq!(of_team["vcpus"]["max"], default + 1);

    let unknown = "team-00000000-0000-4000-8000-00000000abcd";
    for team in [unknown, "team-00000000-0000-0000-0000-000000000000"] {
        let path = format!("/v1/admin/teams/{team}/quota");
        let answer = app.by(&app.token, "GET", &path, &NONE).await;
        assert_eq!(answer.status, 404, "{team}");
        assert_eq!(answer.json["error"]["code"], "not_found", "{team}");
    }
}
