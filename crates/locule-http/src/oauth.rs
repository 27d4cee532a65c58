//! Sign-in with a provider: redirects and cookies. `locule_control` decides the outcome of a sign-in.

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse as _, Response};
use http::{HeaderMap, HeaderValue, StatusCode, header};
use locule_api::ConnectProviderResponse;
use locule_control::{Github, OauthCallback, OauthOutcome, OauthStart, STATE_SECONDS, Session};
use serde::Deserialize;

use crate::address::{LoginClient, Logins, Within};
use crate::caller::Person;
use crate::cookies::{Cookies, Kind};
use crate::error::ApiError;
use crate::extract::{ApiPath, ApiQuery};
use crate::need::Public;
use crate::state::AppState;

const STATE: &str = "oauth_state";
const CONNECT: &str = "oauth_connect";
/// The page under `/auth/` reads its cookies as soon as the browser loads the page.
const PAGE_SECONDS: u64 = 60;

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
enum IntentParameter {
    #[default]
    Login,
    Signup,
}

#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct BeginQuery {
    /// `signup` also creates an account when none exists.
    #[serde(default)]
    #[param(inline)]
    intent: IntentParameter,
}

/// The query with which the provider redirects the browser back.
#[derive(Default, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct FinishQuery {
    code: Option<String>,
    state: Option<String>,
    error: Option<String>,
}

fn cookies(github: &Github) -> Cookies {
    Cookies {
        secure: github.is_secure(),
    }
}

fn set_state_cookies(headers: &mut HeaderMap, cookies: Cookies, sent: &OauthStart) {
    let state = [
        (STATE, Some(&sent.state_cookie)),
        (CONNECT, sent.connect_cookie.as_ref()),
    ];
    for (name, value) in state {
        // A cookie without a value expires the one of an earlier sign-in.
        let seconds = value.map_or(0, |_| STATE_SECONDS);
        let value = value.map_or("", String::as_str);
        cookies.set(headers, Kind::Server, (name, value), seconds);
    }
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
}

/// Redirects to an address that the operator has configured, never to one from the request.
fn redirect(to: &str, mut headers: HeaderMap) -> Result<Response, ApiError> {
    let to = HeaderValue::try_from(to)
        .map_err(|_| ApiError::invalid("the configured redirect address is not valid"))?;
    headers.insert(header::LOCATION, to);
    // The address of this request holds a code, which the next page must not receive.
    let none = HeaderValue::from_static("no-referrer");
    headers.insert(header::REFERRER_POLICY, none);
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    Ok((StatusCode::FOUND, headers).into_response())
}

/// Start a sign-in with a provider
///
/// For browsers: redirects to the authorization page of the provider.
#[utoipa::path(get, path = "/auth/oauth/{provider}", tag = "auth", security(()),
    params(("provider" = String, Path, description = "The name of the provider: `github`"), BeginQuery),
    responses((status = 302, description = "Redirect to the provider. A cookie holds the state of the sign-in"), (status = 404), (status = 429)))]
pub(crate) async fn begin_oauth(
    State(app): State<AppState>,
    _: Public,
    _: Within<Logins>,
    ApiPath(provider): ApiPath<String>,
    ApiQuery(query): ApiQuery<BeginQuery>,
) -> Result<Response, ApiError> {
    let github = app.accounts.provider(&provider)?;
    let may_sign_up = query.intent == IntentParameter::Signup;
    let sent = app.accounts.begin_oauth(github, may_sign_up);
    let mut headers = HeaderMap::new();
    set_state_cookies(&mut headers, cookies(github), &sent);
    redirect(&sent.url, headers)
}

/// Complete a sign-in with a provider
///
/// For browsers: the provider redirects here. The response redirects to the page under `/auth/` with the login in cookies or
/// with the query parameter `error`, or to the settings page with the query parameter `connected` or `connect_error`.
#[utoipa::path(get, path = "/auth/oauth/{provider}/callback", tag = "auth", security(()),
    params(("provider" = String, Path, description = "The name of the provider: `github`"), FinishQuery),
    responses((status = 302, description = "Redirect to the dashboard"), (status = 404), (status = 429)))]
pub(crate) async fn finish_oauth(
    State(app): State<AppState>,
    _: Public,
    _: Within<Logins>,
    client: LoginClient,
    ApiPath(provider): ApiPath<String>,
    ApiQuery(query): ApiQuery<FinishQuery>,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let github = app.accounts.provider(&provider)?;
    let cookies = cookies(github);
    let (state_cookie, connect_cookie) =
        (cookies.get(&headers, STATE), cookies.get(&headers, CONNECT));
    let returned = OauthCallback {
        state_cookie: state_cookie.as_deref(),
        connect_cookie: connect_cookie.as_deref(),
        state: query.state.as_deref(),
        code: query.code.as_deref(),
        error: query.error.as_deref(),
    };
    let accounts = &app.accounts;
    let finished = accounts
        .finish_oauth(github, returned, client.origin())
        .await;
    let mut headers = HeaderMap::new();
    for name in [STATE, CONNECT] {
        cookies.set(&mut headers, Kind::Server, (name, ""), 0);
    }
    if let OauthOutcome::SignedIn { session, is_new } = &finished {
        set_login_cookies(&mut headers, cookies, session, *is_new);
    }
    redirect(
        &destination(github.dashboard_url(), &provider, &finished),
        headers,
    )
}

/// Puts the login into cookies rather than into the address, because addresses are logged and remembered.
fn set_login_cookies(headers: &mut HeaderMap, cookies: Cookies, session: &Session, is_new: bool) {
    let user = session.user_id.to_string();
    let team = session.team_id.map(|team| team.to_string());
    let values = [
        ("oauth_token", Some(session.token.as_str())),
        ("oauth_user_id", Some(user.as_str())),
        ("oauth_team_id", team.as_deref()),
        ("oauth_email", Some(session.email.as_str())),
        ("oauth_name", Some(session.name.as_str())),
        ("oauth_new_signup", is_new.then_some("1")),
    ];
    for (name, value) in values {
        // A cookie without a value expires the one of an earlier login.
        let seconds = value.map_or(0, |_| PAGE_SECONDS);
        cookies.set(
            headers,
            Kind::Page,
            (name, value.unwrap_or_default()),
            seconds,
        );
    }
}

fn destination(dashboard: &str, provider: &str, finished: &OauthOutcome) -> String {
    let page = format!("{dashboard}/auth/{provider}/callback");
    let settings = format!("{dashboard}/dashboard/settings");
    match finished {
        OauthOutcome::SignedIn { .. } => page,
        OauthOutcome::Connected => format!("{settings}?connected={provider}"),
        OauthOutcome::Refused {
            why,
            connecting: true,
        } => {
            format!("{settings}?connect_error={}", why.as_str())
        }
        OauthOutcome::Refused {
            why,
            connecting: false,
        } => format!("{page}?error={}", why.as_str()),
    }
}

/// Connect a sign-in provider
///
/// Starts to connect the provider to the account. Open `auth_url` in the browser that received the response.
#[utoipa::path(get, path = "/v1/me/providers/{provider}/connect", tag = "me", security(("token" = [])),
    params(("provider" = String, Path, description = "The name of the provider: `github`")),
    responses((status = 200, body = ConnectProviderResponse), (status = 404)))]
pub(crate) async fn connect_provider(
    State(app): State<AppState>,
    Person(person): Person,
    ApiPath(provider): ApiPath<String>,
) -> Result<(HeaderMap, Json<ConnectProviderResponse>), ApiError> {
    let github = app.accounts.provider(&provider)?;
    let sent = app.accounts.begin_connect(github, &person);
    let mut headers = HeaderMap::new();
    set_state_cookies(&mut headers, cookies(github), &sent);
    let auth_url = sent.url;
    Ok((headers, Json(ConnectProviderResponse { auth_url })))
}

/// Remove a sign-in method
///
/// Disconnects the provider from the account. The last sign-in method of an account cannot be removed.
#[utoipa::path(delete, path = "/v1/me/providers/{provider}", tag = "me", security(("token" = [])),
    params(("provider" = String, Path, description = "The name of the provider: `github`")),
    responses((status = 204), (status = 404)))]
pub(crate) async fn disconnect_provider(
    State(app): State<AppState>,
    Person(person): Person,
    ApiPath(provider): ApiPath<String>,
) -> Result<StatusCode, ApiError> {
    app.accounts.disconnect(&person, &provider).await?;
    Ok(StatusCode::NO_CONTENT)
}
