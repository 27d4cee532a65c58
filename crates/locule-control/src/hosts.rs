//! [`Hosts`]: the use cases about hosts, and the links to them.
//!
//! ```text
//! create_host ──► row, pending, and a registration token (1 h)
//! register ─────► the token is used; an access token (7 days) and a refresh token (60 days)
//! heartbeat ────► the control plane calls the host at its address; the host is online
//! refresh ──────► new tokens for the host
//! images ───────► what a host needs to create sandboxes
//! cordon_host ──► no sandbox is placed on the host
//! drain_host ───► and what runs there is paused, or ends by itself
//! delete_host ──► its sandboxes end with it, if the caller says so
//! import ───────► a sandbox on the host that has no row gets one
//! ```

mod accept;
pub(crate) mod error;
pub(crate) mod heartbeat;
mod images;
mod lifecycle;
pub(crate) mod links;
pub(crate) mod manage;
pub(crate) mod quarantine;
mod register;
mod tags;

use std::sync::Arc;

use locule_domain::Role;
use locule_store::PgConnection;
use locule_store::hosts::Host;

use crate::authority::{self, Needed};
use crate::caller::Person;
use crate::core::Core;
use crate::error::CommonError;
use crate::host_certificates::HostCertificates;
use crate::hosts::error::HostError;
use crate::hosts::links::HostLinks;
use crate::sandboxes::Sandboxes;

pub use heartbeat::{Heartbeat, HostTemplate};
pub use images::{HostImage, HostImages};
pub use lifecycle::{DeletePreview, HeldSandboxes};
pub use manage::{HostWithToken, ListedHost, NewHost};
pub use register::{CertifiedHost, HostCredentials, HostIdentity, NewRegistration};

/// The period of the task that reads the addresses of all hosts.
pub(crate) const LINKS_PERIOD: std::time::Duration = std::time::Duration::from_secs(5);

/// How host agents reach the control plane, and how they know each other.
#[derive(Debug, Clone)]
pub struct HostsConfig {
    pub certificates: HostCertificates,
    /// The URL of the listener for host agents on other machines. `None`: the operator has told none.
    pub url: Option<String>,
    /// What hosts fetch.
    pub images: HostImages,
}

/// Hosts of the platform and of teams. Cheap to clone.
#[derive(Clone)]
pub struct Hosts {
    pub(crate) core: Core,
    config: HostsConfig,
    /// Signs the access tokens of hosts, as it signs the tokens of logins.
    jwt_secret: Arc<[u8]>,
    pub(crate) links: HostLinks,
    sandboxes: Sandboxes,
}

impl std::fmt::Debug for Hosts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Hosts")
            .field("links", &self.links)
            .finish_non_exhaustive()
    }
}

impl Hosts {
    pub(crate) fn new(
        core: Core,
        config: HostsConfig,
        jwt_secret: &[u8],
        links: HostLinks,
        sandboxes: Sandboxes,
    ) -> Self {
        Self {
            core,
            config,
            jwt_secret: jwt_secret.into(),
            links,
            sandboxes,
        }
    }

    /// How host agents on other machines reach this control plane.
    pub fn config(&self) -> &HostsConfig {
        &self.config
    }

    /// Reads the addresses of all hosts.
    pub(crate) async fn refresh_links(&self) -> Result<(), CommonError> {
        let mut conn = self.core.connection().await?;
        Ok(self.links.read_all(&mut conn).await?)
    }

    /// Confirms, in the transaction of a change, that the person may change a host: platform administrators any host, the owner and
    /// the admins of a team the hosts of the team. A host that the person may not see does not exist for the person.
    async fn confirm(
        &self,
        conn: &mut PgConnection,
        person: &Person,
        host: &Host,
    ) -> Result<(), HostError> {
        if !Self::may_see(person, host) {
            return Err(HostError::not_found());
        }
        let (by, now) = (person.by(), self.core.now());
        match host.team {
            Some(team) if !person.is_admin => {
                authority::role(conn, by, team, Role::Admin, now).await?;
            }
            Some(_) | None => authority::confirm(conn, by, Needed::Platform, now).await?,
        }
        Ok(())
    }

    /// Whether a person may see a host: platform administrators see all, members of a team the hosts of the team.
    fn may_see(person: &Person, host: &Host) -> bool {
        let own = person.team.map(|membership| membership.team);
        person.is_admin || (host.team.is_some() && host.team == own)
    }
}
