//! Password hashes: Argon2id, off the async workers, and a few at a time, since each takes 19 MiB while it runs.

use argon2::Argon2;
use argon2::password_hash::phc::PasswordHash;
use argon2::password_hash::{PasswordHasher as _, PasswordVerifier as _};
use tokio::sync::Semaphore;

use crate::error::CommonError;

/// A hash that no password matches, so that an unknown e-mail address takes as long as a wrong password.
const UNMATCHED: &str = "$argon2id$v=19$m=19456,t=2,p=1$c29tZXNhbHRzb21lc2FsdA$aMlYKO8EdGpJhhaG0rcRB0o5wXGnBPGgHTNbTIKnp9M";
const AT_ONCE: usize = 4;

#[derive(Debug)]
pub(crate) struct Passwords {
    turns: Semaphore,
}

impl Default for Passwords {
    fn default() -> Self {
        Self {
            turns: Semaphore::new(AT_ONCE),
        }
    }
}

impl Passwords {
    async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> Result<T, CommonError> + Send + 'static,
    ) -> Result<T, CommonError> {
        let _turn = self.turns.acquire().await.map_err(CommonError::internal)?;
        let done = tokio::task::spawn_blocking(work).await;
        done.map_err(CommonError::internal)?
    }

    pub(crate) async fn hash(&self, password: &str) -> Result<String, CommonError> {
        let password = password.to_owned();
        self.run(move || {
            let hash = Argon2::default().hash_password(password.as_bytes());
            hash.map(|hash| hash.to_string())
                .map_err(|error| CommonError::internal(error.to_string()))
        })
        .await
    }

    /// Whether the password matches the hash. Without a hash it does not, after the same time.
    pub(crate) async fn verify(
        &self,
        hash: Option<&str>,
        password: &str,
    ) -> Result<bool, CommonError> {
        let known = hash.is_some();
        let (hash, password) = (hash.unwrap_or(UNMATCHED).to_owned(), password.to_owned());
        let right = self
            .run(move || {
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
