//! The program under test, as a child process.

#![expect(
    clippy::disallowed_methods,
    reason = "these tests run the program as users run it"
)]

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::process::{Child, Command, Stdio};

use locule_ids::HostId;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::platform::Platform;

/// The output and the exit code of a run.
#[derive(Debug)]
pub(crate) struct Ran {
    pub(crate) code: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Ran {
    /// The run as snapshots show it, without times and the id of the host, which differ from run to run.
    pub(crate) fn transcript(&self) -> String {
        let steady = |line: &str| match line.find("20") {
            Some(at)
                if line.contains("_at\"")
                    || line.contains(" UTC")
                    || line.contains("last_updated") =>
            {
                format!("{}[moment]", &line[..at])
            }
            _ => match line.split_once(HostId::PREFIX) {
                Some((before, id)) if id.len() >= 36 => format!("{before}[host]{}", &id[36..]),
                _ => line.to_owned(),
            },
        };
        let messages = self.stderr.lines().map(|line| format!("! {line}"));
        let lines = self.stdout.lines().map(str::to_owned).chain(messages);
        let mut shown: Vec<String> = lines.map(|line| steady(&line)).collect();
        if self.code != 0 {
            shown.push(format!("[exit {}]", self.code));
        }
        shown.join("\n")
    }
}

/// The program without the servers that the environment names.
pub(crate) fn program(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_locule-cli"));
    command
        .args(args)
        .env_remove("LOCULE_URL")
        .env_remove("LOCULE_API_KEY")
        .env("HOME", "/nonexistent")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command
}

pub(crate) fn finish(child: Child) -> Ran {
    let output = child.wait_with_output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
    Ran {
        code: output.status.code().unwrap_or(-1),
        stdout: text(output.stdout),
        stderr: text(output.stderr),
    }
}

pub(crate) fn run(mut command: Command) -> Ran {
    finish(command.spawn().unwrap())
}

impl Platform {
    pub(crate) fn command(&self, args: &[&str]) -> Command {
        let mut command = program(args);
        command
            .env("LOCULE_URL", &self.url)
            .env("LOCULE_API_KEY", &self.key);
        command
    }

    pub(crate) fn locule(&self, args: &[&str]) -> Ran {
        run(self.command(args))
    }

    pub(crate) fn locule_with(&self, args: &[&str], input: &[u8]) -> Ran {
        let mut child = self.command(args).stdin(Stdio::piped()).spawn().unwrap();
        // The program may exit before it has read all input.
        let _ = child.stdin.take().unwrap().write_all(input);
        finish(child)
    }

    /// The commands and their output, one after the other, as a terminal shows them.
    pub(crate) fn transcript(&self, commands: &[&[&str]]) -> String {
        let one = |args: &&[&str]| {
            format!(
                "$ locule {}\n{}\n",
                args.join(" "),
                self.locule(args).transcript()
            )
        };
        commands.iter().map(one).collect::<Vec<_>>().join("\n")
    }

    pub(crate) fn succeeds(&self, args: &[&str]) -> String {
        let ran = self.locule(args);
        assert_eq!(ran.code, 0, "{args:?}: {ran:?}");
        ran.stdout
    }
}

/// A program that is still running.
pub(crate) struct Running {
    child: Child,
    stdout: BufReader<std::process::ChildStdout>,
    stderr: BufReader<std::process::ChildStderr>,
}

impl Running {
    pub(crate) fn start(mut command: Command) -> Self {
        let mut child = command.spawn().unwrap();
        Self {
            stdout: BufReader::new(child.stdout.take().unwrap()),
            stderr: BufReader::new(child.stderr.take().unwrap()),
            child,
        }
    }

    /// Waits for a line of standard output.
    pub(crate) fn line(&mut self) -> String {
        let mut line = String::new();
        self.stdout.read_line(&mut line).unwrap();
        line
    }

    /// Waits for a line of standard error.
    pub(crate) fn message(&mut self) -> String {
        let mut line = String::new();
        self.stderr.read_line(&mut line).unwrap();
        line
    }

    pub(crate) fn signal(&self, signal: Signal) {
        let pid = i32::try_from(self.child.id()).unwrap();
        kill(Pid::from_raw(pid), signal).unwrap();
    }

    /// Closes both outputs and returns the exit code.
    pub(crate) fn stop_reading(self) -> i32 {
        let Self {
            mut child,
            stdout,
            stderr,
        } = self;
        drop((stdout, stderr));
        child.wait().unwrap().code().unwrap_or(-1)
    }

    pub(crate) fn finish(mut self) -> Ran {
        let (mut stdout, mut stderr) = (String::new(), String::new());
        self.stdout.read_to_string(&mut stdout).unwrap();
        self.stderr.read_to_string(&mut stderr).unwrap();
        let status = self.child.wait().unwrap();
        Ran {
            code: status.code().unwrap_or(-1),
            stdout,
            stderr,
        }
    }
}
