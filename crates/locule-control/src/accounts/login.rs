//! Log in, log out, and switch to another team.

use locule_domain::{UserStatus, people};
use locule_ids::TeamId;
use locule_store::{members, sessions, users};

use super::limit::Limited;
use crate::accounts::Accounts;
use crate::accounts::authenticate::Session;
use crate::accounts::error::AccountError;
use crate::caller::{Membership, Person};
use crate::error::CommonError;

impl Accounts {
    /// Opens a session for the person's default team. If that team is deleted, for the first other team; without a team, for none (B-133).
    pub async fn login(&self, email: &str, password: &str) -> Result<Session, AccountError> {
        let email = people::email(email)?;
        self.limit(Limited::LoginByAccount, &email)?;
        people::check_password_size(password)?;
        let mut conn = self.core.connection().await?;
        let user = users::by_email(&mut conn, &email).await?;
        // Hashing is slow: other requests need the connection meanwhile.
        drop(conn);
        let hash = user.as_ref().and_then(|user| user.password_hash.as_deref());
        let right = self.inner.passwords.verify(hash, password).await?;
        let user = user.filter(|_| right).ok_or(AccountError::Unauthorized)?;
        match user.status {
            UserStatus::Active => {}
            UserStatus::Inactive => return Err(AccountError::AccountNotActivated),
            UserStatus::Disabled => return Err(AccountError::AccountDisabled),
            UserStatus::Deleted => return Err(AccountError::Unauthorized),
        }
        let mut tx = self.core.transaction().await?;
        // The account may have changed during the comparison: a disabled account must not get a session.
        let fresh = users::lock(&mut tx, user.id).await?;
        let same = |fresh: &users::User| {
            fresh.status == user.status && fresh.password_hash == user.password_hash
        };
        let fresh = fresh.filter(same).ok_or(AccountError::Unauthorized)?;
        let session = self.open_session(&mut tx, &fresh).await?;
        self.core.commit(tx).await?;
        Ok(session)
    }

    /// Ends the person's current session, or all sessions of the person.
    pub async fn logout(&self, person: &Person, all: bool) -> Result<(), AccountError> {
        let mut conn = self.core.connection().await?;
        let now = self.core.now();
        if all {
            sessions::revoke_all(&mut conn, person.id, now).await?;
        } else {
            sessions::revoke(&mut conn, person.session, now).await?;
        }
        Ok(())
    }

    /// Issues a token of the same session for another team of the person (B-136, B-153).
    pub async fn switch_team(
        &self,
        person: &Person,
        team: TeamId,
    ) -> Result<Session, AccountError> {
        let mut tx = self.core.transaction().await?;
        let missing = CommonError::NotFound { what: "team" };
        locule_store::teams::lock(&mut tx, team)
            .await?
            .ok_or(missing)?;
        let role = members::role(&mut tx, team, person.id).await?;
        let role = role.ok_or(AccountError::Forbidden {
            why: "only members of this team may switch to it",
        })?;
        let switched = Person {
            team: Some(Membership { team, role }),
            ..person.clone()
        };
        self.session_of(&switched)
    }
}
