//! `locule host …`: the machines that run sandboxes, for platform administrators and for teams that bring their own hosts.

mod drain;
mod import;
mod text;

use std::process::ExitCode;

use anyhow::bail;
use clap::{Args, Subcommand};
use locule_api::{CreateHostRequest, Host, HostType};
use locule_client::{Client, ClientError, HostToRegister};
use locule_ids::{HostId, TeamId};
use serde::Serialize;

use self::drain::DrainArgs;
use self::import::ImportArgs;
use crate::account::connect;
use crate::each::{Answer, each_found};
use crate::find::{self, Finder};
use crate::printer::{self, without_control_characters};
use crate::{environment, team};

#[derive(Debug, Subcommand)]
pub enum HostCommand {
    /// Add a host; prints the command that registers the new machine
    Add(AddArgs),
    /// List hosts, oldest first
    #[command(visible_alias = "list")]
    Ls {
        /// Print only ids
        #[arg(short, long, conflicts_with = "json")]
        quiet: bool,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Show one host, its sandboxes, and its free memory and disk
    #[command(visible_alias = "get", alias = "inspect")]
    Show(One),
    /// List the tags of a host, and add or remove some
    Tags {
        #[command(flatten)]
        one: One,
        /// Tag to add (repeatable)
        #[arg(long, value_name = "TAG")]
        add: Vec<String>,
        /// Tag to remove (repeatable)
        #[arg(long, value_name = "TAG")]
        remove: Vec<String>,
    },
    /// Give hosts no new sandboxes; sandboxes that they have stay
    Cordon(Several),
    /// Give hosts new sandboxes again, and end a drain
    Uncordon(Several),
    /// Free a host of running sandboxes: cordon the host, and pause its running sandboxes or wait for their end
    Drain(DrainArgs),
    /// Delete a host from the platform; refused while sandboxes are on the host, unless --force is given, which destroys them
    #[command(visible_alias = "delete")]
    Rm {
        #[command(flatten)]
        one: One,
        /// Delete the host with its sandboxes; needs the complete id, as a confirmation
        #[arg(long)]
        force: bool,
    },
    /// Make hosts accept the database although they have seen later writes, after the restore of a backup; for platform administrators
    AcceptDatabase(Several),
    /// Import sandboxes that a host holds and that are not in the database, as after the restore of a backup
    Import(ImportArgs),
    /// Create a new registration token for a host that has not registered; earlier tokens become invalid
    Token(One),
}

#[derive(Debug, Args)]
pub struct AddArgs {
    /// Team that brings the host, and whose sandboxes alone run on it: name, slug or id (default: a host of the platform)
    #[arg(long)]
    team: Option<String>,
    /// Provider of the machine, such as hetzner
    #[arg(long)]
    provider: Option<String>,
    /// Availability zone of the machine
    #[arg(long)]
    zone: Option<String>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Args)]
pub struct One {
    /// Id of the host, or the beginning of the id
    id: String,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Args)]
pub struct Several {
    /// Ids of hosts, or the beginnings of ids
    #[arg(required = true, value_name = "ID")]
    ids: Vec<String>,
    /// Print JSON: a list of the hosts for which the command succeeded
    #[arg(long)]
    json: bool,
}

/// The JSON output of a deletion.
#[derive(Serialize)]
struct Deleted {
    id: HostId,
}

pub(crate) async fn run(command: HostCommand) -> anyhow::Result<ExitCode> {
    let (client, _) = connect()?;
    match command {
        HostCommand::Add(args) => add(&client, args).await?,
        HostCommand::Ls { quiet, json } => ls(&client, quiet, json).await?,
        HostCommand::Show(one) => show(&client, &one).await?,
        HostCommand::Tags { one, add, remove } => tags(&client, &one, &add, &remove).await?,
        HostCommand::Cordon(some) => {
            let cordon = async |id| client.set_host_cordoned(id, true).await;
            return each_found(&client, (&some.ids, some.json), cordon).await;
        }
        HostCommand::Uncordon(some) => {
            let uncordon = async |id| client.set_host_cordoned(id, false).await;
            return each_found(&client, (&some.ids, some.json), uncordon).await;
        }
        HostCommand::AcceptDatabase(some) => {
            let accept = async |id| client.accept_database(id).await;
            return each_found(&client, (&some.ids, some.json), accept).await;
        }
        HostCommand::Drain(args) => drain::run(&client, &args).await?,
        HostCommand::Rm { one, force } => rm(&client, &one, force).await?,
        HostCommand::Import(args) => return import::run(&client, &args).await,
        HostCommand::Token(one) => {
            let id = Finder::new(&client).find(&one.id).await?;
            let created = client.create_host_token(id).await?;
            show_created(&created, one.json)?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

async fn add(client: &Client, args: AddArgs) -> anyhow::Result<()> {
    let team_id = match &args.team {
        Some(team) => Some(find_team(client, team).await?),
        None => None,
    };
    let request = CreateHostRequest {
        kind: match team_id {
            Some(_) => HostType::Byoc,
            None => HostType::Regular,
        },
        team_id,
        provider: args.provider,
        availability_zone: args.zone,
    };
    show_created(&client.create_host(&request).await?, args.json)
}

/// A team by its name, slug or id. A platform administrator may name a team of other people by its id.
async fn find_team(client: &Client, text: &str) -> anyhow::Result<TeamId> {
    if let Ok(id) = text.parse() {
        return Ok(id);
    }
    Ok(team::choose(&client.list_teams().await?, text)?.team.id)
}

/// Prints the command for the new machine, and about the command on standard error.
fn show_created(created: &HostToRegister, json: bool) -> anyhow::Result<()> {
    if json {
        return printer::json(created);
    }
    let (command, notes) = text::registration(created);
    printer::print_message(&format!(
        "added the host {}; run this command on its machine, as root, within an hour:",
        created.host.id
    ));
    printer::print_line(&command);
    for note in notes {
        printer::print_message(&format!("note: {note}"));
    }
    Ok(())
}

async fn ls(client: &Client, quiet: bool, json: bool) -> anyhow::Result<()> {
    let hosts = client.list_hosts().await?;
    if json {
        return printer::json(&hosts);
    }
    if quiet {
        for host in &hosts {
            printer::print_line(&host.id.to_string());
        }
    } else {
        printer::print_line(&text::table(&hosts, environment::now()));
    }
    Ok(())
}

/// A host with everything that is known about it.
#[derive(Serialize)]
struct Shown<'a> {
    #[serde(flatten)]
    host: &'a Host,
    tags: &'a [String],
    sandboxes: &'a [locule_api::HostSandbox],
    /// `null`: the host does not answer.
    quarantine: Option<&'a [locule_api::QuarantinedSandbox]>,
}

async fn show(client: &Client, one: &One) -> anyhow::Result<()> {
    let id = Finder::new(client).find(&one.id).await?;
    let host = client.get_host(id).await?;
    let tags = client.list_host_tags(id).await?;
    let sandboxes = client.list_host_sandboxes(id).await?;
    let quarantine = import::quarantine(client, id).await?;
    if one.json {
        return printer::json(&Shown {
            host: &host,
            tags: &tags,
            sandboxes: &sandboxes,
            quarantine: quarantine.as_deref(),
        });
    }
    let now = environment::now();
    printer::print_line(&text::details(&host, &tags, now));
    if !sandboxes.is_empty() {
        printer::print_line("");
        printer::print_line(&text::sandboxes(&sandboxes, now));
    }
    if let Some(quarantine) = quarantine.filter(|held| !held.is_empty()) {
        printer::print_line("");
        printer::print_line(&import::shown(id, &quarantine, now));
    }
    Ok(())
}

async fn tags(client: &Client, one: &One, add: &[String], remove: &[String]) -> anyhow::Result<()> {
    let id = Finder::new(client).find(&one.id).await?;
    for tag in add {
        client.add_host_tag(id, tag).await?;
    }
    for tag in remove {
        client.remove_host_tag(id, tag).await?;
    }
    let tags = client.list_host_tags(id).await?;
    if one.json {
        return printer::json(&tags);
    }
    for tag in &tags {
        printer::print_line(&without_control_characters(tag));
    }
    Ok(())
}

impl Answer for Host {
    fn id(&self) -> String {
        self.id.to_string()
    }
}

async fn rm(client: &Client, one: &One, force: bool) -> anyhow::Result<()> {
    let id = match find::complete(&one.id) {
        Some(id) => id,
        None if force => {
            bail!(
                "--force needs the complete id of the host, as a confirmation: `locule host ls` lists the ids"
            )
        }
        None => Finder::new(client).find(&one.id).await?,
    };
    match client.delete_host(id, force).await {
        Err(error) if error.code() == Some("has_active_sandboxes") => {
            refused(client, id, error).await?;
        }
        deleted => deleted?,
    }
    if one.json {
        return printer::json(&Deleted { id });
    }
    printer::print_line(&id.to_string());
    Ok(())
}

/// Lists the sandboxes that keep a host from being deleted, and says what to do.
async fn refused(client: &Client, id: HostId, error: ClientError) -> anyhow::Result<()> {
    let preview = client.preview_host_deletion(id).await?;
    printer::print_message(&text::sandboxes(&preview.sandboxes, environment::now()));
    bail!(
        "{error}: run `locule host drain {id} --pause` first, or delete the host with its sandboxes by `locule host rm {id} --force`"
    )
}
