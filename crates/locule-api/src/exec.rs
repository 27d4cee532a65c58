//! Running one command to its end, or starting it and leaving.

use std::collections::BTreeMap;

use locule_ids::SandboxId;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::schema;

/// Body of `POST /v1/sandboxes/{id}/exec`.
#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema)]
pub struct ExecRequest {
    /// The program; looked up in the sandbox's `PATH`.
    #[schema(min_length = 1)]
    pub cmd: String,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub args: Vec<String>,
    /// Seconds after which it is killed; 30 when absent. Ignored in the background.
    #[schema(minimum = 0, maximum = 86400)]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout_sec: Option<i64>,
    /// Answer as soon as it has started, with its process id.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub background: bool,
    /// A name to find it by; made up for a background process when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tag: Option<String>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub envs: BTreeMap<String, String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cwd: Option<String>,
    /// Whom to run it as; the sandbox's default user when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
}

/// How bytes are written as JSON text.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub enum Encoding {
    /// As they are. A stream replaces what is not UTF-8.
    #[default]
    #[serde(rename = "utf-8")]
    Utf8,
    #[serde(rename = "base64")]
    Base64,
}

/// A command that has ended.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct ExecResult {
    #[schema(value_type = schema::SandboxId)]
    pub sandbox_id: SandboxId,
    pub cmd: String,
    pub stdout: String,
    pub stderr: String,
    /// 128 + the signal's number when a signal ended it.
    pub exit_code: i32,
    pub duration_ms: u64,
    /// Of both streams: base64 when either is not UTF-8.
    pub encoding: Encoding,
}

/// A command that runs in the background.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct ExecStarted {
    #[schema(value_type = schema::SandboxId)]
    pub sandbox_id: SandboxId,
    pub cmd: String,
    pub pid: u32,
    pub tag: String,
}
