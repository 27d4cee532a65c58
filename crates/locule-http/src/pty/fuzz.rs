//! Messages of a client over the terminal WebSocket, read as the session reads them.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use locule_api::PtyClientMessage;
use locule_api::terminal::INPUT_WINDOW_BYTES;
use locule_ids::TeamId;

use super::input::Input;
use super::process_start;
use crate::extract::message;
use crate::memory::MemoryBudget;

/// Handles a message for a program that never reads, and checks what holds for every message.
fn handle(text: &str, input: &Input, waiting: &mut usize) -> Result<String, String> {
    let read = message(text).map_err(|error| error.message())?;
    match read {
        PtyClientMessage::Start(start) => {
            let (tag, process) = process_start(start).map_err(|error| error.message())?;
            let size = process.terminal.unwrap();
            assert!(size.cols > 0 && size.rows > 0);
            assert!(!tag.is_empty() && tag.parse::<u32>().is_err(), "{tag}");
            assert!(process.envs.contains_key("TERM"));
            Ok("start".to_owned())
        }
        PtyClientMessage::Input { data } => {
            let typed = STANDARD.decode(data).map_err(|error| error.to_string())?;
            input.push(&typed).map_err(|error| error.message())?;
            *waiting += typed.len();
            assert!(*waiting <= INPUT_WINDOW_BYTES);
            Ok(typed.len().checked_ilog2().unwrap_or_default().to_string())
        }
        other @ (PtyClientMessage::Auth { .. }
        | PtyClientMessage::Connect(_)
        | PtyClientMessage::Resize { .. }
        | PtyClientMessage::Kill
        | PtyClientMessage::Pong) => Ok(format!("{other:?}").chars().take(4).collect()),
    }
}

#[test]
fn any_message_of_a_terminals_client_is_handled_within_bounds_or_refused() {
    let half = STANDARD.encode(vec![0; INPUT_WINDOW_BYTES / 2]);
    let seeds = [
        "{\"type\":\"auth\",\"token\":\"x\"}\n{\"type\":\"start\",\"cmd\":\"sh\",\"args\":[\"-i\"],\"envs\":{\"TERM\":\"dumb\"},\
         \"cwd\":\"/\",\"user\":\"\",\"cols\":0,\"rows\":65535,\"tag\":\"pty-1\"}"
            .to_owned(),
        "{\"type\":\"connect\",\"tag\":\"pty-1\",\"offset\":18446744073709551615}\n{\"type\":\"start\"}".to_owned(),
        "{\"type\":\"resize\",\"cols\":1,\"rows\":0}\n{\"type\":\"kill\"}\n{\"type\":\"pong\"}".to_owned(),
        format!("{{\"type\":\"input\",\"data\":\"{half}\"}}\n").repeat(2) + "{\"type\":\"input\",\"data\":\"AA==\"}",
    ];
    locule_fuzz::fuzz(&seeds, |bytes| {
        let budget = MemoryBudget::new(1 << 30, 1 << 30);
        let (input, mut waiting) = (Input::new(budget.held_by(TeamId::random())), 0);
        let text = String::from_utf8_lossy(bytes);
        let outcomes: Vec<_> = text
            .lines()
            .map(|line| handle(line, &input, &mut waiting))
            .collect();
        outcomes.into_iter().rev().take(3).collect::<Vec<_>>()
    });
}
