//! Read and rename one's own account.

use locule_domain::people;
use locule_store::{oauth_providers, users};

use crate::accounts::Accounts;
use crate::accounts::authenticate::Session;
use crate::accounts::error::AccountError;
use crate::authority::Needed;
use crate::caller::Person;

/// An account as its owner sees it.
#[derive(Debug, Clone)]
pub struct Me {
    pub name: String,
    pub email: String,
    pub has_password: bool,
    /// The connected sign-in providers.
    pub providers: Vec<String>,
}

impl Accounts {
    pub async fn me(&self, person: &Person) -> Result<Me, AccountError> {
        let mut conn = self.core.connection().await?;
        let user = users::by_email(&mut conn, &person.email).await?;
        let user = user.ok_or(AccountError::Unauthorized)?;
        Ok(Me {
            name: user.name,
            email: user.email,
            has_password: user.password_hash.is_some(),
            providers: oauth_providers::of_user(&mut conn, user.id).await?,
        })
    }

    /// Returns a token with the new name, for the same team as the old token (W-058).
    pub async fn rename_me(&self, person: &Person, name: &str) -> Result<Session, AccountError> {
        let name = people::person_name(name)?;
        let mut tx = self.core.transaction().await?;
        // Locked before the right is confirmed: a shared lock of a row that is then changed could wait for its own waiter.
        users::lock(&mut tx, person.id).await?;
        self.confirm(&mut tx, person, Needed::Login).await?;
        users::set_name(&mut tx, person.id, &name, self.core.now()).await?;
        self.core.commit(tx).await?;
        self.session_of(&Person {
            name,
            ..person.clone()
        })
    }
}
