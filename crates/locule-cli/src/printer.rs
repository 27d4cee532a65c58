//! The only place that writes to the terminal.

use std::io::{IsTerminal as _, Write as _};

use serde::Serialize;
use tokio::io::AsyncWriteExt as _;

use crate::messages;

/// Prints a line of data to standard output.
pub(crate) fn print_line(line: &str) {
    // A closed pipe is not an error of this program.
    let _ = writeln!(std::io::stdout(), "{line}");
}

/// Prints a line to standard error. Control characters are replaced: the line may quote a sandbox, which must not control the
/// terminal.
pub(crate) fn print_message(line: &str) {
    let _ = writeln!(std::io::stderr(), "{}", without_control_characters(line));
}

/// Prints a line to a terminal in raw mode, whatever it shows.
pub(crate) fn print_note(line: &str) {
    let line = without_control_characters(line);
    let _ = write!(std::io::stderr(), "\r\n[locule: {line}]\r\n");
}

pub(crate) fn print_error(error: &anyhow::Error) {
    print_message(&format!("error: {}", messages::sentence(error)));
}

pub(crate) fn without_control_characters(text: &str) -> String {
    let shown = |letter: char| {
        if letter.is_control() && letter != '\n' && letter != '\t' {
            '\u{fffd}'
        } else {
            letter
        }
    };
    text.chars().map(shown).collect()
}

/// Prints data for programs.
pub(crate) fn json(value: &impl Serialize) -> anyhow::Result<()> {
    print_line(&serde_json::to_string_pretty(value)?);
    Ok(())
}

/// Writes the output of a command byte for byte. A slow reader does not block other tasks.
#[derive(Debug)]
pub(crate) struct Raw {
    stdout: tokio::io::Stdout,
    stderr: tokio::io::Stderr,
}

impl Raw {
    pub(crate) fn new() -> Self {
        Self {
            stdout: tokio::io::stdout(),
            stderr: tokio::io::stderr(),
        }
    }

    pub(crate) async fn stdout(&mut self, bytes: &[u8]) -> std::io::Result<()> {
        self.stdout.write_all(bytes).await?;
        self.stdout.flush().await
    }

    pub(crate) async fn stderr(&mut self, bytes: &[u8]) -> std::io::Result<()> {
        self.stderr.write_all(bytes).await?;
        self.stderr.flush().await
    }
}

/// Shows the progress of a copy, on a terminal only.
#[derive(Debug)]
pub(crate) struct Progress {
    shown: bool,
    bytes: u64,
    shown_bytes: u64,
}

const PROGRESS_STEP_BYTES: u64 = 1024 * 1024;

impl Progress {
    pub(crate) fn new() -> Self {
        Self {
            shown: std::io::stderr().is_terminal(),
            bytes: 0,
            shown_bytes: 0,
        }
    }

    pub(crate) fn add(&mut self, bytes: usize) {
        self.bytes += bytes as u64;
        if self.shown && self.bytes - self.shown_bytes >= PROGRESS_STEP_BYTES {
            self.shown_bytes = self.bytes;
            let _ = write!(std::io::stderr(), "\rcopied {}", size(self.bytes));
            let _ = std::io::stderr().flush();
        }
    }

    /// Shows the final size and returns it.
    pub(crate) fn done(&self) -> u64 {
        if self.shown {
            let _ = writeln!(std::io::stderr(), "\rcopied {}   ", size(self.bytes));
        }
        self.bytes
    }
}

/// Bytes in the largest unit that fits.
pub(crate) fn size(bytes: u64) -> String {
    const UNITS: [&str; 4] = ["KiB", "MiB", "GiB", "TiB"];
    if bytes < 1024 {
        return format!("{bytes} B");
    }
    let power = (bytes.ilog2() / 10).min(4);
    let tenths = u128::from(bytes) * 10 / (1u128 << (10 * power));
    let unit = UNITS[power as usize - 1];
    format!("{}.{} {unit}", tenths / 10, tenths % 10)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn control_characters_are_replaced_before_they_reach_the_terminal() {
        assert_eq!(
            without_control_characters("a\x1b[2Jb\r\nc"),
            "a\u{fffd}[2Jb\u{fffd}\nc"
        );
    }

    #[test]
    fn sizes_are_shown_in_the_largest_unit_that_fits() {
        assert_eq!(size(1023), "1023 B");
        assert_eq!(size(1536), "1.5 KiB");
        assert_eq!(size(10 * 1024 * 1024), "10.0 MiB");
        assert_eq!(size(u64::MAX), "16777215.9 TiB");
    }
}
