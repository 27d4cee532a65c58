//! API keys of a team. Any member creates keys; a key is shown once; its creator and the team's owner and admins revoke it (W-039).

use chrono::{DateTime, Utc};
use locule_domain::{Role, Scope, people};
use locule_ids::ApiKeyId;
use locule_store::api_keys;
pub use locule_store::api_keys::ApiKey;
use locule_store::sandboxes::CreatedFilter;

use super::created::{self, CreatedSandboxes};
use crate::accounts::Accounts;
use crate::accounts::error::AccountError;
use crate::accounts::limit::{Limited, check_limit};
use crate::audit::{self, AuditEvent};
use crate::caller::Person;
use crate::error::CommonError;
use crate::secrets::{new_api_key, secret_hash};

/// The period of the job that writes when keys were last used.
pub(crate) const PERIOD: std::time::Duration = std::time::Duration::from_secs(15);

/// The properties of a key to create.
#[derive(Debug, Clone)]
pub struct NewApiKey {
    /// May be empty.
    pub name: String,
    pub scope: Scope,
    pub expires_at: Option<DateTime<Utc>>,
}

impl Accounts {
    /// Returns the key's row and the key itself, which cannot be read again.
    pub async fn create_api_key(
        &self,
        person: &Person,
        request: &NewApiKey,
    ) -> Result<(ApiKey, String), AccountError> {
        let (name, now) = (people::key_name(&request.name)?, self.core.now());
        if request.expires_at.is_some_and(|at| at <= now) {
            let why = "expires_at must be in the future".to_owned();
            return Err(CommonError::Invalid(why).into());
        }
        let team = person.membership()?.team;
        self.limit(Limited::CreateKeyByAccount, &person.id.to_string())?;
        let mut tx = self.core.transaction().await?;
        self.team_to_change(&mut tx, person, team, Role::Member)
            .await?;
        let max = self.inner.config.limits.keys_per_team_max;
        check_limit(
            api_keys::count(&mut tx, team).await?,
            max,
            "API keys of a team",
        )?;
        let (secret, prefix) = new_api_key();
        let key = ApiKey {
            id: ApiKeyId::random(),
            team,
            name,
            prefix,
            scope: request.scope,
            created_by: Some(person.id),
            creator_email: Some(person.email.clone()),
            creator_name: Some(person.name.clone()),
            created_at: now,
            expires_at: request.expires_at,
            last_used: None,
        };
        api_keys::insert(&mut tx, &key, &secret_hash(&secret)).await?;
        let event = AuditEvent::ApiKeyCreate {
            key: key.id,
            name: &key.name,
        };
        audit::write(&mut tx, &person.actor(), team, &event, now).await?;
        self.core.commit(tx).await?;
        Ok((key, secret))
    }

    /// The keys of the team, newest first.
    pub async fn list_api_keys(&self, person: &Person) -> Result<Vec<ApiKey>, AccountError> {
        let team = person.membership()?.team;
        // The list must show the last use of a key that was used a moment ago.
        self.write_used_keys().await?;
        let mut conn = self.core.connection().await?;
        Ok(api_keys::list(&mut conn, team).await?)
    }

    /// Succeeds also if the key does not exist, as after an earlier revocation. Returns the sandboxes that the key created and that
    /// still exist.
    pub async fn revoke_api_key(
        &self,
        person: &Person,
        id: ApiKeyId,
    ) -> Result<CreatedSandboxes, AccountError> {
        let team = person.membership()?.team;
        let mut tx = self.core.transaction().await?;
        let (_, role) = self
            .team_to_change(&mut tx, person, team, Role::Member)
            .await?;
        let Some(key) = api_keys::lock(&mut tx, team, id).await? else {
            return Ok(CreatedSandboxes::default());
        };
        if role < Role::Admin && key.created_by != Some(person.id) {
            return Err(AccountError::Forbidden {
                why: "members revoke their own keys only",
            });
        }
        api_keys::delete(&mut tx, team, id).await?;
        let filter = CreatedFilter {
            keys: vec![id],
            team: Some(team),
            ..CreatedFilter::default()
        };
        let created = created::list(&mut tx, filter).await?;
        let event = AuditEvent::ApiKeyRevoke {
            key: id,
            name: &key.name,
        };
        audit::write(&mut tx, &person.actor(), team, &event, self.core.now()).await?;
        self.core.commit(tx).await?;
        Ok(created)
    }

    /// The periodic job that writes when keys were last used.
    pub(crate) async fn write_used_keys(&self) -> Result<(), AccountError> {
        let used = self.inner.used_keys.take();
        if used.is_empty() {
            return Ok(());
        }
        let mut conn = self.core.connection().await?;
        Ok(api_keys::touch(&mut conn, &used).await?)
    }
}
