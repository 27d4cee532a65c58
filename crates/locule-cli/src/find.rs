//! Finds a sandbox or a host by its id or by an unambiguous beginning of the id.

use std::fmt::Display;
use std::str::FromStr;

use anyhow::bail;
use locule_client::{Client, ClientError};
use locule_ids::{HostId, SandboxId};

/// Limit of the ids in the message about an ambiguous beginning.
const NAMED_MAX: usize = 4;

/// An id that a command accepts in part.
pub(crate) trait Listed: Copy + Display + FromStr + Send {
    const PREFIX: &'static str;
    /// What has such an id, and the plural.
    const NAME: &'static str;
    const NAMES: &'static str;
    /// The command that lists the ids.
    const LIST: &'static str;

    /// The two forms of an id without its prefix.
    fn forms(self) -> [String; 2];

    fn list(client: &Client) -> impl Future<Output = Result<Vec<Self>, ClientError>> + Send;
}

impl Listed for SandboxId {
    const PREFIX: &'static str = Self::PREFIX;
    const NAME: &'static str = "sandbox";
    const NAMES: &'static str = "sandboxes";
    const LIST: &'static str = "locule sandbox ls";

    fn forms(self) -> [String; 2] {
        [self.as_uuid().to_string(), self.base36()]
    }

    async fn list(client: &Client) -> Result<Vec<Self>, ClientError> {
        let sandboxes = client.list_sandboxes().await?;
        Ok(sandboxes.iter().map(|sandbox| sandbox.id).collect())
    }
}

impl Listed for HostId {
    const PREFIX: &'static str = Self::PREFIX;
    const NAME: &'static str = "host";
    const NAMES: &'static str = "hosts";
    const LIST: &'static str = "locule host ls";

    fn forms(self) -> [String; 2] {
        [self.as_uuid().to_string(), self.base36()]
    }

    async fn list(client: &Client) -> Result<Vec<Self>, ClientError> {
        let hosts = client.list_hosts().await?;
        Ok(hosts.iter().map(|host| host.id).collect())
    }
}

/// Looks up ids. The list is fetched at most once, when an id is incomplete.
#[derive(Debug)]
pub(crate) struct Finder<'a, I> {
    client: &'a Client,
    listed: Option<Vec<I>>,
}

impl<'a, I: Listed> Finder<'a, I> {
    pub(crate) fn new(client: &'a Client) -> Self {
        Self {
            client,
            listed: None,
        }
    }

    pub(crate) async fn find(&mut self, text: &str) -> anyhow::Result<I> {
        if let Some(id) = complete(text) {
            return Ok(id);
        }
        let listed = match self.listed.take() {
            Some(listed) => listed,
            None => I::list(self.client).await?,
        };
        let found = choose(&listed, text);
        self.listed = Some(listed);
        found
    }
}

/// A complete id, with or without its prefix, in either of its two forms.
pub(crate) fn complete<I: Listed>(text: &str) -> Option<I> {
    text.parse()
        .or_else(|_| format!("{}{text}", I::PREFIX).parse())
        .ok()
}

fn choose<I: Listed>(listed: &[I], text: &str) -> anyhow::Result<I> {
    let (name, names, list) = (I::NAME, I::NAMES, I::LIST);
    let bare = text.strip_prefix(I::PREFIX).unwrap_or(text);
    if bare.is_empty() {
        bail!("{text:?} is not the beginning of an id: `{list}` lists the ids");
    }
    let starting = |form: usize| -> Vec<I> {
        let mut starting = listed.to_vec();
        starting.retain(|id| id.forms()[form].starts_with(bare));
        starting
    };
    let mut matching = starting(0);
    if matching.is_empty() {
        // The form that the SDKs use.
        matching = starting(1);
    }
    match matching.as_slice() {
        [one] => Ok(*one),
        [] => bail!("no {name} has an id that begins with {text:?}: `{list}` lists the ids"),
        many => {
            let shown: Vec<String> = many
                .iter()
                .take(NAMED_MAX)
                .map(ToString::to_string)
                .collect();
            let more = if many.len() > NAMED_MAX { ", …" } else { "" };
            bail!(
                "the ids of {} {names} begin with {text:?}: give more characters of one of {}{more}",
                many.len(),
                shown.join(", ")
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
        assert_eq!(complete::<SandboxId>("sb-1234"), None);
    }
}
