//! Sign-up, login, and the account of the authenticated user.

use std::fmt;

use chrono::{DateTime, Utc};
use locule_ids::{ApiKeyId, SessionId, TeamId, UserId};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::schema;

/// Implements `Debug` for types that hold a password or a token: only the name of the type is printed.
macro_rules! hidden {
    ($($name:ident),*) => { $(
        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.debug_struct(stringify!($name)).finish_non_exhaustive()
            }
        }
    )* };
}

hidden!(
    SignupRequest,
    LoginRequest,
    AuthResponse,
    ActivateRequest,
    ResetPasswordRequest,
    ChangePasswordRequest,
    DeleteMeRequest
);

/// Body of `POST /v1/auth/signup`.
#[derive(Clone, Serialize, Deserialize, ToSchema)]
pub struct SignupRequest {
    #[schema(value_type = schema::Email)]
    pub email: String,
    #[schema(value_type = schema::NewPassword)]
    pub password: String,
    /// The display name, which other users can see.
    #[schema(value_type = schema::Name)]
    pub name: String,
    /// The token of an invitation to a team, which the sign-up accepts. The e-mail address must be the invited one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 512)]
    pub invitation: Option<String>,
}

/// Body of `POST /v1/auth/login`.
#[derive(Clone, Serialize, Deserialize, ToSchema)]
pub struct LoginRequest {
    #[schema(value_type = schema::Email)]
    pub email: String,
    #[schema(format = Password, max_length = 512)]
    pub password: String,
}

/// A login token, and the account that it belongs to.
#[derive(Clone, Serialize, Deserialize, ToSchema)]
pub struct AuthResponse {
    /// The token to send as `Authorization: Bearer`.
    pub token: String,
    #[schema(value_type = schema::UserId)]
    pub user_id: UserId,
    /// The team that the token is for. `null` when the user is in no team.
    #[schema(value_type = Option<schema::TeamId>)]
    pub team_id: Option<TeamId>,
    pub email: String,
    pub name: String,
    /// The time at which the token ends, unless the login ends before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<DateTime<Utc>>,
}

/// A login of the authenticated user.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct LoginSession {
    #[schema(value_type = schema::SessionId)]
    pub id: SessionId,
    /// The time of the login.
    pub created_at: DateTime<Utc>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_used_at: Option<DateTime<Utc>>,
    /// The time at which the login ends unless it is renewed.
    pub expires_at: DateTime<Utc>,
    /// The program that logged in, in its own words (`User-Agent`). Absent when it said nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client: Option<String>,
    /// The address from which the program logged in: of IPv6 the first 64 bits. Absent when it is not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub address: Option<String>,
    /// Whether the request was made with this login.
    pub current: bool,
}

/// The logins of the authenticated user that have not ended.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct LoginSessionList {
    /// Newest first, 100 at most.
    pub items: Vec<LoginSession>,
}

/// Response to a sign-up: a login, or a message when the account must be activated by e-mail first.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(untagged)]
pub enum SignupResponse {
    LoggedIn(AuthResponse),
    MustActivate {
        /// Human-readable instructions.
        message: String,
    },
}

/// Body of `POST /v1/auth/activate`.
#[derive(Clone, Serialize, Deserialize, ToSchema)]
pub struct ActivateRequest {
    /// From the mail.
    pub token: String,
    /// The password of the account, which replaces the password of the sign-up.
    #[schema(value_type = schema::NewPassword)]
    pub password: String,
}

/// Body of `POST /v1/me/password/reset`.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct ForgotPasswordRequest {
    #[schema(value_type = schema::Email)]
    pub email: String,
}

/// Body of `POST /v1/me/password/reset/confirm`.
#[derive(Clone, Serialize, Deserialize, ToSchema)]
pub struct ResetPasswordRequest {
    /// From the mail.
    pub token: String,
    #[schema(value_type = schema::NewPassword)]
    pub new_password: String,
    /// Whether to disconnect the sign-in providers and revoke the API keys that were added since the password was last set.
    #[serde(default)]
    pub remove_added: bool,
}

/// Response to a new password: the ways into the account that were added since the password was last set.
#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema)]
pub struct PasswordResponse {
    /// Sign-in providers.
    pub providers: Vec<AddedProvider>,
    /// API keys that the user created, in every team; 100 at most.
    pub api_keys: Vec<AddedApiKey>,
    /// Whether the providers were disconnected and the keys revoked.
    pub removed: bool,
}

/// A sign-in provider that was connected to the account.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct AddedProvider {
    pub provider: String,
    /// The e-mail address at the provider. Empty when the provider told none.
    pub email: String,
    pub connected_at: DateTime<Utc>,
}

/// An API key that the user created.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct AddedApiKey {
    #[schema(value_type = schema::ApiKeyId)]
    pub id: ApiKeyId,
    #[schema(value_type = schema::TeamId)]
    pub team_id: TeamId,
    pub name: String,
    pub created_at: DateTime<Utc>,
}

/// Body of `POST /v1/auth/switch-team`.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct SwitchTeamRequest {
    #[schema(value_type = schema::TeamId)]
    pub team_id: TeamId,
}

/// The account of the authenticated user.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct Me {
    #[schema(value_type = schema::UserId)]
    pub user_id: UserId,
    pub name: String,
    pub email: String,
    /// Whether the user administers the platform.
    pub is_admin: bool,
    /// The team that the token is for. `null` when the user is in no team, or is no longer in that team.
    #[schema(value_type = Option<schema::TeamId>)]
    pub team_id: Option<TeamId>,
    pub has_password: bool,
    /// The connected sign-in providers, such as `github`.
    pub providers: Vec<String>,
}

/// Response of `GET /v1/me/providers/{provider}/connect`.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct ConnectProviderResponse {
    /// The provider's authorization page. Open the page in the browser that received this response.
    pub auth_url: String,
}

/// Body of `PATCH /v1/me`.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct RenameMeRequest {
    #[schema(value_type = schema::Name)]
    pub name: String,
}

/// Body of `POST /v1/me/password`.
#[derive(Clone, Serialize, Deserialize, ToSchema)]
pub struct ChangePasswordRequest {
    /// The current password. Required when the account has a password.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(format = Password, max_length = 512)]
    pub current_password: Option<String>,
    #[schema(value_type = schema::NewPassword)]
    pub new_password: String,
    /// The new password again. Required when the account has no password yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(format = Password, max_length = 512)]
    pub confirm_password: Option<String>,
    /// Whether to disconnect the sign-in providers and revoke the API keys that were added since the password was last set.
    #[serde(default)]
    pub remove_added: bool,
}

/// Body of `DELETE /v1/me`.
#[derive(Clone, Serialize, Deserialize, ToSchema)]
pub struct DeleteMeRequest {
    /// The account's e-mail address, which confirms the deletion.
    pub confirmation: String,
    /// The account's password. Not required when the login is younger than ten minutes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(format = Password, max_length = 512)]
    pub current_password: Option<String>,
}

/// A user that a search found.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct FoundUser {
    #[schema(value_type = schema::UserId)]
    pub user_id: UserId,
    pub email: String,
    /// Whether the user has proved to own the e-mail address.
    pub verified: bool,
}
