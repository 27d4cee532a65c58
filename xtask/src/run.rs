//! Runs programs and reports progress. The only module of this crate that starts a process.

use std::ffi::OsStr;
use std::fmt;
use std::io::{self, BufRead as _, BufReader, Write as _};
use std::process::{Command, Stdio};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};

/// How long a program may be silent before [`run_with_progress`] says that it still runs.
const PROGRESS_PERIOD: Duration = Duration::from_secs(8);

/// Says one line on standard error, where progress belongs.
pub(crate) fn say(line: fmt::Arguments<'_>) {
    // A closed standard error leaves no way to report anything.
    let _ = writeln!(io::stderr().lock(), "xtask: {line}");
}

/// Writes one line of result to standard output.
pub(crate) fn answer(line: fmt::Arguments<'_>) -> Result<()> {
    writeln!(io::stdout().lock(), "{line}").context("standard output")
}

/// A program to be given arguments. Its standard input is empty: nothing here asks questions.
pub(crate) fn program(name: impl AsRef<OsStr>) -> Command {
    #[expect(
        clippy::disallowed_methods,
        reason = "chores are not on any product path; their programs may take as long as a build takes"
    )]
    let mut command = Command::new(name);
    command.stdin(Stdio::null());
    command
}

/// The cargo that runs this chore.
pub(crate) fn cargo() -> Command {
    program("cargo")
}

/// Runs a program to its end, its output passing through.
pub(crate) fn run(command: &mut Command) -> Result<()> {
    let shown = shown(command);
    let status = command
        .status()
        .with_context(|| format!("cannot run `{shown}`"))?;
    if !status.success() {
        bail!("`{shown}` failed ({status})");
    }
    Ok(())
}

/// As [`run`], for a program that may take long: a line every few seconds says that it still runs.
pub(crate) fn run_with_progress(step: &str, command: &mut Command) -> Result<()> {
    say(format_args!("{step}"));
    let (finished, waiting) = mpsc::channel::<()>();
    thread::scope(|scope| {
        scope.spawn(move || {
            let mut elapsed = Duration::ZERO;
            while waiting.recv_timeout(PROGRESS_PERIOD) == Err(RecvTimeoutError::Timeout) {
                elapsed += PROGRESS_PERIOD;
                say(format_args!("still {step} ({} s)", elapsed.as_secs()));
            }
        });
        let result = run(command);
        drop(finished);
        result
    })
}

/// Whether a program ended well; its output is dropped.
pub(crate) fn succeeds(command: &mut Command) -> bool {
    let quiet = command.stdout(Stdio::null()).stderr(Stdio::null());
    quiet.status().is_ok_and(|status| status.success())
}

/// Runs a program, passes its output to `sink` and shows every line to `see`. Answers whether it ended well.
pub(crate) fn watch(
    command: &mut Command,
    sink: &mut dyn io::Write,
    mut see: impl FnMut(&str),
) -> Result<bool> {
    let shown = shown(command);
    let (reader, writer) = io::pipe().context("a pipe")?;
    command
        .stdout(writer.try_clone().context("a pipe")?)
        .stderr(writer);
    let mut child = command
        .spawn()
        .with_context(|| format!("cannot run `{shown}`"))?;
    // The command still holds our ends of the pipe; without this the reading below would never end.
    command.stdout(Stdio::null()).stderr(Stdio::null());
    let mut lines = BufReader::new(reader);
    let mut line = Vec::new();
    while lines
        .read_until(b'\n', &mut line)
        .context("reading output")?
        > 0
    {
        let text = String::from_utf8_lossy(&line);
        see(text.trim_end());
        sink.write_all(&line).context("passing output on")?;
        line.clear();
    }
    Ok(child.wait().context("waiting")?.success())
}

fn shown(command: &Command) -> String {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    let words: Vec<_> = words.map(OsStr::to_string_lossy).collect();
    words.join(" ")
}
