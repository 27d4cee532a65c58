//! `locule api-key …`.

use std::process::ExitCode;

use chrono::TimeDelta;
use clap::{Args, Subcommand, ValueEnum};
use locule_api::{ApiKey, CreateApiKeyRequest, KeyScope};
use locule_ids::ApiKeyId;

use crate::account::connect;
use crate::list::{age, columns};
use crate::printer::{self, harmless};
use crate::{environment, values};

#[derive(Debug, Subcommand)]
pub enum ApiKeyCommand {
    /// Make a key for the team and print it: this is the only time
    Create(CreateArgs),
    /// List the team's keys, newest first
    #[command(visible_alias = "list")]
    Ls {
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Revoke keys
    #[command(visible_alias = "rm")]
    Revoke {
        /// Ids
        #[arg(required = true, value_name = "ID")]
        ids: Vec<ApiKeyId>,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
}

#[derive(Debug, Args)]
pub struct CreateArgs {
    /// What to know it by
    #[arg(default_value = "")]
    name: String,
    /// How much it may
    #[arg(long, value_enum, default_value = "full")]
    scope: ScopeArg,
    /// Time after which it works no more: 90, 15m, 2h (default: never)
    #[arg(long, value_name = "TIME", value_parser = values::seconds)]
    expires_in: Option<u32>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum ScopeArg {
    /// Whatever keys may
    Full,
    /// Only look
    Read,
    /// Everything about sandboxes
    Sandbox,
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
            let wanted = CreateApiKeyRequest {
                name: args.name,
                scope: match args.scope {
                    ScopeArg::Full => KeyScope::Full,
                    ScopeArg::Read => KeyScope::Read,
                    ScopeArg::Sandbox => KeyScope::Sandbox,
                },
                expires_at: args.expires_in.map(in_time),
            };
            let made = client.create_api_key(&wanted).await?;
            if args.json {
                printer::json(&made)?;
            } else {
                printer::say(made.key.as_deref().unwrap_or_default());
            }
        }
        ApiKeyCommand::Ls { json } => {
            let keys = client.list_api_keys().await?;
            if json {
                printer::json(&keys)?;
            } else {
                printer::say(&table(&keys));
            }
        }
        ApiKeyCommand::Revoke { ids, json } => {
            for id in &ids {
                client.revoke_api_key(*id).await?;
                if !json {
                    printer::say(&id.to_string());
                }
            }
            if json {
                printer::json(&ids)?;
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
            harmless(&key.name),
            format!("{}…", key.key_prefix),
            word(key.scope).to_owned(),
            expires.unwrap_or_else(|| "never".to_owned()),
            key.creator_email.clone().unwrap_or_default(),
            used.unwrap_or_else(|| "never".to_owned()),
        ]
    });
    columns(
        ["ID", "NAME", "KEY", "SCOPE", "EXPIRES", "MADE BY", "USED"],
        rows,
    )
}
