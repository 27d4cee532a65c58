//! Tags of hosts: words by which operators tell hosts apart.

use locule_domain::host::tag;
use locule_ids::HostId;
use locule_store::hosts;

use crate::accounts::error::AccountError;
use crate::caller::Person;
use crate::hosts::Hosts;
use crate::hosts::error::HostError;

const TAGS_MAX: u32 = 100;

impl Hosts {
    /// The tags of a host, in alphabetical order.
    pub async fn host_tags(&self, person: &Person, id: HostId) -> Result<Vec<String>, HostError> {
        self.get_host(person, id).await?;
        let mut conn = self.core.connection().await?;
        Ok(hosts::tags(&mut conn, id).await?)
    }

    /// Adds a tag. Succeeds also if the host has the tag.
    pub async fn add_host_tag(
        &self,
        person: &Person,
        id: HostId,
        text: &str,
    ) -> Result<(), HostError> {
        let tag = tag(text)?;
        let mut tx = self.core.transaction().await?;
        self.changeable(&mut tx, person, id).await?;
        let all = hosts::tags(&mut tx, id).await?;
        if all.len() >= TAGS_MAX as usize && !all.contains(&tag) {
            let (what, max) = ("tags of a host", TAGS_MAX);
            return Err(AccountError::LimitReached { what, max }.into());
        }
        hosts::add_tag(&mut tx, id, &tag).await?;
        Ok(self.core.commit(tx).await?)
    }

    /// Removes a tag. Succeeds also if the host does not have the tag.
    pub async fn remove_host_tag(
        &self,
        person: &Person,
        id: HostId,
        tag: &str,
    ) -> Result<(), HostError> {
        let mut tx = self.core.transaction().await?;
        self.changeable(&mut tx, person, id).await?;
        hosts::remove_tag(&mut tx, id, tag).await?;
        Ok(self.core.commit(tx).await?)
    }
}
