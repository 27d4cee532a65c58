//! `locule signup`, `login`, `logout`, `whoami`.

use std::io::{IsTerminal as _, Read as _};
use std::process::ExitCode;

use anyhow::{Context as _, bail};
use clap::Args;
use locule_api::{AuthResponse, SignupRequest, SignupResponse};
use locule_client::{Client, ClientError};
use locule_ids::TeamId;
use serde::Serialize;

use crate::environment::{self, AccountCredentials, Login};
use crate::printer;

/// Limit of the input that is read as a password.
const PASSWORD_BYTES_MAX: u64 = 4096;

#[derive(Debug, Args)]
pub struct LoginArgs {
    /// Address of the server (default: `LOCULE_URL`, else the last local server)
    #[arg(long)]
    url: Option<String>,
    /// E-mail address of the account; the password is read from standard input (default: the first account of the local server)
    #[arg(long)]
    email: Option<String>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Args)]
pub struct SignupArgs {
    /// Address of the server (default: `LOCULE_URL`, else the last local server)
    #[arg(long)]
    url: Option<String>,
    /// E-mail address of the account; the password is read from standard input
    #[arg(long)]
    email: String,
    /// Name of the person
    #[arg(long)]
    name: String,
    /// Link or token of an invitation to a team, which the account joins
    #[arg(long)]
    invitation: Option<String>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Args)]
pub struct LogoutArgs {
    /// End every login of the account, not only this one
    #[arg(long)]
    all: bool,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// The current login, its server and its team.
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

/// A client with the stored login.
pub(crate) fn connect() -> anyhow::Result<(Client, Login)> {
    let login = environment::login()?;
    Ok((Client::with_token(&login.url, &login.token)?, login))
}

/// Explains the refusal of a login.
pub(crate) fn explained(error: anyhow::Error) -> anyhow::Error {
    let code = error.downcast_ref().and_then(ClientError::code);
    match code {
        Some("unauthorized") => {
            anyhow::anyhow!("the login has expired or was ended: run `locule login`")
        }
        Some("no_team") => anyhow::anyhow!(
            "the account is no longer a member of the current team: switch with `locule team use`"
        ),
        _ => error,
    }
}

/// Stores the session that a login or a switch to another team returned.
pub(crate) fn store(url: &str, session: &AuthResponse) -> anyhow::Result<()> {
    environment::store_login(&Login {
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
        (Some(email), _) => AccountCredentials {
            email,
            password: password()?,
        },
        (None, Some(person)) => person,
        (None, None) => bail!("the e-mail address of the account is missing: give --email"),
    };
    // A token of an earlier login exempts this one from the limits on the failed logins of others.
    let client = match environment::login() {
        Ok(earlier) if earlier.url == url => Client::with_token(&url, &earlier.token)?,
        Ok(_) | Err(_) => Client::anonymous(&url)?,
    };
    let session = match client.login(&person.email, &person.password).await {
        Err(error) if error.code() == Some("unauthorized") => {
            bail!("the e-mail address or the password is wrong")
        }
        session => session?,
    };
    keep(url, session, args.json)
}

/// Stores a new session and prints whose it is.
fn keep(url: String, session: AuthResponse, json: bool) -> anyhow::Result<ExitCode> {
    store(&url, &session)?;
    let logged_in = LoggedIn {
        url,
        email: session.email,
        name: session.name,
        team_id: session.team_id,
        team: None,
        role: None,
    };
    if json {
        printer::json(&logged_in)?;
    } else {
        let LoggedIn { url, email, .. } = &logged_in;
        printer::print_message(&format!("logged in at {url} as {email}"));
    }
    Ok(ExitCode::SUCCESS)
}

pub(crate) async fn sign_up(args: SignupArgs) -> anyhow::Result<ExitCode> {
    let url = match args.url {
        Some(url) => url,
        None => environment::server()?.0,
    };
    let invitation = args
        .invitation
        .as_deref()
        .map(invitation_token)
        .transpose()?;
    let account = SignupRequest {
        email: args.email,
        password: password()?,
        name: args.name,
        invitation: invitation.map(str::to_owned),
    };
    match Client::anonymous(&url)?.sign_up(&account).await? {
        SignupResponse::LoggedIn(session) => keep(url, session, args.json),
        SignupResponse::MustActivate { message } => {
            if args.json {
                printer::json(&serde_json::json!({ "url": url, "message": message }))?;
            } else {
                printer::print_message(&message);
            }
            Ok(ExitCode::SUCCESS)
        }
    }
}

/// The token in the link of an invitation. A token alone is as good.
pub(crate) fn invitation_token(text: &str) -> anyhow::Result<&str> {
    let token = text.trim();
    let token = token
        .rsplit_once("token=")
        .map_or(token, |(_, token)| token);
    let is_token = !token.is_empty() && token.bytes().all(|byte| byte.is_ascii_hexdigit());
    if !is_token {
        bail!("{text:?} is neither the link nor the token of an invitation");
    }
    Ok(token)
}

/// Reads the password from standard input, which must not be a terminal: a terminal would show it.
fn password() -> anyhow::Result<String> {
    let stdin = std::io::stdin();
    if stdin.is_terminal() {
        bail!(
            "the password is read from standard input, which is a terminal: use printf %s \"$PASSWORD\" | locule …"
        );
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
        // The login had ended before.
        Err(error) if error.code() == Some("unauthorized") => {}
        ended => ended?,
    }
    environment::remove_login()?;
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
        _ => "none: run `locule team use` or `locule team create`".to_owned(),
    };
    for (name, value) in [
        ("name", &logged_in.name),
        ("email", &logged_in.email),
        ("team", &team),
        ("server", &logged_in.url),
    ] {
        printer::print_line(&format!(
            "{name:<15} {}",
            printer::without_control_characters(value)
        ));
    }
    Ok(ExitCode::SUCCESS)
}
