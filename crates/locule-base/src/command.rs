//! Runs a program of the host without a shell, with a time limit and bounded output. Errors name the program and the cause.
//!
//! For programs that run to completion (`mkfs.xfs`, `nft`). Long-lived processes (a VMM, a database server) have spawners of
//! their own, which define whether the process outlives its parent.

use std::ffi::{OsStr, OsString};
use std::io;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWriteExt as _};

/// Output beyond this size is dropped, for each of the two streams.
const OUTPUT_BYTES_MAX: u64 = 1024 * 1024;
const DEFAULT_TIMEOUT: Duration = Duration::from_mins(1);

/// Builder for one run of a program.
#[derive(Debug)]
pub struct Command {
    program: OsString,
    args: Vec<OsString>,
    stdin: Vec<u8>,
    timeout: Duration,
}

/// The output of a program that exited with status 0.
#[derive(Debug, Clone)]
pub struct Output {
    pub stdout: Vec<u8>,
    pub stderr: Vec<u8>,
}

/// The reason why a run failed.
#[derive(Debug, thiserror::Error)]
pub enum CommandError {
    #[error("{program} is not installed")]
    NotInstalled { program: String },
    #[error("cannot run {program}")]
    Spawn { program: String, source: io::Error },
    #[error("{program} did not finish within {} s and was killed", timeout.as_secs())]
    TimedOut { program: String, timeout: Duration },
    #[error("{program} failed ({status}): {reason}")]
    Failed {
        program: String,
        status: ExitStatus,
        reason: String,
    },
}

impl Command {
    pub fn new(program: impl AsRef<OsStr>) -> Self {
        Self {
            program: program.as_ref().to_owned(),
            args: Vec::new(),
            stdin: Vec::new(),
            timeout: DEFAULT_TIMEOUT,
        }
    }

    #[must_use]
    pub fn arg(mut self, arg: impl AsRef<OsStr>) -> Self {
        self.args.push(arg.as_ref().to_owned());
        self
    }

    #[must_use]
    pub fn args(mut self, args: impl IntoIterator<Item = impl AsRef<OsStr>>) -> Self {
        self.args
            .extend(args.into_iter().map(|arg| arg.as_ref().to_owned()));
        self
    }

    /// The standard input of the program. Empty by default.
    #[must_use]
    pub fn stdin(mut self, bytes: impl Into<Vec<u8>>) -> Self {
        self.stdin = bytes.into();
        self
    }

    /// The time limit of the run. 60 s by default.
    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// Runs the program to completion. Kills it after the time limit, and when the returned future is dropped.
    pub async fn run(self) -> Result<Output, CommandError> {
        let program = self.program.to_string_lossy().into_owned();
        let timeout = self.timeout;
        match tokio::time::timeout(timeout, self.run_to_end(&program)).await {
            Ok(result) => result,
            Err(_) => Err(CommandError::TimedOut { program, timeout }),
        }
    }

    async fn run_to_end(self, program: &str) -> Result<Output, CommandError> {
        let spawn_error = |source: io::Error| {
            let program = program.to_owned();
            if source.kind() == io::ErrorKind::NotFound {
                CommandError::NotInstalled { program }
            } else {
                CommandError::Spawn { program, source }
            }
        };
        #[expect(
            clippy::disallowed_methods,
            reason = "this module spawns all programs that run to completion"
        )]
        let mut child = tokio::process::Command::new(&self.program)
            .args(&self.args)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .map_err(spawn_error)?;
        let (stdin, stdout, stderr) =
            (child.stdin.take(), child.stdout.take(), child.stderr.take());
        let feed = async {
            if let Some(mut stdin) = stdin {
                // A program may exit without reading all input: its exit status tells whether that is an error.
                let _ = stdin.write_all(&self.stdin).await;
            }
        };
        let ((), stdout, stderr) = tokio::join!(feed, read_bounded(stdout), read_bounded(stderr));
        let status = child.wait().await.map_err(spawn_error)?;
        if status.success() {
            return Ok(Output { stdout, stderr });
        }
        Err(CommandError::Failed {
            program: program.to_owned(),
            status,
            reason: first_line(&stderr, &stdout),
        })
    }
}

async fn read_bounded(stream: Option<impl AsyncRead + Unpin>) -> Vec<u8> {
    let mut kept = Vec::new();
    if let Some(mut stream) = stream {
        // Output that arrived before a read error is still useful.
        let _ = (&mut stream)
            .take(OUTPUT_BYTES_MAX)
            .read_to_end(&mut kept)
            .await;
        // Reading the rest keeps the program from blocking on a full pipe.
        let _ = tokio::io::copy(&mut stream, &mut tokio::io::sink()).await;
    }
    kept
}

/// The first line that is not blank, of standard error, else of standard output.
fn first_line(stderr: &[u8], stdout: &[u8]) -> String {
    [stderr, stdout]
        .into_iter()
        .map(String::from_utf8_lossy)
        .find_map(|text| {
            text.lines()
                .map(str::trim)
                .find(|line| !line.is_empty())
                .map(str::to_owned)
        })
        .unwrap_or_else(|| "no output".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_program_receives_its_input_and_returns_its_output() {
        let output = Command::new("cat").stdin("hello").run().await.unwrap();
        assert_eq!(output.stdout, b"hello");
    }

    #[tokio::test]
    async fn a_failure_names_the_program_and_its_first_line_of_standard_error() {
        let script = "echo; echo 'no such device' >&2; exit 3";
        let error = Command::new("sh")
            .args(["-c", script])
            .run()
            .await
            .unwrap_err();
        assert_eq!(
            error.to_string(),
            "sh failed (exit status: 3): no such device"
        );
    }

    #[tokio::test]
    async fn a_missing_program_is_reported_as_not_installed() {
        let error = Command::new("no-such-program-here")
            .run()
            .await
            .unwrap_err();
        assert_eq!(error.to_string(), "no-such-program-here is not installed");
    }

    #[tokio::test]
    async fn a_program_that_hangs_is_killed() {
        let run = Command::new("sleep")
            .arg("600")
            .timeout(Duration::from_millis(50))
            .run();
        assert!(matches!(run.await, Err(CommandError::TimedOut { .. })));
    }

    #[tokio::test]
    async fn endless_output_is_bounded_and_does_not_block_the_program() {
        let output = Command::new("head")
            .args(["-c", "3000000", "/dev/zero"])
            .run()
            .await
            .unwrap();
        assert_eq!(output.stdout.len() as u64, OUTPUT_BYTES_MAX);
    }
}
