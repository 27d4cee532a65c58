//! Creating and listing hosts, and their registration tokens. Platform administrators manage the platform's own hosts; the owner and
//! the admins of a team manage the hosts that the team brings, and so do platform administrators.

use chrono::{DateTime, Utc};
use locule_domain::host::{REGISTRATION_TOKEN_LIFETIME, label};
use locule_domain::{HostKind, HostState, Role};
use locule_ids::{HostId, HostTokenId, TeamId, UserId};
use locule_store::hosts::{self, Host, Load};
use locule_store::{PgConnection, StoreError, host_tokens, teams};

use crate::audit::{self, AuditEvent, HostAuditEvent};
use crate::authority::{self, Needed};
use crate::caller::Person;
use crate::error::CommonError;
use crate::hosts::Hosts;
use crate::hosts::error::HostError;
use crate::secrets::{new_host_token, secret_hash};

/// The properties of a host to create.
#[derive(Debug, Clone)]
pub struct NewHost {
    pub kind: HostKind,
    /// Required for a host of kind `byoc`; the platform's own hosts have none.
    pub team: Option<TeamId>,
    pub provider: String,
    pub availability_zone: String,
}

/// A host, and what its sandboxes reserve of it.
#[derive(Debug, Clone)]
pub struct ListedHost {
    pub host: Host,
    pub load: Load,
}

/// A host, and the token with which its agent registers. The token cannot be read again.
#[derive(Clone)]
pub struct HostWithToken {
    pub host: Host,
    pub registration_token: String,
}

impl std::fmt::Debug for HostWithToken {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("HostWithToken")
            .field("host", &self.host)
            .finish_non_exhaustive()
    }
}

impl Hosts {
    /// Creates a pending host and its registration token.
    pub async fn create_host(
        &self,
        person: &Person,
        new: NewHost,
    ) -> Result<HostWithToken, HostError> {
        let provider = label("provider", &new.provider)?;
        let availability_zone = label("availability_zone", &new.availability_zone)?;
        let (now, id) = (self.core.now(), HostId::random());
        let mut tx = self.core.transaction().await?;
        match (new.kind, new.team) {
            (HostKind::Regular, None) => {
                let by = person.by();
                authority::confirm(&mut tx, by, Needed::Platform, now).await?;
            }
            (HostKind::Regular, Some(_)) => {
                let why = "a host of type regular belongs to no team: leave team_id out".to_owned();
                return Err(CommonError::Invalid(why).into());
            }
            (HostKind::Byoc, None) => {
                let why = "a host of type byoc needs a team_id".to_owned();
                return Err(CommonError::Invalid(why).into());
            }
            (HostKind::Byoc, Some(team)) => self.confirm_team(&mut tx, person, team).await?,
        }
        let row = hosts::NewHost {
            id,
            kind: new.kind,
            team: new.team,
            provider: &provider,
            availability_zone: &availability_zone,
            address: "",
            created_by: Some(person.id),
        };
        hosts::insert(&mut tx, row, now).await?;
        let token = issue_token(&mut tx, id, Some(person.id), self.core.now()).await?;
        let log = new.team.unwrap_or(TeamId::PLATFORM);
        let event = AuditEvent::Host(id, HostAuditEvent::Add);
        audit::write(&mut tx, &person.actor(), log, &event, now).await?;
        let host = hosts::get(&mut tx, id).await?;
        self.core.commit(tx).await?;
        Ok(HostWithToken {
            host: host.ok_or_else(HostError::not_found)?,
            registration_token: token,
        })
    }

    /// Confirms that a person may bring hosts for a team, which must exist and may bring its own (B-134, B-135).
    async fn confirm_team(
        &self,
        conn: &mut PgConnection,
        person: &Person,
        team: TeamId,
    ) -> Result<(), HostError> {
        let now = self.core.now();
        let locked = teams::lock(conn, team).await?;
        let by = person.by();
        if person.is_admin {
            authority::confirm(conn, by, Needed::Platform, now).await?;
        } else {
            let own = person.membership()?;
            if own.team != team {
                return Err(HostError::forbidden(
                    "the token is for another team: switch to the team first",
                ));
            }
            authority::role(conn, by, team, Role::Admin, now).await?;
        }
        match locked {
            Some(team) if team.is_byoc => Ok(()),
            Some(_) => Err(HostError::forbidden(
                "the team may not bring its own hosts: a platform administrator allows it",
            )),
            None => Err(HostError::forbidden("the team does not exist")),
        }
    }

    /// Issues a new registration token for a host that has not registered. Earlier tokens of the host become invalid.
    pub async fn create_host_token(
        &self,
        person: &Person,
        id: HostId,
    ) -> Result<HostWithToken, HostError> {
        let mut tx = self.core.transaction().await?;
        let seen = self.changeable(&mut tx, person, id).await?;
        if seen.state != HostState::Pending {
            return Err(HostError::NotPending(seen.state));
        }
        let now = self.core.now();
        let token = issue_token(&mut tx, id, Some(person.id), now).await?;
        let log = seen.team.unwrap_or(TeamId::PLATFORM);
        let event = AuditEvent::Host(id, HostAuditEvent::IssueToken);
        audit::write(&mut tx, &person.actor(), log, &event, now).await?;
        self.core.commit(tx).await?;
        Ok(HostWithToken {
            host: seen,
            registration_token: token,
        })
    }

    /// All hosts for a platform administrator; for others the hosts of their team. Oldest first.
    pub async fn list_hosts(&self, person: &Person) -> Result<Vec<ListedHost>, HostError> {
        let team = if person.is_admin {
            None
        } else {
            Some(person.membership()?.team)
        };
        let mut conn = self.core.connection().await?;
        let hosts = hosts::list(&mut conn, team).await?;
        let mut loads = hosts::loads(&mut conn).await?;
        let listed = hosts.into_iter().map(|host| {
            let load = loads.remove(&host.id).unwrap_or_default();
            ListedHost { host, load }
        });
        Ok(listed.collect())
    }

    /// A host that [`Self::list_hosts`] lists for the person.
    pub async fn get_host(&self, person: &Person, id: HostId) -> Result<ListedHost, HostError> {
        let mut conn = self.core.connection().await?;
        self.seen_host(&mut conn, person, id).await
    }

    pub(super) async fn seen_host(
        &self,
        conn: &mut PgConnection,
        person: &Person,
        id: HostId,
    ) -> Result<ListedHost, HostError> {
        let host = hosts::get(conn, id).await?;
        let host = host.filter(|host| Self::may_see(person, host));
        let host = host.ok_or_else(HostError::not_found)?;
        let load = hosts::load(conn, id).await?;
        Ok(ListedHost { host, load })
    }
}

/// Inserts a registration token of a host.
pub(crate) async fn issue_token(
    conn: &mut PgConnection,
    host: HostId,
    created_by: Option<UserId>,
    now: DateTime<Utc>,
) -> Result<String, StoreError> {
    let token = new_host_token();
    let ids = (HostTokenId::random(), host);
    let lifetime = (now, now + REGISTRATION_TOKEN_LIFETIME);
    host_tokens::insert(conn, ids, &secret_hash(&token), created_by, lifetime).await?;
    Ok(token)
}
