//! Real signals to a real program (behaviour 2.5): the command hears of them, and no sandbox is left behind.

use nix::sys::signal::Signal;

use crate::program::Running;
use crate::stub::Stub;

/// Says that it is there, then waits for a signal. What it leaves running holds no pipe.
const TRAP: &str =
    "trap 'echo caught; exit 7' INT TERM HUP; echo ready; sleep 1000 >/dev/null 2>&1 & wait";
const IGNORE: &str = "trap '' INT; echo ready; exec sleep 1000";

fn ready(stub: &Stub, script: &str) -> Running {
    let mut running = Running::start(stub.command(&["run", "sh", "-c", script]));
    assert_eq!(running.line(), "ready\n");
    running
}

fn heard(stub: &Stub, expected: &[&str]) {
    stub.wait("the signals", |seen| seen.signals == expected);
}

#[test]
fn the_first_ctrl_c_is_the_commands() {
    let stub = Stub::start();
    let running = ready(&stub, TRAP);
    running.signal(Signal::SIGINT);
    let ran = running.finish();
    assert_eq!(
        (ran.code, ran.stdout.as_str(), ran.stderr.as_str()),
        (7, "caught\n", "")
    );
    heard(&stub, &["SIGINT"]);
    assert_eq!(stub.sandboxes(), 0);
}

/// Interrupts it twice: the second one kills.
fn interrupt_twice(stub: &Stub, running: &Running) {
    running.signal(Signal::SIGINT);
    heard(stub, &["SIGINT"]);
    running.signal(Signal::SIGINT);
}

#[test]
fn a_second_ctrl_c_kills_the_command() {
    let stub = Stub::start();
    let running = ready(&stub, IGNORE);
    interrupt_twice(&stub, &running);
    assert_eq!(running.finish().code, 137);
    heard(&stub, &["SIGINT", "SIGKILL"]);
    assert_eq!(stub.sandboxes(), 0);
}

#[test]
fn a_third_ctrl_c_leaves_and_the_sandbox_is_destroyed_all_the_same() {
    let stub = Stub::start();
    stub.change(|seen| seen.immortal = true);
    let running = ready(&stub, IGNORE);
    interrupt_twice(&stub, &running);
    heard(&stub, &["SIGINT", "SIGKILL"]);
    running.signal(Signal::SIGINT);
    assert_eq!(running.finish().code, 130);
    assert_eq!(stub.sandboxes(), 0);
}

#[test]
fn a_termination_and_a_hang_up_are_passed_on_and_leave_nothing() {
    for (signal, name) in [(Signal::SIGTERM, "SIGTERM"), (Signal::SIGHUP, "SIGHUP")] {
        let stub = Stub::start();
        let running = ready(&stub, TRAP);
        running.signal(signal);
        assert_eq!(running.finish().code, 7, "{name}");
        heard(&stub, &[name]);
        assert_eq!(stub.sandboxes(), 0, "{name}");
    }
}

#[test]
fn a_command_that_ignores_a_termination_is_killed() {
    let stub = Stub::start();
    let running = ready(&stub, "trap '' TERM; echo ready; exec sleep 1000");
    running.signal(Signal::SIGTERM);
    assert_eq!(running.finish().code, 137);
    heard(&stub, &["SIGTERM", "SIGKILL"]);
    assert_eq!(stub.sandboxes(), 0);
}

#[test]
fn a_command_that_does_not_read_hears_ctrl_c() {
    let stub = Stub::start();
    stub.change(|seen| seen.deaf = true);
    let mut command = stub.command(&["run", "sh", "-c", "echo ready; exec sleep 1000"]);
    // More than the window of 1 MiB takes.
    command.stdin(std::fs::File::open("/dev/zero").unwrap());
    let mut running = Running::start(command);
    assert_eq!(running.line(), "ready\n");
    running.signal(Signal::SIGINT);
    assert_eq!(running.finish().code, 130);
    assert_eq!(stub.sandboxes(), 0);
}

#[test]
fn a_sandbox_that_is_still_being_created_is_destroyed_when_it_is_there() {
    let stub = Stub::start_held();
    let mut running = Running::start(stub.command(&["run", "true"]));
    stub.wait("the create", |seen| seen.calls == ["POST /v1/sandboxes"]);
    running.signal(Signal::SIGINT);
    assert!(
        running
            .talk()
            .contains("it is destroyed as soon as it is there")
    );
    stub.release_create();
    let ran = running.finish();
    assert_eq!((ran.code, ran.stdout.as_str()), (130, ""), "{ran:?}");
    let (created, started) = stub.change(|seen| (seen.created.len(), seen.started.len()));
    assert_eq!((created, started, stub.sandboxes()), (1, 0, 0));
}

#[test]
fn a_command_in_a_sandbox_that_stays_is_killed_with_its_caller() {
    let stub = Stub::start();
    stub.change(|seen| seen.immortal = true);
    let id = stub.add(
        "sb-12345678-9dad-11d1-80b4-00c04fd430c8",
        locule_api::SandboxStatus::Running,
    );
    let script = ["sandbox", "exec", &id.to_string(), "sh", "-c", IGNORE];
    let mut running = Running::start(stub.command(&script));
    assert_eq!(running.line(), "ready\n");
    interrupt_twice(&stub, &running);
    heard(&stub, &["SIGINT", "SIGKILL"]);
    running.signal(Signal::SIGINT);
    assert_eq!(running.finish().code, 130);
    stub.wait("the command was left", |seen| seen.left == 1);
    assert_eq!(stub.sandboxes(), 1);
}
