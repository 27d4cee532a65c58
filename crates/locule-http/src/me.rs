//! The account of the authenticated user, and the search for other users.

use axum::Json;
use axum::extract::State;
use http::StatusCode;
use locule_api::{
    AddedApiKey, AddedProvider, AuthResponse, ChangePasswordRequest, DeleteMeRequest,
    ForgotPasswordRequest, FoundUser, Me, PasswordResponse, RenameMeRequest, ResetPasswordRequest,
    schema,
};
use serde::Deserialize;

use crate::address::{Resets, Within};
use crate::auth::auth_view;
use crate::caller::Person;
use crate::error::ApiError;
use crate::extract::{ApiJson, ApiQuery};
use crate::need::Public;
use crate::state::AppState;
use crate::times::seconds;

/// Get the authenticated user
#[utoipa::path(get, path = "/v1/me", tag = "me", security(("token" = [])),
    responses((status = 200, body = Me)))]
pub(crate) async fn get_me(
    State(app): State<AppState>,
    Person(person): Person,
) -> Result<Json<Me>, ApiError> {
    let me = app.accounts.me(&person).await?;
    Ok(Json(Me {
        user_id: person.id,
        name: me.name,
        email: me.email,
        is_admin: person.is_admin,
        team_id: person.team.map(|membership| membership.team),
        has_password: me.has_password,
        providers: me.providers,
    }))
}

/// Rename the authenticated user
///
/// Returns a token with the new name, for the same team.
#[utoipa::path(patch, path = "/v1/me", tag = "me", security(("token" = [])),
    request_body = RenameMeRequest,
    responses((status = 200, body = AuthResponse)))]
pub(crate) async fn rename_me(
    State(app): State<AppState>,
    Person(person): Person,
    ApiJson(request): ApiJson<RenameMeRequest>,
) -> Result<Json<AuthResponse>, ApiError> {
    let session = app.accounts.rename_me(&person, &request.name).await?;
    Ok(Json(auth_view(session)))
}

/// Change the password
///
/// Sets the first password when the account has none. Ends every login of the account. Returns the sign-in providers and API keys
/// that were added since the password was last set, and removes them on request.
#[utoipa::path(post, path = "/v1/me/password", tag = "me", security(("token" = [])),
    request_body = ChangePasswordRequest,
    responses((status = 200, body = PasswordResponse), (status = 429)))]
pub(crate) async fn change_password(
    State(app): State<AppState>,
    Person(person): Person,
    ApiJson(request): ApiJson<ChangePasswordRequest>,
) -> Result<Json<PasswordResponse>, ApiError> {
    let (current, new) = (request.current_password.as_deref(), &request.new_password);
    let confirmed = request.confirm_password.as_deref();
    let added = app
        .accounts
        .change_password(&person, current, new, confirmed, request.remove_added)
        .await?;
    Ok(Json(added_view(added)))
}

/// Request a password reset
///
/// Sends an e-mail with a token that resets the password. The response is the same when no account has the address.
#[utoipa::path(post, path = "/v1/me/password/reset", tag = "me", security(()),
    request_body = ForgotPasswordRequest,
    responses((status = 204), (status = 429)))]
pub(crate) async fn forgot_password(
    State(app): State<AppState>,
    _: Public,
    _: Within<Resets>,
    ApiJson(request): ApiJson<ForgotPasswordRequest>,
) -> Result<StatusCode, ApiError> {
    app.accounts.forgot_password(&request.email).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Reset the password
///
/// Takes the token from the password reset e-mail. Ends every login of the account. Returns the sign-in providers and API keys that
/// were added since the password was last set, and removes them on request.
#[utoipa::path(post, path = "/v1/me/password/reset/confirm", tag = "me", security(()),
    request_body = ResetPasswordRequest,
    responses((status = 200, body = PasswordResponse), (status = 429)))]
pub(crate) async fn reset_password(
    State(app): State<AppState>,
    _: Public,
    _: Within<Resets>,
    ApiJson(request): ApiJson<ResetPasswordRequest>,
) -> Result<Json<PasswordResponse>, ApiError> {
    let ResetPasswordRequest {
        token,
        new_password,
        remove_added,
    } = request;
    let added = app
        .accounts
        .reset_password(&token, &new_password, remove_added)
        .await?;
    Ok(Json(added_view(added)))
}

fn added_view(added: locule_control::Added) -> PasswordResponse {
    let provider = |one: locule_control::AddedProvider| AddedProvider {
        provider: one.provider,
        email: one.email,
        connected_at: seconds(one.connected_at),
    };
    let key = |key: locule_control::ApiKey| AddedApiKey {
        id: key.id,
        team_id: key.team,
        name: key.name,
        created_at: seconds(key.created_at),
    };
    PasswordResponse {
        providers: added.providers.into_iter().map(provider).collect(),
        api_keys: added.keys.into_iter().map(key).collect(),
        removed: added.removed,
    }
}

/// Delete the authenticated user
///
/// Deletes the account and the teams without other members. Requires the account's password, or a login of the last ten minutes. The
/// account of the platform's last administrator cannot be deleted.
#[utoipa::path(delete, path = "/v1/me", tag = "me", security(("token" = [])),
    request_body = DeleteMeRequest,
    responses((status = 204), (status = 409), (status = 429)))]
pub(crate) async fn delete_me(
    State(app): State<AppState>,
    Person(person): Person,
    ApiJson(request): ApiJson<DeleteMeRequest>,
) -> Result<StatusCode, ApiError> {
    app.accounts
        .delete_me(
            &person,
            &request.confirmation,
            request.current_password.as_deref(),
        )
        .await?;
    Ok(StatusCode::NO_CONTENT)
}

#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct SearchQuery {
    /// The beginning of the e-mail address: 3 characters or more, among them an `@`.
    #[param(value_type = schema::EmailPrefix)]
    email: String,
}

/// Search users
///
/// Returns the users whose e-mail address begins with the given text, 10 at most.
#[utoipa::path(get, path = "/v1/users/search", tag = "users", security(("token" = [])), params(SearchQuery),
    responses((status = 200, body = Vec<FoundUser>), (status = 429)))]
pub(crate) async fn search_users(
    State(app): State<AppState>,
    Person(person): Person,
    ApiQuery(query): ApiQuery<SearchQuery>,
) -> Result<Json<Vec<FoundUser>>, ApiError> {
    let found = app.accounts.search_users(&person, &query.email).await?;
    let view = |found: locule_control::FoundUser| FoundUser {
        user_id: found.id,
        email: found.email,
        verified: found.email_verified,
    };
    Ok(Json(found.into_iter().map(view).collect()))
}
