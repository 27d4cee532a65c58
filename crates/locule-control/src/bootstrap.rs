//! The first host of a new installation. The first person signs up like every other person.

use chrono::{DateTime, Utc};
use locule_ids::{HostId, TeamId};
use locule_store::{PgPool, StoreError, cluster, hosts};
use rand::Rng as _;

use crate::error::CommonError;

/// Writes the missing rows in one transaction, and returns the id of this machine's host. Idempotent.
pub async fn bootstrap(
    pool: &PgPool,
    host_address: &str,
    now: DateTime<Utc>,
) -> Result<HostId, CommonError> {
    let mut tx = pool.begin().await.map_err(StoreError::from)?;
    cluster::ensure(&mut tx, TeamId::random().as_uuid(), now).await?;
    let host = hosts::ensure_local(&mut tx, HostId::random(), host_address, now).await?;
    tx.commit().await.map_err(StoreError::from)?;
    Ok(host)
}

/// A password of twenty letters and digits, without those that look alike: 114 bits.
pub fn new_password() -> String {
    const LETTERS: &[u8] = b"abcdefghijkmnpqrstuvwxyzABCDEFGHJKLMNPQRSTUVWXYZ23456789";
    let mut random = rand::rng();
    (0..20)
        .map(|_| char::from(LETTERS[random.random_range(0..LETTERS.len())]))
        .collect()
}
