//! Messages of the exec and process `WebSocket`s.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::Encoding;

/// Maximum number of stdin bytes that a client sends without an `ack`.
pub const STDIN_WINDOW_BYTES: usize = 1024 * 1024;

/// A message from the client. The first message is `auth` when the upgrade request carries no credential, and `start` otherwise.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum ClientMessage {
    Auth {
        token: String,
    },
    Start(StartMessage),
    /// Input for the process, as base64 whatever the encoding of the output is.
    Stdin {
        data: String,
    },
    StdinClose,
    Signal {
        signal: SignalName,
    },
    /// Ends the process (SIGKILL).
    Stop,
}

/// The command to run.
#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema)]
pub struct StartMessage {
    pub cmd: String,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub args: Vec<String>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub envs: BTreeMap<String, String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cwd: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// Seconds after which the process is killed. Absent or 0: never.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout_sec: Option<i64>,
    /// Whether stdin stays open for `stdin` messages.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub stdin: bool,
    /// The encoding of `stdout` and `stderr` messages.
    #[serde(default)]
    pub encoding: Encoding,
    #[serde(default)]
    pub on_disconnect: OnDisconnect,
}

/// Action on the process when the client's socket closes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum OnDisconnect {
    #[default]
    Kill,
    Detach,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub enum SignalName {
    #[serde(rename = "SIGHUP")]
    Hup,
    #[serde(rename = "SIGINT")]
    Int,
    #[serde(rename = "SIGQUIT")]
    Quit,
    #[serde(rename = "SIGKILL")]
    Kill,
    #[serde(rename = "SIGTERM")]
    Term,
}

/// A message from the server. The socket closes after `exit` and after `error`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum ServerMessage {
    Start {
        pid: u32,
    },
    Stdout {
        data: String,
    },
    Stderr {
        data: String,
    },
    /// The number of output bytes that were lost. The host was unreachable, and the process printed more than the host keeps.
    Gap {
        bytes: u64,
    },
    /// The number of stdin bytes that reached the process. The client may send as many more.
    Ack {
        bytes: usize,
    },
    Exit {
        exit_code: i32,
        /// The number of the signal that ended the process.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        signal: Option<i32>,
        /// Whether the process was killed because it ran longer than `timeout_sec`.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        timed_out: bool,
    },
    Error {
        data: String,
    },
}
