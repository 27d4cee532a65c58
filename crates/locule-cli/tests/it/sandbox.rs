//! The commands that list, show and change sandboxes.

use locule_agent_api::{Holder, HolderKind, Purpose};
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
    platform.succeeds(&["sandbox", "kill", "123"]);
    let listed = |more: &[&str]| platform.succeeds(&[&["sandbox", "list", "-q"], more].concat());
    assert_eq!(listed(&["--status", "running"]), "");
    assert_eq!(listed(&["--status", "stopped"]), format!("{ONE}\n"));
    assert_eq!(listed(&["--all"]), format!("{ONE}\n{TWO}\n{THREE}\n"));
    assert_eq!(listed(&["--all", "--template", "other"]), "");
    let id = platform.succeeds(&["sandbox", "create", "--label", "for=me"]);
    assert_eq!(listed(&["--label", "for"]), id);
    assert_eq!(listed(&["--label", "for=me", "--template", "minimal"]), id);
    assert_eq!(listed(&["--label", "for=you"]), "");
}

/// What keeps a sandbox awake is shown with it, and a host that does not answer hides nothing else.
#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn show_tells_what_keeps_a_sandbox_awake(pool: PgPool) {
    let platform = Platform::start(pool).await;
    let id = platform.succeeds(&["sandbox", "create", "--timeout", "15m"]);
    let id = id.trim();
    let shown = platform.succeeds(&["sandbox", "show", id]);
    assert!(shown.contains("\npauses "), "{shown}");
    let terminal = Purpose {
        tag: Some("pty-1".to_owned()),
        ..Purpose::new(HolderKind::Terminal)
    };
    let held = vec![Holder {
        purpose: terminal,
        count: 2,
        since: chrono::DateTime::from_timestamp(1_800_000_000, 0).unwrap(),
    }];
    platform.host.set_holders(id.parse().unwrap(), held);
    let shown = platform.succeeds(&["sandbox", "show", id]);
    let line = "in use by       terminal pty-1 (2) since 2027-01-15 08:00:00 UTC";
    assert!(shown.contains(line), "{shown}");
    assert!(!shown.contains("\npauses "), "{shown}");
    platform.host.go_away();
    let ran = platform.locule(&["sandbox", "show", id]);
    assert_eq!(ran.code, 0, "{ran:?}");
    assert!(ran.stdout.contains("status          running"), "{ran:?}");
    assert!(ran.stderr.contains("not known"), "{ran:?}");
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
        &["sandbox", "ls", "--status", "gone"],
        &["sandbox", "ls", "--label", "=x"],
        &["sandbox", "kill"],
        &["run"],
    ] {
        let ran = platform.locule(args);
        assert_eq!(ran.code, 2, "{args:?}: {ran:?}");
    }
    assert_eq!(platform.change(|traffic| traffic.calls.len()), 0);
}
