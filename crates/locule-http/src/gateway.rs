//! The gateway in front of the router: forwards requests for a sandbox's port to the sandbox, and passes all others to the API.

mod admission;
pub(crate) mod link;

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use http::{HeaderValue, Uri, header};
use locule_control::{Cut, Route};
use locule_domain::SandboxState;
use locule_edge::{Address, Forwarding, Refusal};

use self::admission::{Answer, Credentials, admit, reachable, refusal};
use crate::address::client_address;
use crate::connection::{Connection, Traffic};
use crate::destination::Destination;
use crate::e2b::error::translated;
use crate::running::target;
use crate::state::AppState;

/// How often one request resumes a sandbox that pauses again before the request reaches it.
const WAKES_MAX: u32 = 2;
const ALIAS: &str = "/v1/capsules";
const SANDBOXES: &str = "/v1/sandboxes";

pub(crate) async fn gateway(
    State(app): State<AppState>,
    mut request: Request,
    next: Next,
) -> Response {
    if let Some(destination) = Destination::of(&request)
        && let Some(address) = destination.address()
    {
        if link::is_link(destination, &request) {
            let (head, _) = request.into_parts();
            return link::follow(&app, address, &head).await;
        }
        let cookie = link::cookie(&app, destination, &request);
        return forward(&app, address, cookie, request).await;
    }
    if let Some(uri) = unaliased(request.uri()) {
        *request.uri_mut() = uri;
    }
    next.run(request).await
}

async fn forward(
    app: &AppState,
    address: Address,
    cookie: Option<String>,
    request: Request,
) -> Response {
    let requested = request
        .headers()
        .get(header::ACCESS_CONTROL_REQUEST_HEADERS);
    let requested = requested.cloned();
    match admitted(app, address, cookie, request).await {
        Ok(response) => response,
        Err(answer) => answer.response(address, requested.as_ref()),
    }
}

async fn admitted(
    app: &AppState,
    address: Address,
    cookie: Option<String>,
    request: Request,
) -> Result<Response, Answer> {
    let (method, uri, headers) = (request.method(), request.uri(), request.headers());
    let trusted = app.config.trust_forwarded_for;
    let visitor = client_address(headers, request.extensions(), trusted);
    let shown = Credentials {
        headers,
        cookie: cookie.as_deref(),
    };
    let admission = admit(app, address, method, uri, shown, visitor).await?;
    let route = admission.route;
    let connection = request.extensions().get::<Connection>();
    let connection = connection.cloned().unwrap_or_default();
    if let Err(busy) = app.count_request(&connection, route.team, Traffic::Port) {
        return Ok(translated(busy.into_response()));
    }
    let access = admission.access;
    let is_own_credential =
        |value: &str| app.accounts.is_credential(value) || access.is_token(value);
    let forwarding = Forwarding::new(address.port, admission.pass, request, is_own_credential)?;
    let mut response = forwarded(app, route, admission.cut, forwarding).await?;
    if let Some(attachment) = admission
        .attachment
        .filter(|_| response.status().is_success())
    {
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_DISPOSITION, attachment);
        let nosniff = HeaderValue::from_static("nosniff");
        headers.insert(header::X_CONTENT_TYPE_OPTIONS, nosniff);
    }
    Ok(response)
}

/// Forwards an admitted request. A paused sandbox with automatic resume is resumed first: also when its row says that the sandbox
/// runs and its host answers that the sandbox was paused.
async fn forwarded(
    app: &AppState,
    mut route: Route,
    cut: Cut,
    mut forwarding: Forwarding,
) -> Result<Response, Answer> {
    let (sandbox, auto_resume) = (route.sandbox, route.auto_resume);
    let mut wakes = 0;
    loop {
        if route.state == SandboxState::Paused {
            if wakes == WAKES_MAX {
                return Err(Refusal::Changing.into());
            }
            wakes += 1;
            let resumed = app.sandboxes.wake(sandbox).await;
            route = resumed.map_err(|error| refusal(sandbox, &error))?;
            reachable(&route)?;
            if route.state != SandboxState::Running {
                // Another request changes the state.
                return Err(Refusal::Changing.into());
            }
        }
        let target = target(route, cut.clone());
        let refused = match forwarding.send(target, auto_resume, &app.tasks).await {
            Ok(response) => return Ok(response),
            Err(refused) => refused,
        };
        let was_paused = refused.refusal == Refusal::NotFound && auto_resume;
        if !was_paused || !refused.repeatable {
            return Err(refused.refusal.into());
        }
        let now = app.sandboxes.route_now(sandbox).await;
        route = now.map_err(|error| refusal(sandbox, &error))?;
        if route.state != SandboxState::Paused {
            return Err(refused.refusal.into());
        }
    }
}

/// Replaces the alias `/v1/capsules` of `/v1/sandboxes` (D-01).
fn unaliased(uri: &Uri) -> Option<Uri> {
    let path = uri.path_and_query()?.as_str();
    let rest = path.strip_prefix(ALIAS)?;
    if !(rest.is_empty() || rest.starts_with(['/', '?'])) {
        return None;
    }
    format!("{SANDBOXES}{rest}").parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_capsules_alias_becomes_the_sandboxes_path() {
        let renamed = |path: &str| unaliased(&path.parse().unwrap()).map(|uri| uri.to_string());
        assert_eq!(renamed("/v1/capsules").as_deref(), Some("/v1/sandboxes"));
        assert_eq!(
            renamed("/v1/capsules/x?y=1").as_deref(),
            Some("/v1/sandboxes/x?y=1")
        );
        assert_eq!(renamed("/v1/capsulesque"), None);
        assert_eq!(renamed("/v1/sandboxes"), None);
    }
}
