//! Places where a test makes the process die as by `kill -9`.
//!
//! An operation marks each of its steps with [`reached`]. A test that wants to know what a crash leaves behind names a file in
//! `LOCULE_FAILPOINTS` and writes `pause 3` into it: the third mark of a `pause` from then on is the end of the process. In a
//! release build there is nothing here.

/// The step `what` of an operation of the kind `group` is done: a line of the log at the level `debug`, from which one sees
/// where the time goes.
pub fn reached(group: &'static str, what: &'static str) {
    tracing::debug!(operation = group, step = what, "done");
    #[cfg(debug_assertions)]
    armed::reached(group, what);
}

#[cfg(debug_assertions)]
mod armed {
    use std::path::PathBuf;
    use std::sync::{Mutex, OnceLock, PoisonError};

    const VARIABLE: &str = "LOCULE_FAILPOINTS";

    static FILE: OnceLock<Option<PathBuf>> = OnceLock::new();
    /// What the file said last, and how many marks of its group were reached since.
    static SEEN: Mutex<(String, u32)> = Mutex::new((String::new(), 0));

    pub(super) fn reached(group: &'static str, what: &'static str) {
        #[expect(
            clippy::disallowed_methods,
            reason = "known to tests alone, and absent from releases"
        )]
        let file = FILE.get_or_init(|| std::env::var_os(VARIABLE).map(PathBuf::from));
        let Some(path) = file else {
            return;
        };
        let Ok(text) = std::fs::read_to_string(path) else {
            return;
        };
        let Some((wanted, number)) = text.trim().split_once(' ') else {
            return;
        };
        let mut seen = SEEN.lock().unwrap_or_else(PoisonError::into_inner);
        if seen.0 != text {
            *seen = (text.clone(), 0);
        }
        if wanted != group {
            return;
        }
        seen.1 += 1;
        if number.parse() == Ok(seen.1) {
            // Once: whoever is started in this process's place goes on.
            let _ = std::fs::remove_file(path);
            die(group, what, seen.1);
        }
    }

    fn die(group: &str, what: &str, number: u32) {
        #[expect(
            clippy::print_stderr,
            reason = "the last words of a process that a test ends"
        )]
        {
            eprintln!("failpoint {group} {number}: {what}");
        }
        // Nothing of this process runs on: no destructor, no flush.
        let _ =
            rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::KILL);
        loop {
            std::thread::park();
        }
    }
}
