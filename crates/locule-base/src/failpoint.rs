//! Points at which a test kills the process, as `kill -9` would.
//!
//! An operation marks each of its steps with [`reached`]. A test of crashes names a file in `LOCULE_FAILPOINTS` and writes
//! `pause 3` into it: the process then kills itself at the third mark of a `pause`. Release builds only log the steps.

/// Marks that an operation of the kind `operation` completed the step `step`. The line in the log, at the level `debug`, shows
/// how long each step takes.
pub fn reached(operation: &'static str, step: &'static str) {
    tracing::debug!(operation, step, "step completed");
    #[cfg(debug_assertions)]
    armed::reached(operation, step);
}

#[cfg(debug_assertions)]
mod armed {
    use std::path::PathBuf;
    use std::sync::{Mutex, OnceLock, PoisonError};

    const VARIABLE: &str = "LOCULE_FAILPOINTS";

    static FILE: OnceLock<Option<PathBuf>> = OnceLock::new();
    /// The last content of the file, and the number of marks of its operation since.
    static SEEN: Mutex<(String, u32)> = Mutex::new((String::new(), 0));

    pub(super) fn reached(operation: &'static str, step: &'static str) {
        #[expect(
            clippy::disallowed_methods,
            reason = "a variable of tests, which release builds do not read"
        )]
        let file = FILE.get_or_init(|| std::env::var_os(VARIABLE).map(PathBuf::from));
        let Some(path) = file else {
            return;
        };
        let Ok(text) = std::fs::read_to_string(path) else {
            return;
        };
        let Some((chosen, number)) = text.trim().split_once(' ') else {
            return;
        };
        let mut seen = SEEN.lock().unwrap_or_else(PoisonError::into_inner);
        if seen.0 != text {
            *seen = (text.clone(), 0);
        }
        if chosen != operation {
            return;
        }
        seen.1 += 1;
        if number.parse() == Ok(seen.1) {
            // Removed, so that the process started next does not kill itself too.
            let _ = std::fs::remove_file(path);
            kill_this_process(operation, step, seen.1);
        }
    }

    fn kill_this_process(operation: &str, step: &str, number: u32) {
        #[expect(
            clippy::print_stderr,
            reason = "the process ends here, at the request of a test"
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
