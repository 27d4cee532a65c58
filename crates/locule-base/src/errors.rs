//! Error texts: the chain of causes, and failed operations on files; errors of listeners.

use std::error::Error;
use std::fmt::Write as _;
use std::io;
use std::path::PathBuf;

/// The text of an error and of all its causes: `outer: middle: root cause`. The text of an error never repeats its cause, so
/// each appears once. Called where the error is handled.
pub fn chain(error: &(dyn Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(source) = next {
        // Writing to a String cannot fail.
        let _ = write!(text, ": {source}");
        next = source.source();
    }
    text
}

/// Whether a client closed its connection before the listener accepted the connection.
pub fn client_closed(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionAborted
            | io::ErrorKind::ConnectionRefused
            | io::ErrorKind::ConnectionReset
    )
}

/// A failed operation on a file or folder.
#[derive(Debug, thiserror::Error)]
#[error("{action} {path}")]
pub struct FileError {
    /// A verb with what it needs to stand before the path: `create`, `count the extents of`.
    pub action: &'static str,
    pub path: PathBuf,
    pub source: io::Error,
}

impl FileError {
    /// Adds the action and the path to an I/O error, for `map_err`.
    pub fn on(action: &'static str, path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |source| Self {
            action,
            path,
            source,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("open config")]
    struct Outer(#[source] io::Error);

    #[test]
    fn every_cause_of_an_error_appears_once() {
        let error = Outer(io::Error::other("permission denied"));
        assert_eq!(chain(&error), "open config: permission denied");
    }

    #[test]
    fn a_file_error_names_the_action_and_the_path() {
        let error = FileError::on("create", "/run/x")(io::Error::other("no space"));
        assert_eq!(chain(&error), "create /run/x: no space");
    }
}
