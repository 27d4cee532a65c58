//! The first messages of a client: its credential, where the upgrade request had none, and the command to run.

use std::time::Duration;

use axum::extract::ws::{Message, WebSocket};
use futures::StreamExt as _;
use locule_api::{ClientMessage, PtyClientMessage};
use locule_control::Credential;
use serde::de::DeserializeOwned;

use crate::caller::{MayUse, SocketMayUse};
use crate::connection::{Connection, Traffic};
use crate::error::ApiError;
use crate::extract::message;
use crate::state::AppState;

/// Time in which the client must send its first message, with its credential or the command to run.
const FIRST_MESSAGE_TIMEOUT: Duration = Duration::from_secs(5);

/// The messages of the clients of one kind of WebSocket.
pub(crate) trait OfClient: DeserializeOwned {
    /// The credential that the message carries.
    fn token(self) -> Option<String>;
}

impl OfClient for ClientMessage {
    fn token(self) -> Option<String> {
        match self {
            Self::Auth { token } => Some(token),
            Self::Start(_)
            | Self::Stdin { .. }
            | Self::StdinClose
            | Self::Signal { .. }
            | Self::Stop => None,
        }
    }
}

impl OfClient for PtyClientMessage {
    fn token(self) -> Option<String> {
        match self {
            Self::Auth { token } => Some(token),
            Self::Start(_)
            | Self::Connect(_)
            | Self::Input { .. }
            | Self::Resize { .. }
            | Self::Kill
            | Self::Pong => None,
        }
    }
}

/// The caller of the upgrade request, or of the first message when the upgrade request has no credential.
pub(crate) async fn authenticated<M: OfClient>(
    app: &AppState,
    caller: SocketMayUse,
    socket: &mut WebSocket,
) -> Result<MayUse, ApiError> {
    let SocketMayUse { caller, connection } = caller;
    if let Some(caller) = caller {
        return Ok(caller);
    }
    let token = first_message::<M>(&connection, socket).await?.0.token();
    let token = token.ok_or_else(ApiError::unauthorized)?;
    let caller = MayUse::by(Credential::bearer(&token), app).await?;
    app.count_request(&connection, caller.team(), Traffic::Api)?;
    connection.meter(app.memory.held_by(caller.team()));
    Ok(caller)
}

/// The first message, and its length.
pub(crate) async fn first_message<M: OfClient>(
    connection: &Connection,
    socket: &mut WebSocket,
) -> Result<(M, usize), ApiError> {
    let next = async {
        while let Some(Ok(next)) = socket.next().await {
            connection.message_received();
            if let Message::Text(text) = next {
                return Ok((message(&text)?, text.len()));
            }
        }
        Err(ApiError::invalid(
            "the client closed the socket before its first message",
        ))
    };
    tokio::time::timeout(FIRST_MESSAGE_TIMEOUT, next)
        .await
        .unwrap_or_else(|_| {
            Err(ApiError::invalid(
                "no message arrived in time; send the first message within 5 seconds",
            ))
        })
}
