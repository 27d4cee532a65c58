//! What the user's environment says: which server is meant, and the user's own variables.
//!
//! `LOCULE_URL` and `LOCULE_API_KEY` go together: a key is never sent to a server that it was not given for. Without them it
//! is the last local server, which left a pointer to its credentials in the user's home.
//!
//! A login is kept beside that pointer, with the server that it is for.

#![expect(
    clippy::disallowed_methods,
    reason = "this module is where the user's environment is read"
)]

use std::fs::File;
use std::io::{ErrorKind, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use anyhow::{Context as _, bail};
use serde::{Deserialize, Serialize};

const HELP: &str =
    "no server is known: start one with `locule up`, or set LOCULE_URL and LOCULE_API_KEY";

/// Who said where the server is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Origin {
    Variables,
    /// The local server's credentials.
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

/// A login, as it is kept.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct Login {
    pub(crate) url: String,
    pub(crate) email: String,
    pub(crate) token: String,
}

/// What somebody logs in with.
pub(crate) struct Person {
    pub(crate) email: String,
    pub(crate) password: String,
}

fn home() -> anyhow::Result<PathBuf> {
    let home = variable("HOME").context("HOME is not set")?;
    Ok(PathBuf::from(home).join(".config/locule"))
}

/// The last login. One that is for another server than `LOCULE_URL` says is none.
pub(crate) fn login() -> anyhow::Result<Login> {
    const HELP: &str = "you are not logged in: `locule login`";
    let path = home()?.join("login.json");
    let text = match std::fs::read(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == ErrorKind::NotFound => bail!(HELP),
        Err(error) => return Err(unreadable(&path, &error)),
    };
    let login: Login = parse(&text, &path)?;
    match variable("LOCULE_URL") {
        Some(url) if url != login.url => bail!(
            "you are logged in at {}, and LOCULE_URL says {url}: `locule login`",
            login.url
        ),
        _ => Ok(login),
    }
}

/// Only its owner can read it.
pub(crate) fn keep_login(login: &Login) -> anyhow::Result<()> {
    let folder = home()?;
    let keep = || -> std::io::Result<()> {
        std::fs::create_dir_all(&folder)?;
        let (path, new) = (folder.join("login.json"), folder.join("login.json.new"));
        let mut options = File::options();
        let options = options.write(true).create(true).truncate(true).mode(0o600);
        options.open(&new)?.write_all(&serde_json::to_vec(login)?)?;
        std::fs::rename(&new, &path)
    };
    keep().with_context(|| format!("cannot keep the login in {}", folder.display()))
}

pub(crate) fn forget_login() -> anyhow::Result<()> {
    let path = home()?.join("login.json");
    match std::fs::remove_file(&path) {
        Err(error) if error.kind() != ErrorKind::NotFound => {
            Err(error).with_context(|| format!("cannot remove {}", path.display()))
        }
        _ => Ok(()),
    }
}

/// Where to log in, when nobody said: the server of the environment, else the last local one, whose first person is known.
pub(crate) fn server() -> anyhow::Result<(String, Option<Person>)> {
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
    let person = person.map(|(email, password)| Person { email, password });
    Ok((url, person))
}

/// A variable that is set and not empty.
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
            bail!("LOCULE_URL is set but LOCULE_API_KEY is not: set both, or neither")
        }
        (None, Some(_)) => {
            bail!("LOCULE_API_KEY is set but LOCULE_URL is not: set both, or neither")
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

/// What the last local server left, and where.
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
            "the last local server is gone ({} is not there): start one with `locule up`, or set LOCULE_URL and LOCULE_API_KEY",
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
            "you may not read {shown}, it belongs to another user: run this as that user (or with sudo), or set LOCULE_URL and LOCULE_API_KEY"
        );
    }
    anyhow::anyhow!("cannot read {shown} ({error}): set LOCULE_URL and LOCULE_API_KEY")
}

fn parse<T: for<'de> Deserialize<'de>>(text: &[u8], path: &Path) -> anyhow::Result<T> {
    // Not the parser's words: they may quote the key.
    serde_json::from_slice(text).map_err(|_| {
        anyhow::anyhow!(
            "{} is not what a server writes: start `locule up` once more, or set LOCULE_URL and LOCULE_API_KEY",
            path.display()
        )
    })
}
