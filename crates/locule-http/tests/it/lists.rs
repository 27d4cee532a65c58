//! The filters of the E2B list (e2b-compat 2.3).

use serde_json::{Value, json};
use sqlx::PgPool;

use crate::app::App;

async fn made(app: &App, metadata: Value) -> String {
    let body = json!({"templateID": "base", "metadata": metadata}).to_string();
    let made = app.call("POST", "/v2/sandboxes", &body).await;
    made.json["sandboxID"].as_str().unwrap().to_owned()
}

async fn listed(app: &App, query: &str) -> Vec<String> {
    let answer = app.call("GET", &format!("/v2/sandboxes{query}"), "").await;
    assert_eq!(answer.status, 200, "{query}: {}", answer.json);
    let ids = answer.json.as_array().unwrap().iter();
    ids.map(|sandbox| sandbox["sandboxID"].as_str().unwrap().to_owned())
        .collect()
}

#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn a_list_is_filtered_ordered_and_paged(pool: PgPool) {
    let app = App::start(pool).await;
    let a = made(&app, json!({"a": "b c", "x/y": "1&2=3%"})).await;
    let b = made(&app, json!({"a": "b c"})).await;
    let c = made(&app, json!({})).await;
    app.call("POST", &format!("/sandboxes/{b}/pause"), "").await;
    let all = [c.clone(), b.clone(), a.clone()];
    let rising = [a.clone(), b.clone(), c.clone()];
    for (query, expected) in [
        ("", &all[..]),
        ("?order=desc", &all),
        ("?order=asc", &rising),
        ("?metadata=a%3Db%252520c", &all[1..]),
        (
            "?metadata=a%3Db%252520c%26x%25252Fy%3D1%2525262%25253D3%252525",
            &all[2..],
        ),
        ("?metadata=a%3Dz", &[]),
        ("?metadata=none%3D1", &[]),
        ("?state=paused", &all[1..2]),
        ("?state=running,paused", &all),
        ("?state=running&order=asc", &[a.clone(), c.clone()]),
        ("?template=base", &all),
        ("?template=minimal", &all),
        ("?template=unknown", &[]),
        ("?startedAfter=2000-01-01T00:00:00Z", &all),
        ("?startedAfter=2999-01-01T00:00:00%2B01:00", &[]),
        ("?surprise=1", &all),
    ] {
        assert_eq!(listed(&app, query).await, expected, "{query}");
    }
    for query in [
        "template=base:tag",
        "limit=0",
        "limit=101",
        "limit=x",
        "order=up",
        "state=stopped",
        "startedAfter=yesterday",
        "nextToken=x",
        "metadata=%2525FF",
    ] {
        let answer = app.call("GET", &format!("/v2/sandboxes?{query}"), "").await;
        assert_eq!(
            (answer.status.as_u16(), &answer.json["code"]),
            (400, &json!(400)),
            "{query}"
        );
    }
    let old = app.call("GET", "/sandboxes", "").await;
    assert_eq!(old.json.as_array().unwrap().len(), 2, "running only");
}

#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn started_after_includes_sandboxes_started_at_that_time(pool: PgPool) {
    let app = App::start(pool).await;
    let id = made(&app, json!({})).await;
    let seen = app.call("GET", &format!("/sandboxes/{id}"), "").await;
    let started = seen.json["startedAt"].as_str().unwrap().replace('+', "%2B");
    let query = format!("?startedAfter={started}");
    assert_eq!(listed(&app, &query).await, [id]);
}

#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn consecutive_pages_of_sandboxes_have_no_gap_and_no_repetition(pool: PgPool) {
    let app = App::start(pool).await;
    for _ in 0..5 {
        made(&app, json!({})).await;
    }
    let all = listed(&app, "?order=asc").await;
    let (mut pages, mut token) = (Vec::new(), String::new());
    loop {
        let path = format!("/v2/sandboxes?order=asc&limit=2&nextToken={token}");
        let page = app.call("GET", &path, "").await;
        let ids = page.json.as_array().unwrap().iter();
        pages.extend(ids.map(|one| one["sandboxID"].as_str().unwrap().to_owned()));
        match page.headers.get("x-next-token") {
            Some(next) => next.to_str().unwrap().clone_into(&mut token),
            None => break,
        }
    }
    assert_eq!(pages, all);
}

/// W-051: a position says where a list goes on, never whose list it is.
#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn a_position_of_another_teams_list_or_a_forged_one_shows_nothing_foreign(pool: PgPool) {
    let app = App::start(pool).await;
    let stranger = app.sign_up("stranger@locule.test").await;
    let key = app.new_key(&stranger.token, &json!({})).await;
    let mut own = Vec::new();
    let mut theirs = Vec::new();
    for _ in 0..3 {
        theirs.push(made(&app, json!({})).await);
        let body = json!({"templateID": "base"}).to_string();
        let made = app.call_as(&key, "POST", "/v2/sandboxes", &body).await;
        own.push(made.json["sandboxID"].as_str().unwrap().to_owned());
    }
    let mut positions: Vec<String> = theirs
        .iter()
        .flat_map(|id| ["0", "1764030000000000", "9223372036854775"].map(|at| format!("{at}.{id}")))
        .collect();
    for order in ["asc", "desc"] {
        let path = format!("/v2/sandboxes?limit=1&order={order}");
        let page = app.call("GET", &path, "").await;
        let next = page.headers["x-next-token"].to_str().unwrap();
        positions.push(next.to_owned());
    }
    let mut seen = 0;
    for position in &positions {
        for order in ["asc", "desc"] {
            let path = format!("/v2/sandboxes?order={order}&nextToken={position}");
            let page = app.call_as(&key, "GET", &path, "").await;
            assert_eq!(page.status, 200, "{path}: {}", page.json);
            for sandbox in page.json.as_array().unwrap() {
                let id = sandbox["sandboxID"].as_str().unwrap();
                assert!(own.iter().any(|own| own == id), "{path}: {id}");
                seen += 1;
            }
        }
    }
    assert!(seen > 0, "the positions are read");
    let log = async |token: &str, query: &str| {
        let path = format!("/v1/audit-logs{query}");
        let page = app.by(token, "GET", &path, &Value::Null).await;
        assert_eq!(page.status, 200, "{path}: {}", page.json);
        page.json
    };
    let ids = |page: &Value| -> Vec<String> {
        let entries = page["items"].as_array().unwrap().iter();
        entries
            .map(|entry| entry["id"].as_str().unwrap().to_owned())
            .collect()
    };
    let (foreign, page) = (
        ids(&log(&app.token, "").await),
        log(&app.token, "?limit=1").await,
    );
    let before = page["next_before"].as_str().unwrap();
    for query in [
        String::new(),
        format!("?before={before}"),
        format!("?before={before}&before_id={}", foreign[0]),
        format!("?before_id={}", foreign[0]),
        "?before=9223372036854775.f5lxx1zz5pnorynqglhzmsp33".to_owned(),
    ] {
        let shown = ids(&log(&stranger.token, &query).await);
        assert!(!shown.is_empty(), "{query}");
        assert!(
            !shown.iter().any(|entry| foreign.contains(entry)),
            "{query}"
        );
    }
}
