//! Logging in and out.

use axum::Json;
use axum::extract::State;
use http::{HeaderMap, StatusCode};
use locule_api::{ErrorBody, LoginRequest, SessionResponse};

use crate::caller::bearer;
use crate::error::ApiError;
use crate::extract::ApiJson;
use crate::state::AppState;

/// Log in with an e-mail address and a password.
#[utoipa::path(post, path = "/v1/auth/login", tag = "auth", security(()),
    request_body = LoginRequest,
    responses((status = 200, body = SessionResponse), (status = "4XX", body = ErrorBody)))]
pub(crate) async fn login(
    State(app): State<AppState>,
    ApiJson(request): ApiJson<LoginRequest>,
) -> Result<Json<SessionResponse>, ApiError> {
    let session = app.control.login(&request.email, &request.password).await?;
    Ok(Json(SessionResponse {
        token: session.token,
        user_id: session.user_id,
        team_id: session.team_id,
        email: session.email,
        name: session.name,
    }))
}

/// End the login that the token belongs to.
#[utoipa::path(post, path = "/v1/auth/logout", tag = "auth", security(("token" = [])),
    responses((status = 204), (status = "4XX", body = ErrorBody)))]
pub(crate) async fn logout(
    State(app): State<AppState>,
    headers: HeaderMap,
) -> Result<StatusCode, ApiError> {
    let token = bearer(&headers).ok_or_else(ApiError::unauthorized)?;
    app.control.logout(token).await?;
    Ok(StatusCode::NO_CONTENT)
}
