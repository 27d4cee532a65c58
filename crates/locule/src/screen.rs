//! Lines for people. Data goes to standard output, talk and troubles to standard error.

use std::io::Write as _;

/// A line of what was asked for.
pub(crate) fn say(line: &str) {
    // A closed terminal is nothing to fail for.
    let _ = writeln!(std::io::stdout(), "{line}");
}

/// A line about it.
pub(crate) fn complain(line: &str) {
    let _ = writeln!(std::io::stderr(), "{line}");
}
