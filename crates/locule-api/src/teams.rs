//! Teams, who is in them, and their keys.

use std::fmt;

use chrono::{DateTime, Utc};
use locule_ids::{ApiKeyId, TeamId, UserId};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::schema;

/// What somebody is in a team.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    Owner,
    Admin,
    Member,
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Owner => "owner",
            Self::Admin => "admin",
            Self::Member => "member",
        })
    }
}

#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct Team {
    #[schema(value_type = schema::TeamId)]
    pub id: TeamId,
    pub name: String,
    /// Never changes, and is never given to another team.
    pub slug: String,
    /// Brings hosts of its own.
    pub is_byoc: bool,
    pub created_at: DateTime<Utc>,
}

/// A team, and what the caller is in it.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct TeamWithRole {
    #[serde(flatten)]
    pub team: Team,
    pub role: Role,
}

/// A team with everybody in it.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct TeamDetail {
    pub team: Team,
    pub members: Vec<Member>,
}

#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct Member {
    #[schema(value_type = schema::UserId)]
    pub user_id: UserId,
    pub name: String,
    pub email: String,
    pub role: Role,
    pub joined_at: DateTime<Utc>,
}

/// Body of `POST /v1/teams` and `PATCH /v1/teams/{id}`.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct TeamNameRequest {
    #[schema(value_type = schema::TeamName)]
    pub name: String,
}

/// Body of `POST /v1/teams/{id}/members`.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct AddMemberRequest {
    /// Of an account that there is.
    #[schema(value_type = schema::Email)]
    pub email: String,
}

/// Body of `PATCH /v1/teams/{id}/members/{user_id}`.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct SetRoleRequest {
    #[schema(schema_with = schema::given_role)]
    pub role: Role,
}

/// How much a key may.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum KeyScope {
    /// Whatever keys may.
    #[default]
    Full,
    /// Look, and neither change nor open anything.
    Read,
    /// Everything about sandboxes.
    Sandbox,
}

/// Body of `POST /v1/api-keys`. Everything has a default.
#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema)]
#[serde(default)]
pub struct CreateApiKeyRequest {
    /// Empty: one is made up.
    #[schema(max_length = 100, pattern = r"^[^\x00-\x1f\x7f-\x9f]*$")]
    pub name: String,
    pub scope: KeyScope,
    /// Never unless set.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<DateTime<Utc>>,
}

#[derive(Clone, Serialize, Deserialize, ToSchema)]
pub struct ApiKey {
    #[schema(value_type = schema::ApiKeyId)]
    pub id: ApiKeyId,
    #[schema(value_type = schema::TeamId)]
    pub team_id: TeamId,
    pub name: String,
    /// Its first ten characters.
    pub key_prefix: String,
    pub scope: KeyScope,
    /// Absent when that account is gone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<schema::UserId>)]
    pub created_by: Option<UserId>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub creator_email: Option<String>,
    pub created_at: DateTime<Utc>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<DateTime<Utc>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_used: Option<DateTime<Utc>>,
    /// The key itself: only in the answer to its creation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
}

impl fmt::Debug for ApiKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ApiKey")
            .field("id", &self.id)
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}
