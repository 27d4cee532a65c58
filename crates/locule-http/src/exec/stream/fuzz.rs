//! What a client sends over the exec `WebSocket`, read as the handlers read it.

use std::sync::atomic::{AtomicUsize, Ordering};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use locule_api::ClientMessage;
use locule_api::stream::STDIN_WINDOW_BYTES;
use tokio::sync::mpsc;

use super::session::{Input, STDIN_MESSAGES, Wish, enqueue, wish};
use super::{TIMEOUT_MAX_SEC, wanted};
use crate::extract::message;

/// Whether a message is taken, for one whose process never reads. Checks what must hold whoever sends it.
fn take(
    text: &str,
    stdin: &mpsc::Sender<Input>,
    in_window: &AtomicUsize,
) -> Result<String, String> {
    let read = message(text).map_err(|error| error.message())?;
    let value: serde_json::Value = serde_json::from_str(text).unwrap();
    assert!(value["type"].is_string(), "no object with a type: {value}");
    if let ClientMessage::Start(start) = read {
        let start = wanted(start).map_err(|error| error.message())?;
        let seconds = start.timeout.map_or(1, |timeout| timeout.as_secs());
        assert!((1..=TIMEOUT_MAX_SEC.unsigned_abs()).contains(&seconds));
        assert!(!start.cmd.is_empty());
        return Ok("start".to_owned());
    }
    match wish(read)? {
        Wish::Signal(signal) => Ok(format!("{signal:?}")),
        Wish::Input(input) => {
            let said = format!("{input:?}").len().ilog2();
            enqueue(input, stdin, in_window)?;
            assert!(in_window.load(Ordering::Relaxed) <= STDIN_WINDOW_BYTES);
            Ok(said.to_string())
        }
    }
}

#[test]
fn any_message_of_a_client_is_taken_within_bounds_or_refused() {
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
        let in_window = AtomicUsize::new(0);
        let text = String::from_utf8_lossy(input);
        let said: Vec<_> = text
            .lines()
            .map(|line| take(line, &stdin, &in_window))
            .collect();
        assert!(waiting.len() <= STDIN_MESSAGES);
        said.into_iter().rev().take(3).collect::<Vec<_>>()
    });
}
