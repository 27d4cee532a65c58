//! Messages of the terminal `WebSocket`.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Maximum number of input bytes that a client sends without an `ack`.
pub const INPUT_WINDOW_BYTES: usize = 256 * 1024;
/// The window of a terminal whose size the client does not tell.
pub const DEFAULT_COLS: u16 = 80;
pub const DEFAULT_ROWS: u16 = 24;

/// A message from the client of a terminal. The first message is `auth` when the upgrade request carries no credential, and
/// `start` or `connect` otherwise.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum PtyClientMessage {
    Auth {
        token: String,
    },
    Start(PtyStart),
    Connect(PtyConnect),
    /// Keys of the user, as base64. At most 256 KiB may wait for an `ack`.
    Input {
        data: String,
    },
    /// The new size of the window. Both numbers are greater than 0.
    Resize {
        cols: u16,
        rows: u16,
    },
    /// Ends the program in the terminal (SIGKILL).
    Kill,
    /// The answer to `ping`. The server ignores it.
    Pong,
}

/// Starts a program in a new terminal.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct PtyStart {
    /// Default: `/bin/bash`, or `/bin/sh` in a sandbox without it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cmd: Option<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub args: Vec<String>,
    /// Absent or 0: 80.
    #[serde(default)]
    pub cols: u16,
    /// Absent or 0: 24.
    #[serde(default)]
    pub rows: u16,
    /// `TERM` is `xterm-256color` unless it is given here.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub envs: BTreeMap<String, String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cwd: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// The name to connect with later: a letter, then up to 63 letters, digits, `.`, `_` and `-`. Default: `pty-` and 8
    /// hexadecimal digits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tag: Option<String>,
}

/// Connects to a terminal that was started before.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct PtyConnect {
    pub tag: String,
    /// The position in the output to continue from; 0 asks for all output that the sandbox still keeps. Absent: only new output.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub offset: Option<u64>,
}

/// A message from the server of a terminal. The socket closes after `exit` and after an `error` that is fatal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum PtyServerMessage {
    /// The first message after every `start` and every `connect`.
    Started {
        tag: String,
        pid: u32,
        /// The position in the output of the byte that follows. Each byte of an `output` and of a `gap` counts one. A client that
        /// connects again sends the sum as its `offset`. An offset smaller than the requested one means that the tag belongs to
        /// another terminal now.
        offset: u64,
    },
    /// Output of the terminal, as base64.
    Output { data: String },
    /// The number of output bytes that were lost: the terminal printed more than the sandbox keeps while no client was
    /// connected.
    Gap { bytes: u64 },
    /// The number of input bytes that reached the terminal, or were refused. The client may send as many more.
    Ack { bytes: usize },
    Exit {
        exit_code: i32,
        /// The number of the signal that ended the program.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        signal: Option<i32>,
    },
    Error {
        data: String,
        /// Whether the socket closes. Otherwise only the message that the error is about had no effect.
        fatal: bool,
    },
    /// Every 30 seconds.
    Ping,
}
