//! Running a command in the foreground or in the background.

use std::collections::BTreeMap;

use locule_ids::SandboxId;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::schema;

/// Body of `POST /v1/sandboxes/{id}/exec`.
#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema)]
pub struct ExecRequest {
    /// The program to run, found through the sandbox's `PATH`.
    #[schema(min_length = 1)]
    pub cmd: String,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub args: Vec<String>,
    /// Seconds after which the command is killed; 30 when absent. Ignored for a background command.
    #[schema(minimum = 0, maximum = 86400)]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout_sec: Option<i64>,
    /// Whether to respond as soon as the command has started, with its process id.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub background: bool,
    /// A name to select the process by. Generated for a background command when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tag: Option<String>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub envs: BTreeMap<String, String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cwd: Option<String>,
    /// The user to run the command as; the sandbox's default user when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
}

/// Encoding of bytes as JSON text.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub enum Encoding {
    /// Text. A stream replaces bytes that are not UTF-8.
    #[default]
    #[serde(rename = "utf-8")]
    Utf8,
    #[serde(rename = "base64")]
    Base64,
}

/// The result of a command that has ended.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct ExecResult {
    #[schema(value_type = schema::SandboxId)]
    pub sandbox_id: SandboxId,
    pub cmd: String,
    pub stdout: String,
    pub stderr: String,
    /// The exit code; 128 plus the number of the signal when a signal ended the command.
    pub exit_code: i32,
    pub duration_ms: u64,
    /// The encoding of `stdout` and `stderr`: base64 when either is not UTF-8.
    pub encoding: Encoding,
    /// Whether the command was killed because it took longer than `timeout_sec`. `stdout` and `stderr` are what it printed until then.
    #[serde(default)]
    pub timed_out: bool,
    /// Whether the command was killed because it printed more than 16 MiB. `stdout` and `stderr` are the first 16 MiB.
    #[serde(default)]
    pub truncated: bool,
}

/// A command that was started in the background.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct ExecStarted {
    #[schema(value_type = schema::SandboxId)]
    pub sandbox_id: SandboxId,
    pub cmd: String,
    pub pid: u32,
    pub tag: String,
}
