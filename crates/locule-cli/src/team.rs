//! `locule team …`: the teams of whoever is logged in, and the one that the login is for.

use std::process::ExitCode;

use anyhow::{Context as _, bail};
use clap::{Args, Subcommand, ValueEnum};
use locule_api::{Member, Role, TeamWithRole};
use locule_client::Client;
use locule_ids::TeamId;
use serde::Serialize;

use crate::account::{self, connect};
use crate::list::columns;
use crate::printer::{self, harmless};

#[derive(Debug, Subcommand)]
pub enum TeamCommand {
    /// List your teams; the login is for the one with a star
    #[command(visible_alias = "list")]
    Ls(Plain),
    /// Make a team, and use it
    Create {
        name: String,
        #[command(flatten)]
        plain: Plain,
    },
    /// Use another team from now on
    Use {
        /// Name, slug or id
        team: String,
        #[command(flatten)]
        plain: Plain,
    },
    /// Give the team another name
    Rename {
        name: String,
        #[command(flatten)]
        plain: Plain,
    },
    /// Delete the team with everything it runs
    Delete {
        /// The team's name, so that it is not another one
        name: String,
        #[command(flatten)]
        plain: Plain,
    },
    /// List who is in the team
    Members(Plain),
    /// Add somebody who has an account
    Add {
        email: String,
        #[command(flatten)]
        plain: Plain,
    },
    /// Say what somebody is in the team
    Role {
        email: String,
        #[arg(value_enum)]
        role: Rank,
        #[command(flatten)]
        plain: Plain,
    },
    /// Remove somebody, and the keys they made for the team
    Remove {
        email: String,
        #[command(flatten)]
        plain: Plain,
    },
    /// Leave the team
    Leave(Plain),
}

#[derive(Debug, Clone, Copy, Args)]
pub struct Plain {
    /// Print JSON
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
pub enum Rank {
    Admin,
    Member,
}

/// Something that was done to a team.
#[derive(Serialize)]
struct Done<'a> {
    team_id: TeamId,
    #[serde(skip_serializing_if = "Option::is_none")]
    email: Option<&'a str>,
}

pub(crate) async fn run(command: TeamCommand) -> anyhow::Result<ExitCode> {
    let (client, login) = connect()?;
    match command {
        TeamCommand::Ls(plain) => list(&client, plain).await?,
        TeamCommand::Create { name, plain } => {
            let made = client.create_team(&name).await?;
            let session = client.switch_team(made.team.id).await?;
            account::keep(&login.url, &session)?;
            show(&made, plain)?;
        }
        TeamCommand::Use { team, plain } => {
            let teams = client.list_teams().await?;
            let chosen = choose(&teams, &team)?;
            let session = client.switch_team(chosen.team.id).await?;
            account::keep(&login.url, &session)?;
            show(chosen, plain)?;
        }
        TeamCommand::Rename { name, plain } => {
            let team = current(&client).await?;
            client.rename_team(team, &name).await?;
            done(team, None, plain)?;
        }
        TeamCommand::Delete { name, plain } => {
            let team = current(&client).await?;
            let teams = client.list_teams().await?;
            if choose(&teams, &name)?.team.id != team {
                bail!("the login is for another team: `locule team use` this one first");
            }
            client.delete_team(team).await?;
            done(team, None, plain)?;
        }
        TeamCommand::Leave(plain) => {
            let team = current(&client).await?;
            client.leave_team(team).await?;
            done(team, None, plain)?;
        }
        TeamCommand::Members(plain) => members(&client, plain).await?,
        TeamCommand::Add { email, plain } => {
            let team = current(&client).await?;
            let added = client.add_member(team, &email).await?;
            done(team, Some(&added.email), plain)?;
        }
        TeamCommand::Role { email, role, plain } => {
            let team = current(&client).await?;
            let member = find(&client, team, &email).await?;
            let role = match role {
                Rank::Admin => Role::Admin,
                Rank::Member => Role::Member,
            };
            client.set_member_role(team, member.user_id, role).await?;
            done(team, Some(&member.email), plain)?;
        }
        TeamCommand::Remove { email, plain } => {
            let team = current(&client).await?;
            let member = find(&client, team, &email).await?;
            client.remove_member(team, member.user_id).await?;
            done(team, Some(&member.email), plain)?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// The team that the login is for.
async fn current(client: &Client) -> anyhow::Result<TeamId> {
    let me = client.me().await?;
    me.team_id
        .context("you are in no team: `locule team use` or `locule team create`")
}

/// By its name, slug or id.
fn choose<'a>(teams: &'a [TeamWithRole], text: &str) -> anyhow::Result<&'a TeamWithRole> {
    let is_meant = |one: &&TeamWithRole| {
        one.team.name == text || one.team.slug == text || one.team.id.to_string() == text
    };
    let meant: Vec<&TeamWithRole> = teams.iter().filter(is_meant).collect();
    match meant[..] {
        [one] => Ok(one),
        [] => bail!("you are in no team called {text:?}: `locule team ls` lists yours"),
        _ => bail!("several of your teams are called {text:?}: name one by its slug"),
    }
}

async fn find(client: &Client, team: TeamId, email: &str) -> anyhow::Result<Member> {
    let members = client.list_members(team).await?;
    let is_meant = |member: &Member| member.email.eq_ignore_ascii_case(email.trim());
    members
        .into_iter()
        .find(is_meant)
        .with_context(|| format!("{email} is not in the team: `locule team members` lists who is"))
}

fn show(team: &TeamWithRole, plain: Plain) -> anyhow::Result<()> {
    if plain.json {
        return printer::json(team);
    }
    printer::say(&team.team.id.to_string());
    Ok(())
}

fn done(team_id: TeamId, email: Option<&str>, plain: Plain) -> anyhow::Result<()> {
    if plain.json {
        return printer::json(&Done { team_id, email });
    }
    Ok(())
}

async fn list(client: &Client, plain: Plain) -> anyhow::Result<()> {
    let teams = client.list_teams().await?;
    if plain.json {
        return printer::json(&teams);
    }
    let current = client.me().await?.team_id;
    let rows = teams.iter().map(|one| {
        let star = if Some(one.team.id) == current {
            "*"
        } else {
            ""
        };
        [
            star.to_owned(),
            harmless(&one.team.name),
            one.team.slug.clone(),
            one.role.to_string(),
        ]
    });
    printer::say(&columns(["", "NAME", "SLUG", "ROLE"], rows));
    Ok(())
}

async fn members(client: &Client, plain: Plain) -> anyhow::Result<()> {
    let members = client.list_members(current(client).await?).await?;
    if plain.json {
        return printer::json(&members);
    }
    let rows = members.iter().map(|member| {
        let name = harmless(&member.name);
        [name, member.email.clone(), member.role.to_string()]
    });
    printer::say(&columns(["NAME", "EMAIL", "ROLE"], rows));
    Ok(())
}
