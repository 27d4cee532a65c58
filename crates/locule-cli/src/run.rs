//! `locule run`: creates a sandbox for one command and destroys it afterwards, also after a failure or a signal.

use std::process::ExitCode;
use std::time::Duration;

use anyhow::bail;
use clap::Args;
use locule_api::CreateSandboxRequest;
use locule_client::{Client, ClientError};
use locule_ids::SandboxId;

use crate::exec::{self, CommandOptions, EXIT_CODES};
use crate::interrupts::{Caught, Signals};
use crate::sandbox::Size;
use crate::{messages, printer};

/// The sandbox expires this long after the timeout of the command, in case this program is killed and cannot destroy it.
const EXPIRY_MARGIN_SEC: i64 = 5 * 60;
const DESTROY_TIMEOUT: Duration = Duration::from_mins(1);
const DESTROY_RETRY_INTERVAL: Duration = Duration::from_millis(500);
const DESTROY_ATTEMPTS_MAX: u32 = 10;
/// The third signal stops waiting for the command; the fourth stops waiting for the sandbox to be destroyed.
const SIGNALS_TO_ABANDON: u32 = 4;

#[derive(Debug, Args)]
#[command(after_help = EXIT_CODES)]
pub struct RunArgs {
    #[command(flatten)]
    size: Size,
    #[command(flatten)]
    options: CommandOptions,
    /// Leave the sandbox running and print its id on standard error
    #[arg(long)]
    keep: bool,
    /// Accepted for users of `docker run --rm`, which is the default here
    #[arg(long, hide = true, conflicts_with = "keep")]
    rm: bool,
    /// Accepted to be refused with a message that names the alternative
    #[arg(short, long, hide = true)]
    detach: bool,
    /// The command and its arguments; with -t a shell by default
    #[arg(
        required_unless_present = "tty",
        trailing_var_arg = true,
        value_name = "COMMAND"
    )]
    command: Vec<String>,
}

pub(crate) async fn run(args: RunArgs) -> anyhow::Result<ExitCode> {
    args.options.check()?;
    if args.detach {
        bail!(
            "`locule run` waits for its command and cannot detach it: use `locule sandbox create`, then `locule sandbox exec -d`"
        );
    }
    let client = messages::connect()?;
    // Signals are caught from here on: Ctrl-C must not leave a sandbox over.
    let mut signals = Signals::catch()?;
    let limit = args.options.timeout.filter(|seconds| *seconds > 0);
    let expires = limit.filter(|_| !args.keep);
    let request = CreateSandboxRequest {
        expires_in_sec: expires.map(|seconds| i64::from(seconds) + EXPIRY_MARGIN_SEC),
        ..args.size.request()
    };
    let id = match create(&client, &request, &mut signals).await? {
        Created::Ready(id) => id,
        Created::Interrupted(id) => {
            destroy(&client, id, &mut signals).await;
            return Ok(interrupted(&signals));
        }
        Created::Abandoned => return Ok(interrupted(&signals)),
    };
    let done = exec::in_sandbox(&client, id, &args.options, &args.command, &mut signals).await;
    if args.keep {
        printer::print_message(&format!("kept sandbox {id}"));
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
    /// A signal arrived during the create.
    Interrupted(SandboxId),
    /// The third signal ended the wait for the create.
    Abandoned,
}

async fn create(
    client: &Client,
    request: &CreateSandboxRequest,
    signals: &mut Signals,
) -> anyhow::Result<Created> {
    let creating = client.create_sandbox(request);
    tokio::pin!(creating);
    loop {
        tokio::select! {
            created = &mut creating => {
                let id = created?.id;
                return Ok(if signals.seen == 0 { Created::Ready(id) } else { Created::Interrupted(id) });
            }
            _ = signals.next() => {
                if signals.seen >= 3 {
                    printer::print_message("warning: the sandbox may still be created: check with `locule sandbox ls`");
                    return Ok(Created::Abandoned);
                }
                printer::print_message("the sandbox is being created and will be destroyed as soon as it is ready");
            }
        }
    }
}

/// Repeats the request for a while: the server or the network may be down for a moment.
async fn destroy(client: &Client, id: SandboxId, signals: &mut Signals) {
    let persist = async {
        let mut tries = 0;
        loop {
            tries += 1;
            match client.destroy_sandbox(id).await {
                Ok(()) => return Ok(()),
                Err(error) if error.code() == Some("not_found") => return Ok(()),
                Err(error) if tries >= DESTROY_ATTEMPTS_MAX || is_final(&error) => {
                    return Err(messages::sentence(&error.into()));
                }
                Err(_) => tokio::time::sleep(DESTROY_RETRY_INTERVAL).await,
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
        done = tokio::time::timeout(DESTROY_TIMEOUT, persist) => match done {
            Ok(Ok(())) => return,
            Ok(Err(why)) => why,
            Err(_) => "the server did not answer in time".to_owned(),
        },
        () = abandon => "interrupted".to_owned(),
    };
    printer::print_message(&format!(
        "warning: sandbox {id} was not destroyed ({failed}): destroy it with `locule sandbox kill {id}`"
    ));
}

/// Whether the same request would fail again.
fn is_final(error: &ClientError) -> bool {
    let refused = match error {
        ClientError::Refusal { status, .. } => *status,
        ClientError::Address(_)
        | ClientError::Key
        | ClientError::Unreachable { .. }
        | ClientError::TimedOut { .. }
        | ClientError::UnexpectedStatus { .. }
        | ClientError::Disconnected => None,
    };
    refused.is_some_and(|status| (400..500).contains(&status) && !matches!(status, 409 | 429))
}
