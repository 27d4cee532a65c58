//! Search accounts by the beginning of the e-mail address.

use locule_domain::people;
use locule_store::users;

pub use locule_store::users::Found as FoundUser;

use super::limit::Limited;
use crate::accounts::Accounts;
use crate::accounts::error::AccountError;
use crate::caller::Person;

impl Accounts {
    /// Returns at most ten accounts of the whole platform (B-042). An invalid prefix costs no query (B-041).
    pub async fn search_users(
        &self,
        person: &Person,
        prefix: &str,
    ) -> Result<Vec<FoundUser>, AccountError> {
        let prefix = people::search_prefix(prefix)?;
        self.limit(Limited::AddressesByPerson, &person.id.to_string())?;
        let mut conn = self.core.connection().await?;
        Ok(users::search(&mut conn, &prefix).await?)
    }
}
