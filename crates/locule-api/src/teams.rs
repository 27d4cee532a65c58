//! Teams, their members and their API keys.

use std::collections::BTreeMap;
use std::fmt;

use chrono::{DateTime, Utc};
use locule_ids::{ApiKeyId, SandboxId, TeamId, UserId};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::sandboxes::SandboxStatus;
use crate::schema;

/// The role of a member in a team.
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
    /// A unique name that never changes and is never reused for another team.
    pub slug: String,
    /// Whether the team may bring its own hosts.
    pub is_byoc: bool,
    pub created_at: DateTime<Utc>,
}

/// A team, and the role of the authenticated user in that team.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct TeamWithRole {
    #[serde(flatten)]
    pub team: Team,
    pub role: Role,
}

/// A team with its members and the invited people.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct TeamDetail {
    pub team: Team,
    pub members: Vec<Member>,
}

/// Whether a person is in the team.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum MemberStatus {
    /// The person is a member.
    Active,
    /// The person was invited, has not accepted the invitation yet, and has no right in the team.
    Invited,
}

impl fmt::Display for MemberStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Active => "active",
            Self::Invited => "invited",
        })
    }
}

/// A member of a team, or an invited person.
#[derive(Clone, Serialize, Deserialize, ToSchema)]
pub struct Member {
    /// The id of the member. The id of an invited person stands for the invitation, and removes it.
    #[schema(value_type = schema::UserId)]
    pub user_id: UserId,
    /// The display name. Empty for an invited person.
    pub name: String,
    pub email: String,
    /// Whether the member has proved to own the e-mail address. Always `false` for an invited person.
    pub verified: bool,
    pub role: Role,
    pub status: MemberStatus,
    /// The time at which the member joined, or the person was invited.
    pub joined_at: DateTime<Utc>,
    /// The link that accepts the invitation. Present only in the response that invites, and only when the platform has no mail server.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub link: Option<String>,
}

impl fmt::Debug for Member {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Member")
            .field("user_id", &self.user_id)
            .field("role", &self.role)
            .field("status", &self.status)
            .finish_non_exhaustive()
    }
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
    /// The e-mail address of the person, with or without an account.
    #[schema(value_type = schema::Email)]
    pub email: String,
}

/// Body of `PATCH /v1/teams/{id}/members/{user_id}`.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct SetRoleRequest {
    #[schema(schema_with = schema::given_role)]
    pub role: Role,
}

/// The operations that an API key may perform.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum KeyScope {
    /// Every operation that accepts an API key.
    #[default]
    Full,
    /// Operations that read. Such a key changes nothing and opens no connection.
    Read,
    /// Every operation on sandboxes.
    Sandbox,
}

/// Body of `POST /v1/api-keys`. Every field has a default.
#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema)]
#[serde(default)]
pub struct CreateApiKeyRequest {
    /// The name of the key. A name is generated when empty.
    #[schema(max_length = 100, pattern = r"^[^\x00-\x1f\x7f-\x9f]*$")]
    pub name: String,
    pub scope: KeyScope,
    /// The time at which the key expires. Absent: never.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<DateTime<Utc>>,
}

/// The sandboxes that a removed user or a revoked key created and that still exist. A program that was left running in one of them
/// goes on until the sandbox is destroyed.
#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema)]
pub struct CreatedSandboxes {
    /// Newest first, 100 at most.
    pub sandboxes: Vec<CreatedSandbox>,
    /// Whether more sandboxes exist than the list contains.
    pub has_more: bool,
}

/// A sandbox, in short.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct CreatedSandbox {
    #[schema(value_type = schema::SandboxId)]
    pub id: SandboxId,
    #[schema(value_type = schema::TeamId)]
    pub team_id: TeamId,
    pub status: SandboxStatus,
    pub template: String,
    /// Empty when the labels are longer than 4 KiB.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<String, String>,
    pub created_at: DateTime<Utc>,
}

#[derive(Clone, Serialize, Deserialize, ToSchema)]
pub struct ApiKey {
    #[schema(value_type = schema::ApiKeyId)]
    pub id: ApiKeyId,
    #[schema(value_type = schema::TeamId)]
    pub team_id: TeamId,
    pub name: String,
    /// The first ten characters of the key.
    pub key_prefix: String,
    pub scope: KeyScope,
    /// The user that created the key. Absent when that account was deleted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<schema::UserId>)]
    pub created_by: Option<UserId>,
    /// The name of that user.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub created_by_name: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub creator_email: Option<String>,
    pub created_at: DateTime<Utc>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<DateTime<Utc>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_used: Option<DateTime<Utc>>,
    /// The secret key. Present only in the response that creates the key.
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
