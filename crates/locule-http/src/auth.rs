//! Sign-up, login, logout, and switching to another team.

use axum::Json;
use axum::extract::State;
use http::{HeaderMap, StatusCode};
use locule_api::{
    ActivateRequest, AuthResponse, LoginRequest, SignupRequest, SignupResponse, SwitchTeamRequest,
};
use locule_control::{LoginOrigin, Session, SignedUp};
use serde::Deserialize;

use crate::address::{LoginClient, Resets, SignUps, Within};
use crate::caller::{Person, bearer_token};
use crate::error::ApiError;
use crate::extract::{ApiJson, ApiQuery};
use crate::need::Public;
use crate::state::AppState;
use crate::times::seconds;

pub(crate) fn auth_view(session: Session) -> AuthResponse {
    AuthResponse {
        token: session.token,
        user_id: session.user_id,
        team_id: session.team_id,
        email: session.email,
        name: session.name,
        expires_at: Some(seconds(session.expires_at)),
    }
}

/// Sign up
///
/// Creates an account and a team of its own, and logs in. The first account administers the platform; later accounts need an
/// invitation to a team, which the sign-up accepts, unless sign-up is open.
#[utoipa::path(post, path = "/v1/auth/signup", tag = "auth", security(()),
    request_body = SignupRequest,
    responses((status = 201, body = SignupResponse), (status = 403), (status = 409), (status = 429)))]
pub(crate) async fn sign_up(
    State(app): State<AppState>,
    _: Public,
    _: Within<SignUps>,
    client: LoginClient,
    ApiJson(request): ApiJson<SignupRequest>,
) -> Result<(StatusCode, Json<SignupResponse>), ApiError> {
    let SignupRequest {
        email,
        password,
        name,
        invitation,
    } = request;
    let signed_up = app
        .accounts
        .sign_up(
            &email,
            &password,
            &name,
            invitation.as_deref(),
            client.origin(),
        )
        .await?;
    let answer = match signed_up {
        SignedUp::LoggedIn(session) => SignupResponse::LoggedIn(auth_view(session)),
        SignedUp::MustActivate => SignupResponse::MustActivate {
            message:
                "the account must be activated; follow the link in the e-mail that was sent to you"
                    .to_owned(),
        },
    };
    Ok((StatusCode::CREATED, Json(answer)))
}

/// Activate an account
///
/// Takes the token from the activation e-mail, sets the password of the account, and logs in.
#[utoipa::path(post, path = "/v1/auth/activate", tag = "auth", security(()),
    request_body = ActivateRequest,
    responses((status = 200, body = AuthResponse), (status = 403), (status = 429)))]
pub(crate) async fn activate(
    State(app): State<AppState>,
    _: Public,
    _: Within<Resets>,
    client: LoginClient,
    ApiJson(request): ApiJson<ActivateRequest>,
) -> Result<Json<AuthResponse>, ApiError> {
    let ActivateRequest { token, password } = request;
    let session = app
        .accounts
        .activate(&token, &password, client.origin())
        .await?;
    Ok(Json(auth_view(session)))
}

/// Log in
///
/// Failed logins are limited by account and address. A request with a token of an earlier login of the account in `Authorization`,
/// which may have ended, has a limit of its own: failed logins of others do not refuse it.
#[utoipa::path(post, path = "/v1/auth/login", tag = "auth", security(()),
    request_body = LoginRequest,
    responses((status = 200, body = AuthResponse), (status = 401), (status = 403), (status = 429)))]
pub(crate) async fn login(
    State(app): State<AppState>,
    _: Public,
    client: LoginClient,
    headers: HeaderMap,
    ApiJson(request): ApiJson<LoginRequest>,
) -> Result<Json<AuthResponse>, ApiError> {
    let LoginRequest { email, password } = request;
    let from = LoginOrigin {
        earlier_token: bearer_token(&headers),
        ..client.origin()
    };
    let session = app.accounts.login(&email, &password, from).await?;
    Ok(Json(auth_view(session)))
}

/// Renew a login
///
/// Returns a new token of the same login, for the same team, which ends six hours from now; 30 days after the login at the latest.
/// Replace the token everywhere: an earlier token goes on until its own end. To renew with an earlier token more than a minute after the
/// renewal ends the login, because two clients have the token then.
#[utoipa::path(post, path = "/v1/auth/renew", tag = "auth", security(("token" = [])),
    responses((status = 200, body = AuthResponse)))]
pub(crate) async fn renew(
    State(app): State<AppState>,
    Person(person): Person,
) -> Result<Json<AuthResponse>, ApiError> {
    let session = app.accounts.renew_session(&person).await?;
    Ok(Json(auth_view(session)))
}

#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct LogoutQuery {
    /// Whether to end every login of the account.
    #[serde(default)]
    all: bool,
}

/// Log out
///
/// Ends the login that the token belongs to.
#[utoipa::path(post, path = "/v1/auth/logout", tag = "auth", security(("token" = [])), params(LogoutQuery),
    responses((status = 204)))]
pub(crate) async fn logout(
    State(app): State<AppState>,
    Person(person): Person,
    ApiQuery(query): ApiQuery<LogoutQuery>,
) -> Result<StatusCode, ApiError> {
    app.accounts.logout(&person, query.all).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Switch to another team
///
/// Returns a token for another team of the authenticated user. The login stays the same.
#[utoipa::path(post, path = "/v1/auth/switch-team", tag = "auth", security(("token" = [])),
    request_body = SwitchTeamRequest,
    responses((status = 200, body = AuthResponse), (status = 404)))]
pub(crate) async fn switch_team(
    State(app): State<AppState>,
    Person(person): Person,
    ApiJson(request): ApiJson<SwitchTeamRequest>,
) -> Result<Json<AuthResponse>, ApiError> {
    let session = app.accounts.switch_team(&person, request.team_id).await?;
    Ok(Json(auth_view(session)))
}
