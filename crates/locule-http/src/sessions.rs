//! The logins of the authenticated user.

use axum::Json;
use axum::extract::State;
use http::StatusCode;
use locule_api::{LoginSession, LoginSessionList, schema};
use locule_control::OwnSession;
use locule_ids::SessionId;

use crate::caller::Person;
use crate::error::ApiError;
use crate::extract::ApiPath;
use crate::state::AppState;
use crate::times::seconds;

fn session_view(own: OwnSession) -> LoginSession {
    let OwnSession { session, current } = own;
    let known = |text: String| Some(text).filter(|text| !text.is_empty());
    LoginSession {
        id: session.id,
        created_at: seconds(session.created_at),
        last_used_at: session.last_used_at.map(seconds),
        expires_at: seconds(session.expires_at),
        client: known(session.user_agent),
        address: known(session.address),
        current,
    }
}

/// List logins
///
/// Returns the logins of the authenticated user that have not ended, newest first.
#[utoipa::path(get, path = "/v1/me/sessions", tag = "me", security(("token" = [])),
    responses((status = 200, body = LoginSessionList)))]
pub(crate) async fn list_sessions(
    State(app): State<AppState>,
    Person(person): Person,
) -> Result<Json<LoginSessionList>, ApiError> {
    let sessions = app.accounts.list_sessions(&person).await?;
    let items = sessions.into_iter().map(session_view).collect();
    Ok(Json(LoginSessionList { items }))
}

/// End a login
///
/// The tokens of the login, the connections that were opened with them, and the user's tokens of sandboxes are no longer valid.
#[utoipa::path(delete, path = "/v1/me/sessions/{id}", tag = "me", security(("token" = [])),
    params(("id" = schema::SessionId, Path)),
    responses((status = 204), (status = 404)))]
pub(crate) async fn end_session(
    State(app): State<AppState>,
    Person(person): Person,
    ApiPath(id): ApiPath<SessionId>,
) -> Result<StatusCode, ApiError> {
    app.accounts.end_session(&person, id).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// End all other logins
///
/// Ends every login of the authenticated user but the one of the request.
#[utoipa::path(delete, path = "/v1/me/sessions", tag = "me", security(("token" = [])),
    responses((status = 204)))]
pub(crate) async fn end_other_sessions(
    State(app): State<AppState>,
    Person(person): Person,
) -> Result<StatusCode, ApiError> {
    app.accounts.end_other_sessions(&person).await?;
    Ok(StatusCode::NO_CONTENT)
}
