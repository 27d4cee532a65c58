//! Finds a sandbox by its id or by an unambiguous beginning of the id.

use anyhow::bail;
use locule_api::Sandbox;
use locule_client::Client;
use locule_ids::SandboxId;

/// Limit of the ids in the message about an ambiguous beginning.
const NAMED_MAX: usize = 4;

/// Looks up ids. The list of sandboxes is fetched at most once, when an id is incomplete.
#[derive(Debug)]
pub(crate) struct Finder<'a> {
    client: &'a Client,
    listed: Option<Vec<SandboxId>>,
}

impl<'a> Finder<'a> {
    pub(crate) fn new(client: &'a Client) -> Self {
        Self {
            client,
            listed: None,
        }
    }

    pub(crate) async fn find(&mut self, text: &str) -> anyhow::Result<SandboxId> {
        if let Some(id) = complete(text) {
            return Ok(id);
        }
        let listed = match self.listed.take() {
            Some(listed) => listed,
            None => ids(&self.client.list_sandboxes().await?),
        };
        let found = choose(&listed, text);
        self.listed = Some(listed);
        found
    }
}

fn ids(sandboxes: &[Sandbox]) -> Vec<SandboxId> {
    sandboxes.iter().map(|sandbox| sandbox.id).collect()
}

/// A complete id, with or without its prefix, in either of its two forms.
fn complete(text: &str) -> Option<SandboxId> {
    text.parse()
        .or_else(|_| format!("{}{text}", SandboxId::PREFIX).parse())
        .ok()
}

fn choose(listed: &[SandboxId], text: &str) -> anyhow::Result<SandboxId> {
    let bare = text.strip_prefix(SandboxId::PREFIX).unwrap_or(text);
    if bare.is_empty() {
        bail!("{text:?} is not the beginning of an id: `locule sandbox ls` lists the ids");
    }
    let starting = |form: fn(SandboxId) -> String| -> Vec<SandboxId> {
        let mut starting = listed.to_vec();
        starting.retain(|id| form(*id).starts_with(bare));
        starting
    };
    let mut matching = starting(|id| id.as_uuid().to_string());
    if matching.is_empty() {
        // The form that the SDKs use.
        matching = starting(SandboxId::base36);
    }
    match matching.as_slice() {
        [one] => Ok(*one),
        [] => bail!(
            "no sandbox has an id that begins with {text:?}: `locule sandbox ls` lists the ids"
        ),
        many => {
            let named: Vec<String> = many
                .iter()
                .take(NAMED_MAX)
                .map(ToString::to_string)
                .collect();
            let more = if many.len() > NAMED_MAX { ", …" } else { "" };
            bail!(
                "the ids of {} sandboxes begin with {text:?}: give more characters of one of {}{more}",
                many.len(),
                named.join(", ")
            )
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(text: &str) -> SandboxId {
        text.parse().unwrap()
    }

    #[test]
    fn an_id_is_found_by_an_unambiguous_beginning() {
        let one = id("sb-12345678-9dad-11d1-80b4-00c04fd430c8");
        let other = id("sb-12995678-9dad-11d1-80b4-00c04fd430c8");
        let listed = [one, other];
        for text in ["123", "sb-123456", &one.base36(), &one.base36()[..20]] {
            assert_eq!(choose(&listed, text).unwrap(), one, "{text}");
        }
        let error = choose(&listed, "12").unwrap_err().to_string();
        assert!(
            error.starts_with("the ids of 2 sandboxes begin with \"12\""),
            "{error}"
        );
        for text in ["", "sb-", "2345"] {
            choose(&listed, text).unwrap_err();
        }
    }

    #[test]
    fn a_complete_id_needs_no_list() {
        let one = id("sb-12345678-9dad-11d1-80b4-00c04fd430c8");
        for text in [one.to_string(), one.base36(), one.as_uuid().to_string()] {
            assert_eq!(complete(&text), Some(one), "{text}");
        }
        assert_eq!(complete("sb-1234"), None);
    }
}
