//! The gateway in front of the router: forwards requests for a sandbox's port to the sandbox, and passes all others to the API.

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::Response;
use http::{HeaderMap, Uri};
use locule_base::errors::chain;
use locule_control::{Route, RouteError};
use locule_domain::SandboxState;
use locule_edge::access::{Exposure, PresentedCredentials, allowed};
use locule_edge::{Address, Refusal, proxy};
use locule_ids::SandboxId;
use subtle::ConstantTimeEq as _;

use crate::caller::MayUse;
use crate::running::target;
use crate::state::AppState;

const TRAFFIC_TOKEN_HEADER: &str = "e2b-traffic-access-token";
const ALIAS: &str = "/v1/capsules";
const SANDBOXES: &str = "/v1/sandboxes";

pub(crate) async fn gateway(
    State(app): State<AppState>,
    mut request: Request,
    next: Next,
) -> Response {
    match Address::of(request.headers(), request.uri()) {
        Ok(Some(address)) => match forward(&app, address, request).await {
            Ok(response) => response,
            Err(refusal) => refusal.response(Some(address.sandbox), address.port),
        },
        Err(error) => Refusal::Address(error).response(None, 0),
        Ok(None) => {
            if let Some(uri) = unaliased(request.uri()) {
                *request.uri_mut() = uri;
            }
            next.run(request).await
        }
    }
}

async fn forward(app: &AppState, address: Address, request: Request) -> Result<Response, Refusal> {
    let mut route = app
        .sandboxes
        .route(address.sandbox)
        .await
        .map_err(|error| refusal(address.sandbox, &error))?;
    let exposure = if route.public_traffic {
        Exposure::Public
    } else {
        Exposure::Private
    };
    let presented = credentials(app, request.headers(), &route).await;
    if !allowed(address.port, exposure, presented) {
        return Err(Refusal::Forbidden);
    }
    if matches!(route.state, SandboxState::Paused) && route.auto_resume {
        let resumed = app.sandboxes.wake(address.sandbox).await;
        route = resumed.map_err(|error| refusal(address.sandbox, &error))?;
    }
    match route.state {
        SandboxState::Running => {
            let is_own_credential = |value: &str| {
                app.accounts.is_credential(value)
                    || app.sandboxes.is_token_of(address.sandbox, value)
            };
            Ok(proxy(
                target(route),
                address.port,
                request,
                is_own_credential,
                &app.tasks,
            )
            .await)
        }
        SandboxState::Pending | SandboxState::Starting => Err(Refusal::Changing),
        SandboxState::Missing => Err(Refusal::HostUnavailable),
        SandboxState::Paused | SandboxState::Stopped { .. } | SandboxState::Error { .. } => {
            Err(Refusal::NotFound)
        }
    }
}

async fn credentials(app: &AppState, headers: &HeaderMap, route: &Route) -> PresentedCredentials {
    let traffic_token = headers
        .get(TRAFFIC_TOKEN_HEADER)
        .zip(Some(&route.traffic_token));
    let caller = MayUse::of(headers, app).await.ok().flatten();
    PresentedCredentials {
        team_key: caller.is_some_and(|caller| caller.team() == route.team),
        traffic_token: traffic_token
            .is_some_and(|(sent, token)| sent.as_bytes().ct_eq(token.as_bytes()).into()),
    }
}

fn refusal(sandbox: SandboxId, error: &RouteError) -> Refusal {
    match error {
        RouteError::NotFound => Refusal::NotFound,
        RouteError::Changing => Refusal::Changing,
        RouteError::Unavailable(_) => Refusal::HostUnavailable,
        RouteError::Internal(_) => {
            tracing::error!(sandbox.id = %sandbox, error = chain(error), "routing a request to the port of a sandbox failed");
            Refusal::Internal
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
