//! Log in, log out, and switch to another team.

use locule_domain::{UserStatus, people};
use locule_ids::TeamId;
use locule_store::{members, sessions, users};

use super::attempts::{Attempt, LoginOrigin};
use crate::accounts::Accounts;
use crate::accounts::authenticate::Session;
use crate::accounts::error::AccountError;
use crate::audit::AuditEvent;
use crate::caller::{Actor, Membership, Person};
use crate::error::CommonError;
use crate::tokens::Claims;

impl Accounts {
    /// Opens a session for the person's default team. If that team is deleted, for the first other team; without a team, for none (B-133).
    pub async fn login(
        &self,
        email: &str,
        password: &str,
        from: LoginOrigin<'_>,
    ) -> Result<Session, AccountError> {
        let email = people::email(email)?;
        people::check_password_size(password)?;
        let mut conn = self.core.connection().await?;
        let user = users::by_email(&mut conn, &email).await?;
        let address = from.address;
        let came = sessions::came_from(&mut conn, &email, address).await? && !address.is_empty();
        // Hashing is slow: other requests need the connection meanwhile.
        drop(conn);
        let earlier = from.earlier_token.and_then(|token| self.signed(token));
        let is_own = |claims: &Claims| user.as_ref().is_some_and(|user| user.id == claims.sub);
        let earlier = earlier.filter(is_own).map(|claims| claims.sid.to_string());
        let attempt = Attempt {
            account: &email,
            origin: earlier.as_deref().unwrap_or(address),
            address,
            is_known: came || earlier.is_some(),
        };
        let hash = user.as_ref().and_then(|user| user.password_hash.as_deref());
        if !self.attempt(attempt, hash, password).await? {
            self.record_failure(&attempt, user.as_ref().map(|user| user.id))
                .await?;
            return Err(AccountError::Unauthorized);
        }
        let user = user.ok_or(AccountError::Unauthorized)?;
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
        let session = self.open_session(&mut tx, &fresh, from).await?;
        let (user, actor) = (fresh.id, Actor::user(&fresh));
        let event = AuditEvent::UserLogin { user, address };
        self.write_platform_audit(&mut tx, &actor, &event).await?;
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
        let mut conn = self.core.connection().await?;
        let role = members::role(&mut conn, team, person.id).await?;
        // The same for a team of others, a deleted team and a team that never existed.
        let role = role.ok_or(CommonError::NotFound { what: "team" })?;
        let switched = Person {
            team: Some(Membership { team, role }),
            ..person.clone()
        };
        self.session_of(&switched)
    }
}
