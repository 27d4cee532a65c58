//! Files of a sandbox.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::schema;

/// The path of a file or directory.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct PathRequest {
    #[schema(value_type = schema::FilePath)]
    pub path: String,
}

/// Body of `POST /v1/sandboxes/{id}/files/list`.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct ListFilesRequest {
    #[schema(value_type = schema::FilePath)]
    pub path: String,
    /// Number of levels to descend. 0 counts as 1, and a value above 64 as 64.
    #[schema(value_type = i64, minimum = 0, maximum = 4_294_967_295_i64)]
    #[serde(default)]
    pub depth: u32,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum FileEntryKind {
    File,
    Directory,
    Symlink,
    Unknown,
}

#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct FileEntry {
    pub name: String,
    pub path: String,
    #[serde(rename = "type")]
    pub kind: FileEntryKind,
    pub size: i64,
    /// Permission bits as a number.
    pub mode: u32,
    /// Permission bits as text, in the format of `ls -l`.
    pub permissions: String,
    pub owner: String,
    pub group: String,
    /// Time of the last modification in seconds since 1970-01-01T00:00:00Z.
    pub modified_at: i64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub symlink_target: Option<String>,
}

#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct FileList {
    pub entries: Vec<FileEntry>,
}

/// Response of the operations `mkdir`, `move` and `stat` on files.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct FileEntryResponse {
    pub entry: FileEntry,
}

/// Body of `POST /v1/sandboxes/{id}/files/move`.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct MoveFileRequest {
    #[schema(value_type = schema::FilePath)]
    pub from: String,
    #[schema(value_type = schema::FilePath)]
    pub to: String,
    /// Replaces what is at `to`. Without it the request fails when `to` exists.
    #[serde(default)]
    pub overwrite: bool,
}

/// The operation that a signed address permits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum FileOperation {
    Read,
    Write,
}

/// Body of `POST /v1/sandboxes/{id}/files/sign`.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct SignFileRequest {
    #[schema(value_type = schema::FilePath)]
    pub path: String,
    pub operation: FileOperation,
    /// Seconds until the address expires. Default: 3600.
    #[schema(minimum = 1, maximum = 604_800)]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_in_sec: Option<i64>,
}

/// Response of `POST /v1/sandboxes/{id}/files/sign`: an address that needs no credential.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct SignedAddress {
    /// For `read` a `GET` of the address downloads the file; for `write` a `POST` of a multipart body with the part `file` writes the file.
    pub url: String,
    pub expires_at: DateTime<Utc>,
}
