//! `locule host import`: sandboxes on a host that are not in the database get their place in the database again.

use std::process::ExitCode;

use anyhow::bail;
use chrono::{DateTime, Utc};
use clap::Args;
use locule_api::{HostSandbox, QuarantinedSandbox};
use locule_client::{Client, ClientError};
use locule_ids::{HostId, SandboxId};

use super::find_team;
use crate::each::{Answer, each};
use crate::find::{self, Finder};
use crate::list::{age, columns, word};
use crate::printer::{self, size, without_control_characters};

#[derive(Debug, Args)]
#[command(group = clap::ArgGroup::new("what").required(true))]
pub struct ImportArgs {
    /// Id of the host, or the beginning of the id
    host: String,
    /// Ids of sandboxes, or the beginnings of ids
    #[arg(group = "what", value_name = "SANDBOX")]
    sandboxes: Vec<String>,
    /// Import every sandbox on the host that is not in the database
    #[arg(long, group = "what")]
    all: bool,
    /// Team that gets the sandboxes whose own team does not exist any more: name, slug or id
    #[arg(long)]
    team: Option<String>,
    /// Print JSON: a list of the imported sandboxes
    #[arg(long)]
    json: bool,
}

/// Imports each sandbox, also after one failed. The exit code is 1 when any failed.
pub(super) async fn run(client: &Client, args: &ImportArgs) -> anyhow::Result<ExitCode> {
    let host = Finder::new(client).find(&args.host).await?;
    let team = match &args.team {
        Some(team) => Some(find_team(client, team).await?),
        None => None,
    };
    let held = client.list_host_quarantine(host).await?;
    let chosen = if args.all {
        held.iter().map(|one| one.id).collect()
    } else {
        let texts = args.sandboxes.iter();
        let chosen = texts.map(|text| choose(host, &held, text));
        chosen.collect::<anyhow::Result<Vec<_>>>()?
    };
    let imported = each(chosen, args.json, async |id| {
        Ok(client.import_sandbox(host, *id, team).await?)
    });
    let code = imported.await?;
    if held.is_empty() && !args.json {
        printer::print_message("every sandbox on the host is in the database");
    }
    Ok(code)
}

impl Answer for HostSandbox {
    fn id(&self) -> String {
        self.id.to_string()
    }
}

fn choose(host: HostId, held: &[QuarantinedSandbox], text: &str) -> anyhow::Result<SandboxId> {
    let whole = find::complete::<SandboxId>(text);
    let bare = text.strip_prefix(SandboxId::PREFIX).unwrap_or(text);
    let is_named = |id: &SandboxId| match whole {
        Some(whole) => whole == *id,
        None => id.as_uuid().to_string().starts_with(bare),
    };
    let mut named = held.iter().map(|one| one.id).filter(is_named);
    match (named.next(), named.next()) {
        (Some(id), None) => Ok(id),
        (None, _) => bail!(
            "the host has no sandbox {text:?} that is not in the database: `locule host show {host}` lists these sandboxes"
        ),
        (Some(_), Some(_)) => {
            bail!("the ids of several sandboxes begin with {text:?}: give more characters of one")
        }
    }
}

/// The quarantine of a host. `None`: the host does not answer.
pub(super) async fn quarantine(
    client: &Client,
    host: HostId,
) -> Result<Option<Vec<QuarantinedSandbox>>, ClientError> {
    match client.list_host_quarantine(host).await {
        Ok(held) => Ok(Some(held)),
        Err(error) if matches!(error.code(), Some("host_unavailable" | "agent_error")) => Ok(None),
        Err(error) => Err(error),
    }
}

/// The quarantine as a table, with the command that imports it.
pub(super) fn shown(host: HostId, held: &[QuarantinedSandbox], now: DateTime<Utc>) -> String {
    let rows = held.iter().map(|one| {
        let name = one.team_name.as_deref().map(without_control_characters);
        let stored = one.stored_bytes.and_then(|bytes| u64::try_from(bytes).ok());
        [
            one.id.to_string(),
            word(one.status).to_owned(),
            name.unwrap_or_else(|| one.team_id.to_string()),
            without_control_characters(&one.template),
            format!("{} MiB", one.memory_mb),
            stored.map(size).unwrap_or_default(),
            age(now - one.created_at),
        ]
    });
    let table = columns(
        [
            "ID", "STATUS", "TEAM", "TEMPLATE", "MEMORY", "STORED", "AGE",
        ],
        rows,
    );
    format!("not in the database (`locule host import {host} --all` imports them):\n{table}")
}
