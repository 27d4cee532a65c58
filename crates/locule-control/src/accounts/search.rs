//! Finding somebody by the beginning of an e-mail address.

use locule_domain::people;
use locule_ids::UserId;
use locule_store::users;

use super::limit::Limited;
use crate::accounts::Accounts;
use crate::caller::Person;
use crate::error::ControlError;

impl Accounts {
    /// At most ten, site-wide (B-042). A prefix that is none costs no query (B-041).
    pub async fn search_users(
        &self,
        person: &Person,
        prefix: &str,
    ) -> Result<Vec<(UserId, String)>, ControlError> {
        let prefix = people::search_prefix(prefix)?;
        self.limit(Limited::SearchByAccount, &person.id.to_string())?;
        let mut conn = self.core.connection().await?;
        Ok(users::search(&mut conn, &prefix).await?)
    }
}
