//! The verbs that look at sandboxes and change them.

use locule_api::SandboxStatus::{Missing, Paused, Running};

use crate::stub::Stub;

const ONE: &str = "sb-12345678-9dad-11d1-80b4-00c04fd430c8";
const TWO: &str = "sb-12995678-9dad-11d1-80b4-00c04fd430c8";
const THREE: &str = "sb-ffff5678-9dad-11d1-80b4-00c04fd430c8";

fn three() -> Stub {
    let stub = Stub::start();
    stub.add(ONE, Running);
    stub.add(TWO, Paused);
    stub.add(THREE, Missing);
    stub
}

#[test]
fn what_the_verbs_print_is_written_down() {
    let table = three().transcript(&[
        &["sandbox", "ls"],
        &["sandbox", "ls", "--json", "--state", "running"],
        &["sandbox", "get", "123"],
        &["sandbox", "get", "--json", "ff"],
        &["sandbox", "get", "sb-00000000-0000-4000-8000-000000000000"],
        &["sandbox", "kill", "12", "77"],
        &["sandbox", "pause", "ffff", "123", "129"],
        &["sandbox", "resume", "--json", "123", "ffff"],
        &["sandbox", "kill", "--json", "123", ONE, "ffff"],
        &["sandbox", "kill", "129"],
        &["sandbox", "ls"],
        &["sandbox", "ls", "--json"],
    ]);
    insta::assert_snapshot!("verbs", table);
}

#[test]
fn a_list_can_be_of_ids_of_a_state_or_json() {
    let stub = three();
    assert_eq!(
        stub.succeeds(&["sandbox", "ls", "-q"]),
        format!("{ONE}\n{TWO}\n{THREE}\n")
    );
    let some = [
        "sandbox", "ls", "-q", "--state", "paused", "--state", "missing",
    ];
    assert_eq!(stub.succeeds(&some), format!("{TWO}\n{THREE}\n"));
}

#[test]
fn a_beginning_that_several_have_kills_none_of_them() {
    let stub = three();
    let ran = stub.locule(&["sandbox", "kill", "12"]);
    assert_eq!((ran.code, stub.sandboxes()), (1, 3));
    assert!(
        ran.stderr.contains(ONE) && ran.stderr.contains(TWO),
        "{ran:?}"
    );
}

#[test]
fn one_that_fails_does_not_keep_the_others() {
    let stub = three();
    let ran = stub.locule(&["sandbox", "pause", "ffff", "123", "129"]);
    assert_eq!(
        (ran.code, ran.stdout),
        (
            1,
            format!(
                "{ONE}
"
            )
        )
    );
    assert_eq!(ran.stderr.lines().count(), 2);
    let ran = stub.locule(&["sandbox", "resume", "--json", "123", "ffff"]);
    let value: serde_json::Value = serde_json::from_str(&ran.stdout).unwrap();
    assert_eq!(
        (
            ran.code,
            &value[0]["status"],
            value.as_array().unwrap().len()
        ),
        (1, &"running".into(), 1)
    );
    let ran = stub.locule(&["sandbox", "kill", "--json", "123", ONE, "ffff"]);
    let value: serde_json::Value = serde_json::from_str(&ran.stdout).unwrap();
    assert_eq!(
        (ran.code, value),
        (1, serde_json::json!([{ "id": ONE }, { "id": THREE }]))
    );
    assert_eq!(stub.sandboxes(), 1);
}

#[test]
fn a_create_prints_the_id_and_asks_for_what_was_said() {
    let stub = Stub::start();
    let id = stub.succeeds(&[
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
    assert_eq!(stub.succeeds(&["sandbox", "ls", "-q"]), id);
    let wanted = stub.change(|seen| serde_json::to_value(&seen.created[0]).unwrap());
    let expected = serde_json::json!({
        "template": "minimal", "vcpus": 2, "memory_mb": 1024, "timeout_sec": 900,
        "expires_in_sec": 7200, "on_timeout": "pause", "envs": { "A": "b" }, "labels": { "for": "me" },
    });
    assert_eq!(wanted, expected);
}

#[test]
fn what_was_typed_wrongly_is_said_before_a_server_is_asked() {
    let stub = Stub::start();
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
        let ran = stub.locule(args);
        assert_eq!(ran.code, 2, "{args:?}: {ran:?}");
    }
    assert_eq!(stub.change(|seen| seen.calls.len()), 0);
}
