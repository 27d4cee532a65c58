//! Files of a sandbox.

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

/// Response of `POST /v1/sandboxes/{id}/files/mkdir`.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct MadeDirectory {
    pub entry: FileEntry,
}
