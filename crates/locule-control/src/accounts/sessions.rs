//! A person's logins: renew, list and end them (ADR 0039).
//!
//! ```text
//! login ── token, 6 h ── renew ── token, 6 h ── renew ── … 30 days after the login at the latest
//!                          └─ only with the newest token; a renewal with an earlier one ends the login
//! ```

use chrono::Duration;
use locule_ids::SessionId;
use locule_store::{sessions, users};

pub use locule_store::sessions::Listed as ListedSession;

use crate::accounts::Accounts;
use crate::accounts::authenticate::Session;
use crate::accounts::error::AccountError;
use crate::audit::{AuditEvent, SessionEnd};
use crate::authority::Needed;
use crate::caller::Person;
use crate::error::CommonError;
use crate::tokens::SESSION_HOURS;

/// A login ends this long after it began, however often it was renewed.
const SESSION_DAYS_MAX: i64 = 30;
/// For this long after a renewal an earlier token gets what the renewal gave: several pages share a token, and an answer may be lost.
const RENEWED_TWICE_SECONDS: i64 = 60;
const LISTED_MAX: i64 = 100;

/// A login of a person, and whether the request came with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OwnSession {
    pub session: ListedSession,
    pub current: bool,
}

impl Accounts {
    /// Moves the end of the person's login, and issues the login's newest token. A token that is not the newest ends the login:
    /// of the two clients that have it, one is a thief.
    pub async fn renew_session(&self, person: &Person) -> Result<Session, AccountError> {
        let now = self.core.now();
        let mut tx = self.core.transaction().await?;
        // Locked before the right is confirmed: a shared lock of a row that is then changed could wait for its own waiter.
        users::lock(&mut tx, person.id).await?;
        self.confirm(&mut tx, person, Needed::Login).await?;
        let lifetime = sessions::lifetime(&mut tx, person.session).await?;
        let lifetime = lifetime.ok_or(AccountError::Unauthorized)?;
        let is_newest = person.token_ends.timestamp() >= lifetime.expires_at.timestamp();
        let grace = Duration::seconds(RENEWED_TWICE_SECONDS);
        let is_recent = lifetime.renewed_at.is_some_and(|at| now - at <= grace);
        if !is_newest && !is_recent {
            sessions::revoke(&mut tx, person.session, now).await?;
            let event = AuditEvent::UserSessionEnd {
                user: person.id,
                count: 1,
                why: SessionEnd::TokenReused,
            };
            self.write_platform_audit(&mut tx, &person.actor(), &event)
                .await?;
            self.core.commit(tx).await?;
            return Err(AccountError::Unauthorized);
        }
        let mut ends = lifetime.expires_at;
        if is_newest {
            let last = lifetime.began_at + Duration::days(SESSION_DAYS_MAX);
            ends = ends.max(last.min(now + Duration::hours(SESSION_HOURS)));
            sessions::renew(&mut tx, person.session, ends, now).await?;
        }
        self.core.commit(tx).await?;
        self.session_of(&Person {
            token_ends: ends,
            ..person.clone()
        })
    }

    /// The logins of the person that have not ended, newest first: 100 at most.
    pub async fn list_sessions(&self, person: &Person) -> Result<Vec<OwnSession>, AccountError> {
        // The list must show the last use of a login that was used a moment ago.
        self.write_used_sessions().await?;
        let mut conn = self.core.connection().await?;
        let now = self.core.now();
        let listed = sessions::list(&mut conn, person.id, now, LISTED_MAX).await?;
        let own = |session: ListedSession| OwnSession {
            current: session.id == person.session,
            session,
        };
        Ok(listed.into_iter().map(own).collect())
    }

    /// Ends one login of the person.
    pub async fn end_session(
        &self,
        person: &Person,
        session: SessionId,
    ) -> Result<(), AccountError> {
        let now = self.core.now();
        let mut tx = self.core.transaction().await?;
        users::lock(&mut tx, person.id).await?;
        self.confirm(&mut tx, person, Needed::Login).await?;
        if !sessions::revoke_one(&mut tx, person.id, session, now).await? {
            return Err(CommonError::NotFound { what: "session" }.into());
        }
        let event = AuditEvent::UserSessionEnd {
            user: person.id,
            count: 1,
            why: SessionEnd::Requested,
        };
        self.write_platform_audit(&mut tx, &person.actor(), &event)
            .await?;
        Ok(self.core.commit(tx).await?)
    }

    /// Ends every login of the person but the one of this request.
    pub async fn end_other_sessions(&self, person: &Person) -> Result<(), AccountError> {
        let now = self.core.now();
        let mut tx = self.core.transaction().await?;
        users::lock(&mut tx, person.id).await?;
        self.confirm(&mut tx, person, Needed::Login).await?;
        let count = sessions::revoke_others(&mut tx, person.id, person.session, now).await?;
        if count > 0 {
            let event = AuditEvent::UserSessionEnd {
                user: person.id,
                count,
                why: SessionEnd::Requested,
            };
            self.write_platform_audit(&mut tx, &person.actor(), &event)
                .await?;
        }
        Ok(self.core.commit(tx).await?)
    }

    /// The part of a periodic job that writes when logins were last used.
    pub(crate) async fn write_used_sessions(&self) -> Result<(), AccountError> {
        let used = self.inner.used_sessions.take();
        if used.is_empty() {
            return Ok(());
        }
        let mut conn = self.core.connection().await?;
        Ok(sessions::touch(&mut conn, &used).await?)
    }
}
