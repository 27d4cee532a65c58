//! The gateway in front of the router: forwards requests for a sandbox's port to the sandbox, and passes all others to the API.

mod admission;

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use http::{Uri, header};
use locule_domain::SandboxState;
use locule_edge::{Address, Refusal, proxy};

use self::admission::{Answer, admit, reachable, refusal};
use crate::address::client_address;
use crate::connection::{Connection, Traffic};
use crate::destination::Destination;
use crate::e2b::error::translated;
use crate::running::target;
use crate::state::AppState;

const ALIAS: &str = "/v1/capsules";
const SANDBOXES: &str = "/v1/sandboxes";

pub(crate) async fn gateway(
    State(app): State<AppState>,
    mut request: Request,
    next: Next,
) -> Response {
    if let Some(address) = Destination::of(&request).and_then(Destination::address) {
        return forward(&app, address, request).await;
    }
    if let Some(uri) = unaliased(request.uri()) {
        *request.uri_mut() = uri;
    }
    next.run(request).await
}

async fn forward(app: &AppState, address: Address, request: Request) -> Response {
    let requested = request
        .headers()
        .get(header::ACCESS_CONTROL_REQUEST_HEADERS);
    let requested = requested.cloned();
    match admitted(app, address, request).await {
        Ok(response) => response,
        Err(answer) => answer.response(address, requested.as_ref()),
    }
}

async fn admitted(app: &AppState, address: Address, request: Request) -> Result<Response, Answer> {
    let (method, uri, headers) = (request.method(), request.uri(), request.headers());
    let trusted = app.config.trust_forwarded_for;
    let visitor = client_address(headers, request.extensions(), trusted);
    let admission = admit(app, address, method, uri, headers, visitor).await?;
    let mut route = admission.route;
    let connection = request.extensions().get::<Connection>();
    let connection = connection.cloned().unwrap_or_default();
    if let Err(busy) = app.count_request(&connection, route.team, Traffic::Port) {
        return Ok(translated(busy.into_response()));
    }
    if route.state == SandboxState::Paused {
        let resumed = app.sandboxes.wake(address.sandbox).await;
        route = resumed.map_err(|error| refusal(address.sandbox, &error))?;
        reachable(&route)?;
        if route.state != SandboxState::Running {
            // Another request changes the state.
            return Err(Refusal::Changing.into());
        }
    }
    let access = admission.access;
    let is_own_credential =
        |value: &str| app.accounts.is_credential(value) || access.is_token(value);
    Ok(proxy(
        target(route, admission.cut),
        address.port,
        admission.pass,
        request,
        is_own_credential,
        &app.tasks,
    )
    .await)
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
