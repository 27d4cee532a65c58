//! Messages of a client over the exec WebSocket, read as the handlers read them.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use locule_api::ClientMessage;
use locule_api::stream::STDIN_WINDOW_BYTES;
use locule_ids::TeamId;
use tokio::sync::mpsc;

use super::input::{Command, Input, STDIN_MESSAGES, Window, command, enqueue};
use super::{TIMEOUT_MAX_SEC, process_start};
use crate::extract::message;
use crate::memory::MemoryBudget;

/// Handles a message for a process that never reads, and checks what holds for every message.
fn handle(text: &str, stdin: &mpsc::Sender<Input>, window: &Window) -> Result<String, String> {
    let read = message(text).map_err(|error| error.message())?;
    let value: serde_json::Value = serde_json::from_str(text).unwrap();
    assert!(
        value["type"].is_string(),
        "the message has no type: {value}"
    );
    if let ClientMessage::Start(start) = read {
        let start = process_start(start).map_err(|error| error.message())?;
        let seconds = start.timeout.map_or(1, |timeout| timeout.as_secs());
        assert!((1..=TIMEOUT_MAX_SEC.unsigned_abs()).contains(&seconds));
        assert!(!start.cmd.is_empty());
        return Ok("start".to_owned());
    }
    match command(read)? {
        Command::Signal(signal) => Ok(format!("{signal:?}")),
        Command::Input(input) => {
            let length = format!("{input:?}").len().ilog2();
            enqueue(input, stdin, window)?;
            assert!(window.bytes() <= STDIN_WINDOW_BYTES);
            Ok(length.to_string())
        }
    }
}

#[test]
fn any_message_of_a_client_is_handled_within_bounds_or_refused() {
    let half = STANDARD.encode(vec![0; STDIN_WINDOW_BYTES / 2]);
    let seeds = [
        "{\"type\":\"auth\",\"token\":\"x\"}\n{\"type\":\"start\",\"cmd\":\"sh\",\"args\":[\"-c\",\"\"],\"envs\":{\"A\":\"b\"},\
         \"cwd\":\"/\",\"user\":null,\"timeout_sec\":604800,\"stdin\":true,\"encoding\":\"base64\",\"on_disconnect\":\"detach\"}"
            .to_owned(),
        "{\"type\":\"stdin\",\"data\":\"aGk=\"}\n{\"type\":\"stdin_close\"}\n{\"type\":\"stop\"}".to_owned(),
        "{\"type\":\"signal\",\"signal\":\"SIGHUP\"}\n[\"signal\",\"SIGTERM\"]\n[\"start\",\"sh\"]".to_owned(),
        format!("{{\"type\":\"stdin\",\"data\":\"{half}\"}}\n").repeat(2) + "{\"type\":\"stdin\",\"data\":\"AA==\"}",
        "{\"type\":\"stdin\",\"data\":\"\"}\n".repeat(STDIN_MESSAGES + 1),
    ];
    locule_fuzz::fuzz(&seeds, |input| {
        let (stdin, waiting) = mpsc::channel(STDIN_MESSAGES);
        let budget = MemoryBudget::new(4 * STDIN_WINDOW_BYTES, 2 * STDIN_WINDOW_BYTES);
        let window = Window::new(budget.held_by(TeamId::random()));
        let text = String::from_utf8_lossy(input);
        let outcomes: Vec<_> = text
            .lines()
            .map(|line| handle(line, &stdin, &window))
            .collect();
        assert!(waiting.len() <= STDIN_MESSAGES);
        outcomes.into_iter().rev().take(3).collect::<Vec<_>>()
    });
}
