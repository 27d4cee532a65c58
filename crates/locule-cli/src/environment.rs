//! What the user's environment says: which server is meant, and the user's own variables.
//!
//! `LOCULE_URL` and `LOCULE_API_KEY` go together: a key is never sent to a server that it was not given for. Without them it
//! is the last local server, which left a pointer to its credentials in the user's home.

#![expect(
    clippy::disallowed_methods,
    reason = "this module is where the user's environment is read"
)]

use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use anyhow::{Context as _, bail};
use serde::Deserialize;

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
    let Credentials { url, api_key } = parse(&text, &path)?;
    Ok(Address {
        url,
        key: api_key,
        origin: Origin::File(path),
    })
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
