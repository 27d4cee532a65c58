//! What the handlers of a request and the listener know of one connection.
//!
//! The listener adds a [`Connection`] to each request. A handler counts the request for a team there, and bounds what the
//! listener reads of a connection that continues as a WebSocket: the WebSocket library holds an incomplete message in memory.

use std::io;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use http::request::Parts;
use locule_base::counts::Counted;
use locule_ids::TeamId;

use crate::memory::Held;

/// What a WebSocket may send before its client is authenticated.
const UNAUTHENTICATED_BYTES_MAX: usize = 4 * 1024;

/// What a team's requests are counted as: visitors of its ports take nothing away from the team's own calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Traffic {
    Api,
    Port,
}

/// One connection. A request that no listener received has a value of its own, which bounds nothing.
#[derive(Debug, Clone, Default)]
pub(crate) struct Connection(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    input: Input,
    counted: Vec<RequestCount>,
    is_upgraded: bool,
    holds_answer: bool,
}

/// What the request in progress counts as.
#[derive(Debug)]
#[expect(dead_code, reason = "dropping the value ends the count")]
enum RequestCount {
    Team(Counted<(TeamId, Traffic)>),
    Address(Counted<IpAddr>),
    Memory(Held),
}

/// How much the listener may read.
#[derive(Debug, Default)]
enum Input {
    #[default]
    Unlimited,
    /// So many bytes, until the client is authenticated.
    Unauthenticated { left: usize, waiting: Option<Waker> },
    /// The bytes of an incomplete message count as memory of the client's team.
    Metered(Held),
}

impl Connection {
    pub(crate) fn of(parts: &Parts) -> Self {
        parts.extensions.get().cloned().unwrap_or_default()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn count_for_team(&self, counted: Counted<(TeamId, Traffic)>) {
        self.state().counted.push(RequestCount::Team(counted));
    }

    pub(crate) fn count_for_address(&self, counted: Counted<IpAddr>) {
        self.state().counted.push(RequestCount::Address(counted));
    }

    /// The request occupies the memory until it ends.
    pub(crate) fn hold(&self, held: Held) {
        self.state().counted.push(RequestCount::Memory(held));
    }

    /// Reads little from now on: the connection continues as a WebSocket whose client is not authenticated.
    pub(crate) fn distrust(&self) {
        self.state().input = Input::Unauthenticated {
            left: UNAUTHENTICATED_BYTES_MAX,
            waiting: None,
        };
    }

    /// Reads messages of an authenticated client, which occupy `held`.
    pub(crate) fn meter(&self, held: Held) {
        let before = std::mem::replace(&mut self.state().input, Input::Metered(held));
        if let Input::Unauthenticated {
            waiting: Some(waker),
            ..
        } = before
        {
            waker.wake();
        }
    }

    /// A message is complete, and is now the handler's.
    pub(crate) fn message_received(&self) {
        if let Input::Metered(held) = &mut self.state().input {
            held.clear();
        }
    }

    /// The answer occupies memory of the team until the client has read it.
    pub(crate) fn answer_is_held(&self) {
        self.state().holds_answer = true;
    }

    pub(crate) fn holds_answer(&self) -> bool {
        self.state().holds_answer
    }

    /// The connection continues with another protocol. It counts as the request does, until it is closed.
    pub(crate) fn upgraded(&self) {
        self.state().is_upgraded = true;
    }

    pub(crate) fn request_ended(&self) {
        let mut state = self.state();
        if !state.is_upgraded {
            state.counted.clear();
            state.holds_answer = false;
        }
    }

    pub(crate) fn closed(&self) {
        let mut state = self.state();
        state.counted.clear();
        state.input = Input::Unlimited;
    }

    /// How many bytes may be read now.
    pub(crate) fn poll_allowance(&self, context: &Context<'_>) -> Poll<usize> {
        match &mut self.state().input {
            Input::Unlimited | Input::Metered(_) => Poll::Ready(usize::MAX),
            Input::Unauthenticated { left: 0, waiting } => {
                *waiting = Some(context.waker().clone());
                Poll::Pending
            }
            Input::Unauthenticated { left, .. } => Poll::Ready(*left),
        }
    }

    pub(crate) fn received(&self, bytes: usize) -> io::Result<()> {
        match &mut self.state().input {
            Input::Unlimited => Ok(()),
            Input::Unauthenticated { left, .. } => {
                *left = left.saturating_sub(bytes);
                Ok(())
            }
            Input::Metered(held) => held
                .add(bytes)
                .map_err(|error| io::Error::other(error.message())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::memory::MemoryBudget;
    use locule_base::counts::Counts;

    #[test]
    fn an_unauthenticated_client_sends_4_kib_and_waits_until_it_is_authenticated() {
        let (connection, context) = (Connection::default(), Context::from_waker(Waker::noop()));
        assert_eq!(connection.poll_allowance(&context), Poll::Ready(usize::MAX));
        connection.distrust();
        assert_eq!(connection.poll_allowance(&context), Poll::Ready(4096));
        connection.received(4096).unwrap();
        assert_eq!(connection.poll_allowance(&context), Poll::Pending);
        let budget = MemoryBudget::new(1 << 20, 1 << 20);
        connection.meter(budget.held_by(TeamId::random()));
        assert_eq!(connection.poll_allowance(&context), Poll::Ready(usize::MAX));
    }

    #[test]
    fn an_incomplete_message_is_memory_of_the_team() {
        let connection = Connection::default();
        let budget = MemoryBudget::new(1 << 20, 256 * 1024);
        connection.meter(budget.held_by(TeamId::random()));
        connection.received(200 * 1024).unwrap();
        connection.message_received();
        connection.received(200 * 1024).unwrap();
        connection.received(200 * 1024).unwrap_err();
    }

    #[test]
    fn an_upgraded_connection_counts_until_it_is_closed() {
        let (connection, counts) = (Connection::default(), Counts::default());
        let team = TeamId::random();
        let count = || counts.begin((team, Traffic::Api), 1);
        connection.count_for_team(count().unwrap());
        connection.request_ended();
        connection.count_for_team(count().unwrap());
        connection.upgraded();
        connection.request_ended();
        assert!(count().is_none());
        connection.closed();
        assert!(count().is_some());
    }
}
