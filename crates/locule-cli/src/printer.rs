//! The only place that writes to the terminal.

use std::io::{IsTerminal as _, Write as _};

use serde::Serialize;
use tokio::io::AsyncWriteExt as _;

use crate::words;

/// A line of data.
pub(crate) fn say(line: &str) {
    // A closed pipe is nothing to fail for.
    let _ = writeln!(std::io::stdout(), "{line}");
}

/// A line of talk. It may quote a guest, which must not get at the terminal through it.
pub(crate) fn complain(line: &str) {
    let _ = writeln!(std::io::stderr(), "{}", harmless(line));
}

pub(crate) fn complain_of(error: &anyhow::Error) {
    complain(&format!("error: {}", words::sentence(error)));
}

pub(crate) fn harmless(text: &str) -> String {
    let shown = |letter: char| {
        if letter.is_control() && letter != '\n' && letter != '\t' {
            '\u{fffd}'
        } else {
            letter
        }
    };
    text.chars().map(shown).collect()
}

/// Data for programs.
pub(crate) fn json(value: &impl Serialize) -> anyhow::Result<()> {
    say(&serde_json::to_string_pretty(value)?);
    Ok(())
}

/// A command's own output, byte for byte. Waiting for a reader that is slow keeps nobody else from going on.
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

/// How far a long copy is, on a terminal only.
#[derive(Debug)]
pub(crate) struct Progress {
    shown: bool,
    bytes: u64,
    said: u64,
}

const PROGRESS_STEP_BYTES: u64 = 1024 * 1024;

impl Progress {
    pub(crate) fn new() -> Self {
        Self {
            shown: std::io::stderr().is_terminal(),
            bytes: 0,
            said: 0,
        }
    }

    pub(crate) fn add(&mut self, bytes: usize) {
        self.bytes += bytes as u64;
        if self.shown && self.bytes - self.said >= PROGRESS_STEP_BYTES {
            self.said = self.bytes;
            let _ = write!(std::io::stderr(), "\rcopied {}", size(self.bytes));
            let _ = std::io::stderr().flush();
        }
    }

    /// Says the last; the number of bytes.
    pub(crate) fn done(&self) -> u64 {
        if self.shown {
            let _ = writeln!(std::io::stderr(), "\rcopied {}   ", size(self.bytes));
        }
        self.bytes
    }
}

fn size(bytes: u64) -> String {
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
    fn a_guest_cannot_reach_the_terminal_through_our_talk() {
        assert_eq!(harmless("a\x1b[2Jb\r\nc"), "a\u{fffd}[2Jb\u{fffd}\nc");
    }

    #[test]
    fn sizes_are_shown_in_the_largest_unit_that_fits() {
        assert_eq!(size(1023), "1023 B");
        assert_eq!(size(1536), "1.5 KiB");
        assert_eq!(size(10 * 1024 * 1024), "10.0 MiB");
        assert_eq!(size(u64::MAX), "16777215.9 TiB");
    }
}
