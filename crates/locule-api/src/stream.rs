//! Messages of the exec and process `WebSocket`s.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::Encoding;

/// How many bytes of stdin may be on their way without an `ack`.
pub const STDIN_WINDOW_BYTES: usize = 1024 * 1024;

/// What a client sends. The first message is `auth` (when the upgrade carried no credential) or `start`.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum ClientMessage {
    Auth {
        token: String,
    },
    Start(StartMessage),
    /// Base64, whatever the encoding of the output is.
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

/// What to run.
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
    /// Seconds after which it is killed; absent or 0: never.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout_sec: Option<i64>,
    /// Keep stdin open for `stdin` messages.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub stdin: bool,
    /// Of `stdout` and `stderr` messages.
    #[serde(default)]
    pub encoding: Encoding,
    #[serde(default)]
    pub on_disconnect: OnDisconnect,
}

/// What becomes of the process when the client's socket closes.
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

/// What the server sends. The socket closes after `exit` and after `error`.
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
    /// So many bytes of output are lost: the host was away, and the process printed more than is kept.
    Gap {
        bytes: u64,
    },
    /// So many bytes of stdin have reached the process and may be followed by as many.
    Ack {
        bytes: usize,
    },
    Exit {
        exit_code: i32,
        /// The number of the signal that ended it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        signal: Option<i32>,
    },
    Error {
        data: String,
    },
}
