//! The environment of the user: the address of the server, the stored login, and environment variables.
//!
//! `LOCULE_URL` and `LOCULE_API_KEY` must be set together: a key is sent only to the server that it belongs to. Without them
//! the last local server is used, which left a pointer to its credentials in the home directory of the user.
//!
//! A login is stored next to that pointer, together with the address of its server.

#![expect(
    clippy::disallowed_methods,
    reason = "this module reads the environment of the user"
)]

use std::fs::File;
use std::io::{ErrorKind, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use anyhow::{Context as _, bail};
use serde::{Deserialize, Serialize};

const HELP: &str =
    "no server is configured: start one with `locule up`, or set LOCULE_URL and LOCULE_API_KEY";

/// Where the address of the server comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Origin {
    Variables,
    /// The credentials file of the local server.
    File(PathBuf),
}

pub(crate) struct Address {
    pub(crate) url: String,
    pub(crate) key: String,
    pub(crate) origin: Origin,
}

#[derive(Deserialize)]
struct Pointer {
    credentials: PathBuf,
}

#[derive(Deserialize)]
struct Credentials {
    url: String,
    api_key: String,
    email: Option<String>,
    password: Option<String>,
}

/// A login as it is stored.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct Login {
    pub(crate) url: String,
    pub(crate) email: String,
    pub(crate) token: String,
}

/// The credentials of an account.
pub(crate) struct AccountCredentials {
    pub(crate) email: String,
    pub(crate) password: String,
}

fn home() -> anyhow::Result<PathBuf> {
    let home = variable("HOME").context("HOME is not set")?;
    Ok(PathBuf::from(home).join(".config/locule"))
}

/// The stored login. An error when `LOCULE_URL` names another server.
pub(crate) fn login() -> anyhow::Result<Login> {
    const HELP: &str = "not logged in: run `locule login`";
    let path = home()?.join("login.json");
    let text = match std::fs::read(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == ErrorKind::NotFound => bail!(HELP),
        Err(error) => return Err(unreadable(&path, &error)),
    };
    let login: Login = parse(&text, &path)?;
    match variable("LOCULE_URL") {
        Some(url) if url != login.url => bail!(
            "logged in at {}, but LOCULE_URL is {url}: run `locule login`, or unset LOCULE_URL",
            login.url
        ),
        _ => Ok(login),
    }
}

/// Stores the login in a file that only its owner can read.
pub(crate) fn store_login(login: &Login) -> anyhow::Result<()> {
    let folder = home()?;
    let store = || -> std::io::Result<()> {
        std::fs::create_dir_all(&folder)?;
        let (path, new) = (folder.join("login.json"), folder.join("login.json.new"));
        let mut options = File::options();
        let options = options.write(true).create(true).truncate(true).mode(0o600);
        options.open(&new)?.write_all(&serde_json::to_vec(login)?)?;
        std::fs::rename(&new, &path)
    };
    store().with_context(|| format!("cannot store the login in {}", folder.display()))
}

pub(crate) fn remove_login() -> anyhow::Result<()> {
    let path = home()?.join("login.json");
    match std::fs::remove_file(&path) {
        Err(error) if error.kind() != ErrorKind::NotFound => {
            Err(error).with_context(|| format!("cannot remove {}", path.display()))
        }
        _ => Ok(()),
    }
}

/// The server to log in to without `--url`: `LOCULE_URL`, else the last local server, whose first account is known.
pub(crate) fn server() -> anyhow::Result<(String, Option<AccountCredentials>)> {
    if let Some(url) = variable("LOCULE_URL") {
        return Ok((url, None));
    }
    let (credentials, _) = local_credentials()?;
    let Credentials {
        url,
        email,
        password,
        ..
    } = credentials;
    let person = email.zip(password);
    let person = person.map(|(email, password)| AccountCredentials { email, password });
    Ok((url, person))
}

/// The value of a variable that is set and not empty.
pub(crate) fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

pub(crate) fn now() -> chrono::DateTime<chrono::Utc> {
    SystemTime::now().into()
}

pub(crate) fn address() -> anyhow::Result<Address> {
    match (variable("LOCULE_URL"), variable("LOCULE_API_KEY")) {
        (Some(url), Some(key)) => Ok(Address {
            url,
            key,
            origin: Origin::Variables,
        }),
        (Some(_), None) => {
            bail!("LOCULE_URL is set but LOCULE_API_KEY is not: set both or neither")
        }
        (None, Some(_)) => {
            bail!("LOCULE_API_KEY is set but LOCULE_URL is not: set both or neither")
        }
        (None, None) => local(),
    }
}

fn local() -> anyhow::Result<Address> {
    let (credentials, path) = local_credentials()?;
    Ok(Address {
        url: credentials.url,
        key: credentials.api_key,
        origin: Origin::File(path),
    })
}

/// The credentials of the last local server, and the path of their file.
fn local_credentials() -> anyhow::Result<(Credentials, PathBuf)> {
    let home = variable("HOME").context(HELP)?;
    let pointer = PathBuf::from(home).join(".config/locule/credentials.json");
    let text = match std::fs::read(&pointer) {
        Ok(text) => text,
        Err(error) if error.kind() == ErrorKind::NotFound => bail!(HELP),
        Err(error) => return Err(unreadable(&pointer, &error)),
    };
    let Pointer { credentials: path } = parse(&text, &pointer)?;
    let text = match std::fs::read(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == ErrorKind::NotFound => bail!(
            "the credentials of the last local server are gone ({} does not exist): start a server with `locule up`, or set LOCULE_URL and LOCULE_API_KEY",
            path.display()
        ),
        Err(error) => return Err(unreadable(&path, &error)),
    };
    Ok((parse(&text, &path)?, path))
}

fn unreadable(path: &Path, error: &std::io::Error) -> anyhow::Error {
    let shown = path.display();
    if error.kind() == ErrorKind::PermissionDenied {
        return anyhow::anyhow!(
            "permission denied on {shown}, which belongs to another user: run this as that user (or with sudo), or set LOCULE_URL and LOCULE_API_KEY"
        );
    }
    anyhow::anyhow!("cannot read {shown} ({error}): set LOCULE_URL and LOCULE_API_KEY")
}

fn parse<T: for<'de> Deserialize<'de>>(text: &[u8], path: &Path) -> anyhow::Result<T> {
    // The message of the parser may contain the key.
    serde_json::from_slice(text).map_err(|_| {
        anyhow::anyhow!(
            "{} is malformed: start `locule up` again, or set LOCULE_URL and LOCULE_API_KEY",
            path.display()
        )
    })
}
