//! Errors of file operations, as errors of the RPC service.

use std::io;
use std::path::Path;

use locule_guest_api::rpc::ConnectError;
use nix::libc;

/// Converts the error of a file operation on `path`.
#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "the library's enum may grow"
)]
pub(super) fn path_error(error: &io::Error, path: &Path) -> ConnectError {
    let shown = path.display();
    match error.kind() {
        io::ErrorKind::NotFound => {
            ConnectError::not_found(format!("path '{shown}' does not exist"))
        }
        io::ErrorKind::NotADirectory => {
            ConnectError::invalid_argument(format!("path '{shown}' is not a directory"))
        }
        io::ErrorKind::AlreadyExists => {
            ConnectError::already_exists(format!("path '{shown}' already exists"))
        }
        io::ErrorKind::PermissionDenied => {
            ConnectError::permission_denied(format!("permission denied for path '{shown}'"))
        }
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
            ConnectError::resource_exhausted("the disk is full")
        }
        io::ErrorKind::InvalidInput => {
            ConnectError::invalid_argument(format!("path '{shown}' is not a valid path"))
        }
        io::ErrorKind::InvalidFilename => {
            ConnectError::invalid_argument("the path, or a name in it, is too long")
        }
        _ if error.raw_os_error() == Some(libc::ELOOP) => ConnectError::invalid_argument(format!(
            "path '{shown}' has too many links, or links that lead to each other"
        )),
        io::ErrorKind::DirectoryNotEmpty
        | io::ErrorKind::IsADirectory
        | io::ErrorKind::CrossesDevices => {
            ConnectError::invalid_argument(format!("path '{shown}': {error}"))
        }
        io::ErrorKind::ReadOnlyFilesystem
        | io::ErrorKind::ResourceBusy
        | io::ErrorKind::ExecutableFileBusy => {
            ConnectError::failed_precondition(format!("path '{shown}': {error}"))
        }
        _ => ConnectError::internal(format!("path '{shown}': {error}")),
    }
}
