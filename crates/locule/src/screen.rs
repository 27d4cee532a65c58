//! Lines for people. Results go to standard output, progress and errors to standard error.

use std::io::{IsTerminal as _, Write as _};

/// Prints a line of the result.
pub(crate) fn say(line: &str) {
    // A closed terminal is no reason to stop a platform.
    let _ = writeln!(std::io::stdout(), "{line}");
}

/// Prints a line of progress, or an error.
/// Whether a person reads what [`say`] prints, and no file or journal keeps it.
pub(crate) fn is_terminal() -> bool {
    std::io::stdout().is_terminal()
}

pub(crate) fn complain(line: &str) {
    let _ = writeln!(std::io::stderr(), "{line}");
}
