//! A database that went back in time: hosts have seen later writes, so the platform compares nothing with their sandboxes, until a platform
//! administrator accepts the database as it is.

use locule_ids::HostId;
use locule_store::hosts;

use crate::audit::HostAuditEvent;
use crate::authority::{self, Needed};
use crate::caller::Person;
use crate::hosts::Hosts;
use crate::hosts::error::HostError;
use crate::hosts::manage::ListedHost;
use crate::reconcile::database::database_mark;

impl Hosts {
    /// Makes a host accept the database, though the host has seen later writes or another database. The sweep then compares the sandboxes
    /// on the host with their rows again. Changes nothing where the database is not older than the host.
    pub async fn accept_database(
        &self,
        person: &Person,
        id: HostId,
    ) -> Result<ListedHost, HostError> {
        person.platform_admin()?;
        let host = self.get_host(person, id).await?.host;
        let link = self.links.keep(id, &host.address);
        let link = link.ok_or_else(|| HostError::conflict("the host has not registered yet"))?;
        if self.sandboxes.is_host_comparable(&link).await? {
            return self.get_host(person, id).await;
        }
        // The entry commits before the host acts: an act that no entry tells would be worse than an entry whose act failed.
        let mut tx = self.core.transaction().await?;
        authority::confirm(&mut tx, person.by(), Needed::Platform, self.core.now()).await?;
        let host = hosts::lock(&mut tx, id).await?;
        let host = host.ok_or_else(HostError::not_found)?;
        self.write_audit(&mut tx, person, &host, HostAuditEvent::AcceptDatabase)
            .await?;
        self.core.commit(tx).await?;
        let now = database_mark(&self.core.pool).await?;
        tracing::warn!(host.id = %id, %now, "a platform administrator accepts the database as it is");
        link.agent.accept_database(now).await?;
        self.get_host(person, id).await
    }
}
