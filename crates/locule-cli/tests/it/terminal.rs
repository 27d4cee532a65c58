//! Terminals in a sandbox, from a real pseudo-terminal of this machine (behaviour 2.5).

use axum::http::Method;
use locule_domain::SandboxState;
use locule_testkit::eventually;
use nix::sys::signal::Signal;
use sqlx::PgPool;

use crate::platform::Platform;
use crate::screen::Screen;

const ID: &str = "sb-12345678-9dad-11d1-80b4-00c04fd430c8";
/// Answers each key that is a signal with a word of its own.
const SIGNALS: &str = "trap 'echo interrupted' INT; trap 'echo stopped' TSTP; trap 'stty size' WINCH; trap 'exit 3' QUIT; echo ready; \
     while :; do sleep 0.02; done";

async fn running(pool: PgPool) -> Platform {
    let platform = Platform::start(pool).await;
    platform.add(ID, SandboxState::Running).await;
    platform
}

#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn a_run_in_a_terminal_passes_keys_size_and_exit_code(pool: PgPool) {
    let platform = Platform::start(pool).await;
    let script = "stty size; echo \"$TERM\"; read x; echo got $x; exit 7";
    let mut screen = Screen::run(&platform, &["run", "-it", "sh", "-c", script]);
    screen.shows("30 100\r\nxterm-test\r\n");
    assert!(screen.is_raw());
    screen.types("hello\r");
    screen.shows("got hello\r\n");
    assert_eq!(screen.finish(), 7);
    assert_eq!(platform.sandboxes(), 0);
}

#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn ctrl_c_ctrl_z_and_the_size_of_the_window_reach_the_program_inside(pool: PgPool) {
    let platform = running(pool).await;
    let exec = ["sandbox", "exec", "-it", ID, "sh", "-c", SIGNALS];
    let mut screen = Screen::run(&platform, &exec);
    screen.shows("ready\r\n");
    screen.types("\x03");
    screen.shows("interrupted\r\n");
    screen.types("\x1a");
    screen.shows("stopped\r\n");
    screen.resize(90, 10);
    screen.shows("10 90\r\n");
    screen.types("\x1c");
    assert_eq!(screen.finish(), 3);
}

/// The program left the screen as an editor has it; the terminal is clean nevertheless.
#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn a_signal_ends_the_program_and_leaves_a_clean_terminal(pool: PgPool) {
    let platform = Platform::start(pool).await;
    let script = "printf '\\033[?1049h\\033[?25l'; echo ready; exec sleep 1000";
    for (signal, code) in [(Signal::SIGTERM, 143), (Signal::SIGHUP, 129)] {
        let mut screen = Screen::run(&platform, &["run", "-it", "sh", "-c", script]);
        screen.shows("ready\r\n");
        assert!(screen.is_raw());
        screen.signal(signal);
        assert_eq!(screen.finish(), code);
        screen.shows("\x1b[?25h\x1b[?1049l\x1b[0m");
        assert_eq!(platform.sandboxes(), 0);
    }
}

fn runs(command: &str) -> bool {
    let processes = std::fs::read_dir("/proc").unwrap().flatten();
    let line = |entry: std::fs::DirEntry| std::fs::read(entry.path().join("cmdline"));
    let lines = processes.map(|entry| line(entry).unwrap_or_default());
    let is_it = |line: Vec<u8>| String::from_utf8_lossy(&line).replace('\0', " ").trim() == command;
    lines.into_iter().any(is_it)
}

/// The signal arrives when the program inside runs, before or after the client is told so.
#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn a_signal_at_the_start_ends_the_program(pool: PgPool) {
    let platform = running(pool).await;
    for round in 0..10 {
        let sleep = format!("sleep 1000.{}{round}", std::process::id());
        let words = sleep.split(' ').collect::<Vec<_>>();
        let exec = [&["sandbox", "exec", "-it", ID][..], &words].concat();
        let mut screen = Screen::run(&platform, &exec);
        eventually("the program runs", async || runs(&sleep)).await;
        screen.signal(Signal::SIGTERM);
        assert_eq!(screen.finish(), 143);
        eventually("the program has ended", async || !runs(&sleep)).await;
    }
}

#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn a_lost_connection_is_made_again_and_no_byte_is_lost(pool: PgPool) {
    let platform = running(pool).await;
    let script =
        "echo one; until test -e go; do sleep 0.01; done; echo two; read x; echo got $x; exit 4";
    let exec = ["sandbox", "exec", "-it", ID, "sh", "-c", script];
    let mut screen = Screen::run(&platform, &exec);
    screen.shows("one\r\n");
    platform.change(|traffic| traffic.fail = Some((Method::GET, 2)));
    platform.break_streams();
    screen.shows("connecting again");
    std::fs::write(platform.home().join("go"), "").unwrap();
    screen.shows("connected again");
    screen.shows("two\r\n");
    screen.types("keys\r");
    screen.shows("got keys\r\n");
    assert_eq!(screen.finish(), 4);
    let text = screen.text();
    assert_eq!(text.matches("one\r\n").count(), 1, "{text:?}");
    let connected = platform.change(|traffic| traffic.connected.clone());
    assert_eq!(connected.len(), 1, "{connected:?}");
    assert_eq!(connected[0]["offset"], "one\r\n".len());
}

#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn ctrl_c_gives_a_lost_connection_up_and_the_program_runs_on(pool: PgPool) {
    let platform = running(pool).await;
    let exec = ["sandbox", "exec", "-it", ID, "sh", "-c", SIGNALS];
    let mut screen = Screen::run(&platform, &exec);
    screen.shows("ready\r\n");
    platform.change(|traffic| traffic.fail = Some((Method::GET, usize::MAX)));
    platform.break_streams();
    screen.shows("connecting again");
    screen.types("typed in vain\x03");
    assert_eq!(screen.finish(), 125);
    screen.shows("the program keeps running");
    screen.shows("the connection to the server was lost");
    // The line says how to come back, which works.
    platform.change(|traffic| traffic.fail = None);
    let text = screen.text();
    let tag = text.split_once("--tag ").unwrap().1;
    let tag = tag.split(' ').next().unwrap();
    let mut again = Screen::run(&platform, &["sandbox", "shell", "--tag", tag, ID]);
    again.shows("ready\r\n");
    again.types("\x1c");
    assert_eq!(again.finish(), 3);
}

#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn a_shell_with_a_tag_outlives_the_window_and_is_found_again(pool: PgPool) {
    let platform = running(pool).await;
    let shell = ["sandbox", "shell", "--tag", "mine", ID];
    let mut screen = Screen::run(&platform, &shell);
    screen.types("kept=5; echo wait''ing\r");
    screen.shows("waiting\r\n");
    screen.signal(Signal::SIGHUP);
    assert_eq!(screen.finish(), 129);
    screen.shows("the program keeps running");
    let mut again = Screen::run(&platform, &shell);
    again.shows("waiting\r\n");
    again.types("echo found $kept\r");
    again.shows("found 5\r\n");
    again.types("exit 9\r");
    assert_eq!(again.finish(), 9);
    // The tag of a shell that has exited is free for another one.
    let mut next = Screen::run(&platform, &shell);
    next.types("echo fresh${kept}x\r");
    next.shows("freshx\r\n");
    next.types("exit 2\r");
    assert_eq!(next.finish(), 2);
}

#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn a_refusal_leaves_the_terminal_as_it_was(pool: PgPool) {
    let platform = running(pool).await;
    for (args, code, words) in [
        (
            &["sandbox", "exec", "-it", ID, "no-such-program"][..],
            127,
            "was not found",
        ),
        (
            &["sandbox", "shell", "-w", "/nonexistent", ID],
            125,
            "does not exist",
        ),
        (
            &["sandbox", "shell", "--tag", "1", ID],
            125,
            "the tag is not valid",
        ),
        (
            &["run", "-it", "--template", "nonesuch"],
            125,
            "template not found",
        ),
    ] {
        let mut screen = Screen::run(&platform, args);
        assert_eq!(screen.finish(), code, "{args:?}");
        screen.shows(words);
    }
}
