//! Running commands: in a sandbox of their own, or in one that is there.

use std::collections::BTreeMap;
use std::io::IsTerminal as _;
use std::process::ExitCode;

use anyhow::Context as _;
use clap::Args;
use locule_api::{CreateSandboxRequest, SignalName, StartMessage};
use locule_client::{Client, ClientError, ExecEvent, ExecReader, ExecWriter};
use locule_ids::SandboxId;
use tokio::io::AsyncReadExt as _;
use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::{printer, server};

/// What shells answer for a command that is not there.
const NOT_FOUND: u8 = 127;

#[derive(Debug, Args)]
pub struct RunArgs {
    /// What to start from
    #[arg(long, default_value = "minimal")]
    template: String,
    /// Virtual CPUs
    #[arg(long)]
    vcpus: Option<u32>,
    /// Memory in MiB
    #[arg(long)]
    memory: Option<u32>,
    /// Leave the sandbox running and print its id on standard error
    #[arg(long)]
    keep: bool,
    #[command(flatten)]
    exec: ExecArgs,
}

#[derive(Debug, Args)]
pub struct ExecArgs {
    /// Environment variable, NAME=VALUE (repeatable)
    #[arg(short, long = "env", value_name = "NAME=VALUE", value_parser = pair)]
    env: Vec<(String, String)>,
    /// Directory to run in
    #[arg(short = 'w', long)]
    cwd: Option<String>,
    /// User to run as
    #[arg(short, long)]
    user: Option<String>,
    /// Seconds after which the command is killed
    #[arg(long)]
    timeout: Option<u32>,
    /// Pass standard input even if it is a terminal
    #[arg(short, long)]
    interactive: bool,
    /// Print the result as JSON when the command has ended
    #[arg(long)]
    json: bool,
    /// The command and its arguments
    #[arg(required = true, last = true, value_name = "COMMAND")]
    command: Vec<String>,
}

fn pair(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok((name.to_owned(), value.to_owned())),
        _ => Err("give NAME=VALUE".to_owned()),
    }
}

impl ExecArgs {
    fn passes_stdin(&self) -> bool {
        self.interactive || !std::io::stdin().is_terminal()
    }

    fn start(&self) -> StartMessage {
        let mut words = self.command.iter().cloned();
        StartMessage {
            cmd: words.next().unwrap_or_default(),
            args: words.collect(),
            envs: self.env.iter().cloned().collect::<BTreeMap<_, _>>(),
            cwd: self.cwd.clone(),
            user: self.user.clone(),
            timeout_sec: self.timeout.map(i64::from),
            stdin: self.passes_stdin(),
            ..StartMessage::default()
        }
    }
}

/// Creates, runs, destroys; whatever happens in between, it destroys.
pub(crate) async fn run(args: RunArgs) -> anyhow::Result<ExitCode> {
    let client = server::connect()?;
    let wanted = CreateSandboxRequest {
        template: Some(args.template),
        vcpus: args.vcpus.map(i64::from),
        memory_mb: args.memory.map(i64::from),
        ..CreateSandboxRequest::default()
    };
    // Caught from here on: a Ctrl-C must not leave a sandbox behind.
    let mut interrupt = signal(SignalKind::interrupt())?;
    let sandbox = client.create_sandbox(&wanted).await?;
    let done = exec(&client, sandbox.id, &args.exec, &mut interrupt).await;
    if args.keep {
        printer::complain(&format!("kept {}", sandbox.id));
    } else {
        let destroyed = client.destroy_sandbox(sandbox.id).await;
        if let Err(error) = destroyed {
            printer::complain(&format!(
                "warning: {} is still there ({error}): locule sandbox kill {0}",
                sandbox.id
            ));
        }
    }
    done
}

/// Runs a command in a sandbox that is there.
pub(crate) async fn exec_in(
    client: &Client,
    id: SandboxId,
    args: &ExecArgs,
) -> anyhow::Result<ExitCode> {
    let mut interrupt = signal(SignalKind::interrupt())?;
    exec(client, id, args, &mut interrupt).await
}

async fn exec(
    client: &Client,
    id: SandboxId,
    args: &ExecArgs,
    interrupt: &mut Signal,
) -> anyhow::Result<ExitCode> {
    let (mut reader, mut writer) = client.exec(id, args.start()).await?.split();
    let mut output = Output {
        json: args.json,
        ..Output::default()
    };
    let following = follow(&mut reader, &mut output);
    let feeding = feed(&mut writer, args.passes_stdin(), interrupt);
    let ended = tokio::select! {
        ended = following => ended,
        never = feeding => match never? {},
    };
    match ended {
        Ok((exit_code, signal)) => {
            let code = shell_code(exit_code, signal);
            if args.json {
                printer::json(&serde_json::json!({
                    "sandbox_id": id,
                    "exit_code": code,
                    "signal": signal,
                    "stdout": String::from_utf8_lossy(&output.stdout),
                    "stderr": String::from_utf8_lossy(&output.stderr),
                }))?;
            }
            Ok(ExitCode::from(code))
        }
        Err(ClientError::Exec(why)) if why.contains("was not found") => {
            printer::complain(&format!("error: {why}"));
            Ok(ExitCode::from(NOT_FOUND))
        }
        Err(ClientError::BrokenOff) => {
            Err(ClientError::BrokenOff).context("the sandbox ended, or the connection to it did")
        }
        Err(error) => Err(error.into()),
    }
}

/// A command that a signal ended has the code a shell would give it.
fn shell_code(exit_code: i32, signal: Option<i32>) -> u8 {
    let code = match signal.filter(|signal| *signal > 0) {
        Some(signal) => 128 + signal,
        None => exit_code,
    };
    u8::try_from(code & 0xff).unwrap_or(1)
}

#[derive(Debug, Default)]
struct Output {
    json: bool,
    stdout: Vec<u8>,
    stderr: Vec<u8>,
}

impl Output {
    fn take(&mut self, to_stderr: bool, bytes: &[u8]) {
        if self.json {
            let kept = if to_stderr {
                &mut self.stderr
            } else {
                &mut self.stdout
            };
            kept.extend_from_slice(bytes);
        } else {
            // A reader that left does not stop the command.
            printer::raw(to_stderr, bytes);
        }
    }
}

async fn follow(
    reader: &mut ExecReader,
    output: &mut Output,
) -> Result<(i32, Option<i32>), ClientError> {
    loop {
        match reader.next().await? {
            ExecEvent::Started { .. } => {}
            ExecEvent::Stdout(bytes) => output.take(false, &bytes),
            ExecEvent::Stderr(bytes) => output.take(true, &bytes),
            ExecEvent::Exited { exit_code, signal } => return Ok((exit_code, signal)),
        }
    }
}

/// Passes input and Ctrl-C on for as long as the command runs. The second Ctrl-C kills it.
async fn feed(
    writer: &mut ExecWriter,
    stdin: bool,
    interrupt: &mut Signal,
) -> Result<std::convert::Infallible, ClientError> {
    let mut input = stdin.then(tokio::io::stdin);
    let (mut buffer, mut interrupts) = (vec![0; 32 * 1024], 0);
    loop {
        let read = async {
            match &mut input {
                Some(input) => input.read(&mut buffer).await.unwrap_or(0),
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            count = read => if count == 0 {
                input = None;
                writer.close_stdin().await?;
            } else {
                writer.stdin(&buffer[..count]).await?;
            },
            _ = interrupt.recv() => {
                interrupts += 1;
                writer.signal(if interrupts == 1 { SignalName::Int } else { SignalName::Kill }).await?;
            }
        }
    }
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

    #[test]
    fn a_variable_needs_a_name_and_may_have_an_empty_value() {
        assert_eq!(pair("A=b=c"), Ok(("A".to_owned(), "b=c".to_owned())));
        assert_eq!(pair("A="), Ok(("A".to_owned(), String::new())));
        pair("=b").unwrap_err();
        pair("A").unwrap_err();
    }
}
