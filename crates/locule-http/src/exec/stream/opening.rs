//! The first messages of a client: its credential, where the upgrade request had none, and the command to run.

use std::time::Duration;

use axum::extract::ws::{Message, WebSocket};
use futures::StreamExt as _;
use locule_api::ClientMessage;
use locule_control::Credential;

use crate::caller::{MayUse, SocketMayUse};
use crate::connection::{Connection, Traffic};
use crate::error::ApiError;
use crate::extract::message;
use crate::state::AppState;

/// Time in which the client must send its first message, with its credential or the command to run.
const FIRST_MESSAGE_TIMEOUT: Duration = Duration::from_secs(5);

/// The caller of the upgrade request, or of the first message when the upgrade request has no credential.
pub(super) async fn authenticated(
    app: &AppState,
    caller: SocketMayUse,
    socket: &mut WebSocket,
) -> Result<MayUse, ApiError> {
    let SocketMayUse { caller, connection } = caller;
    if let Some(caller) = caller {
        return Ok(caller);
    }
    match first_message(&connection, socket).await?.0 {
        ClientMessage::Auth { token } => {
            let caller = MayUse::by(Credential::bearer(&token), app).await?;
            app.count_request(&connection, caller.team(), Traffic::Api)?;
            connection.meter(app.memory.held_by(caller.team()));
            Ok(caller)
        }
        ClientMessage::Start(_)
        | ClientMessage::Stdin { .. }
        | ClientMessage::StdinClose
        | ClientMessage::Signal { .. }
        | ClientMessage::Stop => Err(ApiError::unauthorized()),
    }
}

/// The first message, and its length.
pub(super) async fn first_message(
    connection: &Connection,
    socket: &mut WebSocket,
) -> Result<(ClientMessage, usize), ApiError> {
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
