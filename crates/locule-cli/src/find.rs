//! A sandbox by its id, or by the beginning of one that no other has.

use anyhow::bail;
use locule_api::Sandbox;
use locule_client::Client;
use locule_ids::SandboxId;

/// So many are named when it is not clear which is meant.
const NAMED_MAX: usize = 4;

/// Looks ids up; the list is fetched once, and only if it is needed.
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
        if let Some(id) = whole(text) {
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

/// With its prefix, or without, in either of the two ways to write it.
fn whole(text: &str) -> Option<SandboxId> {
    text.parse()
        .or_else(|_| format!("{}{text}", SandboxId::PREFIX).parse())
        .ok()
}

fn choose(listed: &[SandboxId], text: &str) -> anyhow::Result<SandboxId> {
    let bare = text.strip_prefix(SandboxId::PREFIX).unwrap_or(text);
    if bare.is_empty() {
        bail!("{text:?} is no beginning of an id: `locule sandbox ls` lists them");
    }
    let starting = |form: fn(SandboxId) -> String| -> Vec<SandboxId> {
        let mut starting = listed.to_vec();
        starting.retain(|id| form(*id).starts_with(bare));
        starting
    };
    let mut matching = starting(|id| id.as_uuid().to_string());
    if matching.is_empty() {
        // As the SDKs write it.
        matching = starting(SandboxId::base36);
    }
    match matching.as_slice() {
        [one] => Ok(*one),
        [] => bail!("no sandbox's id begins with {text:?}: `locule sandbox ls` lists them"),
        many => {
            let named: Vec<String> = many
                .iter()
                .take(NAMED_MAX)
                .map(ToString::to_string)
                .collect();
            let more = if many.len() > NAMED_MAX { ", …" } else { "" };
            bail!(
                "{} sandboxes' ids begin with {text:?}, give more of it: {}{more}",
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
    fn an_id_is_found_by_any_beginning_that_only_it_has() {
        let one = id("sb-12345678-9dad-11d1-80b4-00c04fd430c8");
        let other = id("sb-12995678-9dad-11d1-80b4-00c04fd430c8");
        let listed = [one, other];
        for text in ["123", "sb-123456", &one.base36(), &one.base36()[..20]] {
            assert_eq!(choose(&listed, text).unwrap(), one, "{text}");
        }
        let error = choose(&listed, "12").unwrap_err().to_string();
        assert!(
            error.starts_with("2 sandboxes' ids begin with \"12\""),
            "{error}"
        );
        for text in ["", "sb-", "2345"] {
            choose(&listed, text).unwrap_err();
        }
    }

    #[test]
    fn a_whole_id_needs_no_list() {
        let one = id("sb-12345678-9dad-11d1-80b4-00c04fd430c8");
        for text in [one.to_string(), one.base36(), one.as_uuid().to_string()] {
            assert_eq!(whole(&text), Some(one), "{text}");
        }
        assert_eq!(whole("sb-1234"), None);
    }
}
