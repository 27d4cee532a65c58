//! The guest's log: lines on the VM's console, which the host keeps.

use std::io::Write as _;

/// Writes one line to the console. On a machine without one the line goes to standard error.
pub(crate) fn log(line: &str) {
    let console = std::fs::OpenOptions::new().write(true).open("/dev/console");
    // A line that cannot be written is lost: there is no other place for it.
    let _ = match console {
        Ok(mut console) => writeln!(console, "locule-guest: {line}"),
        Err(_) => writeln!(std::io::stderr(), "locule-guest: {line}"),
    };
}
