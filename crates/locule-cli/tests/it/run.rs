//! `locule run` and `locule sandbox exec`: streams, codes, and no sandbox left behind.

use axum::http::Method;
use locule_api::SandboxStatus;

use crate::program::Running;
use crate::stub::Stub;

const ID: &str = "sb-12345678-9dad-11d1-80b4-00c04fd430c8";

#[test]
fn a_run_streams_both_ways_and_ends_with_the_commands_code() {
    let stub = Stub::start();
    let ran = stub.locule_with(
        &["run", "--", "sh", "-c", "cat; echo err >&2; exit 5"],
        b"in\n",
    );
    assert_eq!(
        (ran.code, ran.stdout.as_str(), ran.stderr.as_str()),
        (5, "in\n", "err\n")
    );
    assert_eq!(stub.sandboxes(), 0);
}

#[test]
fn the_dashes_before_a_command_may_be_left_out() {
    let stub = Stub::start();
    stub.add(ID, SandboxStatus::Running);
    for args in [
        &["run", "sh", "-c", "echo $0 $*", "-e", "--", "--json"][..],
        &[
            "run",
            "-e",
            "A=b",
            "--",
            "sh",
            "-c",
            "echo $0 $*",
            "-e",
            "--",
            "--json",
        ],
        &[
            "sandbox",
            "exec",
            ID,
            "sh",
            "-c",
            "echo $0 $*",
            "-e",
            "--",
            "--json",
        ],
        &[
            "sandbox",
            "exec",
            "-e",
            "A=b",
            ID,
            "--",
            "sh",
            "-c",
            "echo $0 $*",
            "-e",
            "--",
            "--json",
        ],
        &[
            "sandbox",
            "exec",
            ID,
            "-e",
            "A=b",
            "sh",
            "-c",
            "echo $0 $*",
            "-e",
            "--",
            "--json",
        ],
    ] {
        assert_eq!(stub.succeeds(args), "-e -- --json\n", "{args:?}");
    }
}

#[test]
fn flags_reach_the_server_as_they_were_meant() {
    let stub = Stub::start();
    let mut command = stub.command(&[
        "run",
        "--template",
        "t",
        "--cpus",
        "2",
        "-m",
        "2g",
        "-e",
        "A=b=c",
        "-e",
        "MINE",
        "-e",
        "UNSET",
        "-w",
        "/",
        "-u",
        "root",
        "--timeout",
        "2m",
        "--rm",
        "--",
        "pwd",
    ]);
    let ran = crate::program::run({
        command.env("MINE", "mine");
        command
    });
    assert_eq!((ran.code, ran.stdout.as_str()), (0, "/\n"), "{ran:?}");
    let (created, started) = stub.change(|seen| (seen.created.remove(0), seen.started.remove(0)));
    let expected = serde_json::json!([
        // The time limit and a margin: should the program die, the sandbox ends all the same.
        { "template": "t", "vcpus": 2, "memory_mb": 2048, "expires_in_sec": 420 },
        { "cmd": "pwd", "envs": { "A": "b=c", "MINE": "mine" }, "cwd": "/", "user": "root",
          "timeout_sec": 120, "stdin": true, "encoding": "base64", "on_disconnect": "kill" },
    ]);
    assert_eq!(serde_json::json!([created, started]), expected);
}

#[test]
fn stdin_is_not_passed_when_it_must_not_be() {
    let stub = Stub::start();
    let ran = stub.locule_with(&["run", "--no-stdin", "cat"], b"in\n");
    assert_eq!((ran.code, ran.stdout.as_str()), (0, ""));
}

#[test]
fn a_terminals_input_is_passed_only_when_it_is_asked_for() {
    let stub = Stub::start();
    for (args, passed) in [
        (&["run", "true"][..], false),
        (&["run", "-i", "true"], true),
    ] {
        let terminal = nix::pty::openpty(None, None).unwrap();
        let mut command = stub.command(args);
        command.stdin(terminal.slave);
        assert_eq!(crate::program::run(command).code, 0);
        let started = stub.change(|seen| seen.started.pop().unwrap());
        assert_eq!(started.stdin, passed, "{args:?}");
    }
}

#[test]
fn what_keeps_a_command_from_running_has_the_codes_of_docker() {
    let stub = Stub::start();
    assert_eq!(stub.locule(&["run", "no-such-program"]).code, 127);
    assert_eq!(stub.locule(&["run", "/"]).code, 126);
    assert_eq!(
        stub.locule(&["run", "--template", "nonesuch", "true"]).code,
        125
    );
    assert_eq!(stub.locule(&["run", "sh", "-c", "kill -TERM $$"]).code, 143);
    assert_eq!(stub.sandboxes(), 0);
}

#[test]
fn what_a_failed_run_says_is_written_down() {
    let stub = Stub::start();
    stub.add(ID, SandboxStatus::Paused);
    let told = stub.transcript(&[
        &["run", "no-such-program"],
        &["run", "/"],
        &["run", "--template", "nonesuch", "true"],
        &["run", "-it", "sh"],
        &["run", "-d", "sh"],
        &["run"],
        &["sandbox", "exec", ID, "true"],
        &["sandbox", "exec", "77", "true"],
    ]);
    insta::assert_snapshot!("failed_runs", told);
}

#[test]
fn what_cannot_be_done_is_refused_not_ignored() {
    let stub = Stub::start();
    for (args, words) in [
        (
            &["run", "-it", "sh"][..],
            "a pseudo-terminal (-t) is not supported yet",
        ),
        (
            &["run", "-d", "sh"],
            "use `locule sandbox create`, then `locule sandbox exec -d`",
        ),
        (
            &["sandbox", "exec", "-it", ID, "sh"],
            "a pseudo-terminal (-t) is not supported yet",
        ),
    ] {
        let ran = stub.locule(args);
        assert_eq!(ran.code, 125, "{ran:?}");
        assert!(ran.stderr.contains(words), "{ran:?}");
    }
    assert_eq!(stub.change(|seen| seen.calls.len()), 0);
}

#[test]
fn a_kept_sandbox_is_kept() {
    let stub = Stub::start();
    let ran = stub.locule(&["run", "--keep", "true"]);
    assert_eq!((ran.code, stub.sandboxes()), (0, 1));
    assert!(ran.stderr.starts_with("kept sb-"), "{ran:?}");
}

#[test]
fn json_holds_both_streams_and_says_how_they_are_written() {
    let stub = Stub::start();
    let shown = stub.locule(&[
        "run",
        "--json",
        "sh",
        "-c",
        "echo out; echo err >&2; exit 3",
    ]);
    assert_eq!(shown.code, 3);
    let value: serde_json::Value = serde_json::from_str(&shown.stdout).unwrap();
    assert_eq!(value["stdout"], "out\n");
    assert_eq!(
        (&value["stderr"], &value["exit_code"]),
        (&"err\n".into(), &3.into())
    );
    assert_eq!(value["encoding"], "utf-8");
    let binary = stub.succeeds(&["run", "--json", "printf", "\\377"]);
    let value: serde_json::Value = serde_json::from_str(&binary).unwrap();
    assert_eq!(
        (&value["stdout"], &value["encoding"]),
        (&"/w==".into(), &"base64".into())
    );
}

#[test]
fn json_of_endless_output_is_refused_and_leaves_nothing() {
    let stub = Stub::start();
    let ran = stub.locule(&["run", "--json", "yes"]);
    assert_eq!((ran.code, ran.stdout.as_str()), (125, ""));
    assert!(ran.stderr.contains("run it without --json"), "{ran:?}");
    assert_eq!(stub.sandboxes(), 0);
}

#[test]
fn a_detached_command_is_not_waited_for() {
    let stub = Stub::start();
    stub.add(ID, SandboxStatus::Running);
    assert_eq!(
        stub.succeeds(&["sandbox", "exec", "-d", ID, "sleep", "1000"]),
        "4242\n"
    );
    let json = stub.succeeds(&["sandbox", "exec", "-d", "--json", ID, "sleep", "1000"]);
    let value: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(value["tag"], "proc-0");
}

#[test]
fn a_reader_that_leaves_ends_the_command_and_the_sandbox() {
    let stub = Stub::start();
    let mut running = Running::start(stub.command(&["run", "yes"]));
    assert_eq!(running.line(), "y\n");
    assert_eq!(running.stop_reading(), 141);
    stub.wait("the command was left", |seen| seen.left == 1);
    assert_eq!(stub.sandboxes(), 0);
}

#[test]
fn a_lost_connection_is_said_and_the_sandbox_destroyed() {
    let stub = Stub::start();
    stub.change(|seen| seen.cut = Some("yes"));
    let ran = stub.locule(&["run", "yes"]);
    assert_eq!(ran.code, 125);
    let words = "the sandbox ended, or the connection to it did: the connection broke off";
    assert!(ran.stderr.contains(words), "{}", ran.stderr);
    assert_eq!(stub.sandboxes(), 0);
}

#[test]
fn destroying_is_tried_until_it_is_done() {
    let stub = Stub::start();
    stub.change(|seen| seen.fail = Some((Method::DELETE, 5)));
    let ran = stub.locule(&["run", "true"]);
    assert_eq!((ran.code, ran.stderr.as_str()), (0, ""));
    assert_eq!(stub.sandboxes(), 0);
}

#[test]
fn a_create_that_was_lost_on_the_way_is_asked_for_again_with_the_same_key() {
    let stub = Stub::start();
    stub.change(|seen| seen.fail = Some((Method::POST, 2)));
    stub.succeeds(&["run", "true"]);
    let (keys, calls) = stub.change(|seen| (seen.idempotency_keys.clone(), seen.calls.clone()));
    assert_eq!(keys.len(), 1);
    assert_eq!(
        calls
            .iter()
            .filter(|call| *call == "POST /v1/sandboxes")
            .count(),
        3
    );
}
