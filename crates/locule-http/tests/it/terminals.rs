//! The terminal WebSocket (behaviour 2.5): its messages, its limits, and clients that come back.

mod programs;

use std::collections::BTreeMap;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use futures::{SinkExt as _, StreamExt as _};
use locule_testkit::eventually;
use serde_json::{Value, json};
use sqlx::PgPool;
use tokio_tungstenite::tungstenite::Message;

use crate::app::{App, EMAIL, PASSWORD};
use crate::socket::Socket;

const SIGKILL: i32 = 9;
const WINDOW: usize = 256 * 1024;

async fn open(app: &App) -> (Socket, String) {
    let id = app.sandbox().await;
    let address = app.listen().await;
    let path = format!("/v1/sandboxes/{id}/pty");
    let socket = Socket::open(address, &path, Some(&app.key)).await;
    (socket, path)
}

/// The first message of the server after `first`, which opens the terminal.
async fn started(socket: &mut Socket, first: Value) -> Value {
    socket.say(first).await;
    let started = socket.heard().await;
    assert_eq!(started["type"], "started", "{started}");
    started
}

fn input(text: &str) -> Value {
    json!({"type": "input", "data": STANDARD.encode(text)})
}

fn bytes(message: &Value) -> Vec<u8> {
    STANDARD.decode(message["data"].as_str().unwrap()).unwrap()
}

/// Waits until the output contains a text. Returns all output so far.
async fn until(socket: &mut Socket, text: &str) -> String {
    let mut output = Vec::new();
    while !String::from_utf8_lossy(&output).contains(text) {
        let message = socket.heard().await;
        match message["type"].as_str() {
            Some("output") => output.extend(bytes(&message)),
            Some("ack" | "ping") => {}
            _ => panic!("{message} before {text:?}, after {output:?}"),
        }
    }
    String::from_utf8(output).unwrap()
}

/// The bytes of output, the bytes of gaps, and the last message, from here to the exit.
async fn to_the_exit(socket: &mut Socket) -> (u64, u64, Value) {
    let (mut output, mut gap) = (0, 0);
    loop {
        let message = socket.heard().await;
        match message["type"].as_str() {
            Some("output") => output += bytes(&message).len() as u64,
            Some("gap") => gap += message["bytes"].as_u64().unwrap(),
            Some("ack" | "ping") => {}
            _ => return (output, gap, message),
        }
    }
}

#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn a_refusal_is_a_fatal_error_followed_by_a_close(pool: PgPool) {
    let app = App::start(pool).await;
    let id = app.sandbox().await;
    let paused = app.sandbox().await;
    let pause = format!("/v1/sandboxes/{paused}/pause");
    app.call("POST", &pause, "").await;
    let (address, stranger) = (app.listen().await, app.stranger().await);
    let (key, start) = (app.key.as_str(), json!({"type": "start"}));
    let auth = json!({"type": "auth", "token": "x"});
    for (id, key, first, words, reason) in [
        (&id, None, start.clone(), "API key", "unauthorized"),
        (&id, None, auth, "credential", "unauthorized"),
        (
            &id,
            Some(stranger.as_str()),
            start.clone(),
            "not found",
            "not_found",
        ),
        (&paused, Some(key), start, "not running", "invalid_state"),
        (&id, Some(key), input("ls"), "neither", "invalid_request"),
        (
            &id,
            Some(key),
            json!(["start"]),
            "cannot be read",
            "invalid_request",
        ),
        (
            &id,
            Some(key),
            json!({"type": "start", "cols": 70_000}),
            "cannot be read",
            "invalid_request",
        ),
        (
            &id,
            Some(key),
            json!({"type": "start", "tag": "1"}),
            "the tag is not valid",
            "invalid_request",
        ),
        (
            &id,
            Some(key),
            json!({"type": "start", "cmd": "nope"}),
            "was not found",
            "command_not_found",
        ),
        (
            &id,
            Some(key),
            json!({"type": "connect", "tag": ""}),
            "tag is required",
            "invalid_request",
        ),
        (
            &id,
            Some(key),
            json!({"type": "connect", "tag": "t", "offset": -1}),
            "cannot be read",
            "invalid_request",
        ),
        (
            &id,
            Some(key),
            json!({"type": "connect", "tag": "none"}),
            "no such process",
            "not_found",
        ),
    ] {
        let path = format!("/v1/sandboxes/{id}/pty");
        let mut socket = Socket::open(address, &path, key).await;
        socket.0.send(Message::text(first.to_string())).await.ok();
        let refusal = socket.heard().await;
        assert_eq!(
            (&refusal["type"], &refusal["fatal"]),
            (&json!("error"), &json!(true)),
            "{first}"
        );
        let said = refusal["data"].as_str().unwrap();
        assert!(said.contains(words), "{refusal} for {first}");
        assert_eq!(
            socket.closed_for().await,
            (1008, reason.to_owned()),
            "{first}"
        );
    }
}

#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn a_failure_of_the_sandbox_closes_the_terminal_as_a_server_error(pool: PgPool) {
    let app = App::start(pool).await;
    let (mut socket, _) = open(&app).await;
    app.proxy.stop_listening();
    socket.say(json!({"type": "start"})).await;
    let refusal = socket.heard().await;
    assert_eq!(
        (&refusal["type"], &refusal["fatal"]),
        (&json!("error"), &json!(true))
    );
    let reason = "host_unavailable".to_owned();
    assert_eq!(socket.closed_for().await, (1011, reason));
}

#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn a_message_that_is_not_valid_changes_nothing(pool: PgPool) {
    let app = App::start(pool).await;
    let (mut socket, _) = open(&app).await;
    started(&mut socket, json!({"type": "start", "cmd": "cat"})).await;
    for (message, words) in [
        (json!({"type": "input", "data": "?"}), "not base64"),
        (json!({"type": "input"}), "cannot be read"),
        (
            json!({"type": "resize", "cols": 0, "rows": 5}),
            "greater than 0",
        ),
        (
            json!({"type": "resize", "cols": 5, "rows": 0}),
            "greater than 0",
        ),
        (
            json!({"type": "resize", "cols": -5, "rows": 1}),
            "cannot be read",
        ),
        (json!({"type": "start"}), "already open"),
        (json!({"type": "connect", "tag": "t"}), "already open"),
        (json!({"type": "dance"}), "cannot be read"),
        (json!("text"), "cannot be read"),
    ] {
        socket.say(message.clone()).await;
        let answer = socket.heard().await;
        assert_eq!(
            (&answer["type"], &answer["fatal"]),
            (&json!("error"), &json!(false)),
            "{message}"
        );
        assert!(
            answer["data"].as_str().unwrap().contains(words),
            "{answer} for {message}"
        );
    }
    socket.say(json!({"type": "pong"})).await;
    socket.0.send(Message::binary(vec![1])).await.unwrap();
    socket
        .say(json!({"type": "resize", "cols": 7, "rows": 5}))
        .await;
    socket.say(input("hello")).await;
    let two = [socket.heard().await, socket.heard().await];
    let output = json!({"type": "output", "data": STANDARD.encode("hello")});
    assert!(two.contains(&output), "{two:?}");
    assert!(two.contains(&json!({"type": "ack", "bytes": 5})), "{two:?}");
    eventually("the new size", async || {
        *app.guest.sizes.lock().unwrap() == [(7, 5)]
    })
    .await;
}

/// W-041: input that does not fit is refused and said, and a kill waits behind none of it.
#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn a_kill_passes_input_that_the_program_does_not_read(pool: PgPool) {
    let app = App::start(pool).await;
    let (mut socket, _) = open(&app).await;
    started(&mut socket, json!({"type": "start", "cmd": "stuck"})).await;
    let half = json!({"type": "input", "data": STANDARD.encode(vec![0; WINDOW / 2])});
    for message in [&half, &half, &input("x")] {
        socket.say(message.clone()).await;
    }
    // What was refused is acknowledged: the client may send as much again.
    assert_eq!(socket.heard().await, json!({"type": "ack", "bytes": 1}));
    let refused = socket.heard().await;
    assert!(
        refused["data"].as_str().unwrap().contains("window"),
        "{refused}"
    );
    assert_eq!(refused["fatal"], false);
    socket.say(json!({"type": "kill"})).await;
    let (.., last) = to_the_exit(&mut socket).await;
    assert_eq!(
        last,
        json!({"type": "exit", "exit_code": 137, "signal": SIGKILL})
    );
    assert_eq!(socket.closed().await, 1000);
}

#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn a_kill_right_before_the_client_leaves_has_its_effect(pool: PgPool) {
    let app = App::start(pool).await;
    let (mut socket, _) = open(&app).await;
    started(&mut socket, json!({"type": "start", "cmd": "sleep"})).await;
    socket.say(json!({"type": "kill"})).await;
    socket.0.close(None).await.unwrap();
    eventually("the kill", async || {
        *app.guest.signals.lock().unwrap() == [SIGKILL]
    })
    .await;
}

#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn a_client_that_leaves_keeps_its_program_and_counts_as_activity(pool: PgPool) {
    let app = App::start(pool).await;
    let (mut socket, path) = open(&app).await;
    started(&mut socket, json!({"type": "start", "cmd": "sleep"})).await;
    socket.0.close(None).await.unwrap();
    let sandbox = path.strip_suffix("/pty").unwrap();
    eventually("the end is written down", async || {
        !app.call("GET", sandbox, "").await.json["last_active_at"].is_null()
    })
    .await;
    assert!(app.guest.signals.lock().unwrap().is_empty());
}

#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn a_start_without_a_command_is_a_shell_of_the_sandbox(pool: PgPool) {
    let app = App::start(pool).await;
    let id = app.sandbox().await;
    let login = json!({"email": EMAIL, "password": PASSWORD}).to_string();
    let session = app.call("POST", "/v1/auth/login", &login).await;
    let path = format!("/v1/sandboxes/{id}/pty");
    // As a browser does: the credential is in the first message.
    let mut socket = Socket::open(app.listen().await, &path, None).await;
    socket
        .say(json!({"type": "auth", "token": session.json["token"]}))
        .await;
    started(&mut socket, json!({"type": "start", "cmd": "", "cols": 0})).await;
    let starts = app.guest.starts.lock().unwrap().clone();
    let commands = starts.iter().map(|start| {
        let process = start.process.as_option().unwrap();
        (process.cmd.as_str(), &process.envs)
    });
    let size = starts[0].pty.as_option().unwrap().size.as_option().unwrap();
    assert_eq!((size.cols, size.rows), (80, 24));
    let commands: BTreeMap<_, _> = commands.collect();
    assert_eq!(
        commands.keys().copied().collect::<Vec<_>>(),
        ["/bin/bash", "/bin/sh"]
    );
    assert!(
        commands
            .values()
            .all(|envs| envs["TERM"] == "xterm-256color")
    );
}

/// A client that does not read blocks its own program, which prints: the server holds a bounded part of the output.
#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn a_client_that_does_not_read_holds_its_program_back(pool: PgPool) {
    const FLOOD: u64 = 64 * 1024 * 1024;
    let app = App::start(pool).await;
    let (mut slow, path) = open(&app).await;
    let flood = json!({"type": "start", "cmd": "flood", "args": [FLOOD.to_string()]});
    started(&mut slow, flood).await;
    // Meanwhile another terminal is served.
    let mut other = Socket::open(app.listen().await, &path, Some(&app.key)).await;
    started(&mut other, json!({"type": "start", "cmd": "cat"})).await;
    other.say(input("hello")).await;
    until(&mut other, "hello").await;
    assert_eq!(
        app.guest.floods.load(std::sync::atomic::Ordering::SeqCst),
        0
    );
    let mut read = 0;
    while read < FLOOD {
        let message = slow.heard().await;
        assert_eq!(message["type"], "output");
        read += bytes(&message).len() as u64;
    }
    assert_eq!(
        app.guest.floods.load(std::sync::atomic::Ordering::SeqCst),
        1
    );
}

#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn a_lost_right_closes_the_terminal_with_1008(pool: PgPool) {
    let app = App::start(pool).await;
    let (mut socket, _) = open(&app).await;
    started(&mut socket, json!({"type": "start", "cmd": "sleep"})).await;
    let admin = app.login(EMAIL).await;
    let keys = app
        .by(&admin.token, "GET", "/v1/api-keys", &Value::Null)
        .await;
    let key = keys.json[0]["id"].as_str().unwrap();
    let path = format!("/v1/api-keys/{key}");
    let revoked = app.by(&admin.token, "DELETE", &path, &Value::Null).await;
    assert!(revoked.status.is_success(), "{}", revoked.json);
    let (.., last) = to_the_exit(&mut socket).await;
    assert_eq!(
        (&last["type"], &last["fatal"]),
        (&json!("error"), &json!(true))
    );
    assert_eq!(socket.closed_for().await, (1008, "unauthorized".to_owned()));
    assert!(app.guest.signals.lock().unwrap().is_empty());
}

#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn a_shutdown_closes_the_terminal_as_going_away_and_keeps_the_program(pool: PgPool) {
    let app = App::start(pool).await;
    let (mut socket, _) = open(&app).await;
    started(&mut socket, json!({"type": "start", "cmd": "sleep"})).await;
    app.stop();
    assert_eq!(socket.closed().await, 1001);
    assert!(app.guest.signals.lock().unwrap().is_empty());
}

#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn a_client_that_answers_pings_is_pinged_every_30_seconds_and_stays(pool: PgPool) {
    let app = App::start(pool).await;
    let (mut socket, _) = open(&app).await;
    started(&mut socket, json!({"type": "start", "cmd": "sleep"})).await;
    // From here on the clock advances whenever all tasks wait.
    tokio::time::pause();
    let since = tokio::time::Instant::now();
    // Reading answers the pings of the WebSocket.
    for _ in 0..5 {
        let text = loop {
            match socket.0.next().await {
                Some(Ok(Message::Text(text))) => break text,
                Some(Ok(Message::Ping(_))) => {}
                other => panic!("no ping but {other:?}"),
            }
        };
        assert_eq!(text, r#"{"type":"ping"}"#);
    }
    assert!(since.elapsed().as_secs() >= 149, "{:?}", since.elapsed());
}

/// A connection that is not read would hold the program back for the client that comes back.
#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn a_client_that_answers_no_ping_for_100_seconds_is_disconnected(pool: PgPool) {
    let app = App::start(pool).await;
    let (mut socket, _) = open(&app).await;
    started(&mut socket, json!({"type": "start", "cmd": "sleep"})).await;
    tokio::time::pause();
    // The socket is not read meanwhile, so its pings are not answered.
    tokio::time::sleep(Duration::from_secs(200)).await;
    // The connection ends after at most three pings. Fewer arrive when an answer resets it before the rest is read.
    let mut pings = 0;
    while let Some(Ok(next)) = socket.0.next().await {
        pings += u32::from(next.is_text());
        assert!(pings <= 3, "still connected");
    }
}
