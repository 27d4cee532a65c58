//! `locule team …`: the teams of the logged-in user, and the current team of the login.

use std::process::ExitCode;

use anyhow::{Context as _, bail};
use clap::{Args, Subcommand, ValueEnum};
use locule_api::{CreatedSandboxes, Member, MemberStatus, Role, TeamWithRole};
use locule_client::Client;
use locule_ids::TeamId;
use serde::Serialize;

use crate::account::{self, connect};
use crate::created;
use crate::list::columns;
use crate::printer::{self, without_control_characters};

#[derive(Debug, Subcommand)]
pub enum TeamCommand {
    /// List your teams; a star marks the current team
    #[command(visible_alias = "list")]
    Ls(Plain),
    /// Create a team and switch to it
    Create {
        name: String,
        #[command(flatten)]
        plain: Plain,
    },
    /// Switch to another team
    Use {
        /// Name, slug or id of the team
        team: String,
        #[command(flatten)]
        plain: Plain,
    },
    /// Rename the current team
    Rename {
        name: String,
        #[command(flatten)]
        plain: Plain,
    },
    /// Delete the current team with its sandboxes and API keys
    Delete {
        /// Name, slug or id of the current team, as a confirmation
        name: String,
        #[command(flatten)]
        plain: Plain,
    },
    /// List the members of the current team, and the people who were invited
    Members(Plain),
    /// Invite a person to the current team; prints the link of the invitation when the server has no mail server to send it
    Add {
        email: String,
        #[command(flatten)]
        plain: Plain,
    },
    /// Accept an invitation to a team
    Accept {
        /// Link or token of the invitation
        invitation: String,
        #[command(flatten)]
        plain: Plain,
    },
    /// Change the role of a member
    Role {
        email: String,
        #[arg(value_enum)]
        role: RoleArg,
        #[command(flatten)]
        plain: Plain,
    },
    /// Remove a member and the API keys that the member created for the team, or an invitation; lists the sandboxes of the member
    Remove {
        email: String,
        #[command(flatten)]
        plain: Plain,
    },
    /// Leave the current team
    Leave(Plain),
}

#[derive(Debug, Clone, Copy, Args)]
pub struct Plain {
    /// Print JSON
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
pub enum RoleArg {
    Admin,
    Member,
}

/// The JSON output of a change.
#[derive(Serialize)]
struct Done<'a> {
    team_id: TeamId,
    #[serde(skip_serializing_if = "Option::is_none")]
    email: Option<&'a str>,
    /// The link of an invitation.
    #[serde(skip_serializing_if = "Option::is_none")]
    link: Option<&'a str>,
}

/// The JSON output of a removal.
#[derive(Serialize)]
struct Removed<'a> {
    team_id: TeamId,
    email: &'a str,
    #[serde(flatten)]
    created: &'a CreatedSandboxes,
}

pub(crate) async fn run(command: TeamCommand) -> anyhow::Result<ExitCode> {
    let (client, login) = connect()?;
    match command {
        TeamCommand::Ls(plain) => list(&client, plain).await?,
        TeamCommand::Create { name, plain } => {
            let made = client.create_team(&name).await?;
            let session = client.switch_team(made.team.id).await?;
            account::store(&login.url, &session)?;
            show(&made, plain)?;
        }
        TeamCommand::Use { team, plain } => {
            let teams = client.list_teams().await?;
            let chosen = choose(&teams, &team)?;
            let session = client.switch_team(chosen.team.id).await?;
            account::store(&login.url, &session)?;
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
                bail!("the login is for another team: switch with `locule team use` first");
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
        TeamCommand::Add { email, plain } => invite(&client, &email, plain).await?,
        TeamCommand::Accept { invitation, plain } => {
            let token = account::invitation_token(&invitation)?;
            let joined = client.accept_invitation(token).await?;
            show(&joined, plain)?;
        }
        TeamCommand::Role { email, role, plain } => {
            set_role(&client, &email, role, plain).await?;
        }
        TeamCommand::Remove { email, plain } => {
            let team = current(&client).await?;
            let member = find(&client, team, &email).await?;
            let created = client.remove_member(team, member.user_id).await?;
            if plain.json {
                printer::json(&Removed {
                    team_id: team,
                    email: &member.email,
                    created: &created,
                })?;
            } else {
                created::show(&created, &member.email);
            }
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// Invites a person to the current team, and prints the link if the server does not send it.
async fn invite(client: &Client, email: &str, plain: Plain) -> anyhow::Result<()> {
    let team_id = current(client).await?;
    let invited = client.add_member(team_id, email).await?;
    let link = invited.link.as_deref();
    if plain.json {
        let email = Some(invited.email.as_str());
        return printer::json(&Done {
            team_id,
            email,
            link,
        });
    }
    if let Some(link) = link {
        printer::print_line(&without_control_characters(link));
    }
    Ok(())
}

async fn set_role(client: &Client, email: &str, role: RoleArg, plain: Plain) -> anyhow::Result<()> {
    let team = current(client).await?;
    let member = find(client, team, email).await?;
    if member.status == MemberStatus::Invited {
        bail!("{email} has not accepted the invitation yet");
    }
    let role = match role {
        RoleArg::Admin => Role::Admin,
        RoleArg::Member => Role::Member,
    };
    client.set_member_role(team, member.user_id, role).await?;
    done(team, Some(&member.email), plain)
}

/// The current team of the login.
async fn current(client: &Client) -> anyhow::Result<TeamId> {
    let me = client.me().await?;
    me.team_id
        .context("the login has no current team: run `locule team use` or `locule team create`")
}

/// Finds a team by its name, slug or id.
pub(crate) fn choose<'a>(
    teams: &'a [TeamWithRole],
    text: &str,
) -> anyhow::Result<&'a TeamWithRole> {
    let is_meant = |one: &&TeamWithRole| {
        one.team.name == text || one.team.slug == text || one.team.id.to_string() == text
    };
    let meant: Vec<&TeamWithRole> = teams.iter().filter(is_meant).collect();
    match meant[..] {
        [one] => Ok(one),
        [] => bail!("no team of this account is called {text:?}: `locule team ls` lists the teams"),
        _ => bail!("several teams of this account are called {text:?}: use the slug instead"),
    }
}

async fn find(client: &Client, team: TeamId, email: &str) -> anyhow::Result<Member> {
    let members = client.list_members(team).await?;
    let is_meant = |member: &Member| member.email.eq_ignore_ascii_case(email.trim());
    members.into_iter().find(is_meant).with_context(|| {
        format!("{email} is not a member of the team: `locule team members` lists the members")
    })
}

fn show(team: &TeamWithRole, plain: Plain) -> anyhow::Result<()> {
    if plain.json {
        return printer::json(team);
    }
    printer::print_line(&team.team.id.to_string());
    Ok(())
}

fn done(team_id: TeamId, email: Option<&str>, plain: Plain) -> anyhow::Result<()> {
    if plain.json {
        let link = None;
        return printer::json(&Done {
            team_id,
            email,
            link,
        });
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
            without_control_characters(&one.team.name),
            one.team.slug.clone(),
            one.role.to_string(),
        ]
    });
    printer::print_line(&columns(["", "NAME", "SLUG", "ROLE"], rows));
    Ok(())
}

async fn members(client: &Client, plain: Plain) -> anyhow::Result<()> {
    let members = client.list_members(current(client).await?).await?;
    if plain.json {
        return printer::json(&members);
    }
    let rows = members.iter().map(|member| {
        let name = without_control_characters(&member.name);
        [
            name,
            member.email.clone(),
            member.role.to_string(),
            member.status.to_string(),
        ]
    });
    printer::print_line(&columns(["NAME", "EMAIL", "ROLE", "STATUS"], rows));
    Ok(())
}
