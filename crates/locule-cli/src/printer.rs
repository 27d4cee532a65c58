//! The only place that writes to the terminal.

use std::io::Write as _;

use serde::Serialize;

/// A line of data.
pub(crate) fn say(line: &str) {
    // A closed pipe is nothing to fail for.
    let _ = writeln!(std::io::stdout(), "{line}");
}

/// A line of talk.
pub(crate) fn complain(line: &str) {
    let _ = writeln!(std::io::stderr(), "{line}");
}

/// Data for programs.
pub(crate) fn json(value: &impl Serialize) -> anyhow::Result<()> {
    say(&serde_json::to_string_pretty(value)?);
    Ok(())
}

/// Bytes as they are. `false`: nobody reads them any more.
pub(crate) fn raw(to_stderr: bool, bytes: &[u8]) -> bool {
    let write = |to: &mut dyn std::io::Write| to.write_all(bytes).and_then(|()| to.flush());
    if to_stderr {
        write(&mut std::io::stderr()).is_ok()
    } else {
        write(&mut std::io::stdout()).is_ok()
    }
}
