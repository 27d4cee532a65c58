//! What is said to the person who waits.

#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "programs for a terminal: results on standard output, progress on standard error"
)]

/// A line of result.
pub fn say(line: &str) {
    println!("{line}");
}

/// A line of progress.
pub fn note(line: &str) {
    eprintln!("{line}");
}
