//! The host of the machine on which `locule up` runs. The first person signs up like every other person.

use chrono::{DateTime, Utc};
use locule_domain::{HostAddress, HostEvent, HostKind};
use locule_ids::{HostId, TeamId};
use locule_store::{PgConnection, PgPool, StoreError, cluster, host_tokens, hosts};
use rand::Rng as _;

use crate::error::CommonError;
use crate::hosts::manage::issue_token;
use crate::secrets::secret_hash;

/// The host agent of this machine.
#[derive(Clone)]
pub struct LocalHost {
    pub address: HostAddress,
    /// The id and the refresh token of the credentials that the agent has.
    pub credentials: Option<(HostId, String)>,
}

impl std::fmt::Debug for LocalHost {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("LocalHost")
            .field("address", &self.address)
            .finish_non_exhaustive()
    }
}

/// Writes the missing rows in one transaction. Returns a registration token if the agent has to register: it has no credentials,
/// or the database does not know them. Idempotent.
pub async fn bootstrap(
    pool: &PgPool,
    local: &LocalHost,
    now: DateTime<Utc>,
) -> Result<Option<String>, CommonError> {
    let mut tx = pool.begin().await.map_err(StoreError::from)?;
    ensure_cluster(&mut tx, now).await?;
    let id = ensure_host(&mut tx, local, now).await?;
    let token = if is_known(&mut tx, local, id, now).await? {
        None
    } else {
        let host = hosts::lock(&mut tx, id).await?;
        if let Some(host) = host {
            let next = host.state.apply(HostEvent::Renewed);
            hosts::set_state(&mut tx, id, next, now).await?;
        }
        Some(issue_token(&mut tx, id, None, now).await?)
    };
    tx.commit().await.map_err(StoreError::from)?;
    Ok(token)
}

async fn ensure_cluster(conn: &mut PgConnection, now: DateTime<Utc>) -> Result<(), StoreError> {
    cluster::ensure(conn, TeamId::random().as_uuid(), now).await
}

/// Gives a database that was only migrated the id of its cluster. Without it no first account becomes an administrator, and no order can
/// be sent to a host. Idempotent.
pub async fn prepare(pool: &PgPool, now: DateTime<Utc>) -> Result<(), CommonError> {
    let mut conn = pool.acquire().await.map_err(StoreError::from)?;
    Ok(ensure_cluster(&mut conn, now).await?)
}

/// The row of the agent's host: the host of its credentials, or else the host with its address.
async fn ensure_host(
    conn: &mut PgConnection,
    local: &LocalHost,
    now: DateTime<Utc>,
) -> Result<HostId, CommonError> {
    let address = local.address.to_string();
    let named = local.credentials.as_ref().map(|(id, _)| *id);
    let at_address = hosts::at(conn, &address).await?;
    let id = named.or(at_address).unwrap_or_else(HostId::random);
    match hosts::lock(conn, id).await? {
        Some(host) if host.address == address => {}
        Some(_) => hosts::set_address(conn, id, &address, now).await?,
        None => {
            let new = hosts::NewHost {
                id,
                kind: HostKind::Regular,
                team: None,
                provider: "",
                availability_zone: "",
                address: &address,
                created_by: None,
            };
            hosts::insert(conn, new, now).await?;
        }
    }
    Ok(id)
}

/// Whether the database knows the credentials of the agent.
async fn is_known(
    conn: &mut PgConnection,
    local: &LocalHost,
    id: HostId,
    now: DateTime<Utc>,
) -> Result<bool, CommonError> {
    let Some((_, refresh_token)) = &local.credentials else {
        return Ok(false);
    };
    let found = host_tokens::lock_refresh(conn, &secret_hash(refresh_token), now).await?;
    Ok(found.is_some_and(|found| found.host == id))
}

/// A password of twenty letters and digits, without those that look alike: 114 bits.
pub fn new_password() -> String {
    const LETTERS: &[u8] = b"abcdefghijkmnpqrstuvwxyzABCDEFGHJKLMNPQRSTUVWXYZ23456789";
    let mut random = rand::rng();
    (0..20)
        .map(|_| char::from(LETTERS[random.random_range(0..LETTERS.len())]))
        .collect()
}
