//! Schemathesis compares the served application with the OpenAPI document: operations, requests and responses.
//!
//! `contract/schemathesis.toml` says which checks run; `contract/calls.py` gives the calls credentials and ids of existing
//! resources. CONTRIBUTING.md explains how to read a failure.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use locule_control::{ControlConfig, Rate};
use locule_domain::Quota;
use serde::Deserialize;
use serde_json::{Value, json};
use sqlx::PgPool;

use crate::app::{App, PASSWORD};
use crate::host_images::Images;

const CALLS_MIN: usize = 2000;
/// Far longer than a run takes: a server that hangs must not hang the tests.
const PATIENCE: Duration = Duration::from_mins(9);
const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/contract");

/// Limits that no call of the run exceeds. The test of rate limits is `limits.rs`.
fn generous(config: &mut ControlConfig) {
    let rate = Rate {
        count: 1_000_000,
        per: Duration::from_mins(1),
    };
    let rates = &mut config.accounts.rates;
    for one in [
        &mut rates.login_by_address,
        &mut rates.login_by_account,
        &mut rates.login_by_account_and_origin,
        &mut rates.sign_up_by_address,
        &mut rates.reset_by_address,
        &mut rates.reset_by_account,
        &mut rates.addresses_by_person,
        &mut rates.invitations_by_address,
        &mut rates.create_team_by_account,
        &mut rates.create_key_by_account,
        &mut rates.registration_by_address,
    ] {
        *one = rate;
    }
    let limits = &mut config.accounts.limits;
    for one in [
        &mut limits.teams_owned_max,
        &mut limits.keys_per_team_max,
        &mut limits.members_per_team_max,
    ] {
        *one = 1_000_000;
    }
    config.sandboxes.quota = Quota {
        sandboxes_max: 1_000_000,
        vcpus_max: 1_000_000,
        memory_mib_max: 1_000_000_000,
        creates_per_minute_max: 1_000_000,
        paused_max: 1_000_000,
        storage_mib_max: 1_000_000_000,
    };
}

/// Runs the program to its end. Returns whether every check passed, and the output.
async fn schemathesis(address: SocketAddr, world: &Value, events: &Path) -> (bool, String) {
    #[expect(
        clippy::disallowed_methods,
        reason = "xtask passes the path of the program in the environment"
    )]
    let program = std::env::var("LOCULE_SCHEMATHESIS").unwrap();
    #[expect(clippy::disallowed_methods, reason = "the test runs Schemathesis")]
    let mut command = tokio::process::Command::new(program);
    command
        .arg("--config-file")
        .arg(format!("{FOLDER}/schemathesis.toml"))
        .args(["run", "--no-color", "--report", "ndjson"])
        .arg("--report-ndjson-path")
        .arg(events)
        .arg(format!("http://{address}/openapi.json"))
        .current_dir(events.parent().unwrap())
        .env("SCHEMATHESIS_HOOKS", "calls")
        .env("PYTHONPATH", FOLDER)
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .env("LOCULE_WORLD", world.to_string())
        .kill_on_drop(true);
    let ran = tokio::time::timeout(PATIENCE, command.output()).await;
    let ran = ran.expect("it ends in time").unwrap();
    let said = [ran.stdout, ran.stderr].concat();
    (
        ran.status.success(),
        String::from_utf8_lossy(&said).into_owned(),
    )
}

/// The relevant part of a report line. Other parts may hold numbers and text that Rust cannot represent.
#[derive(Deserialize)]
struct Event {
    #[serde(rename = "ScenarioFinished")]
    finished: Option<Scenario>,
}

#[derive(Deserialize)]
struct Scenario {
    recorder: Recorder,
}

#[derive(Deserialize)]
struct Recorder {
    /// Method and path of the operation.
    label: String,
    #[serde(default)]
    interactions: BTreeMap<String, Call>,
}

#[derive(Deserialize)]
struct Call {
    request: Sent,
    /// `None` when there was no response.
    response: Option<Received>,
}

#[derive(Deserialize)]
struct Sent {
    method: String,
}

#[derive(Deserialize)]
struct Received {
    status_code: u16,
}

/// The status codes of the responses of each operation, by method and path.
fn answers(events: &str) -> BTreeMap<String, Vec<u16>> {
    let mut answers: BTreeMap<String, Vec<u16>> = BTreeMap::new();
    for line in events.lines() {
        let event: Event = serde_json::from_str(line).unwrap();
        let Some(Scenario { recorder }) = event.finished else {
            continue;
        };
        for call in recorder.interactions.into_values() {
            // The run also tries undocumented methods, which belong to no operation.
            if recorder.label.split(' ').next() == Some(&call.request.method) {
                let answer = call.response.expect("every call is answered");
                let of_operation = answers.entry(recorder.label.clone()).or_default();
                of_operation.push(answer.status_code);
            }
        }
    }
    answers
}

/// Operations that no generated call can complete, and the test that does.
const ELSEWHERE: &[(&str, &str)] = &[
    ("GET /auth/oauth/{provider}", "oauth.rs"),
    ("GET /auth/oauth/{provider}/callback", "oauth.rs"),
    ("GET /v1/me/providers/{provider}/connect", "oauth.rs"),
    ("DELETE /v1/me/providers/{provider}", "oauth.rs"),
    ("GET /v1/sandboxes/{id}/exec/stream", "streams.rs"),
    ("GET /v1/sandboxes/{id}/pty", "terminals.rs"),
    (
        "GET /v1/sandboxes/{id}/processes/{selector}/stream",
        "streams.rs",
    ),
    ("POST /v1/hosts/{id}/accept-database", "host_lifecycle.rs"),
    (
        "POST /v1/hosts/{id}/quarantine/{sandbox_id}/import",
        "host_lifecycle.rs",
    ),
    ("POST /v1/auth/activate", "mail.rs"),
    ("POST /v1/me/password/reset/confirm", "mail.rs"),
];

/// Not called, because its answer does not end: `events.rs` reads it.
const ENDLESS: &str = "GET /v1/events";

#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn every_response_is_documented(pool: PgPool) {
    let folder = tempfile::tempdir().unwrap();
    let images = Images::in_folder(folder.path());
    let app = App::start_with(pool, |config| {
        generous(config);
        config.hosts.images = images.open();
    })
    .await;
    let address = app.listen().await;
    let world = json!({
        "url": format!("http://{address}"),
        "password": PASSWORD,
        "admin": app.token,
        "key": app.key,
        "image": images.kernel,
    });
    let events = folder.path().join("events.ndjson");
    let (well, said) = schemathesis(address, &world, &events).await;
    assert!(well, "{said}");
    let answers = answers(&std::fs::read_to_string(events).unwrap());
    let calls = answers.values().map(Vec::len).sum::<usize>();
    assert!(calls >= CALLS_MIN, "only {calls} calls\n{said}");
    let document = serde_json::to_value(locule_http::document()).unwrap();
    for (path, item) in document["paths"].as_object().unwrap() {
        for method in item.as_object().unwrap().keys() {
            let operation = format!("{} {path}", method.to_uppercase());
            if operation == ENDLESS {
                continue;
            }
            let statuses = answers
                .get(&operation)
                .unwrap_or_else(|| panic!("{operation}: no call"));
            assert!(
                statuses.iter().all(|status| *status < 500),
                "{operation}: {statuses:?}"
            );
            let succeeded = statuses.iter().any(|status| (200..300).contains(status));
            let elsewhere = ELSEWHERE.iter().any(|(known, _)| *known == operation);
            assert_eq!(succeeded, !elsewhere, "{operation}: {statuses:?}");
        }
    }
}
