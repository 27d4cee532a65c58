//! The retention job: deletes accounts 15 days after their owners deleted them, and sessions, invitations and tokens of hosts 30 days
//! after their end. It does not touch sandboxes, teams or the audit log, in which it only replaces the names of deleted accounts.

use std::time::Duration;

use locule_store::{host_tokens, invitations, sessions, users};

use crate::accounts::Accounts;
use crate::accounts::error::AccountError;

pub(crate) const PERIOD: Duration = Duration::from_hours(1);
const PEOPLE_DAYS: i64 = 15;
const SESSION_DAYS: i64 = 30;
const PEOPLE_AT_ONCE: i64 = 100;

impl Accounts {
    /// One pass.
    pub(crate) async fn purge_expired(&self) -> Result<(), AccountError> {
        let now = self.core.now();
        let mut tx = self.core.transaction().await?;
        users::purge(
            &mut tx,
            now - chrono::Duration::days(PEOPLE_DAYS),
            PEOPLE_AT_ONCE,
        )
        .await?;
        let ended = now - chrono::Duration::days(SESSION_DAYS);
        sessions::purge(&mut tx, ended).await?;
        invitations::purge(&mut tx, ended).await?;
        host_tokens::purge(&mut tx, ended).await?;
        Ok(self.core.commit(tx).await?)
    }
}
