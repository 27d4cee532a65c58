//! `locule sandbox …`.

use std::process::ExitCode;

use clap::{Args, Subcommand};
use comfy_table::{Table, presets};
use locule_api::{CreateSandboxRequest, Sandbox};

use crate::exec::ExecArgs;
use crate::{copy, exec, printer, server};

#[derive(Debug, Subcommand)]
pub enum SandboxCommand {
    /// Create a sandbox and print its id
    Create(CreateArgs),
    /// List sandboxes
    #[command(visible_alias = "list")]
    Ls {
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Show one sandbox
    Get(OneArgs),
    /// Run a command in a sandbox
    Exec {
        /// Id, or the beginning of one
        id: String,
        #[command(flatten)]
        exec: ExecArgs,
    },
    /// Copy files or folders between this machine and a sandbox: SOURCE and TARGET, one of them ID:PATH
    Cp(copy::CopyArgs),
    /// Stop a sandbox, keeping its memory and disk
    Pause(OneArgs),
    /// Continue a paused sandbox
    Resume(OneArgs),
    /// Destroy sandboxes
    #[command(visible_alias = "rm")]
    Kill {
        /// Ids, or the beginnings of ids
        #[arg(required = true)]
        ids: Vec<String>,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
}

#[derive(Debug, Args)]
pub struct CreateArgs {
    /// What to start from
    #[arg(long, default_value = "minimal")]
    template: String,
    /// Virtual CPUs
    #[arg(long)]
    vcpus: Option<u32>,
    /// Memory in MiB
    #[arg(long)]
    memory: Option<u32>,
    /// Idle seconds after which it is paused (default: never)
    #[arg(long)]
    timeout: Option<u32>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Args)]
pub struct OneArgs {
    /// Id, or the beginning of one
    id: String,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

pub(crate) async fn run(command: SandboxCommand) -> anyhow::Result<ExitCode> {
    let client = server::connect()?;
    match command {
        SandboxCommand::Create(args) => {
            let wanted = CreateSandboxRequest {
                template: Some(args.template),
                vcpus: args.vcpus.map(i64::from),
                memory_mb: args.memory.map(i64::from),
                timeout_sec: args.timeout.map(i64::from),
                ..CreateSandboxRequest::default()
            };
            let sandbox = client.create_sandbox(&wanted).await?;
            if args.json {
                printer::json(&sandbox)?;
            } else {
                printer::say(&sandbox.id.to_string());
            }
        }
        SandboxCommand::Ls { json } => {
            let sandboxes = client.list_sandboxes().await?;
            if json {
                printer::json(&sandboxes)?;
            } else {
                printer::say(&table(&sandboxes));
            }
        }
        SandboxCommand::Get(args) => {
            let sandbox = client
                .get_sandbox(server::find(&client, &args.id).await?)
                .await?;
            if args.json {
                printer::json(&sandbox)?;
            } else {
                printer::say(&details(&sandbox));
            }
        }
        SandboxCommand::Exec { id, exec } => {
            let id = server::find(&client, &id).await?;
            return exec::exec_in(&client, id, &exec).await;
        }
        SandboxCommand::Cp(args) => return copy::run(&client, &args).await,
        SandboxCommand::Pause(args) => {
            let sandbox = client
                .pause_sandbox(server::find(&client, &args.id).await?)
                .await?;
            changed(&sandbox, args.json)?;
        }
        SandboxCommand::Resume(args) => {
            let sandbox = client
                .resume_sandbox(server::find(&client, &args.id).await?)
                .await?;
            changed(&sandbox, args.json)?;
        }
        SandboxCommand::Kill { ids, json } => {
            let mut killed = Vec::new();
            for id in ids {
                let id = server::find(&client, &id).await?;
                client.destroy_sandbox(id).await?;
                killed.push(id);
                if !json {
                    printer::say(&id.to_string());
                }
            }
            if json {
                printer::json(&killed)?;
            }
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn changed(sandbox: &Sandbox, json: bool) -> anyhow::Result<()> {
    if json {
        return printer::json(sandbox);
    }
    printer::say(&sandbox.id.to_string());
    Ok(())
}

fn word(sandbox: &Sandbox) -> String {
    // As the API writes it.
    serde_json::to_value(sandbox.status)
        .ok()
        .and_then(|value| value.as_str().map(str::to_owned))
        .unwrap_or_default()
}

fn table(sandboxes: &[Sandbox]) -> String {
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    table.set_header(["ID", "STATUS", "TEMPLATE", "VCPUS", "MEMORY", "CREATED"]);
    for sandbox in sandboxes {
        table.add_row([
            sandbox.id.to_string(),
            word(sandbox),
            sandbox.template.clone(),
            sandbox.vcpus.to_string(),
            format!("{} MiB", sandbox.memory_mb),
            sandbox
                .created_at
                .format("%Y-%m-%d %H:%M:%S UTC")
                .to_string(),
        ]);
    }
    table
        .to_string()
        .lines()
        .map(str::trim_end)
        .collect::<Vec<_>>()
        .join("\n")
}

fn details(sandbox: &Sandbox) -> String {
    let mut lines = vec![
        format!("id        {}", sandbox.id),
        format!("status    {}", word(sandbox)),
        format!("template  {}", sandbox.template),
        format!(
            "size      {} vCPU, {} MiB",
            sandbox.vcpus, sandbox.memory_mb
        ),
        format!(
            "created   {}",
            sandbox.created_at.format("%Y-%m-%d %H:%M:%S UTC")
        ),
    ];
    let optional = [
        ("reason", &sandbox.status_reason),
        ("error", &sandbox.last_error),
    ];
    lines.extend(
        optional
            .iter()
            .filter_map(|(name, value)| value.as_ref().map(|value| format!("{name:<9} {value}"))),
    );
    lines.extend(
        sandbox
            .metadata
            .iter()
            .map(|(name, value)| format!("{name}  {value}")),
    );
    lines.join("\n")
}
