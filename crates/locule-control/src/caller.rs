//! Who asks, for which team, and how much they may.

use chrono::{DateTime, Utc};
use locule_ids::{ApiKeyId, TeamId, UserId};
use locule_store::identity;
use sha2::{Digest as _, Sha256};

use crate::control::Control;
use crate::error::ControlError;

/// Recorded in the audit trail.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Actor {
    User {
        id: UserId,
        name: String,
    },
    ApiKey {
        id: ApiKeyId,
        name: String,
    },
    /// The platform itself: idle pause, expiry, reconciliation.
    System,
}

/// How much a credential may.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    Full,
    /// Looking only.
    Read,
    /// Everything about sandboxes.
    Sandbox,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caller {
    pub team: TeamId,
    pub actor: Actor,
    pub scope: Scope,
}

/// The form of a key: the SDKs insist on it.
pub(crate) const KEY_PREFIX: &str = "e2b_";
const KEY_DIGITS: usize = 40;

/// What is stored of a key. Keys are 160 random bits: a plain hash is enough, and lookup needs one.
pub(crate) fn key_hash(key: &str) -> String {
    hex::encode(Sha256::digest(key.as_bytes()))
}

fn is_key(text: &str) -> bool {
    text.strip_prefix(KEY_PREFIX).is_some_and(|rest| {
        rest.len() == KEY_DIGITS
            && rest
                .bytes()
                .all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
    })
}

/// Whether the text of a key is in it, wherever and whosever.
pub(crate) fn holds_key(text: &str) -> bool {
    let length = KEY_PREFIX.len() + KEY_DIGITS;
    text.match_indices(KEY_PREFIX)
        .any(|(at, _)| text.get(at..at + length).is_some_and(is_key))
}

/// Keys used since the last write, and when.
pub(crate) type UsedKeys = std::sync::Mutex<std::collections::HashMap<ApiKeyId, DateTime<Utc>>>;

impl Control {
    /// Who an API key stands for.
    pub async fn authenticate_key(&self, key: &str) -> Result<Caller, ControlError> {
        if !is_key(key) {
            return Err(ControlError::Unauthorized);
        }
        let now = self.now();
        let mut conn = self.connection().await?;
        let found = identity::key_by_hash(&mut conn, &key_hash(key), now).await?;
        let found = found.ok_or(ControlError::Unauthorized)?;
        // Written by the sweep, many at once: a request must not cost a write.
        self.used_keys().insert(found.id, now);
        let scope = match found.scope.as_str() {
            "full" => Scope::Full,
            "sandbox" => Scope::Sandbox,
            _ => Scope::Read,
        };
        Ok(Caller {
            team: found.team,
            actor: Actor::ApiKey {
                id: found.id,
                name: found.name,
            },
            scope,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_seen_wherever_it_stands() {
        let key = format!("e2b_{}", "0a".repeat(20));
        assert!(is_key(&key));
        for text in [key.clone(), format!("e2b_x{key}y")] {
            assert!(holds_key(&text), "{text}");
        }
        for text in ["", "e2b_", &key[..43], &key.to_uppercase(), "é2b_é"] {
            assert!(!holds_key(text), "{text}");
        }
    }
}
