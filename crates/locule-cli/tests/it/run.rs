//! `locule run` and `locule sandbox exec`: output, input, exit codes, and that no sandbox is left over.

use axum::http::Method;
use locule_domain::SandboxState;
use locule_testkit::current_user;
use sqlx::PgPool;

use crate::platform::Platform;
use crate::program::Running;

const ID: &str = "sb-12345678-9dad-11d1-80b4-00c04fd430c8";

#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn a_run_carries_input_and_output_and_exits_with_the_code_of_the_command(pool: PgPool) {
    let platform = Platform::start(pool).await;
    let ran = platform.locule_with(
        &["run", "--", "sh", "-c", "cat; echo err >&2; exit 5"],
        b"in\n",
    );
    assert_eq!(
        (ran.code, ran.stdout.as_str(), ran.stderr.as_str()),
        (5, "in\n", "err\n")
    );
    assert_eq!(platform.sandboxes(), 0);
}

#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn the_dashes_before_a_command_may_be_left_out(pool: PgPool) {
    let platform = Platform::start(pool).await;
    platform.add(ID, SandboxState::Running).await;
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
        assert_eq!(platform.succeeds(args), "-e -- --json\n", "{args:?}");
    }
}

#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn every_flag_of_run_is_a_field_of_the_requests(pool: PgPool) {
    let platform = Platform::start(pool).await;
    let user = current_user();
    let mut command = platform.command(&[
        "run",
        "--template",
        "base",
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
        &user,
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
    let (created, started) =
        platform.change(|traffic| (traffic.created.remove(0), traffic.started.remove(0)));
    let expected = serde_json::json!([
        // The timeout and a margin: should `locule` be killed, the sandbox still expires.
        { "template": "base", "vcpus": 2, "memory_mb": 2048, "expires_in_sec": 420 },
        { "cmd": "pwd", "envs": { "A": "b=c", "MINE": "mine" }, "cwd": "/", "user": user,
          "timeout_sec": 120, "stdin": true, "encoding": "base64", "on_disconnect": "kill" },
    ]);
    assert_eq!(serde_json::json!([created, started]), expected);
}

#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn no_stdin_gives_the_command_an_empty_input(pool: PgPool) {
    let platform = Platform::start(pool).await;
    let ran = platform.locule_with(&["run", "--no-stdin", "cat"], b"in\n");
    assert_eq!((ran.code, ran.stdout.as_str()), (0, ""));
}

#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn the_input_of_a_terminal_is_passed_on_only_with_i(pool: PgPool) {
    let platform = Platform::start(pool).await;
    for (args, passed) in [
        (&["run", "true"][..], false),
        (&["run", "-i", "true"], true),
    ] {
        let terminal = nix::pty::openpty(None, None).unwrap();
        let mut command = platform.command(args);
        command.stdin(terminal.slave);
        assert_eq!(crate::program::run(command).code, 0);
        let started = platform.change(|traffic| traffic.started.pop().unwrap());
        assert_eq!(
            started["stdin"].as_bool().unwrap_or(false),
            passed,
            "{args:?}"
        );
    }
}

#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn a_command_that_cannot_run_has_the_exit_codes_of_docker(pool: PgPool) {
    let platform = Platform::start(pool).await;
    assert_eq!(platform.locule(&["run", "no-such-program"]).code, 127);
    assert_eq!(platform.locule(&["run", "/"]).code, 126);
    assert_eq!(
        platform
            .locule(&["run", "--template", "nonesuch", "true"])
            .code,
        125
    );
    assert_eq!(
        platform.locule(&["run", "sh", "-c", "kill -TERM $$"]).code,
        143
    );
    assert_eq!(platform.sandboxes(), 0);
}

#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn the_messages_of_failed_runs_match_the_snapshot(pool: PgPool) {
    let platform = Platform::start(pool).await;
    platform.add(ID, SandboxState::Paused).await;
    let shown = platform.transcript(&[
        &["run", "no-such-program"],
        &["run", "/"],
        &["run", "--template", "nonesuch", "true"],
        &["run", "-it", "sh"],
        &["run", "-d", "sh"],
        &["run"],
        &["sandbox", "exec", ID, "true"],
        &["sandbox", "exec", "77", "true"],
    ]);
    insta::assert_snapshot!("failed_runs", shown);
}

#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn a_flag_without_effect_is_refused_before_any_request(pool: PgPool) {
    let platform = Platform::start(pool).await;
    for (args, words) in [
        (
            &["run", "-it", "sh"][..],
            "-t needs a terminal, and standard input is none",
        ),
        (
            &["run", "-d", "sh"],
            "use `locule sandbox create`, then `locule sandbox exec -d`",
        ),
        (
            &["sandbox", "exec", "-it", ID, "sh"],
            "-t needs a terminal, and standard input is none",
        ),
        (
            &["sandbox", "shell", ID],
            "a shell needs a terminal, and standard input is none",
        ),
    ] {
        let ran = platform.locule(args);
        assert_eq!(ran.code, 125, "{ran:?}");
        assert!(ran.stderr.contains(words), "{ran:?}");
    }
    assert_eq!(platform.change(|traffic| traffic.calls.len()), 0);
}

#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn keep_leaves_the_sandbox_running_and_prints_its_id(pool: PgPool) {
    let platform = Platform::start(pool).await;
    let ran = platform.locule(&["run", "--keep", "true"]);
    assert_eq!((ran.code, platform.sandboxes()), (0, 1));
    assert!(ran.stderr.starts_with("kept sandbox sb-"), "{ran:?}");
}

#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn json_has_both_outputs_and_their_encoding(pool: PgPool) {
    let platform = Platform::start(pool).await;
    let shown = platform.locule(&[
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
    let binary = platform.succeeds(&["run", "--json", "printf", "\\377"]);
    let value: serde_json::Value = serde_json::from_str(&binary).unwrap();
    assert_eq!(
        (&value["stdout"], &value["encoding"]),
        (&"/w==".into(), &"base64".into())
    );
}

#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn json_of_endless_output_is_truncated_and_the_sandbox_destroyed(pool: PgPool) {
    let platform = Platform::start(pool).await;
    let ran = platform.locule(&["run", "--json", "yes"]);
    assert_eq!(ran.code, 137);
    assert!(ran.stderr.contains("run it without --json"));
    let value: serde_json::Value = serde_json::from_str(&ran.stdout).unwrap();
    assert_eq!(value["truncated"], true);
    assert_eq!(value["stdout"], "y\n".repeat(8 << 20));
    assert_eq!(platform.sandboxes(), 0);
}

#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn json_of_a_command_that_took_too_long_has_what_it_printed(pool: PgPool) {
    let platform = Platform::start(pool).await;
    let script = "echo partial; exec sleep 1000";
    let ran = platform.locule(&["run", "--json", "--timeout", "1s", "sh", "-c", script]);
    assert_eq!(ran.code, 124, "{ran:?}");
    let value: serde_json::Value = serde_json::from_str(&ran.stdout).unwrap();
    assert_eq!(value["timed_out"], true);
    assert_eq!(value["stdout"], "partial\n");
}

#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn a_detached_command_prints_its_process_id_and_runs_on(pool: PgPool) {
    let platform = Platform::start(pool).await;
    platform.add(ID, SandboxState::Running).await;
    let pid = platform.succeeds(&["sandbox", "exec", "-d", ID, "sleep", "1000"]);
    assert!(pid.trim().parse::<u32>().unwrap() > 0, "{pid}");
    let json = platform.succeeds(&["sandbox", "exec", "-d", "--json", ID, "sleep", "1000"]);
    let value: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert!(value["pid"].as_u64().unwrap() > 0, "{value}");
    assert!(
        value["tag"].as_str().unwrap().starts_with("proc-"),
        "{value}"
    );
}

#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn a_closed_output_pipe_ends_the_command_and_the_sandbox(pool: PgPool) {
    let platform = Platform::start(pool).await;
    let mut running = Running::start(platform.command(&["run", "yes"]));
    assert_eq!(running.line(), "y\n");
    assert_eq!(running.stop_reading(), 141);
    platform.wait("the command was left", |traffic| traffic.abandoned == 1);
    assert_eq!(platform.sandboxes(), 0);
}

#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn a_lost_connection_is_reported_and_the_sandbox_destroyed(pool: PgPool) {
    let platform = Platform::start(pool).await;
    platform.change(|traffic| traffic.cut = Some("yes"));
    let ran = platform.locule(&["run", "yes"]);
    assert_eq!(ran.code, 125);
    let words = "the sandbox stopped, or the connection to it was lost: the connection to the server was lost";
    assert!(ran.stderr.contains(words), "{}", ran.stderr);
    assert_eq!(platform.sandboxes(), 0);
}

#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn a_failed_destroy_is_repeated_until_it_succeeds(pool: PgPool) {
    let platform = Platform::start(pool).await;
    platform.change(|traffic| traffic.fail = Some((Method::DELETE, 5)));
    let ran = platform.locule(&["run", "true"]);
    assert_eq!((ran.code, ran.stderr.as_str()), (0, ""));
    assert_eq!(platform.sandboxes(), 0);
}

#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn a_create_that_a_gateway_lost_is_repeated_with_its_idempotency_key(pool: PgPool) {
    let platform = Platform::start(pool).await;
    platform.change(|traffic| traffic.fail = Some((Method::POST, 2)));
    platform.succeeds(&["run", "true"]);
    let (keys, calls) =
        platform.change(|traffic| (traffic.idempotency_keys.clone(), traffic.calls.clone()));
    assert_eq!(keys.len(), 1);
    assert_eq!(
        calls
            .iter()
            .filter(|call| *call == "POST /v1/sandboxes")
            .count(),
        3
    );
}
