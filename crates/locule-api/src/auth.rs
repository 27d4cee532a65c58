//! Signing up, logging in, one's own account.

use std::fmt;

use locule_ids::{TeamId, UserId};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::schema;

/// What holds a password or a token shows nothing of itself.
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
    ChangePasswordRequest
);

/// Body of `POST /v1/auth/signup`.
#[derive(Clone, Serialize, Deserialize, ToSchema)]
pub struct SignupRequest {
    #[schema(value_type = schema::Email)]
    pub email: String,
    #[schema(value_type = schema::NewPassword)]
    pub password: String,
    /// What others see.
    #[schema(value_type = schema::Name)]
    pub name: String,
}

/// Body of `POST /v1/auth/login`.
#[derive(Clone, Serialize, Deserialize, ToSchema)]
pub struct LoginRequest {
    #[schema(value_type = schema::Email)]
    pub email: String,
    #[schema(format = Password, max_length = 512)]
    pub password: String,
}

/// Who is logged in, and the token that proves it.
#[derive(Clone, Serialize, Deserialize, ToSchema)]
pub struct AuthResponse {
    /// For `Authorization: Bearer`.
    pub token: String,
    #[schema(value_type = schema::UserId)]
    pub user_id: UserId,
    /// What the token is for. `null`: the person is in no team.
    #[schema(value_type = Option<schema::TeamId>)]
    pub team_id: Option<TeamId>,
    pub email: String,
    pub name: String,
}

/// Answer to signing up: a login, or word of a mail that has to be answered first.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(untagged)]
pub enum SignupResponse {
    LoggedIn(AuthResponse),
    MustActivate {
        /// For people.
        message: String,
    },
}

/// Body of `POST /v1/auth/activate`.
#[derive(Clone, Serialize, Deserialize, ToSchema)]
pub struct ActivateRequest {
    /// From the mail.
    pub token: String,
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
}

/// Body of `POST /v1/auth/switch-team`.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct SwitchTeamRequest {
    #[schema(value_type = schema::TeamId)]
    pub team_id: TeamId,
}

/// One's own account.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct Me {
    #[schema(value_type = schema::UserId)]
    pub user_id: UserId,
    pub name: String,
    pub email: String,
    /// Administers the platform.
    pub is_admin: bool,
    /// What the token is for. `null`: a team that the person is not in any more, or none.
    #[schema(value_type = Option<schema::TeamId>)]
    pub team_id: Option<TeamId>,
    pub has_password: bool,
    /// Other ways in, such as `github`.
    pub providers: Vec<String>,
}

/// Answer to `GET /v1/me/providers/{provider}/connect`.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct ConnectProviderResponse {
    /// Where the browser that got this answer is to go.
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
    /// Asked of who has a password.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(format = Password, max_length = 512)]
    pub current_password: Option<String>,
    #[schema(value_type = schema::NewPassword)]
    pub new_password: String,
    /// Asked of who has none yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(format = Password, max_length = 512)]
    pub confirm_password: Option<String>,
}

/// Body of `DELETE /v1/me`.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct DeleteMeRequest {
    /// The account's e-mail address.
    pub confirmation: String,
}

/// Somebody who was looked for.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct FoundUser {
    #[schema(value_type = schema::UserId)]
    pub user_id: UserId,
    pub email: String,
}
