//! `locule sandbox exec` and `locule sandbox shell`, and the parts that `locule run` shares: the options of a command, and the exit code of the program.

use std::collections::BTreeMap;
use std::io::IsTerminal as _;
use std::process::ExitCode;

use anyhow::{Context as _, anyhow};
use clap::Args;
use locule_api::{ErrorCode, ExecRequest, PtyStart, StartMessage};
use locule_client::{Client, ClientError};
use locule_ids::SandboxId;

use crate::environment;
use crate::find::Finder;
use crate::interrupts::Signals;
use crate::messages;
use crate::printer::{self, Raw};
use crate::session::{self, Ended, Kept, Output};
use crate::terminal::{self, Opening};
use crate::values::{self, Variable};

/// The exit codes of shells for a command that was not found or is not executable, and of `timeout` for an expired timeout.
const NOT_FOUND: u8 = 127;
const NOT_EXECUTABLE: u8 = 126;
const TIMED_OUT: u8 = 124;
const SIGKILL: i32 = 9;

pub(crate) const EXIT_CODES: &str = "\
Standard input is passed to the command when it is not a terminal; -i also passes the input of a terminal.
Ctrl-C, SIGTERM and SIGHUP are passed to the command. A second signal kills the command; a third one exits at once.

With -t (-it) the command runs in a terminal: Ctrl-C, Ctrl-Z and the size of the window reach it. When the connection is lost,
locule connects again. SIGTERM or SIGHUP kills the command.

Exit codes: the exit code of the command; 128+n when signal n ended the command; 124 when the command took longer than
--timeout; 125 when Locule failed; 126 when the command is not executable; 127 when the command was not found.";

#[derive(Debug, Args)]
#[command(after_help = EXIT_CODES)]
pub struct ExecArgs {
    #[command(flatten)]
    pub(crate) options: CommandOptions,
    /// Start the command in the background and print its process id; its output is discarded
    #[arg(short, long, conflicts_with_all = ["interactive", "timeout", "tty"])]
    detach: bool,
    /// Id of the sandbox, or the beginning of the id
    id: String,
    /// The command and its arguments; with -t a shell by default
    #[arg(
        required_unless_present = "tty",
        trailing_var_arg = true,
        value_name = "COMMAND"
    )]
    command: Vec<String>,
}

#[derive(Debug, Args)]
#[command(after_help = "\
The shell is /bin/bash, or /bin/sh in a sandbox without it. Ctrl-C, Ctrl-Z and the size of the window reach it. When the
connection is lost, locule connects again and shows what was printed meanwhile; the sandbox keeps the last MiB.

A shell with --tag keeps running when locule is ended by a signal, such as SIGHUP when you close the window: the same command
connects to it again, also from another machine. Without --tag the signal kills the shell.

Exit codes: the exit code of the shell; 128+n when signal n ended it; 125 when Locule failed.")]
pub struct ShellArgs {
    /// Environment variable (repeatable); NAME alone passes on your own value
    #[arg(short, long = "env", value_name = "NAME[=VALUE]", value_parser = values::variable)]
    env: Vec<Variable>,
    /// Directory to start in (default: the home of the user)
    #[arg(short, long, visible_alias = "cwd", value_name = "DIR")]
    workdir: Option<String>,
    /// User of the shell (default: the default user of the sandbox)
    #[arg(short, long, value_name = "NAME")]
    user: Option<String>,
    /// Connect to the terminal with this tag, or open one under this tag
    #[arg(long, value_name = "NAME")]
    tag: Option<String>,
    /// Id of the sandbox, or the beginning of the id
    id: String,
}

/// The options of a command.
#[derive(Debug, Args)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a flag of the command line"
)]
pub(crate) struct CommandOptions {
    /// Environment variable (repeatable); NAME alone passes on your own value
    #[arg(short, long = "env", value_name = "NAME[=VALUE]", value_parser = values::variable)]
    env: Vec<Variable>,
    /// Directory to run in (default: the home of the user)
    #[arg(short, long, visible_alias = "cwd", value_name = "DIR")]
    workdir: Option<String>,
    /// User to run as (default: the default user of the sandbox)
    #[arg(short, long, value_name = "NAME")]
    user: Option<String>,
    /// Time after which the command is killed: 90, 15m, 2h
    #[arg(long, value_name = "TIME", value_parser = values::seconds)]
    pub(crate) timeout: Option<u32>,
    /// Pass standard input to the command even if it is a terminal
    #[arg(short, long)]
    interactive: bool,
    /// Never pass standard input to the command
    #[arg(long, conflicts_with = "interactive")]
    no_stdin: bool,
    /// Run the command in a terminal, with your keyboard and the size of your window
    #[arg(short, long, conflicts_with_all = ["no_stdin", "json", "timeout"])]
    tty: bool,
    /// Print the result as JSON when the command has ended
    #[arg(long)]
    pub(crate) json: bool,
}

impl CommandOptions {
    /// Refuses options that have no effect here.
    pub(crate) fn check(&self) -> anyhow::Result<()> {
        if self.tty {
            return terminal::check("-t", "leave out -t");
        }
        Ok(())
    }

    fn passes_stdin(&self) -> bool {
        !self.no_stdin && (self.interactive || !std::io::stdin().is_terminal())
    }

    fn envs(&self) -> BTreeMap<String, String> {
        self.env.iter().filter_map(Variable::pair).collect()
    }

    fn start_in_terminal(&self, command: &[String]) -> PtyStart {
        let mut words = command.iter().cloned();
        PtyStart {
            cmd: words.next(),
            args: words.collect(),
            cwd: self.workdir.clone(),
            user: self.user.clone(),
            ..in_window(self.envs())
        }
    }

    fn start(&self, command: &[String]) -> StartMessage {
        let mut words = command.iter().cloned();
        StartMessage {
            cmd: words.next().unwrap_or_default(),
            args: words.collect(),
            envs: self.envs(),
            cwd: self.workdir.clone(),
            user: self.user.clone(),
            timeout_sec: self.timeout.map(i64::from),
            stdin: self.passes_stdin(),
            ..StartMessage::default()
        }
    }
}

/// The start of a program in a terminal of the size and the kind of the user's.
fn in_window(mut envs: BTreeMap<String, String>) -> PtyStart {
    if let Some(kind) = environment::variable("TERM") {
        envs.entry("TERM".to_owned()).or_insert(kind);
    }
    let (cols, rows) = terminal::size();
    PtyStart {
        envs,
        cols,
        rows,
        ..PtyStart::default()
    }
}

pub(crate) async fn shell(args: ShellArgs) -> anyhow::Result<ExitCode> {
    terminal::check(
        "a shell",
        "use `locule sandbox exec` for a command without a terminal",
    )?;
    let client = messages::connect()?;
    let id = Finder::new(&client).find(&args.id).await?;
    let start = PtyStart {
        cwd: args.workdir,
        user: args.user,
        ..in_window(args.env.iter().filter_map(Variable::pair).collect())
    };
    let opening = match args.tag {
        Some(tag) => Opening::Named(tag, start),
        None => Opening::Start(start),
    };
    in_terminal(&client, id, opening, &mut Signals::catch()?).await
}

async fn in_terminal(
    client: &Client,
    id: SandboxId,
    opening: Opening,
    signals: &mut Signals,
) -> anyhow::Result<ExitCode> {
    match terminal::run(client, id, opening, signals).await {
        Ok(terminal::Ended::Exited { exit_code, signal }) => {
            Ok(ExitCode::from(shell_code(exit_code, signal)))
        }
        Ok(terminal::Ended::Abandoned(code)) => Ok(ExitCode::from(code)),
        Err(error) => not_run(error),
    }
}

pub(crate) async fn exec(args: ExecArgs) -> anyhow::Result<ExitCode> {
    args.options.check()?;
    let client = messages::connect()?;
    let id = Finder::new(&client).find(&args.id).await?;
    if args.detach {
        return detached(&client, id, &args).await;
    }
    let mut signals = Signals::catch()?;
    in_sandbox(&client, id, &args.options, &args.command, &mut signals).await
}

async fn detached(client: &Client, id: SandboxId, args: &ExecArgs) -> anyhow::Result<ExitCode> {
    let mut words = args.command.iter().cloned();
    let request = ExecRequest {
        cmd: words.next().unwrap_or_default(),
        args: words.collect(),
        envs: args.options.envs(),
        cwd: args.options.workdir.clone(),
        user: args.options.user.clone(),
        ..ExecRequest::default()
    };
    match client.exec_in_background(id, request).await {
        Ok(started) if args.options.json => printer::json(&started)?,
        Ok(started) => printer::print_line(&started.pid.to_string()),
        Err(error) => return not_run(error.into()),
    }
    Ok(ExitCode::SUCCESS)
}

/// Runs a command in an existing sandbox.
pub(crate) async fn in_sandbox(
    client: &Client,
    id: SandboxId,
    options: &CommandOptions,
    command: &[String],
    signals: &mut Signals,
) -> anyhow::Result<ExitCode> {
    if options.tty {
        let opening = Opening::Start(options.start_in_terminal(command));
        return in_terminal(client, id, opening, signals).await;
    }
    let start = options.start(command);
    let (cmd, stdin) = (start.cmd.clone(), start.stdin);
    let mut output = if options.json {
        Output::Kept(Kept::default())
    } else {
        Output::Raw(Raw::new())
    };
    let opened = tokio::select! {
        opened = client.exec(id, start) => opened,
        // The command has not started, or is killed when the connection closes.
        caught = signals.next() => return Ok(ExitCode::from(caught.code())),
    };
    let ended = match opened {
        Ok(stream) => session::run(stream, stdin, &mut output, signals).await,
        Err(error) => Err(error.into()),
    };
    let ended = match ended {
        Ok(ended) => ended,
        Err(error) => return not_run(error),
    };
    let (code, signal) = match ended {
        Ended::Exited { exit_code, signal } => (shell_code(exit_code, signal), signal),
        Ended::TimedOut => (TIMED_OUT, Some(SIGKILL)),
        Ended::Truncated => (shell_code(0, Some(SIGKILL)), Some(SIGKILL)),
        Ended::Abandoned(code) => return Ok(ExitCode::from(code)),
    };
    let (timed_out, truncated) = (ended == Ended::TimedOut, ended == Ended::Truncated);
    if timed_out {
        printer::print_error(&anyhow!("the command took too long and was killed"));
    }
    if truncated {
        printer::print_error(&anyhow!(
            "the command printed more than 16 MiB, which --json cannot hold, and was killed: run it without --json"
        ));
    }
    if let Output::Kept(kept) = output {
        let (stdout, stderr, encoding) = kept.text();
        printer::json(&serde_json::json!({
            "sandbox_id": id,
            "cmd": cmd,
            "exit_code": code,
            "signal": signal,
            "stdout": stdout,
            "stderr": stderr,
            "encoding": encoding,
            "timed_out": timed_out,
            "truncated": truncated,
        }))?;
    }
    Ok(ExitCode::from(code))
}

/// Prints an error for which shells have an exit code of their own, and returns that code; returns any other error.
fn not_run(error: anyhow::Error) -> anyhow::Result<ExitCode> {
    let code = match error.downcast_ref::<ClientError>() {
        Some(ClientError::Refusal { code, .. }) => {
            if code == ErrorCode::CommandNotFound.as_str() {
                NOT_FOUND
            } else if code == ErrorCode::CommandNotExecutable.as_str() {
                NOT_EXECUTABLE
            } else {
                return Err(error);
            }
        }
        Some(ClientError::Disconnected) => {
            return Err(error).context("the sandbox stopped, or the connection to it was lost");
        }
        _ => return Err(error),
    };
    printer::print_error(&error);
    Ok(ExitCode::from(code))
}

/// The exit code that a shell reports for the command.
fn shell_code(exit_code: i32, signal: Option<i32>) -> u8 {
    let code = match signal.filter(|signal| *signal > 0) {
        Some(signal) => 128_i32.saturating_add(signal),
        None => exit_code,
    };
    u8::try_from(code & 0xff).unwrap_or(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signal_becomes_the_exit_code_that_shells_report() {
        assert_eq!(shell_code(0, None), 0);
        assert_eq!(shell_code(7, None), 7);
        assert_eq!(shell_code(-1, Some(9)), 137);
        assert_eq!(shell_code(-1, Some(2)), 130);
    }
}
