//! Errors of file transfers, as HTTP status and message.

use std::io;
use std::path::Path;

use axum::http::StatusCode;
use nix::libc;

/// The status and the message of an answer.
pub(super) type FileError = (StatusCode, String);

#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "the library's enum may grow"
)]
/// Converts the error of a file operation on `path`.
pub(super) fn path_error(error: &io::Error, path: &Path) -> FileError {
    let shown = path.display();
    match error.kind() {
        io::ErrorKind::NotFound => (
            StatusCode::NOT_FOUND,
            format!("path '{shown}' does not exist"),
        ),
        io::ErrorKind::IsADirectory => (
            StatusCode::BAD_REQUEST,
            format!("path '{shown}' is a directory"),
        ),
        io::ErrorKind::NotADirectory => (
            StatusCode::BAD_REQUEST,
            format!("a parent of path '{shown}' is not a directory"),
        ),
        io::ErrorKind::InvalidInput => (
            StatusCode::BAD_REQUEST,
            format!("path '{shown}' is not a regular file"),
        ),
        io::ErrorKind::InvalidFilename => (
            StatusCode::BAD_REQUEST,
            "the path, or a name in it, is too long".to_owned(),
        ),
        _ if error.raw_os_error() == Some(libc::ELOOP) => (
            StatusCode::BAD_REQUEST,
            format!("path '{shown}' has too many links, or links that lead to each other"),
        ),
        io::ErrorKind::ExecutableFileBusy => (
            StatusCode::CONFLICT,
            format!("a program runs from path '{shown}', and no other file can take its place"),
        ),
        io::ErrorKind::AlreadyExists | io::ErrorKind::ResourceBusy => {
            (StatusCode::CONFLICT, format!("path '{shown}': {error}"))
        }
        io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => (
            StatusCode::FORBIDDEN,
            format!("permission denied for path '{shown}'"),
        ),
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded | io::ErrorKind::FileTooLarge => {
            (
                StatusCode::INSUFFICIENT_STORAGE,
                "not enough disk space".to_owned(),
            )
        }
        _ => (
            StatusCode::INTERNAL_SERVER_ERROR,
            format!("path '{shown}': {error}"),
        ),
    }
}
