//! Password hashes: Argon2id, off the async workers, and a few at a time, since each takes 19 MiB while it runs.

use argon2::Argon2;
use argon2::password_hash::phc::PasswordHash;
use argon2::password_hash::{PasswordHasher as _, PasswordVerifier as _};
use tokio::sync::{Semaphore, SemaphorePermit};

use crate::error::CommonError;

/// A hash that no password matches, so that an unknown e-mail address takes as long as a wrong password.
const UNMATCHED: &str = "$argon2id$v=19$m=19456,t=2,p=1$c29tZXNhbHRzb21lc2FsdA$aMlYKO8EdGpJhhaG0rcRB0o5wXGnBPGgHTNbTIKnp9M";
const AT_ONCE: usize = 4;

/// At most this many for callers that are not known, so that a flood of attempts leaves a turn to people who logged in before.
const OPEN_AT_ONCE: usize = 3;
/// The longest time that an attempt in the crowded lane waits for its turn.
const CROWDED_WAIT_MAX: std::time::Duration = std::time::Duration::from_secs(10);

/// What a hash waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Lane {
    /// An origin that logged in to the account before.
    Known,
    Open,
    /// An account with many failed logins, by an origin that is not known: one attempt at a time.
    Crowded,
}

#[derive(Debug)]
pub(crate) struct Passwords {
    turns: Semaphore,
    open: Semaphore,
    crowded: Semaphore,
}

impl Default for Passwords {
    fn default() -> Self {
        Self {
            turns: Semaphore::new(AT_ONCE),
            open: Semaphore::new(OPEN_AT_ONCE),
            crowded: Semaphore::new(1),
        }
    }
}

async fn turn(lane: &Semaphore) -> Result<SemaphorePermit<'_>, CommonError> {
    lane.acquire().await.map_err(CommonError::internal)
}

impl Passwords {
    async fn run<T: Send + 'static>(
        &self,
        lane: Lane,
        work: impl FnOnce() -> Result<T, CommonError> + Send + 'static,
    ) -> Result<T, CommonError> {
        let _turn = match lane {
            Lane::Crowded => Some(
                tokio::time::timeout(CROWDED_WAIT_MAX, turn(&self.crowded))
                    .await
                    .map_err(|_| CommonError::RateLimited {
                        retry_after_sec: CROWDED_WAIT_MAX.as_secs(),
                    })??,
            ),
            Lane::Known | Lane::Open => None,
        };
        let _turn = match lane {
            Lane::Known => None,
            Lane::Open | Lane::Crowded => Some(turn(&self.open).await?),
        };
        let _turn = turn(&self.turns).await?;
        let done = tokio::task::spawn_blocking(work).await;
        done.map_err(CommonError::internal)?
    }

    pub(crate) async fn hash(&self, password: &str) -> Result<String, CommonError> {
        let password = password.to_owned();
        self.run(Lane::Open, move || {
            let hash = Argon2::default().hash_password(password.as_bytes());
            hash.map(|hash| hash.to_string())
                .map_err(|error| CommonError::internal(error.to_string()))
        })
        .await
    }

    /// Whether the password matches the hash. Without a hash it does not, after the same time.
    pub(crate) async fn verify(
        &self,
        lane: Lane,
        hash: Option<&str>,
        password: &str,
    ) -> Result<bool, CommonError> {
        let known = hash.is_some();
        let (hash, password) = (hash.unwrap_or(UNMATCHED).to_owned(), password.to_owned());
        let right = self
            .run(lane, move || {
                let parsed = PasswordHash::new(&hash)
                    .map_err(|error| CommonError::internal(error.to_string()))?;
                Ok(Argon2::default()
                    .verify_password(password.as_bytes(), &parsed)
                    .is_ok())
            })
            .await?;
        Ok(right && known)
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt as _;

    use super::*;

    /// A flood of attempts by strangers takes no turn from an origin that logged in before.
    #[tokio::test]
    async fn a_known_origin_waits_for_no_lane_of_strangers() {
        let passwords = Passwords::default();
        let every_turn = passwords.open.acquire_many(3).await.unwrap();
        let turn_of_crowded = passwords.crowded.acquire().await.unwrap();
        let hash = passwords.run(Lane::Known, || Ok(1)).await.unwrap();
        assert_eq!(hash, 1);
        let mut open = Box::pin(passwords.run(Lane::Open, || Ok(2)));
        let mut crowded = Box::pin(passwords.run(Lane::Crowded, || Ok(3)));
        assert!((&mut open).now_or_never().is_none());
        assert!((&mut crowded).now_or_never().is_none());
        drop(every_turn);
        assert_eq!(open.await.unwrap(), 2);
        drop(turn_of_crowded);
        assert_eq!(crowded.await.unwrap(), 3);
    }
}
