//! Real programs in terminals of the real guest agent.

use locule_testkit::eventually;
use serde_json::json;
use sqlx::PgPool;

use super::{SIGKILL, input, open, started, to_the_exit, until};
use crate::app::App;
use crate::socket::Socket;

/// What the guest agent keeps of a program's output.
const SCROLLBACK: u64 = 1024 * 1024;

#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn a_program_runs_in_a_terminal_of_its_own(pool: PgPool) {
    let folder = tempfile::tempdir().unwrap();
    let app = App::start_with_guest_process(pool, folder.path()).await;
    let (mut socket, _) = open(&app).await;
    let script = "test -t 0 && echo \"$TERM $A $(pwd)\"; read go; stty size; read end; exit 5";
    let start = json!({
        "type": "start", "cmd": "/bin/sh", "args": ["-c", script], "cols": 100, "rows": 30, "envs": {"A": "b"},
        "cwd": "/", "user": "",
    });
    let started = started(&mut socket, start).await;
    let tag = started["tag"].as_str().unwrap().strip_prefix("pty-");
    let digits = tag.unwrap().bytes().filter(u8::is_ascii_hexdigit).count();
    assert_eq!((digits, started["offset"].as_u64()), (8, Some(0)));
    until(&mut socket, "xterm-256color b /\r\n").await;
    socket.say(input("\r")).await;
    until(&mut socket, "30 100\r\n").await;
    socket.say(input("\r")).await;
    let (.., last) = to_the_exit(&mut socket).await;
    assert_eq!(last, json!({"type": "exit", "exit_code": 5}));
    assert_eq!(socket.closed().await, 1000);
}

/// The default shell gets what a user types: a new size of the window, and Ctrl-C as a signal to the program in front.
#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn a_shell_gets_the_size_of_the_window_and_ctrl_c(pool: PgPool) {
    let folder = tempfile::tempdir().unwrap();
    let app = App::start_with_guest_process(pool, folder.path()).await;
    let (mut socket, _) = open(&app).await;
    started(&mut socket, json!({"type": "start"})).await;
    socket.say(input("stty size\r")).await;
    until(&mut socket, "24 80\r\n").await;
    socket
        .say(json!({"type": "resize", "cols": 90, "rows": 10}))
        .await;
    let wait = "until stty size | grep -q '10 90'; do sleep 0.01; done; echo re''sized\r";
    socket.say(input(wait)).await;
    until(&mut socket, "resized\r\n").await;
    // A signal that arrives before the shell has started a program waits for the end of that program, which is short.
    let program =
        "sh -c 'trap \"echo cau\"ght INT; echo wait\"ing\"; while :; do sleep 0.01; done'\r";
    socket.say(input(program)).await;
    until(&mut socket, "waiting\r\n").await;
    socket.say(input("\u{3}")).await;
    until(&mut socket, "caught\r\n").await;
    socket.say(json!({"type": "kill"})).await;
    let (.., last) = to_the_exit(&mut socket).await;
    assert_eq!(
        last,
        json!({"type": "exit", "exit_code": 137, "signal": SIGKILL})
    );
    assert_eq!(socket.closed().await, 1000);
}

/// B-186 and W-041: the program survives its client, and the client that comes back is told so and continues where it was.
#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn a_client_that_comes_back_loses_no_byte(pool: PgPool) {
    let folder = tempfile::tempdir().unwrap();
    let app = App::start_with_guest_process(pool, folder.path()).await;
    let (mut socket, path) = open(&app).await;
    let script = "echo one; read go; echo two; read end; echo three";
    let start = json!({"type": "start", "cmd": "/bin/sh", "args": ["-c", script], "tag": "mine"});
    let first = started(&mut socket, start).await;
    assert_eq!(first["tag"], "mine");
    let seen = until(&mut socket, "one\r\n").await.len() as u64;
    socket.say(input("\r")).await;
    // A connection that breaks, without a close.
    drop(socket);
    let address = app.listen().await;
    let mut socket = Socket::open(address, &path, Some(&app.key)).await;
    let connect = json!({"type": "connect", "tag": "mine", "offset": seen});
    let second = started(&mut socket, connect).await;
    assert_eq!(
        (&second["pid"], &second["tag"]),
        (&first["pid"], &first["tag"])
    );
    assert_eq!(second["offset"].as_u64(), Some(seen));
    // Whether the first input arrived before the break is not known; a second one is no harm.
    socket.say(input("\r")).await;
    let rest = until(&mut socket, "two\r\n").await;
    assert!(!rest.contains("one"), "{rest:?}");
    socket.say(input("\r")).await;
    assert_eq!(to_the_exit(&mut socket).await.2["exit_code"], 0);
    // All that was printed, also after the exit.
    let mut socket = Socket::open(address, &path, Some(&app.key)).await;
    let connect = json!({"type": "connect", "tag": "mine", "offset": 0});
    assert_eq!(started(&mut socket, connect).await["offset"], 0);
    let all = until(&mut socket, "three\r\n").await;
    assert!(all.starts_with("one\r\n") && all.contains("two"), "{all:?}");
    assert_eq!(socket.heard().await["type"], "exit");
    assert_eq!(socket.closed().await, 1000);
}

#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn output_beyond_the_scrollback_is_a_gap_of_its_length(pool: PgPool) {
    let folder = tempfile::tempdir().unwrap();
    let app = App::start_with_guest_process(pool, folder.path()).await;
    let (mut socket, path) = open(&app).await;
    let printed = 3 * SCROLLBACK / 2;
    let script = format!(
        "echo ready; until test -e go; do sleep 0.01; done; head -c {printed} /dev/zero | tr '\\0' x; touch printed; read end"
    );
    let start = json!({"type": "start", "cmd": "/bin/sh", "args": ["-c", script], "tag": "t"});
    started(&mut socket, start).await;
    let seen = until(&mut socket, "ready\r\n").await.len() as u64;
    drop(socket);
    std::fs::write(folder.path().join("go"), "").unwrap();
    eventually("everything is printed", async || {
        folder.path().join("printed").exists()
    })
    .await;
    let mut socket = Socket::open(app.listen().await, &path, Some(&app.key)).await;
    let connect = json!({"type": "connect", "tag": "t", "offset": seen});
    assert_eq!(
        started(&mut socket, connect).await["offset"].as_u64(),
        Some(seen)
    );
    let gap = socket.heard().await;
    assert_eq!(gap["type"], "gap");
    socket.say(json!({"type": "kill"})).await;
    let (output, later, last) = to_the_exit(&mut socket).await;
    assert_eq!(last["type"], "exit");
    let lost = gap["bytes"].as_u64().unwrap() + later;
    assert_eq!(output, SCROLLBACK);
    assert_eq!(output + lost, printed);
}

/// The client notices nothing: the server attaches to the process again.
#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn a_terminal_goes_on_when_the_host_agent_was_restarted(pool: PgPool) {
    let folder = tempfile::tempdir().unwrap();
    let app = App::start_with_guest_process(pool, folder.path()).await;
    let (mut socket, _) = open(&app).await;
    let script = "echo one; until test -e go; do sleep 0.01; done; echo two; read x; echo got $x";
    let start = json!({"type": "start", "cmd": "/bin/sh", "args": ["-c", script]});
    started(&mut socket, start).await;
    until(&mut socket, "one\r\n").await;
    app.proxy.stop_listening();
    app.proxy.break_streams();
    std::fs::write(folder.path().join("go"), "").unwrap();
    socket.say(input("keys\r")).await;
    app.proxy.listen();
    let rest = until(&mut socket, "got keys\r\n").await;
    assert!(
        rest.contains("two\r\n") && !rest.contains("one"),
        "{rest:?}"
    );
    assert_eq!(to_the_exit(&mut socket).await.2["exit_code"], 0);
}
