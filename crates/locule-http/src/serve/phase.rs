//! The phase of a connection, which the connection's timeouts and the idle limit depend on.

use std::sync::Arc;

use http::StatusCode;
use tokio::sync::watch;

use crate::connection::Connection;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Phase {
    /// The head of a request is awaited or partly received.
    Reading,
    /// A request is in progress.
    Busy,
    /// A request is in progress, and the server waits for bytes of its body.
    AwaitingBody,
    /// The answer of a request is being sent.
    Answering,
    /// A request has been answered, and the next has not begun.
    Idle,
}

pub(super) type PhaseSender = Arc<watch::Sender<Phase>>;

/// A request is in progress until this is dropped.
pub(super) struct InProgress {
    phase: PhaseSender,
    connection: Connection,
}

impl InProgress {
    pub(super) fn begin(phase: PhaseSender, connection: Connection) -> Self {
        phase.send_replace(Phase::Busy);
        Self { phase, connection }
    }

    /// The handler has returned the head of the answer.
    pub(super) fn answers(&self, status: StatusCode) {
        if status == StatusCode::SWITCHING_PROTOCOLS {
            self.connection.upgraded();
        }
        self.phase.send_replace(Phase::Answering);
    }
}

impl Drop for InProgress {
    fn drop(&mut self) {
        self.connection.request_ended();
        self.phase.send_replace(Phase::Idle);
    }
}
