//! The commands that list, show and change sandboxes.

use locule_domain::SandboxState::{Missing, Paused, Running};
use sqlx::PgPool;

use crate::platform::Platform;

const ONE: &str = "sb-12345678-9dad-11d1-80b4-00c04fd430c8";
const TWO: &str = "sb-12995678-9dad-11d1-80b4-00c04fd430c8";
/// No sandbox has this id.
const UNKNOWN: &str = "sb-00000000-0000-4000-8000-000000000000";
const THREE: &str = "sb-ffff5678-9dad-11d1-80b4-00c04fd430c8";

/// A running, a paused and a missing sandbox.
async fn three(pool: PgPool) -> Platform {
    let platform = Platform::start(pool).await;
    // A list begins with the newest sandbox.
    platform.add(THREE, Missing).await;
    platform.add(TWO, Paused).await;
    platform.add(ONE, Running).await;
    platform
}

#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn the_output_of_each_sandbox_command_matches_the_snapshot(pool: PgPool) {
    let table = three(pool).await.transcript(&[
        &["sandbox", "ls"],
        &["sandbox", "ls", "--json", "--state", "running"],
        &["sandbox", "get", "123"],
        &["sandbox", "get", "--json", "ff"],
        &["sandbox", "get", UNKNOWN],
        &["sandbox", "kill", "12", "77"],
        &["sandbox", "pause", "ffff", "123", "129"],
        &["sandbox", "resume", "--json", "123", "ffff"],
        &["sandbox", "kill", "--json", "123", UNKNOWN, "ffff"],
        &["sandbox", "kill", "129"],
        &["sandbox", "ls"],
        &["sandbox", "ls", "--json"],
    ]);
    insta::assert_snapshot!("verbs", table);
}

#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn a_list_can_be_limited_to_ids_and_to_states(pool: PgPool) {
    let platform = three(pool).await;
    assert_eq!(
        platform.succeeds(&["sandbox", "ls", "-q"]),
        format!("{ONE}\n{TWO}\n{THREE}\n")
    );
    let some = [
        "sandbox", "ls", "-q", "--state", "paused", "--state", "missing",
    ];
    assert_eq!(platform.succeeds(&some), format!("{TWO}\n{THREE}\n"));
}

#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn the_ports_of_a_sandbox_have_addresses_and_links(pool: PgPool) {
    let platform = three(pool).await;
    // The guest agent runs on this machine, and the test is one of its programs.
    let socket = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = socket.local_addr().unwrap().port().to_string();
    let listed = platform.succeeds(&["sandbox", "ports", "123"]);
    let begin = listed.lines().next().unwrap();
    assert!(begin.starts_with("PORT   ADDRESS"), "{listed}");
    let line = listed.lines().find(|line| line.starts_with(&port)).unwrap();
    let url = platform.succeeds(&["sandbox", "url", "123", &port]);
    assert!(
        url.starts_with(&format!("http://{port}-{ONE}.localhost:")),
        "{url}"
    );
    assert!(line.ends_with(url.trim_end()), "{line}");
    let link = platform.succeeds(&["sandbox", "url", "--link", "123", &port]);
    let begin = format!("{}/.locule/open?token=", url.trim_end());
    assert!(link.starts_with(&begin), "{link}");
    let paused = platform.locule(&["sandbox", "ports", "129"]);
    assert_eq!(paused.code, 1, "{paused:?}");
    let wrong = platform.locule(&["sandbox", "url", "123", "0"]);
    assert_eq!(wrong.code, 2, "{wrong:?}");
}

#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn an_ambiguous_id_prefix_kills_no_sandbox(pool: PgPool) {
    let platform = three(pool).await;
    let ran = platform.locule(&["sandbox", "kill", "12"]);
    // The host does not have the missing one.
    assert_eq!((ran.code, platform.sandboxes()), (1, 2));
    let listed = platform.succeeds(&["sandbox", "ls", "-q"]);
    assert_eq!(listed.lines().count(), 3, "{listed}");
    assert!(
        ran.stderr.contains(ONE) && ran.stderr.contains(TWO),
        "{ran:?}"
    );
}

#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn a_failure_for_one_sandbox_does_not_stop_the_others(pool: PgPool) {
    let platform = three(pool).await;
    let ran = platform.locule(&["sandbox", "pause", "ffff", "123", "129"]);
    assert_eq!((ran.code, ran.stdout), (1, format!("{ONE}\n")));
    assert_eq!(ran.stderr.lines().count(), 2);
    let ran = platform.locule(&["sandbox", "resume", "--json", "123", "ffff"]);
    let value: serde_json::Value = serde_json::from_str(&ran.stdout).unwrap();
    assert_eq!(
        (
            ran.code,
            &value[0]["status"],
            value.as_array().unwrap().len()
        ),
        (1, &"running".into(), 1)
    );
    let ran = platform.locule(&["sandbox", "kill", "--json", "123", UNKNOWN, "ffff"]);
    let value: serde_json::Value = serde_json::from_str(&ran.stdout).unwrap();
    assert_eq!(
        (ran.code, value),
        (1, serde_json::json!([{ "id": ONE }, { "id": THREE }]))
    );
    assert_eq!(platform.sandboxes(), 1);
}

#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn a_create_prints_the_id_and_sends_every_flag(pool: PgPool) {
    let platform = Platform::start(pool).await;
    let id = platform.succeeds(&[
        "sandbox",
        "create",
        "--vcpus",
        "2",
        "--memory",
        "1g",
        "--timeout",
        "15m",
        "--expires-in",
        "2h",
        "--on-expiry",
        "pause",
        "-e",
        "A=b",
        "--label",
        "for=me",
    ]);
    assert_eq!(platform.succeeds(&["sandbox", "ls", "-q"]), id);
    let sent = platform.change(|traffic| traffic.created.remove(0));
    let expected = serde_json::json!({
        "template": "minimal", "vcpus": 2, "memory_mb": 1024, "timeout_sec": 900,
        "expires_in_sec": 7200, "on_timeout": "pause", "envs": { "A": "b" }, "labels": { "for": "me" },
    });
    assert_eq!(sent, expected);
}

#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn a_malformed_argument_is_refused_before_any_request(pool: PgPool) {
    let platform = Platform::start(pool).await;
    for args in [
        &["sandbox", "create", "--memory", "lots"][..],
        &["sandbox", "create", "--vcpus", "0"],
        &["sandbox", "create", "--timeout", "-1"],
        &["sandbox", "create", "--label", "=x"],
        &["sandbox", "create", "--on-expiry", "kill"],
        &["sandbox", "ls", "--state", "stopped"],
        &["sandbox", "kill"],
        &["run"],
    ] {
        let ran = platform.locule(args);
        assert_eq!(ran.code, 2, "{args:?}: {ran:?}");
    }
    assert_eq!(platform.change(|traffic| traffic.calls.len()), 0);
}
