//! `locule api-key …`.

use std::process::ExitCode;

use chrono::TimeDelta;
use clap::{Args, Subcommand, ValueEnum};
use locule_api::{ApiKey, CreateApiKeyRequest, CreatedSandboxes, KeyScope};
use locule_ids::ApiKeyId;
use serde::Serialize;

use crate::account::connect;
use crate::created;
use crate::list::{age, columns};
use crate::printer::{self, without_control_characters};
use crate::{environment, values};

#[derive(Debug, Subcommand)]
pub enum ApiKeyCommand {
    /// Create an API key for the team and print it; it cannot be shown again
    Create(CreateArgs),
    /// List the API keys of the team, newest first
    #[command(visible_alias = "list")]
    Ls {
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Revoke API keys; lists the sandboxes that they created
    #[command(visible_alias = "rm")]
    Revoke {
        /// Ids of the keys
        #[arg(required = true, value_name = "ID")]
        ids: Vec<ApiKeyId>,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
}

#[derive(Debug, Args)]
pub struct CreateArgs {
    /// Name of the key
    #[arg(default_value = "")]
    name: String,
    /// Permissions of the key
    #[arg(long, value_enum, default_value = "full")]
    scope: ScopeArg,
    /// Time after which the key expires: 90, 15m, 2h (default: never)
    #[arg(long, value_name = "TIME", value_parser = values::seconds)]
    expires_in: Option<u32>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum ScopeArg {
    /// Every operation that API keys may call
    Full,
    /// Read-only operations
    Read,
    /// Every operation on sandboxes
    Sandbox,
}

/// The JSON output of a revocation.
#[derive(Serialize)]
struct Revoked {
    id: ApiKeyId,
    #[serde(flatten)]
    created: CreatedSandboxes,
}

fn word(scope: KeyScope) -> &'static str {
    match scope {
        KeyScope::Full => "full",
        KeyScope::Read => "read",
        KeyScope::Sandbox => "sandbox",
    }
}

pub(crate) async fn run(command: ApiKeyCommand) -> anyhow::Result<ExitCode> {
    let (client, _) = connect()?;
    match command {
        ApiKeyCommand::Create(args) => {
            let in_time = |seconds: u32| environment::now() + TimeDelta::seconds(seconds.into());
            let request = CreateApiKeyRequest {
                name: args.name,
                scope: match args.scope {
                    ScopeArg::Full => KeyScope::Full,
                    ScopeArg::Read => KeyScope::Read,
                    ScopeArg::Sandbox => KeyScope::Sandbox,
                },
                expires_at: args.expires_in.map(in_time),
            };
            let made = client.create_api_key(&request).await?;
            if args.json {
                printer::json(&made)?;
            } else {
                printer::print_line(made.key.as_deref().unwrap_or_default());
            }
        }
        ApiKeyCommand::Ls { json } => {
            let keys = client.list_api_keys().await?;
            if json {
                printer::json(&keys)?;
            } else {
                printer::print_line(&table(&keys));
            }
        }
        ApiKeyCommand::Revoke { ids, json } => {
            let mut revoked = Vec::new();
            for id in ids {
                let created = client.revoke_api_key(id).await?;
                if !json {
                    printer::print_line(&id.to_string());
                    created::show(&created, &id.to_string());
                }
                revoked.push(Revoked { id, created });
            }
            if json {
                printer::json(&revoked)?;
            }
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn table(keys: &[ApiKey]) -> String {
    let now = environment::now();
    let rows = keys.iter().map(|key| {
        let used = key.last_used.map(|at| format!("{} ago", age(now - at)));
        let expires = key.expires_at.map(|at| {
            if at > now {
                format!("in {}", age(at - now))
            } else {
                "expired".to_owned()
            }
        });
        [
            key.id.to_string(),
            without_control_characters(&key.name),
            format!("{}…", key.key_prefix),
            word(key.scope).to_owned(),
            expires.unwrap_or_else(|| "never".to_owned()),
            key.creator_email.clone().unwrap_or_default(),
            used.unwrap_or_else(|| "never".to_owned()),
        ]
    });
    columns(
        [
            "ID",
            "NAME",
            "KEY",
            "SCOPE",
            "EXPIRES",
            "CREATED BY",
            "LAST USED",
        ],
        rows,
    )
}
