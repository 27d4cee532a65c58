//! Output for the terminal: results and progress.

#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "programs for a terminal: results on standard output, progress on standard error"
)]

/// Prints a line of the result.
pub fn say(line: &str) {
    println!("{line}");
}

/// Prints a line of progress.
pub fn note(line: &str) {
    eprintln!("{line}");
}
