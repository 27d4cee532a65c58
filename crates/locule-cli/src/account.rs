//! `locule login`, `logout`, `whoami`.

use std::io::{IsTerminal as _, Read as _};
use std::process::ExitCode;

use anyhow::{Context as _, bail};
use clap::Args;
use locule_api::AuthResponse;
use locule_client::{Client, ClientError};
use locule_ids::TeamId;
use serde::Serialize;

use crate::environment::{self, Login, Person};
use crate::printer;

/// Longer ones are no passwords.
const PASSWORD_BYTES_MAX: u64 = 4096;

#[derive(Debug, Args)]
pub struct LoginArgs {
    /// The server (default: that of the environment, else the last local one)
    #[arg(long)]
    url: Option<String>,
    /// Who logs in; the password is read from standard input (default: the local server's first person)
    #[arg(long)]
    email: Option<String>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Args)]
pub struct LogoutArgs {
    /// Every login of the account, not only this one
    #[arg(long)]
    all: bool,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// Who is logged in, where, and for which team.
#[derive(Serialize)]
struct LoggedIn {
    url: String,
    email: String,
    name: String,
    team_id: Option<TeamId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    team: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    role: Option<String>,
}

/// A client with the login that is kept, and what it is for.
pub(crate) fn connect() -> anyhow::Result<(Client, Login)> {
    let login = environment::login()?;
    Ok((Client::with_token(&login.url, &login.token)?, login))
}

/// What a refusal means to somebody with a login.
pub(crate) fn explained(error: anyhow::Error) -> anyhow::Error {
    let code = error.downcast_ref().and_then(ClientError::code);
    match code {
        Some("unauthorized") => anyhow::anyhow!("the login is over: `locule login`"),
        Some("no_team") => anyhow::anyhow!(
            "you are not in the team of this login any more: `locule team use` another one"
        ),
        _ => error,
    }
}

/// Keeps what a login, or a switch to another team, was answered with.
pub(crate) fn keep(url: &str, session: &AuthResponse) -> anyhow::Result<()> {
    environment::keep_login(&Login {
        url: url.to_owned(),
        email: session.email.clone(),
        token: session.token.clone(),
    })
}

pub(crate) async fn login(args: LoginArgs) -> anyhow::Result<ExitCode> {
    let (url, known) = match args.url {
        Some(url) => (url, None),
        None => environment::server()?,
    };
    let person = match (args.email, known) {
        (Some(email), _) => Person {
            email,
            password: password()?,
        },
        (None, Some(person)) => person,
        (None, None) => bail!("say who logs in: --email"),
    };
    let client = Client::anonymous(&url)?;
    let session = match client.login(&person.email, &person.password).await {
        Err(error) if error.code() == Some("unauthorized") => {
            bail!("the e-mail address or the password is wrong")
        }
        session => session?,
    };
    keep(&url, &session)?;
    let logged_in = LoggedIn {
        url,
        email: session.email,
        name: session.name,
        team_id: session.team_id,
        team: None,
        role: None,
    };
    if args.json {
        printer::json(&logged_in)?;
    } else {
        let LoggedIn { url, email, .. } = &logged_in;
        printer::complain(&format!("logged in at {url} as {email}"));
    }
    Ok(ExitCode::SUCCESS)
}

/// One line of standard input, which is not shown by whoever pipes it in.
fn password() -> anyhow::Result<String> {
    let stdin = std::io::stdin();
    if stdin.is_terminal() {
        bail!("the password is read from standard input: printf %s \"$PASSWORD\" | locule login …");
    }
    let mut text = String::new();
    let mut bounded = stdin.lock().take(PASSWORD_BYTES_MAX);
    bounded
        .read_to_string(&mut text)
        .context("cannot read the password")?;
    Ok(text.trim_end_matches(['\r', '\n']).to_owned())
}

pub(crate) async fn logout(args: &LogoutArgs) -> anyhow::Result<ExitCode> {
    let (client, login) = connect()?;
    let ended = client.logout(args.all).await;
    match ended {
        // It was over already.
        Err(error) if error.code() == Some("unauthorized") => {}
        ended => ended?,
    }
    environment::forget_login()?;
    if args.json {
        printer::json(&serde_json::json!({ "url": login.url, "email": login.email }))?;
    }
    Ok(ExitCode::SUCCESS)
}

pub(crate) async fn whoami(json: bool) -> anyhow::Result<ExitCode> {
    let (client, login) = connect()?;
    let me = client.me().await?;
    let teams = client.list_teams().await?;
    let team_id = me.team_id;
    let own = teams.into_iter().find(|one| Some(one.team.id) == team_id);
    let logged_in = LoggedIn {
        url: login.url,
        email: me.email,
        name: me.name,
        team_id: own.as_ref().map(|one| one.team.id),
        role: own.as_ref().map(|one| one.role.to_string()),
        team: own.map(|one| one.team.name),
    };
    if json {
        printer::json(&logged_in)?;
        return Ok(ExitCode::SUCCESS);
    }
    let team = match (&logged_in.team, &logged_in.role) {
        (Some(team), Some(role)) => format!("{team} ({role})"),
        _ => "none: `locule team use` or `locule team create`".to_owned(),
    };
    for (name, value) in [
        ("name", &logged_in.name),
        ("email", &logged_in.email),
        ("team", &team),
        ("server", &logged_in.url),
    ] {
        printer::say(&format!("{name:<15} {}", printer::harmless(value)));
    }
    Ok(ExitCode::SUCCESS)
}
