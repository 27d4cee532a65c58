//! Logging in.

use locule_ids::{TeamId, UserId};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Body of `POST /v1/auth/login`.
#[derive(Clone, Serialize, Deserialize, ToSchema)]
pub struct LoginRequest {
    pub email: String,
    #[schema(format = Password)]
    pub password: String,
}

impl std::fmt::Debug for LoginRequest {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("LoginRequest").finish_non_exhaustive()
    }
}

/// Who is logged in, and the token that proves it.
#[derive(Clone, Serialize, Deserialize, ToSchema)]
pub struct SessionResponse {
    /// For `Authorization: Bearer`.
    pub token: String,
    #[schema(value_type = String)]
    pub user_id: UserId,
    /// `null`: a member of no team.
    #[schema(value_type = Option<String>)]
    pub team_id: Option<TeamId>,
    pub email: String,
    pub name: String,
}

impl std::fmt::Debug for SessionResponse {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SessionResponse")
            .field("user_id", &self.user_id)
            .field("team_id", &self.team_id)
            .finish_non_exhaustive()
    }
}
