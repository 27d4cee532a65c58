//! The first user, team, key and host of a new installation, through the same tables as every later one.

use argon2::Argon2;
use argon2::password_hash::PasswordHasher as _;
use chrono::{DateTime, Utc};
use locule_ids::{ApiKeyId, HostId, TeamId, UserId};
use locule_store::{PgPool, StoreError, cluster, hosts, identity};
use rand::Rng as _;

use crate::caller::{KEY_PREFIX, key_hash};
use crate::error::ControlError;

/// What the installation is told.
#[derive(Debug, Clone)]
pub struct Bootstrap {
    pub admin: Secrets,
    /// How its host is reached.
    pub host_address: String,
}

/// What the first user logs in with. The database gets hashes of it: whoever makes it keeps it first.
#[derive(Clone)]
pub struct Secrets {
    pub email: String,
    pub password: String,
    pub api_key: String,
}

impl Secrets {
    pub fn random(email: &str) -> Self {
        Self {
            email: email.to_owned(),
            password: new_password(),
            api_key: new_key(),
        }
    }
}

impl std::fmt::Debug for Secrets {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Secrets")
            .field("email", &self.email)
            .finish_non_exhaustive()
    }
}

/// A new API key: the one form there is.
pub(crate) fn new_key() -> String {
    format!("{KEY_PREFIX}{}", hex::encode(rand::random::<[u8; 20]>()))
}

/// Whether the first user is there.
pub async fn is_bootstrapped(pool: &PgPool, email: &str) -> Result<bool, ControlError> {
    let mut conn = pool.acquire().await.map_err(StoreError::from)?;
    Ok(identity::user_by_email(&mut conn, email).await?.is_some())
}

/// Idempotent: writes what is missing, in one transaction. Answers which host is this machine's.
pub async fn bootstrap(
    pool: &PgPool,
    wanted: &Bootstrap,
    now: DateTime<Utc>,
) -> Result<HostId, ControlError> {
    let mut tx = pool.begin().await.map_err(StoreError::from)?;
    let id = TeamId::random();
    cluster::ensure(&mut tx, id.as_uuid(), now).await?;
    let host = hosts::ensure_local(&mut tx, HostId::random(), &wanted.host_address, now).await?;
    let known = identity::user_by_email(&mut tx, &wanted.admin.email).await?;
    if known.is_none() {
        insert_admin(&mut tx, &wanted.admin, now).await?;
    }
    tx.commit().await.map_err(StoreError::from)?;
    Ok(host)
}

/// Twenty letters and digits that are not mistaken for each other: 114 bits.
fn new_password() -> String {
    const LETTERS: &[u8] = b"abcdefghijkmnpqrstuvwxyzABCDEFGHJKLMNPQRSTUVWXYZ23456789";
    let mut random = rand::rng();
    (0..20)
        .map(|_| char::from(LETTERS[random.random_range(0..LETTERS.len())]))
        .collect()
}

async fn insert_admin(
    conn: &mut locule_store::PgConnection,
    secrets: &Secrets,
    now: DateTime<Utc>,
) -> Result<(), ControlError> {
    let password = secrets.password.clone();
    let hash = tokio::task::spawn_blocking(move || {
        Argon2::default()
            .hash_password(password.as_bytes())
            .map(|hash| hash.to_string())
    });
    let hash = hash
        .await
        .map_err(ControlError::internal)?
        .map_err(|error| ControlError::internal(error.to_string()))?;
    let user = identity::User {
        id: UserId::random(),
        email: secrets.email.clone(),
        password_hash: Some(hash),
        name: "Administrator".to_owned(),
        is_admin: true,
        status: "active".to_owned(),
    };
    identity::insert_user(conn, &user, now).await?;
    let (team, digits) = (TeamId::random(), hex::encode(rand::random::<[u8; 6]>()));
    let slug = format!("{}-{}", &digits[..6], &digits[6..]);
    identity::insert_team(conn, team, "Administrator's Team", &slug, user.id, now).await?;
    let key = identity::ApiKey {
        id: ApiKeyId::random(),
        team,
        name: "first key".to_owned(),
        scope: "full".to_owned(),
    };
    identity::insert_key(
        conn,
        &key,
        &key_hash(&secrets.api_key),
        &secrets.api_key[..10],
        user.id,
        now,
    )
    .await?;
    Ok(())
}
