//! Real signals to the real program (behaviour 2.5): the command receives them, and no sandbox is left over.

use locule_domain::SandboxState;
use locule_testkit::{Call, Fault, Gate};
use nix::sys::signal::Signal;
use sqlx::PgPool;

use crate::platform::Platform;
use crate::program::Running;

/// Prints `ready`, then waits for a signal. The process that it leaves over holds no pipe.
const TRAP: &str =
    "trap 'echo caught; exit 7' INT TERM HUP; echo ready; sleep 1000 >/dev/null 2>&1 & wait";
const IGNORE: &str = "trap '' INT; echo ready; exec sleep 1000";

fn ready(platform: &Platform, script: &str) -> Running {
    let mut running = Running::start(platform.command(&["run", "sh", "-c", script]));
    assert_eq!(running.line(), "ready\n");
    running
}

fn sent(platform: &Platform, expected: &[&str]) {
    platform.wait("the signals of the client", |traffic| {
        traffic.signals == expected
    });
}

#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn the_first_ctrl_c_is_passed_to_the_command(pool: PgPool) {
    let platform = Platform::start(pool).await;
    let running = ready(&platform, TRAP);
    running.signal(Signal::SIGINT);
    let ran = running.finish();
    assert_eq!(
        (ran.code, ran.stdout.as_str(), ran.stderr.as_str()),
        (7, "caught\n", "")
    );
    sent(&platform, &["SIGINT"]);
    assert_eq!(platform.sandboxes(), 0);
}

/// Interrupts the program twice: the second interrupt kills the command.
fn interrupt_twice(platform: &Platform, running: &Running) {
    running.signal(Signal::SIGINT);
    sent(platform, &["SIGINT"]);
    running.signal(Signal::SIGINT);
}

#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn a_second_ctrl_c_kills_the_command(pool: PgPool) {
    let platform = Platform::start(pool).await;
    let running = ready(&platform, IGNORE);
    interrupt_twice(&platform, &running);
    assert_eq!(running.finish().code, 137);
    sent(&platform, &["SIGINT", "SIGKILL"]);
    assert_eq!(platform.sandboxes(), 0);
}

#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn a_third_ctrl_c_ends_the_program_which_still_destroys_the_sandbox(pool: PgPool) {
    let platform = Platform::start(pool).await;
    platform.change(|traffic| traffic.immortal = true);
    let running = ready(&platform, IGNORE);
    interrupt_twice(&platform, &running);
    sent(&platform, &["SIGINT", "SIGKILL"]);
    running.signal(Signal::SIGINT);
    assert_eq!(running.finish().code, 130);
    assert_eq!(platform.sandboxes(), 0);
}

#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn sigterm_and_sighup_are_passed_to_the_command_and_the_sandbox_is_destroyed(pool: PgPool) {
    let platform = Platform::start(pool).await;
    for (signal, name) in [(Signal::SIGTERM, "SIGTERM"), (Signal::SIGHUP, "SIGHUP")] {
        platform.change(|traffic| traffic.signals.clear());
        let running = ready(&platform, TRAP);
        running.signal(signal);
        assert_eq!(running.finish().code, 7, "{name}");
        sent(&platform, &[name]);
        assert_eq!(platform.sandboxes(), 0, "{name}");
    }
}

#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn a_command_that_ignores_sigterm_is_killed(pool: PgPool) {
    let platform = Platform::start(pool).await;
    let running = ready(&platform, "trap '' TERM; echo ready; exec sleep 1000");
    running.signal(Signal::SIGTERM);
    assert_eq!(running.finish().code, 137);
    sent(&platform, &["SIGTERM", "SIGKILL"]);
    assert_eq!(platform.sandboxes(), 0);
}

#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn a_command_that_does_not_read_its_input_receives_ctrl_c(pool: PgPool) {
    let platform = Platform::start(pool).await;
    let mut command = platform.command(&["run", "sh", "-c", "echo ready; exec sleep 1000"]);
    // More than the window of 1 MiB takes.
    command.stdin(std::fs::File::open("/dev/zero").unwrap());
    let mut running = Running::start(command);
    assert_eq!(running.line(), "ready\n");
    running.signal(Signal::SIGINT);
    assert_eq!(running.finish().code, 130);
    assert_eq!(platform.sandboxes(), 0);
}

#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn an_interrupt_during_the_create_destroys_the_new_sandbox(pool: PgPool) {
    let platform = Platform::start(pool).await;
    let gate = Gate::new();
    platform.host.fail(Call::Create, Fault::Delay(gate.clone()));
    let mut running = Running::start(platform.command(&["run", "true"]));
    platform.wait("the create", |traffic| {
        traffic.calls == ["POST /v1/sandboxes"]
    });
    running.signal(Signal::SIGINT);
    assert!(
        running
            .message()
            .contains("will be destroyed as soon as it is ready")
    );
    gate.open();
    let ran = running.finish();
    assert_eq!((ran.code, ran.stdout.as_str()), (130, ""), "{ran:?}");
    let (created, started) =
        platform.change(|traffic| (traffic.created.len(), traffic.started.len()));
    assert_eq!((created, started, platform.sandboxes()), (1, 0, 0));
}

#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn a_third_ctrl_c_of_exec_closes_the_stream_and_keeps_the_sandbox(pool: PgPool) {
    let platform = Platform::start(pool).await;
    platform.change(|traffic| traffic.immortal = true);
    let id = platform
        .add(
            "sb-12345678-9dad-11d1-80b4-00c04fd430c8",
            SandboxState::Running,
        )
        .await;
    let script = ["sandbox", "exec", &id.to_string(), "sh", "-c", IGNORE];
    let mut running = Running::start(platform.command(&script));
    assert_eq!(running.line(), "ready\n");
    interrupt_twice(&platform, &running);
    sent(&platform, &["SIGINT", "SIGKILL"]);
    running.signal(Signal::SIGINT);
    assert_eq!(running.finish().code, 130);
    platform.wait("the client closed the stream", |traffic| {
        traffic.abandoned == 1
    });
    assert_eq!(platform.sandboxes(), 1);
}
