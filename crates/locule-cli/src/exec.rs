//! `locule sandbox exec`, and what it shares with `run`: how a command is given, and how its end becomes our exit code.

use std::collections::BTreeMap;
use std::io::IsTerminal as _;
use std::process::ExitCode;

use anyhow::{Context as _, bail};
use clap::Args;
use locule_api::{ErrorCode, ExecRequest, StartMessage};
use locule_client::{Client, ClientError};
use locule_ids::SandboxId;

use crate::find::Finder;
use crate::interrupts::Signals;
use crate::printer::{self, Raw};
use crate::session::{self, Ended, Kept, Output};
use crate::values::{self, Variable};
use crate::words;

/// What shells answer for a command that is not there, or may not run; and `timeout` for one that took too long.
const NOT_FOUND: u8 = 127;
const NOT_EXECUTABLE: u8 = 126;
const TIMED_OUT: u8 = 124;

pub(crate) const EXIT_CODES: &str = "\
Standard input is passed on when it is not a terminal; -i passes a terminal's too.
Ctrl-C, SIGTERM and SIGHUP are passed on; a second one kills the command, a third leaves at once.

Exit codes: the command's own, 128+n when signal n ended it, 124 when it took longer than --timeout,
126 when it may not be executed, 127 when it was not found, 125 when Locule failed.";

#[derive(Debug, Args)]
#[command(after_help = EXIT_CODES)]
pub struct ExecArgs {
    #[command(flatten)]
    pub(crate) how: How,
    /// Start it and leave: prints its process id; the output is not kept
    #[arg(short, long, conflicts_with_all = ["interactive", "timeout"])]
    detach: bool,
    /// Id of the sandbox, or the beginning of one
    id: String,
    /// The command and its arguments
    #[arg(required = true, trailing_var_arg = true, value_name = "COMMAND")]
    command: Vec<String>,
}

/// How a command is run.
#[derive(Debug, Args)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a flag of the command line"
)]
pub(crate) struct How {
    /// Environment variable (repeatable); NAME alone passes your own on
    #[arg(short, long = "env", value_name = "NAME[=VALUE]", value_parser = values::variable)]
    env: Vec<Variable>,
    /// Directory to run in (default: the user's home)
    #[arg(short, long, visible_alias = "cwd", value_name = "DIR")]
    workdir: Option<String>,
    /// User to run as (default: the sandbox's own)
    #[arg(short, long, value_name = "NAME")]
    user: Option<String>,
    /// Time after which the command is killed: 90, 15m, 2h
    #[arg(long, value_name = "TIME", value_parser = values::seconds)]
    pub(crate) timeout: Option<u32>,
    /// Pass standard input on even if it is a terminal
    #[arg(short, long)]
    interactive: bool,
    /// Never pass standard input on
    #[arg(long, conflicts_with = "interactive")]
    no_stdin: bool,
    /// Known from elsewhere; refused
    #[arg(short, long, hide = true)]
    tty: bool,
    /// Print the result as JSON when the command has ended
    #[arg(long)]
    pub(crate) json: bool,
}

impl How {
    /// What we cannot do must not be taken for done.
    pub(crate) fn check(&self) -> anyhow::Result<()> {
        if self.tty {
            bail!("a pseudo-terminal (-t) is not supported yet: leave -t out, -i alone works");
        }
        Ok(())
    }

    fn passes_stdin(&self) -> bool {
        !self.no_stdin && (self.interactive || !std::io::stdin().is_terminal())
    }

    fn envs(&self) -> BTreeMap<String, String> {
        self.env.iter().filter_map(Variable::pair).collect()
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

pub(crate) async fn exec(args: ExecArgs) -> anyhow::Result<ExitCode> {
    args.how.check()?;
    let client = words::connect()?;
    let id = Finder::new(&client).find(&args.id).await?;
    if args.detach {
        return detached(&client, id, &args).await;
    }
    let mut signals = Signals::catch()?;
    in_sandbox(&client, id, &args.how, &args.command, &mut signals).await
}

async fn detached(client: &Client, id: SandboxId, args: &ExecArgs) -> anyhow::Result<ExitCode> {
    let mut words = args.command.iter().cloned();
    let wanted = ExecRequest {
        cmd: words.next().unwrap_or_default(),
        args: words.collect(),
        envs: args.how.envs(),
        cwd: args.how.workdir.clone(),
        user: args.how.user.clone(),
        ..ExecRequest::default()
    };
    match client.exec_in_background(id, wanted).await {
        Ok(started) if args.how.json => printer::json(&started)?,
        Ok(started) => printer::say(&started.pid.to_string()),
        Err(error) => return not_run(error.into()),
    }
    Ok(ExitCode::SUCCESS)
}

/// Runs a command in a sandbox that is there.
pub(crate) async fn in_sandbox(
    client: &Client,
    id: SandboxId,
    how: &How,
    command: &[String],
    signals: &mut Signals,
) -> anyhow::Result<ExitCode> {
    let start = how.start(command);
    let (cmd, stdin) = (start.cmd.clone(), start.stdin);
    let mut output = if how.json {
        Output::Kept(Kept::default())
    } else {
        Output::Raw(Raw::new())
    };
    let opened = tokio::select! {
        opened = client.exec(id, start) => opened,
        // Nothing runs yet; what might is killed with the connection.
        caught = signals.next() => return Ok(ExitCode::from(caught.code())),
    };
    let ended = match opened {
        Ok(stream) => session::run(stream, stdin, &mut output, signals).await,
        Err(error) => Err(error.into()),
    };
    let (code, signal) = match ended {
        Ok(Ended::Exited { exit_code, signal }) => (shell_code(exit_code, signal), signal),
        Ok(Ended::Left(code)) => return Ok(ExitCode::from(code)),
        Err(error) => return not_run(error),
    };
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
        }))?;
    }
    Ok(ExitCode::from(code))
}

/// The codes a shell has for what kept a command from running or from its end.
fn not_run(error: anyhow::Error) -> anyhow::Result<ExitCode> {
    let code = match error.downcast_ref::<ClientError>() {
        Some(ClientError::Refused { code, message, .. }) => {
            if code == ErrorCode::CommandNotFound.as_str() {
                NOT_FOUND
            } else if code == ErrorCode::CommandNotExecutable.as_str() {
                NOT_EXECUTABLE
            // The API has no code of its own for this one.
            } else if message == "the command took too long and was killed" {
                TIMED_OUT
            } else {
                return Err(error);
            }
        }
        Some(ClientError::BrokenOff) => {
            return Err(error).context("the sandbox ended, or the connection to it did");
        }
        _ => return Err(error),
    };
    printer::complain_of(&error);
    Ok(ExitCode::from(code))
}

/// A command that a signal ended has the code a shell would give it.
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
    fn a_signal_becomes_the_code_a_shell_gives() {
        assert_eq!(shell_code(0, None), 0);
        assert_eq!(shell_code(7, None), 7);
        assert_eq!(shell_code(-1, Some(9)), 137);
        assert_eq!(shell_code(-1, Some(2)), 130);
    }
}
