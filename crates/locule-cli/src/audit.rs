//! `locule audit`.

use std::process::ExitCode;

use clap::Args;
use locule_api::AuditEntry;
use locule_client::AuditFilter;

use crate::account::connect;
use crate::list::columns;
use crate::printer::{self, harmless};

/// As many as the server gives at once.
const PAGE: u32 = 200;

#[derive(Debug, Args)]
pub struct AuditArgs {
    /// So many at most
    #[arg(long, short = 'n', value_name = "COUNT", default_value_t = 50)]
    limit: u32,
    /// Only about these: sandbox, team, member … (repeatable)
    #[arg(long, value_name = "KIND")]
    resource: Vec<String>,
    /// Only these: create, destroy, add … (repeatable)
    #[arg(long, value_name = "WORD")]
    action: Vec<String>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

pub(crate) async fn run(args: AuditArgs) -> anyhow::Result<ExitCode> {
    let (client, _) = connect()?;
    let mut filter = AuditFilter {
        resource_types: args.resource,
        actions: args.action,
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
        printer::say(&table(&entries));
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
            harmless(actor),
            format!("{} {}", entry.resource_type, entry.action),
            entry.resource_id.clone().unwrap_or_default(),
            harmless(&details.collect::<Vec<_>>().join(" ")),
        ]
    });
    columns(["TIME (UTC)", "WHO", "WHAT", "ABOUT", "DETAILS"], rows)
}
