//! `locule audit`.

use std::process::ExitCode;

use clap::Args;
use locule_api::AuditEntry;
use locule_client::AuditFilter;

use crate::account::connect;
use crate::list::columns;
use crate::printer::{self, without_control_characters};

/// Limit of entries in one response of the server.
const PAGE: u32 = 200;

#[derive(Debug, Args)]
pub struct AuditArgs {
    /// Maximum number of entries
    #[arg(long, short = 'n', value_name = "COUNT", default_value_t = 50)]
    limit: u32,
    /// Only entries about this kind of resource: sandbox, team, member … (repeatable)
    #[arg(long, value_name = "KIND")]
    resource: Vec<String>,
    /// Only entries with this action: create, destroy, add … (repeatable)
    #[arg(long, value_name = "ACTION")]
    action: Vec<String>,
    /// Only entries about this resource: the id of a sandbox, team, API key or user (repeatable)
    #[arg(long, value_name = "ID")]
    resource_id: Vec<String>,
    /// Only entries of this actor: the id of a user or an API key (repeatable)
    #[arg(long, value_name = "ID")]
    actor_id: Vec<String>,
    /// Only entries of this time or later, such as 2026-11-29T12:00:00Z
    #[arg(long, value_name = "TIME")]
    from: Option<String>,
    /// Only entries before this time
    #[arg(long, value_name = "TIME")]
    to: Option<String>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

pub(crate) async fn run(args: AuditArgs) -> anyhow::Result<ExitCode> {
    let (client, _) = connect()?;
    let mut filter = AuditFilter {
        resource_types: args.resource,
        actions: args.action,
        resources: args.resource_id,
        actors: args.actor_id,
        from: args.from,
        to: args.to,
        limit: 0,
        before: None,
    };
    let mut entries: Vec<AuditEntry> = Vec::new();
    loop {
        let left = args.limit.saturating_sub(u32::try_from(entries.len())?);
        if left == 0 {
            break;
        }
        filter.limit = left.min(PAGE);
        let page = client.list_audit(&filter).await?;
        entries.extend(page.items);
        if page.next_before.is_none() {
            break;
        }
        filter.before = page.next_before;
    }
    if args.json {
        printer::json(&entries)?;
    } else {
        printer::print_line(&table(&entries));
    }
    Ok(ExitCode::SUCCESS)
}

fn table(entries: &[AuditEntry]) -> String {
    let rows = entries.iter().map(|entry| {
        let actor = entry.actor_name.as_deref().unwrap_or(&entry.actor_type);
        let details = entry.metadata.iter().map(|(name, value)| {
            let text = value
                .as_str()
                .map_or_else(|| value.to_string(), str::to_owned);
            format!("{name}={text}")
        });
        [
            entry.created_at.format("%Y-%m-%d %H:%M:%S").to_string(),
            without_control_characters(actor),
            format!("{} {}", entry.resource_type, entry.action),
            entry.resource_id.clone().unwrap_or_default(),
            without_control_characters(&details.collect::<Vec<_>>().join(" ")),
        ]
    });
    columns(
        ["TIME (UTC)", "ACTOR", "ACTION", "RESOURCE", "DETAILS"],
        rows,
    )
}
