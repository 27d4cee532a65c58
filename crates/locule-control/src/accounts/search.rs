//! Finding somebody by the beginning of an e-mail address.

use locule_domain::people;
use locule_ids::UserId;
use locule_store::users;

use super::limit::Limited;
use crate::accounts::Accounts;
use crate::accounts::error::AccountError;
use crate::caller::Person;

impl Accounts {
    /// At most ten, site-wide (B-042). A prefix that is none costs no query (B-041).
    pub async fn search_users(
        &self,
        person: &Person,
        prefix: &str,
    ) -> Result<Vec<(UserId, String)>, AccountError> {
        let prefix = people::search_prefix(prefix)?;
        self.limit(Limited::SearchByAccount, &person.id.to_string())?;
        let mut conn = self.core.connection().await?;
        Ok(users::search(&mut conn, &prefix).await?)
    }
}
