//! How a process ended, in the words of the wire.

use std::io;
use std::os::unix::process::ExitStatusExt as _;
use std::process::ExitStatus;

use nix::sys::signal::Signal;

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ProcessEnd {
    /// -1 if a signal ended the process.
    pub(crate) exit_code: i32,
    /// Whether the process exited by itself.
    pub(crate) exited: bool,
    pub(crate) status: String,
    pub(crate) error: Option<String>,
    /// 0 if the process exited by itself.
    pub(crate) signal: u32,
}

impl From<io::Result<ExitStatus>> for ProcessEnd {
    fn from(status: io::Result<ExitStatus>) -> Self {
        let failed = |exit_code, text: String, signal| Self {
            exit_code,
            exited: signal == 0,
            error: Some(text.clone()),
            status: text,
            signal,
        };
        match status {
            Ok(status) => match (status.code(), status.signal()) {
                (Some(0), _) => Self {
                    exit_code: 0,
                    exited: true,
                    status: "exit status 0".to_owned(),
                    error: None,
                    signal: 0,
                },
                (Some(code), _) => failed(code, format!("exit status {code}"), 0),
                (None, signal) => {
                    let number = signal.unwrap_or(0);
                    failed(
                        -1,
                        format!("signal: {}", signal_name(number)),
                        number.unsigned_abs(),
                    )
                }
            },
            Err(error) => failed(-1, format!("cannot wait for the process: {error}"), 0),
        }
    }
}

/// The descriptions that C libraries print and users of the SDKs know.
fn signal_name(number: i32) -> String {
    let known = match Signal::try_from(number) {
        Ok(Signal::SIGHUP) => "hangup",
        Ok(Signal::SIGINT) => "interrupt",
        Ok(Signal::SIGQUIT) => "quit",
        Ok(Signal::SIGABRT) => "aborted",
        Ok(Signal::SIGKILL) => "killed",
        Ok(Signal::SIGSEGV) => "segmentation fault",
        Ok(Signal::SIGPIPE) => "broken pipe",
        Ok(Signal::SIGTERM) => "terminated",
        _ => return number.to_string(),
    };
    known.to_owned()
}
