//! The ways into an account that were added since its password was last set. A thief of the password, or of a token, may have
//! added them: a new password ends the logins, and the answer lists the keys and providers that stay.

use locule_ids::{TeamId, UserId};
use locule_store::api_keys::{self, ApiKey};
use locule_store::{PgConnection, oauth_providers};

pub use locule_store::oauth_providers::Added as AddedProvider;

use crate::accounts::Accounts;
use crate::accounts::error::AccountError;
use crate::accounts::github::GITHUB;
use crate::audit::{self, AuditEvent};
use crate::caller::Actor;

/// The keys that an answer names.
const KEYS_MAX: usize = 100;

/// Connected sign-in providers and API keys.
#[derive(Debug, Clone, Default)]
pub struct Added {
    pub providers: Vec<AddedProvider>,
    /// Of every team; 100 at most.
    pub keys: Vec<ApiKey>,
    /// Whether they were disconnected and revoked.
    pub removed: bool,
}

impl Accounts {
    /// What was added to a locked account since its password was last set. Called before the new password is written.
    pub(super) async fn added(
        &self,
        conn: &mut PgConnection,
        user: UserId,
        actor: &Actor,
        remove: bool,
    ) -> Result<Added, AccountError> {
        let (providers, mut keys) = if remove {
            let providers = oauth_providers::remove_added(conn, user).await?;
            (providers, api_keys::delete_added(conn, user).await?)
        } else {
            let providers = oauth_providers::added(conn, user).await?;
            (providers, api_keys::added(conn, user).await?)
        };
        if remove {
            let now = self.core.now();
            for _ in &providers {
                let event = AuditEvent::UserDisconnect {
                    user,
                    provider: GITHUB,
                };
                audit::write(conn, actor, TeamId::PLATFORM, &event, now).await?;
            }
            for key in &keys {
                let event = AuditEvent::ApiKeyRevoke {
                    key: key.id,
                    name: &key.name,
                };
                audit::write(conn, actor, key.team, &event, now).await?;
            }
        }
        keys.truncate(KEYS_MAX);
        Ok(Added {
            providers,
            keys,
            removed: remove,
        })
    }
}
