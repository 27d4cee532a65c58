//! The limits of a command in the foreground are outcomes: the answer is 200, with what the command printed.

use locule_testkit::eventually;
use serde_json::{Value, json};
use sqlx::PgPool;

use crate::app::{Answer, App};

const KIB: usize = 1024;
const MIB: usize = 1024 * KIB;

async fn exec(app: &App, body: Value) -> Answer {
    let path = format!("/v1/sandboxes/{}/exec", app.sandbox().await);
    let answer = app.call("POST", &path, &body.to_string()).await;
    assert_eq!(answer.status, 200, "{}", answer.json);
    answer
}

#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn a_command_that_takes_too_long_is_answered_with_what_it_printed(pool: PgPool) {
    let app = App::start(pool).await;
    let body = json!({ "cmd": "flood", "args": [(64 * KIB).to_string()], "timeout_sec": 1 });
    let answer = exec(&app, body).await;
    assert_eq!(answer.json["timed_out"], true);
    assert_eq!(answer.json["truncated"], false);
    assert_eq!(answer.json["exit_code"], 137);
    let printed = answer.json["stdout"].as_str().unwrap();
    assert_eq!(printed, "x".repeat(64 * KIB));
}

#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn a_command_that_prints_too_much_is_killed_and_answered_with_the_first_16_mib(pool: PgPool) {
    let app = App::start(pool).await;
    let body = json!({ "cmd": "flood", "args": [(17 * MIB).to_string()] });
    let answer = exec(&app, body).await;
    assert_eq!(answer.json["truncated"], true);
    assert_eq!(answer.json["timed_out"], false);
    assert_eq!(answer.json["exit_code"], 137);
    assert_eq!(answer.json["stdout"].as_str().unwrap().len(), 16 * MIB);
    eventually("the command is killed", async || {
        *app.guest.signals.lock().unwrap() == [9]
    })
    .await;
}

#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn a_command_within_its_limits_is_neither_late_nor_truncated(pool: PgPool) {
    let app = App::start(pool).await;
    let body = json!({ "cmd": "print", "args": [(16 * MIB).to_string()] });
    let answer = exec(&app, body).await;
    assert_eq!(answer.json["exit_code"], 0);
    assert_eq!(answer.json["truncated"], false);
    assert_eq!(answer.json["timed_out"], false);
    assert_eq!(answer.json["stdout"].as_str().unwrap().len(), 16 * MIB);
}
