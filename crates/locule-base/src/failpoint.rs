//! Points at which a test kills the process, as `kill -9` would, or makes an operation fail.
//!
//! An operation marks each of its steps with [`reached`], or with [`passed`] where the operation can still fail. A test names a
//! file in `LOCULE_FAILPOINTS` and writes `pause 3` into it: the process then kills itself at the third mark of a `pause`. With
//! `pause 3 fail` the third mark returns an error instead, and with `pause 3 hold` each `pause` waits at its third mark or a later
//! one until the file is removed. Release builds only log the steps.

/// Marks that an operation of the kind `operation` completed the step `step`. The line in the log, at the level `debug`, shows
/// how long each step takes.
pub fn reached(operation: &'static str, step: &'static str) {
    tracing::debug!(operation, step, "step completed");
    #[cfg(debug_assertions)]
    // An operation that cannot fail any more leaves a failure armed.
    let _ = armed::reached(operation, step, false);
}

/// As [`reached`], for a step after which the operation can still fail.
pub fn passed(operation: &'static str, step: &'static str) -> std::io::Result<()> {
    tracing::debug!(operation, step, "step completed");
    #[cfg(debug_assertions)]
    armed::reached(operation, step, true)?;
    Ok(())
}

#[cfg(debug_assertions)]
mod armed {
    use std::io;
    use std::path::{Path, PathBuf};
    use std::sync::{Mutex, OnceLock, PoisonError};
    use std::time::Duration;

    const LOOK_EVERY: Duration = Duration::from_millis(10);
    const VARIABLE: &str = "LOCULE_FAILPOINTS";

    static FILE: OnceLock<Option<PathBuf>> = OnceLock::new();
    /// The last text of the file, and how many marks of its operation were reached since.
    static SEEN: Mutex<(String, u32)> = Mutex::new((String::new(), 0));

    pub(super) fn reached(
        operation: &'static str,
        step: &'static str,
        can_fail: bool,
    ) -> io::Result<()> {
        #[expect(
            clippy::disallowed_methods,
            reason = "a variable of tests, which release builds do not read"
        )]
        let file = FILE.get_or_init(|| std::env::var_os(VARIABLE).map(PathBuf::from));
        let Some(path) = file else {
            return Ok(());
        };
        let Ok(text) = std::fs::read_to_string(path) else {
            return Ok(());
        };
        let mut words = text.split_whitespace();
        let (Some(armed), Some(number)) = (words.next(), words.next()) else {
            return Ok(());
        };
        let action = words.next();
        let (fails, holds) = (action == Some("fail"), action == Some("hold"));
        let mut seen = SEEN.lock().unwrap_or_else(PoisonError::into_inner);
        if seen.0 != text {
            *seen = (text.clone(), 0);
        }
        if armed != operation {
            return Ok(());
        }
        seen.1 += 1;
        if holds && number.parse().is_ok_and(|first: u32| seen.1 >= first) {
            drop(seen);
            hold(path, &text);
            return Ok(());
        }
        if number.parse() != Ok(seen.1) || (fails && !can_fail) {
            return Ok(());
        }
        // Once: the process that is started in the place of this one passes the mark.
        let _ = std::fs::remove_file(path);
        if fails {
            seen.0.clear();
            return Err(io::Error::other(format!("failpoint {operation} {number}")));
        }
        exit(operation, step, seen.1)
    }

    /// Waits until the failpoint is not armed any more.
    #[expect(
        clippy::disallowed_methods,
        reason = "the thread stands still because a test says so; other tasks must go on"
    )]
    fn hold(path: &Path, text: &str) {
        tokio::task::block_in_place(|| {
            while std::fs::read_to_string(path).is_ok_and(|armed| armed == text) {
                std::thread::sleep(LOOK_EVERY);
            }
        });
    }

    fn exit(operation: &str, step: &str, number: u32) -> ! {
        #[expect(
            clippy::print_stderr,
            reason = "the last line of a process that a test ends"
        )]
        {
            eprintln!("failpoint {operation} {number}: {step}");
        }
        // No destructor and no flush runs after this.
        let _ =
            rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::KILL);
        loop {
            std::thread::park();
        }
    }
}
