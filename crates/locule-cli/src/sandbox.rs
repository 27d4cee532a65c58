//! `locule sandbox …`.

use std::process::ExitCode;

use clap::{Args, Subcommand, ValueEnum};
use locule_api::{CreateSandboxRequest, OnTimeout, Sandbox, SandboxStatus};
use locule_client::{Client, SandboxFilter};
use locule_ids::SandboxId;
use serde::Serialize;

use crate::each::{Answer, each_found};
use crate::exec::{ExecArgs, ShellArgs};
use crate::find::Finder;
use crate::ports::{PortsArgs, UrlArgs};
use crate::values::{self, Variable};
use crate::{copy, environment, list, messages, ports, printer};

#[derive(Debug, Subcommand)]
pub enum SandboxCommand {
    /// Create a sandbox and print its id
    Create(CreateArgs),
    /// List sandboxes, newest first
    #[command(visible_alias = "list", alias = "ps")]
    Ls(ListArgs),
    /// Show one sandbox, and what keeps it awake
    #[command(visible_alias = "show", alias = "inspect")]
    Get {
        /// Id of the sandbox, or the beginning of the id
        id: String,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Run a command in a sandbox
    Exec(ExecArgs),
    /// Open a shell in a sandbox
    Shell(ShellArgs),
    /// Copy files or directories between this machine and a sandbox
    Cp(copy::CopyArgs),
    /// List the ports on which programs of a sandbox listen
    Ports(PortsArgs),
    /// Print the address of a port of a sandbox
    Url(UrlArgs),
    /// Pause sandboxes, keeping their memory and disk
    Pause(SomeArgs),
    /// Resume paused sandboxes
    #[command(alias = "unpause")]
    Resume(SomeArgs),
    /// Destroy sandboxes with their memory and disk
    #[command(visible_alias = "rm")]
    Kill(SomeArgs),
}

/// The template and the size of a new sandbox.
#[derive(Debug, Args)]
pub(crate) struct Size {
    /// Template to start from
    #[arg(long, default_value = "minimal", value_name = "NAME")]
    template: String,
    /// Virtual CPUs
    #[arg(long, visible_alias = "cpus", value_name = "COUNT", value_parser = clap::value_parser!(u32).range(1..))]
    vcpus: Option<u32>,
    /// Memory in MiB, a multiple of 128: 512, 512m, 2g
    #[arg(short, long, value_name = "SIZE", value_parser = values::memory_mib)]
    memory: Option<u32>,
}

impl Size {
    pub(crate) fn request(self) -> CreateSandboxRequest {
        CreateSandboxRequest {
            template: Some(self.template),
            vcpus: self.vcpus.map(i64::from),
            memory_mb: self.memory.map(i64::from),
            ..CreateSandboxRequest::default()
        }
    }
}

#[derive(Debug, Args)]
pub struct CreateArgs {
    #[command(flatten)]
    size: Size,
    /// Idle time after which the sandbox is paused: 90, 15m, 2h (default: never)
    #[arg(long, value_name = "TIME", value_parser = values::seconds)]
    timeout: Option<u32>,
    /// Time after which the sandbox expires, idle or not (default: never)
    #[arg(long, value_name = "TIME", value_parser = values::seconds)]
    expires_in: Option<u32>,
    /// Action when the sandbox expires
    #[arg(
        long,
        value_enum,
        value_name = "ACTION",
        default_value = "kill",
        requires = "expires_in"
    )]
    on_expiry: Expiry,
    /// Environment variable of every command (repeatable); NAME alone passes on your own value
    #[arg(short, long, value_name = "NAME[=VALUE]", value_parser = values::variable)]
    env: Vec<Variable>,
    /// Label of the sandbox (repeatable)
    #[arg(short, long, value_name = "NAME=VALUE", value_parser = values::label)]
    label: Vec<(String, String)>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Expiry {
    Kill,
    Pause,
}

#[derive(Debug, Args)]
pub struct ListArgs {
    /// Print only ids
    #[arg(short, long, conflicts_with = "json")]
    quiet: bool,
    /// Also sandboxes that ended in the last seven days
    #[arg(short, long)]
    all: bool,
    /// Only sandboxes in this state (repeatable)
    #[arg(long, visible_alias = "state", value_enum, value_name = "STATUS")]
    status: Vec<Status>,
    /// Only sandboxes with this label (repeatable)
    #[arg(short, long, value_name = "NAME[=VALUE]", value_parser = values::label_filter)]
    label: Vec<String>,
    /// Only sandboxes of this template
    #[arg(long, value_name = "NAME")]
    template: Option<String>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Status {
    Pending,
    Starting,
    Running,
    Paused,
    Missing,
    Stopped,
    Error,
}

impl From<Status> for SandboxStatus {
    fn from(status: Status) -> Self {
        match status {
            Status::Pending => Self::Pending,
            Status::Starting => Self::Starting,
            Status::Running => Self::Running,
            Status::Paused => Self::Paused,
            Status::Missing => Self::Missing,
            Status::Stopped => Self::Stopped,
            Status::Error => Self::Error,
        }
    }
}

#[derive(Debug, Args)]
pub struct SomeArgs {
    /// Ids of sandboxes, or the beginnings of ids
    #[arg(required = true, value_name = "ID")]
    ids: Vec<String>,
    /// Print JSON: a list of the sandboxes for which the command succeeded
    #[arg(long)]
    json: bool,
}

pub(crate) async fn run(command: SandboxCommand) -> anyhow::Result<ExitCode> {
    let client = messages::connect()?;
    match command {
        SandboxCommand::Create(args) => create(&client, args).await,
        SandboxCommand::Ls(args) => ls(&client, args).await,
        SandboxCommand::Get { id, json } => get(&client, &id, json).await,
        SandboxCommand::Exec(args) => crate::exec::exec(args).await,
        SandboxCommand::Shell(args) => crate::exec::shell(args).await,
        SandboxCommand::Cp(args) => copy::run(&client, &args).await,
        SandboxCommand::Ports(args) => ports::ports(&client, &args).await,
        SandboxCommand::Url(args) => ports::url(&client, &args).await,
        SandboxCommand::Pause(args) => {
            each_found(&client, (&args.ids, args.json), async |id| {
                client.pause_sandbox(id).await
            })
            .await
        }
        SandboxCommand::Resume(args) => {
            each_found(&client, (&args.ids, args.json), async |id| {
                client.resume_sandbox(id).await
            })
            .await
        }
        SandboxCommand::Kill(args) => {
            let kill = async |id| client.destroy_sandbox(id).await.map(|()| Killed { id });
            each_found(&client, (&args.ids, args.json), kill).await
        }
    }
}

async fn create(client: &Client, args: CreateArgs) -> anyhow::Result<ExitCode> {
    let on_timeout = match args.on_expiry {
        Expiry::Kill => OnTimeout::Kill,
        Expiry::Pause => OnTimeout::Pause,
    };
    let request = CreateSandboxRequest {
        timeout_sec: args.timeout.map(i64::from),
        expires_in_sec: args.expires_in.map(i64::from),
        on_timeout: args.expires_in.map(|_| on_timeout),
        envs: args.env.iter().filter_map(Variable::pair).collect(),
        labels: args.label.into_iter().collect(),
        ..args.size.request()
    };
    let sandbox = client.create_sandbox(&request).await?;
    if args.json {
        printer::json(&sandbox)?;
    } else {
        printer::print_line(&sandbox.id.to_string());
    }
    Ok(ExitCode::SUCCESS)
}

async fn get(client: &Client, id: &str, json: bool) -> anyhow::Result<ExitCode> {
    let id = Finder::new(client).find(id).await?;
    let sandbox = client.get_sandbox(id).await?;
    if json {
        printer::json(&sandbox)?;
        return Ok(ExitCode::SUCCESS);
    }
    let mut clock = None;
    if sandbox.status == SandboxStatus::Running {
        match client.sandbox_clock(id).await {
            Ok(known) => clock = Some(known),
            Err(error) => {
                let why = messages::sentence(&error.into());
                printer::print_message(&format!("note: what keeps it awake is not known: {why}"));
            }
        }
    }
    let details = list::details(&sandbox, clock.as_ref(), environment::now());
    printer::print_line(&details);
    Ok(ExitCode::SUCCESS)
}

async fn ls(client: &Client, args: ListArgs) -> anyhow::Result<ExitCode> {
    let filter = SandboxFilter {
        statuses: args.status.into_iter().map(Into::into).collect(),
        ended: args.all,
        labels: args.label,
        template: args.template,
    };
    let sandboxes = client.find_sandboxes(&filter).await?;
    if args.json {
        printer::json(&sandboxes)?;
    } else if args.quiet {
        for sandbox in &sandboxes {
            printer::print_line(&sandbox.id.to_string());
        }
    } else {
        printer::print_line(&list::table(&sandboxes, environment::now()));
    }
    Ok(ExitCode::SUCCESS)
}

/// A sandbox that was destroyed.
#[derive(Serialize)]
struct Killed {
    id: SandboxId,
}

impl Answer for Killed {
    fn id(&self) -> String {
        self.id.to_string()
    }
}

impl Answer for Sandbox {
    fn id(&self) -> String {
        self.id.to_string()
    }
}
