//! `locule run`: a sandbox for one command. Whatever happens in between, it is destroyed.

use std::process::ExitCode;
use std::time::Duration;

use anyhow::bail;
use clap::Args;
use locule_api::CreateSandboxRequest;
use locule_client::{Client, ClientError};
use locule_ids::SandboxId;

use crate::exec::{self, EXIT_CODES, How};
use crate::interrupts::{Caught, Signals};
use crate::sandbox::Size;
use crate::{printer, words};

/// Beyond the command's own time limit: should this program die, the sandbox still ends.
const EXPIRY_MARGIN_SEC: i64 = 5 * 60;
const DESTROY_PATIENCE: Duration = Duration::from_mins(1);
const DESTROY_PAUSE: Duration = Duration::from_millis(500);
const DESTROY_TRIES: u32 = 10;
/// Three leave the command; one more leaves the sandbox.
const SIGNALS_TO_ABANDON: u32 = 4;

#[derive(Debug, Args)]
#[command(after_help = EXIT_CODES)]
pub struct RunArgs {
    #[command(flatten)]
    size: Size,
    #[command(flatten)]
    how: How,
    /// Leave the sandbox running and print its id on standard error
    #[arg(long)]
    keep: bool,
    /// Known from elsewhere; it is what happens anyway
    #[arg(long, hide = true, conflicts_with = "keep")]
    rm: bool,
    /// Known from elsewhere; refused
    #[arg(short, long, hide = true)]
    detach: bool,
    /// The command and its arguments
    #[arg(required = true, trailing_var_arg = true, value_name = "COMMAND")]
    command: Vec<String>,
}

pub(crate) async fn run(args: RunArgs) -> anyhow::Result<ExitCode> {
    args.how.check()?;
    if args.detach {
        bail!(
            "`run` ends with its command, so it cannot detach: use `locule sandbox create`, then `locule sandbox exec -d`"
        );
    }
    let client = words::connect()?;
    // Caught from here on: a Ctrl-C must not leave a sandbox behind.
    let mut signals = Signals::catch()?;
    let limit = args.how.timeout.filter(|seconds| *seconds > 0);
    let expires = limit.filter(|_| !args.keep);
    let wanted = CreateSandboxRequest {
        expires_in_sec: expires.map(|seconds| i64::from(seconds) + EXPIRY_MARGIN_SEC),
        ..args.size.request()
    };
    let id = match create(&client, &wanted, &mut signals).await? {
        Created::Ready(id) => id,
        Created::Unwanted(id) => {
            destroy(&client, id, &mut signals).await;
            return Ok(interrupted(&signals));
        }
        Created::Abandoned => return Ok(interrupted(&signals)),
    };
    let done = exec::in_sandbox(&client, id, &args.how, &args.command, &mut signals).await;
    if args.keep {
        printer::complain(&format!("kept {id}"));
    } else {
        destroy(&client, id, &mut signals).await;
    }
    done
}

fn interrupted(signals: &Signals) -> ExitCode {
    ExitCode::from(signals.last.map_or(crate::FAILED, Caught::code))
}

enum Created {
    Ready(SandboxId),
    /// Interrupted meanwhile.
    Unwanted(SandboxId),
    /// Interrupted so often that it was not waited for.
    Abandoned,
}

async fn create(
    client: &Client,
    wanted: &CreateSandboxRequest,
    signals: &mut Signals,
) -> anyhow::Result<Created> {
    let creating = client.create_sandbox(wanted);
    tokio::pin!(creating);
    loop {
        tokio::select! {
            created = &mut creating => {
                let id = created?.id;
                return Ok(if signals.seen == 0 { Created::Ready(id) } else { Created::Unwanted(id) });
            }
            _ = signals.next() => {
                if signals.seen >= 3 {
                    printer::complain("warning: a sandbox may be left: look with `locule sandbox ls`");
                    return Ok(Created::Abandoned);
                }
                printer::complain("the sandbox is being created; it is destroyed as soon as it is there");
            }
        }
    }
}

/// Tries for a while: the server may just be away, or the network.
async fn destroy(client: &Client, id: SandboxId, signals: &mut Signals) {
    let persist = async {
        let mut tries = 0;
        loop {
            tries += 1;
            match client.destroy_sandbox(id).await {
                Ok(()) => return Ok(()),
                Err(error) if error.code() == Some("not_found") => return Ok(()),
                Err(error) if tries >= DESTROY_TRIES || hopeless(&error) => {
                    return Err(words::sentence(&error.into()));
                }
                Err(_) => tokio::time::sleep(DESTROY_PAUSE).await,
            }
        }
    };
    let abandon = async {
        loop {
            signals.next().await;
            if signals.seen >= SIGNALS_TO_ABANDON {
                return;
            }
        }
    };
    let failed = tokio::select! {
        done = tokio::time::timeout(DESTROY_PATIENCE, persist) => match done {
            Ok(Ok(())) => return,
            Ok(Err(why)) => why,
            Err(_) => "the server takes too long".to_owned(),
        },
        () = abandon => "you did not want to wait".to_owned(),
    };
    printer::complain(&format!(
        "warning: {id} is still there ({failed}): destroy it with `locule sandbox kill {id}`"
    ));
}

/// Asking again cannot help.
fn hopeless(error: &ClientError) -> bool {
    let refused = match error {
        ClientError::Refused { status, .. } => *status,
        ClientError::Address(_)
        | ClientError::Key
        | ClientError::Unreachable { .. }
        | ClientError::TimedOut { .. }
        | ClientError::Strange { .. }
        | ClientError::BrokenOff => None,
    };
    refused.is_some_and(|status| (400..500).contains(&status) && !matches!(status, 409 | 429))
}
