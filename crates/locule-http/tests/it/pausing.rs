//! Requests for a sandbox that its host has just paused, or is pausing: its row does not say so yet.

use axum::body::{Body, Bytes};
use futures::stream;
use http::Request;
use locule_ids::SandboxId;
use locule_testkit::{Call, ReportedState};
use serde_json::{Value, json};
use sqlx::PgPool;

use crate::app::{Answer, App};

async fn create(app: &App, more: Value) -> (String, SandboxId) {
    let mut body = json!({"templateID": "base", "timeout": 300, "autoPause": true});
    let more = more.as_object().unwrap().clone();
    body.as_object_mut().unwrap().extend(more);
    let made = app.call("POST", "/v2/sandboxes", &body.to_string()).await;
    assert_eq!(made.status, 201, "{}", made.json);
    let text = made.json["sandboxID"].as_str().unwrap().to_owned();
    let id = SandboxId::from_base36(&text).unwrap();
    (text, id)
}

async fn connect(app: &App, id: &str, seconds: u32) -> Answer {
    let body = json!({"timeout": seconds}).to_string();
    app.call("POST", &format!("/v2/sandboxes/{id}/connect"), &body)
        .await
}

async fn post(app: &App, id: &str, body: Body) -> Answer {
    let request = Request::post("/x")
        .header("e2b-sandbox-id", id)
        .header("e2b-sandbox-port", "8080");
    app.send(request.body(body).unwrap()).await
}

#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn connect_resumes_a_sandbox_that_has_just_paused_itself(pool: PgPool) {
    let app = App::start(pool).await;
    // Shorter than the time that is left, so that there is nothing to extend, and longer.
    for seconds in [10, 900] {
        let (text, id) = create(&app, json!({})).await;
        app.host.pause_by_itself(id, "timeout");
        let connected = connect(&app, &text, seconds).await;
        assert_eq!(connected.status, 201, "{}", connected.json);
        assert_eq!(app.host.holds(id), Some(ReportedState::Running));
        assert_eq!(connect(&app, &text, seconds).await.status, 200);
    }
}

#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn no_call_succeeds_that_did_nothing(pool: PgPool) {
    let app = App::start(pool).await;
    let (text, id) = create(&app, json!({})).await;
    app.host.pause_by_itself(id, "timeout");
    let path = format!("/sandboxes/{text}/timeout");
    let set = app.call("POST", &path, r#"{"timeout": 300}"#).await;
    assert_eq!(set.status, 409, "{}", set.json);
    let seen = app.call("GET", &format!("/sandboxes/{text}"), "").await;
    assert_eq!(seen.json["state"], "paused");

    for seconds in [10, 900] {
        let (text, id) = create(&app, json!({})).await;
        app.host.end_by_itself(id, "timeout");
        let connected = connect(&app, &text, seconds).await;
        assert_eq!(connected.status, 404, "{}", connected.json);
    }
    let (text, id) = create(&app, json!({})).await;
    app.host.end_by_itself(id, "timeout");
    let path = format!("/sandboxes/{text}/timeout");
    let set = app.call("POST", &path, r#"{"timeout": 300}"#).await;
    assert_eq!(set.status, 404, "{}", set.json);
}

#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn a_visit_resumes_a_sandbox_that_has_just_paused_itself(pool: PgPool) {
    let app = App::start(pool).await;
    let chunks = ["a".repeat(200_000), "end".to_owned()];
    let bodies = [Body::empty(), Body::from("short"), {
        let chunks = chunks
            .clone()
            .map(|text| Ok::<_, std::io::Error>(Bytes::from(text)));
        Body::from_stream(stream::iter(chunks))
    }];
    for (body, length) in bodies.into_iter().zip([0, 5, 200_003]) {
        let (text, id) = create(&app, json!({"autoResume": {"enabled": true}})).await;
        app.host.pause_by_itself(id, "timeout");
        let visit = post(&app, &text, body).await;
        assert_eq!(visit.status, 200, "{}", visit.json);
        let arrived = app.guest.web_request.lock().unwrap().take().unwrap();
        assert_eq!(arrived.body.len(), length);
        assert_eq!(app.host.asked(Call::Resume, id), 1);
    }
}

#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn a_visit_to_a_sandbox_without_automatic_resume_finds_none(pool: PgPool) {
    let app = App::start(pool).await;
    let (text, id) = create(&app, json!({})).await;
    app.host.pause_by_itself(id, "timeout");
    let visit = post(&app, &text, Body::from("short")).await;
    assert_eq!(visit.status, 502);
    assert_eq!(visit.json["message"], "The sandbox was not found");
    assert_eq!(app.host.asked(Call::Resume, id), 0);
}

/// With the time that was set last, 0, the sandbox would end before the visit.
#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn a_sandbox_that_a_visit_resumes_runs_for_a_minute(pool: PgPool) {
    let app = App::start(pool).await;
    let (text, id) = create(&app, json!({"autoResume": {"enabled": true}})).await;
    let path = format!("/sandboxes/{text}/timeout");
    let set = app.call("POST", &path, r#"{"timeout": 0}"#).await;
    assert_eq!(set.status, 204);
    app.host.check_timeouts();
    assert_eq!(app.host.holds(id), Some(ReportedState::Paused));
    assert_eq!(post(&app, &text, Body::empty()).await.status, 200);
    app.host.check_timeouts();
    assert_eq!(app.host.holds(id), Some(ReportedState::Running));
    let end = app.host.report(id).unwrap().timeouts.expires_at.unwrap();
    let seen = app.call("GET", &format!("/sandboxes/{text}"), "").await;
    let started: chrono::DateTime<chrono::Utc> =
        serde_json::from_value(seen.json["startedAt"].clone()).unwrap();
    assert!(
        end >= started + chrono::TimeDelta::seconds(59),
        "{started} {end}"
    );
}
