//! What the client typed and the terminal has not accepted yet: one buffer, in which adjacent inputs become one.

use std::sync::{Mutex, MutexGuard, PoisonError};

use bytes::{Bytes, BytesMut};
use locule_api::terminal::INPUT_WINDOW_BYTES;
use tokio::sync::Notify;

use crate::error::ApiError;
use crate::memory::Held;

/// Limit of one call to the guest agent.
const CALL_BYTES_MAX: usize = 32 * 1024;

#[derive(Debug)]
pub(super) struct Input {
    waiting: Mutex<Waiting>,
    arrived: Notify,
}

#[derive(Debug)]
struct Waiting {
    bytes: BytesMut,
    /// With the bytes of the call in progress.
    in_window: usize,
    held: Held,
}

impl Input {
    /// An empty buffer, whose bytes count as the memory `held`.
    pub(super) fn new(held: Held) -> Self {
        Self {
            waiting: Mutex::new(Waiting {
                bytes: BytesMut::new(),
                in_window: 0,
                held,
            }),
            arrived: Notify::new(),
        }
    }

    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds what was typed, all of it or nothing.
    pub(super) fn push(&self, typed: &[u8]) -> Result<(), ApiError> {
        let mut waiting = self.waiting();
        if waiting.in_window + typed.len() > INPUT_WINDOW_BYTES {
            return Err(ApiError::invalid(
                "the input exceeds the window of 256 KiB and was discarded; wait for an ack",
            ));
        }
        waiting.held.add(typed.len())?;
        waiting.in_window += typed.len();
        waiting.bytes.extend_from_slice(typed);
        self.arrived.notify_one();
        Ok(())
    }

    /// Waits for the next bytes, which stay in the window until they are [`done`](Self::done). Cancel safe.
    pub(super) async fn next(&self) -> Bytes {
        loop {
            {
                let bytes = &mut self.waiting().bytes;
                if !bytes.is_empty() {
                    let count = bytes.len().min(CALL_BYTES_MAX);
                    return bytes.split_to(count).freeze();
                }
            }
            self.arrived.notified().await;
        }
    }

    /// The terminal accepted or refused so many bytes.
    pub(super) fn done(&self, bytes: usize) {
        let mut waiting = self.waiting();
        waiting.in_window = waiting.in_window.saturating_sub(bytes);
        if waiting.in_window == 0 {
            waiting.bytes = BytesMut::new();
            waiting.held.clear();
        }
    }
}

#[cfg(test)]
mod tests {
    use locule_ids::TeamId;

    use super::*;
    use crate::memory::MemoryBudget;

    fn input(team_bytes: usize) -> Input {
        Input::new(MemoryBudget::new(1 << 30, team_bytes).held_by(TeamId::random()))
    }

    #[tokio::test]
    async fn adjacent_inputs_become_one_call_in_their_order() {
        let input = input(1 << 20);
        for typed in ["l", "s", "\r"] {
            input.push(typed.as_bytes()).unwrap();
        }
        assert_eq!(input.next().await, "ls\r");
        input.push(&vec![b'x'; CALL_BYTES_MAX + 1]).unwrap();
        assert_eq!(input.next().await.len(), CALL_BYTES_MAX);
        assert_eq!(input.next().await, "x");
    }

    #[tokio::test]
    async fn input_beyond_the_window_is_refused_until_the_terminal_has_accepted_some() {
        let input = input(1 << 20);
        input.push(&vec![0; INPUT_WINDOW_BYTES]).unwrap();
        input.push(b"x").unwrap_err();
        let taken = input.next().await.len();
        // Taken is not accepted.
        input.push(b"x").unwrap_err();
        input.done(taken);
        input.push(b"x").unwrap();
    }

    #[tokio::test]
    async fn waiting_input_is_memory_of_the_team() {
        let input = input(64 * 1024);
        input.push(&vec![0; 60 * 1024]).unwrap();
        input.push(&vec![0; 60 * 1024]).unwrap_err();
        let mut left = 60 * 1024;
        while left > 0 {
            let taken = input.next().await.len();
            input.done(taken);
            left -= taken;
        }
        input.push(&vec![0; 60 * 1024]).unwrap();
    }
}
