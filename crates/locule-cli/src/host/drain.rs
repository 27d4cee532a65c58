//! `locule host drain`: says what the drain will do, starts it, and waits until no sandbox runs on the host.

use std::time::Duration;

use anyhow::bail;
use clap::Args;
use locule_api::{DrainedHost, HostDrain, HostSandbox, HostStatus, SandboxStatus};
use locule_client::Client;
use locule_ids::HostId;

use super::text;
use crate::find::Finder;
use crate::{environment, printer};

const POLL_INTERVAL: Duration = Duration::from_secs(1);

#[derive(Debug, Args)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a flag of the command line"
)]
#[command(group = clap::ArgGroup::new("running").required(true))]
pub struct DrainArgs {
    /// Id of the host, or the beginning of the id
    id: String,
    /// Pause the running sandboxes, keeping their memory and disk
    #[arg(long, group = "running")]
    pause: bool,
    /// Leave the running sandboxes until they end or are paused
    #[arg(long, group = "running")]
    wait: bool,
    /// Only say what the drain would do
    #[arg(long, conflicts_with = "detach")]
    preview: bool,
    /// Do not wait until no sandbox runs; the drain goes on
    #[arg(short, long)]
    detach: bool,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

pub(super) async fn run(client: &Client, args: &DrainArgs) -> anyhow::Result<()> {
    let id = Finder::new(client).find(&args.id).await?;
    let running = if args.pause {
        HostDrain::Pause
    } else {
        HostDrain::Wait
    };
    let sandboxes = client.list_host_sandboxes(id).await?;
    announce(&sandboxes, running);
    if args.preview {
        let host = client.get_host(id).await?;
        return done(&DrainedHost { host, sandboxes }, args.json);
    }
    let mut drained = client.drain_host(id, running).await?;
    if !args.detach {
        drained = wait(client, id).await?;
        let stay = drained
            .sandboxes
            .iter()
            .filter(|one| !is_active(one))
            .count();
        printer::print_message(&format!(
            "no sandbox runs on the host any more; {} on the host",
            counted(stay, "paused sandbox stays", "paused sandboxes stay")
        ));
    }
    done(&drained, args.json)
}

fn done(drained: &DrainedHost, json: bool) -> anyhow::Result<()> {
    if json {
        printer::json(drained)?;
    }
    Ok(())
}

/// Whether the drain waits for this sandbox.
fn is_active(sandbox: &HostSandbox) -> bool {
    match sandbox.status {
        SandboxStatus::Pending
        | SandboxStatus::Starting
        | SandboxStatus::Running
        | SandboxStatus::Missing => true,
        SandboxStatus::Paused | SandboxStatus::Stopped | SandboxStatus::Error => false,
    }
}

fn counted(count: usize, one: &str, several: &str) -> String {
    match count {
        0 => format!("no {one}"),
        1 => format!("1 {one}"),
        count => format!("{count} {several}"),
    }
}

/// Says what a drain does to the sandboxes of a host.
fn announce(sandboxes: &[HostSandbox], running: HostDrain) {
    let active = sandboxes.iter().filter(|one| is_active(one)).count();
    let fate = match running {
        HostDrain::Pause => ("running sandbox is paused", "running sandboxes are paused"),
        HostDrain::Wait => (
            "running sandbox goes on until its end",
            "running sandboxes go on until their end",
        ),
    };
    printer::print_message(&format!(
        "the host gets no new sandboxes; {}; {}",
        counted(active, fate.0, fate.1),
        counted(
            sandboxes.len() - active,
            "paused sandbox stays on the host",
            "paused sandboxes stay on the host"
        ),
    ));
    if !sandboxes.is_empty() {
        printer::print_message(&text::sandboxes(sandboxes, environment::now()));
    }
}

/// Waits until no sandbox runs on a host, and tells each change of their number.
async fn wait(client: &Client, id: HostId) -> anyhow::Result<DrainedHost> {
    let mut told = None;
    loop {
        let host = client.get_host(id).await?;
        let sandboxes = client.list_host_sandboxes(id).await?;
        let active = sandboxes.iter().filter(|one| is_active(one)).count();
        if active == 0 {
            return Ok(DrainedHost { host, sandboxes });
        }
        if host.drain.is_none() {
            bail!(
                "the drain was ended while {}: start it again with `locule host drain {id}`",
                counted(active, "sandbox runs", "sandboxes run")
            );
        }
        let now = (active, host.status == HostStatus::Unreachable);
        if told != Some(now) {
            told = Some(now);
            let why = if now.1 {
                ", and the host is unreachable"
            } else {
                ""
            };
            printer::print_message(&format!(
                "{}{why}",
                counted(active, "sandbox still runs", "sandboxes still run")
            ));
        }
        tokio::time::sleep(POLL_INTERVAL).await;
    }
}
