//! Which server is meant: the environment, else the last local one.

#![expect(
    clippy::disallowed_methods,
    reason = "this module is where the user's environment is read"
)]

use std::path::PathBuf;

use anyhow::{Context as _, bail};
use locule_api::Sandbox;
use locule_client::Client;
use locule_ids::SandboxId;
use serde::Deserialize;

#[derive(Deserialize)]
struct Pointer {
    credentials: PathBuf,
}

#[derive(Deserialize)]
struct Credentials {
    url: String,
    api_key: String,
}

const HELP: &str =
    "no server is known: start one with `locule up`, or set LOCULE_URL and LOCULE_API_KEY";

fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

pub(crate) fn connect() -> anyhow::Result<Client> {
    let (url, key) = match (variable("LOCULE_URL"), variable("LOCULE_API_KEY")) {
        (Some(url), Some(key)) => (url, key),
        (url, key) => {
            let local = local()?;
            (url.unwrap_or(local.url), key.unwrap_or(local.api_key))
        }
    };
    Ok(Client::new(&url, &key)?)
}

fn local() -> anyhow::Result<Credentials> {
    let home = variable("HOME").context(HELP)?;
    let pointer = PathBuf::from(home).join(".config/locule/credentials.json");
    let text = std::fs::read(&pointer).map_err(|_| anyhow::anyhow!(HELP))?;
    let pointer: Pointer =
        serde_json::from_slice(&text).with_context(|| format!("read {}", pointer.display()))?;
    let path = pointer.credentials;
    let text = std::fs::read(&path).with_context(|| {
        format!(
            "read {} (the last local server's credentials)",
            path.display()
        )
    })?;
    serde_json::from_slice(&text).with_context(|| format!("read {}", path.display()))
}

/// A sandbox by its id, or by the beginning of one that no other has.
pub(crate) async fn find(client: &Client, text: &str) -> anyhow::Result<SandboxId> {
    if let Ok(id) = text.parse() {
        return Ok(id);
    }
    let all = client.list_sandboxes().await?;
    let matching: Vec<&Sandbox> = all
        .iter()
        .filter(|sandbox| starts(&sandbox.id, text))
        .collect();
    match matching.as_slice() {
        [one] => Ok(one.id),
        [] => bail!("no sandbox's id begins with {text:?}: `locule sandbox ls` lists them"),
        _ => bail!(
            "{} sandboxes' ids begin with {text:?}: give more of it",
            matching.len()
        ),
    }
}

fn starts(id: &SandboxId, text: &str) -> bool {
    let bare = text.strip_prefix("sb-").unwrap_or(text);
    bare.len() >= 3 && (id.as_uuid().to_string().starts_with(bare) || id.base36() == bare)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_found_by_its_beginning_of_three_or_more() {
        let id: SandboxId = "sb-12345678-9dad-11d1-80b4-00c04fd430c8".parse().unwrap();
        for text in ["123", "sb-123456", &id.base36()] {
            assert!(starts(&id, text), "{text}");
        }
        for text in ["", "12", "sb-", "2345"] {
            assert!(!starts(&id, text), "{text}");
        }
    }
}
