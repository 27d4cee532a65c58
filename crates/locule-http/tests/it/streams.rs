//! The exec WebSocket: its messages, its limits, and the process after its client disconnects.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use futures::SinkExt as _;
use locule_testkit::eventually;
use serde_json::json;
use sqlx::PgPool;
use tokio_tungstenite::MaybeTlsStream;
use tokio_tungstenite::tungstenite::Message;

use crate::app::{App, EMAIL, PASSWORD};
use crate::socket::Socket;

const SIGKILL: i32 = 9;

async fn exec(app: &App) -> (Socket, String) {
    let id = app.sandbox().await;
    let path = format!("/v1/sandboxes/{id}/exec/stream");
    let socket = Socket::open(app.listen().await, &path, Some(&app.key)).await;
    (socket, id)
}

fn chunks(chunks: &[&[u8]]) -> Vec<String> {
    chunks.iter().map(|chunk| STANDARD.encode(chunk)).collect()
}

#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn a_character_that_is_split_between_chunks_is_joined(pool: PgPool) {
    let app = App::start(pool).await;
    let (mut socket, _) = exec(&app).await;
    let args = chunks(&[
        "a\u{20ac}".as_bytes().split_at(2).0,
        &[0x82, 0xac],
        &[0xff, b'z'],
        &[0xe2],
    ]);
    socket
        .say(json!({"type": "start", "cmd": "chunks", "args": args, "surprise": 1}))
        .await;
    assert_eq!(socket.heard().await["type"], "start");
    let mut text = String::new();
    let last = loop {
        let message = socket.heard().await;
        if message["type"] != "stdout" {
            break message;
        }
        text += message["data"].as_str().unwrap();
    };
    assert_eq!(text, "a\u{20ac}\u{fffd}z\u{fffd}");
    assert_eq!(last, json!({"type": "exit", "exit_code": 3}));
    assert_eq!(socket.closed().await, 1000);
}

#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn base64_output_preserves_every_byte(pool: PgPool) {
    let app = App::start(pool).await;
    let (mut socket, _) = exec(&app).await;
    let every: Vec<u8> = (0..=255).collect();
    let start =
        json!({"type": "start", "cmd": "chunks", "args": chunks(&[&every]), "encoding": "base64"});
    socket.say(start).await;
    assert_eq!(socket.heard().await["type"], "start");
    let heard = socket.heard().await;
    assert_eq!(
        STANDARD.decode(heard["data"].as_str().unwrap()).unwrap(),
        every
    );
}

#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn every_field_of_a_start_message_reaches_the_guest_agent(pool: PgPool) {
    // W-040
    let app = App::start(pool).await;
    let (mut socket, id) = exec(&app).await;
    let start = json!({"type": "start", "cmd": "fail", "envs": {"A": "b"}, "cwd": "/tmp", "timeout_sec": 5});
    socket.say(start).await;
    assert_eq!(socket.heard().await["type"], "start");
    assert_eq!(
        socket.heard().await,
        json!({"type": "stderr", "data": "no\n"})
    );
    let body = json!({"cmd": "fail", "envs": {"A": "b"}, "cwd": "/tmp", "tag": "t"}).to_string();
    let path = format!("/v1/sandboxes/{id}/exec");
    let ran = app.call("POST", &path, &body).await;
    assert_eq!(
        (
            ran.status.as_u16(),
            &ran.json["exit_code"],
            &ran.json["stderr"]
        ),
        (200, &json!(1), &json!("no\n"))
    );
    for start in app.guest.starts.lock().unwrap().iter() {
        let process = start.process.as_option().unwrap();
        assert_eq!(process.envs.get("A").map(String::as_str), Some("b"));
        assert_eq!(process.cwd.as_deref(), Some("/tmp"));
        assert_eq!(start.stdin, Some(false));
    }
}

#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn input_is_acknowledged_and_can_be_closed(pool: PgPool) {
    let app = App::start(pool).await;
    let (mut socket, _) = exec(&app).await;
    socket
        .say(json!({"type": "start", "cmd": "cat", "stdin": true}))
        .await;
    assert_eq!(socket.heard().await["type"], "start");
    socket
        .say(json!({"type": "stdin", "data": STANDARD.encode("hello")}))
        .await;
    let two = [socket.heard().await, socket.heard().await];
    assert!(two.contains(&json!({"type": "ack", "bytes": 5})), "{two:?}");
    assert!(
        two.contains(&json!({"type": "stdout", "data": "hello"})),
        "{two:?}"
    );
    socket.say(json!({"type": "stdin_close"})).await;
    assert_eq!(
        socket.heard().await,
        json!({"type": "exit", "exit_code": 0})
    );
}

#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn input_beyond_the_window_is_refused_and_the_process_killed(pool: PgPool) {
    let app = App::start(pool).await;
    let (mut socket, _) = exec(&app).await;
    socket
        .say(json!({"type": "start", "cmd": "stuck", "stdin": true}))
        .await;
    assert_eq!(socket.heard().await["type"], "start");
    // The server accepts exactly the window while the process does not read, and refuses one byte more.
    let half = STANDARD.encode(vec![0; 512 * 1024]);
    for data in [half.as_str(), half.as_str(), "AA=="] {
        socket.say(json!({"type": "stdin", "data": data})).await;
    }
    let refusal = socket.heard().await;
    assert_eq!(refusal["type"], "error");
    assert!(
        refusal["data"].as_str().unwrap().contains("window"),
        "{refusal}"
    );
    let signals = &app.guest.signals;
    eventually("the kill", async || {
        signals.lock().unwrap().contains(&SIGKILL)
    })
    .await;
}

#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn every_signal_reaches_the_process_and_is_in_the_exit_message(pool: PgPool) {
    let app = App::start(pool).await;
    let id = app.sandbox().await;
    let address = app.listen().await;
    let path = format!("/v1/sandboxes/{id}/exec/stream");
    for (message, number) in [
        (json!({"type": "signal", "signal": "SIGHUP"}), 1),
        (json!({"type": "signal", "signal": "SIGINT"}), 2),
        (json!({"type": "signal", "signal": "SIGQUIT"}), 3),
        (json!({"type": "signal", "signal": "SIGTERM"}), 15),
        (json!({"type": "signal", "signal": "SIGKILL"}), 9),
        (json!({"type": "stop"}), 9),
    ] {
        let mut socket = Socket::open(address, &path, Some(&app.key)).await;
        socket.say(json!({"type": "start", "cmd": "sleep"})).await;
        assert_eq!(socket.heard().await["type"], "start");
        socket.say(message).await;
        let exit = json!({"type": "exit", "exit_code": 128 + number, "signal": number});
        assert_eq!(socket.heard().await, exit);
        assert_eq!(app.guest.signals.lock().unwrap().pop(), Some(number));
    }
}

/// Starts `sleep`, disconnects with `leave`, and returns whether the process was killed.
async fn killed_after(app: &App, on_disconnect: &str, leave: impl AsyncFnOnce(Socket)) -> bool {
    let (mut socket, id) = exec(app).await;
    let start = json!({"type": "start", "cmd": "sleep", "on_disconnect": on_disconnect});
    socket.say(start).await;
    assert_eq!(socket.heard().await["type"], "start");
    leave(socket).await;
    // The end of a session updates the row, before or after the kill.
    let guest = app.guest.clone();
    if on_disconnect == "kill" {
        eventually("the kill", async || {
            !guest.signals.lock().unwrap().is_empty()
        })
        .await;
    } else {
        let path = format!("/v1/sandboxes/{id}");
        eventually("the end is written down", async || {
            !app.call("GET", &path, "").await.json["last_active_at"].is_null()
        })
        .await;
    }
    std::mem::take(&mut *guest.signals.lock().unwrap()) == [SIGKILL]
}

#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn on_disconnect_decides_whether_the_process_is_killed(pool: PgPool) {
    let app = App::start(pool).await;
    let close = async |mut socket: Socket| socket.0.close(None).await.unwrap();
    let reset = async |socket: Socket| {
        if let MaybeTlsStream::Plain(stream) = socket.0.get_ref() {
            stream.set_zero_linger().unwrap();
        }
    };
    assert!(killed_after(&app, "kill", close).await);
    assert!(killed_after(&app, "kill", reset).await);
    assert!(!killed_after(&app, "detach", close).await);
    assert!(!killed_after(&app, "detach", reset).await);
}

#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn a_refusal_is_an_error_message_followed_by_a_close(pool: PgPool) {
    let app = App::start(pool).await;
    let id = app.sandbox().await;
    let paused = app.sandbox().await;
    app.call("POST", &format!("/v1/sandboxes/{paused}/pause"), "")
        .await;
    let unknown = locule_ids::SandboxId::random();
    let (address, stranger) = (app.listen().await, app.stranger().await);
    let key = Some(app.key.as_str());
    let start = json!({"type": "start", "cmd": "sleep"});
    for (id, key, first, words) in [
        (id.as_str(), None, start.clone(), "API key"),
        (
            id.as_str(),
            None,
            json!({"type": "auth", "token": "x"}),
            "credential",
        ),
        (
            unknown.to_string().as_str(),
            key,
            start.clone(),
            "not found",
        ),
        (
            id.as_str(),
            Some(stranger.as_str()),
            start.clone(),
            "not found",
        ),
        (paused.as_str(), key, start.clone(), "not running"),
        (id.as_str(), key, json!({"type": "start"}), "cannot be read"),
        (
            id.as_str(),
            key,
            json!({"type": "start", "cmd": ""}),
            "cmd is required",
        ),
        (
            id.as_str(),
            key,
            json!({"type": "start", "cmd": "sleep", "timeout_sec": -1}),
            "timeout_sec",
        ),
        (
            id.as_str(),
            key,
            json!({"type": "start", "cmd": "nope"}),
            "was not found",
        ),
        (id.as_str(), key, json!({"type": "stop"}), "is not `start`"),
        (
            id.as_str(),
            key,
            json!(["start", "sleep"]),
            "cannot be read",
        ),
    ] {
        let path = format!("/v1/sandboxes/{id}/exec/stream");
        let mut socket = Socket::open(address, &path, key).await;
        socket.0.send(Message::text(first.to_string())).await.ok();
        let refusal = socket.heard().await;
        assert_eq!(refusal["type"], "error", "{first}");
        assert!(
            refusal["data"].as_str().unwrap().contains(words),
            "{refusal} for {first}"
        );
        assert_eq!(socket.closed().await, 1008, "{first}");
    }
}

#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn a_missing_command_closes_the_stream_with_its_error_code(pool: PgPool) {
    let app = App::start(pool).await;
    let (mut socket, _) = exec(&app).await;
    socket.say(json!({"type": "start", "cmd": "nope"})).await;
    let data = "command 'nope' was not found";
    assert_eq!(socket.heard().await, json!({"type": "error", "data": data}));
    let reason = "command_not_found".to_owned();
    assert_eq!(socket.closed_for().await, (1008, reason));
}

#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn a_login_token_in_the_first_message_opens_the_stream(pool: PgPool) {
    let app = App::start(pool).await;
    let id = app.sandbox().await;
    let login = json!({"email": EMAIL, "password": PASSWORD}).to_string();
    let session = app.call("POST", "/v1/auth/login", &login).await;
    let path = format!("/v1/sandboxes/{id}/exec/stream");
    let mut socket = Socket::open(app.listen().await, &path, None).await;
    socket
        .say(json!({"type": "auth", "token": session.json["token"]}))
        .await;
    socket.say(json!({"type": "start", "cmd": "fail"})).await;
    assert_eq!(socket.heard().await["type"], "start");
}

#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn a_stream_request_without_an_upgrade_is_refused_in_the_envelope(pool: PgPool) {
    let app = App::start(pool).await;
    let id = app.sandbox().await;
    for id in [id.as_str(), "nope"] {
        for rest in ["exec/stream", "processes/1/stream", "pty"] {
            let path = format!("/v1/sandboxes/{id}/{rest}");
            let answer = app.call("GET", &path, "").await;
            assert_eq!(answer.status, 400, "{path}");
            assert_eq!(answer.json["error"]["code"], "invalid_request", "{path}");
        }
    }
}

#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn a_shutdown_closes_the_stream_as_going_away_and_keeps_the_process(pool: PgPool) {
    let app = App::start(pool).await;
    let (mut socket, _) = exec(&app).await;
    socket.say(json!({"type": "start", "cmd": "sleep"})).await;
    assert_eq!(socket.heard().await["type"], "start");
    app.stop();
    assert_eq!(socket.closed().await, 1001);
    assert!(app.guest.signals.lock().unwrap().is_empty());
}
