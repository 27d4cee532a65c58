//! Forwards a client's request to a port of a sandbox and streams the response back.

use std::sync::Arc;

use axum::body::Body;
use http::{HeaderName, HeaderValue, Method, Request, Response, StatusCode, header};
use hyper::body::Incoming;
use hyper::upgrade::OnUpgrade;
use hyper_util::rt::TokioIo;
use locule_base::tasks::Tasks;
use locule_guest_api::GUEST_PORT;
use tokio::io::AsyncWriteExt as _;
use tokio_util::sync::CancellationToken;

use crate::control_path::leads_to_control;
use crate::headers::{present, strip_credentials, strip_hop_by_hop, upgrade};
use crate::pass::Pass;
use crate::{AgentTransport, CutBody, Refusal, Target};

const FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");

/// Forwards `request` to `port`. The caller has checked access. Words for which `is_credential` holds are not forwarded. An
/// upgraded connection is served by a task of `tasks`, and is closed when they stop or the target is cut.
pub async fn proxy(
    target: Target,
    port: u16,
    pass: Pass,
    mut request: Request<Body>,
    is_credential: impl Fn(&str) -> bool,
    tasks: &Tasks,
) -> Response<Body> {
    let sandbox = target.sandbox;
    if port == GUEST_PORT && leads_to_control(request.uri().path()) {
        return Refusal::Control.response(Some(sandbox), port);
    }
    if request.method() == Method::CONNECT {
        // The requests inside a tunnel would pass no check of paths and headers.
        return Refusal::Tunnel.response(Some(sandbox), port);
    }
    let switch = upgrade(request.headers());
    let client = switch.is_some().then(|| hyper::upgrade::on(&mut request));
    strip_credentials(request.headers_mut(), port, is_credential);
    prepare(&mut request, port, switch);
    present(request.headers_mut(), pass, &target.access_token);
    let cut = target.cut.clone();
    let prefix = format!("/proxy/{sandbox}/{port}");
    match AgentTransport::new(target).send(port, request).await {
        Err(error) => {
            tracing::debug!(sandbox.id = %sandbox, port, error = %locule_base::errors::chain(&error), "a request to a port of a sandbox was not forwarded");
            Refusal::from(&error).response(Some(sandbox), port)
        }
        Ok(response) => answer(response, client, &prefix, port, (cut, tasks)),
    }
}

fn prepare(request: &mut Request<Body>, port: u16, switch: Option<HeaderValue>) {
    let headers = request.headers_mut();
    strip_hop_by_hop(headers);
    if let Some(protocol) = switch {
        headers.insert(header::CONNECTION, HeaderValue::from_static("upgrade"));
        headers.insert(header::UPGRADE, protocol);
    }
    if let Some(host) = headers.remove(header::HOST) {
        headers.insert(FORWARDED_HOST, host);
    }
    // A program in the sandbox does not know the outer host name.
    if let Ok(host) = HeaderValue::from_str(&format!("localhost:{port}")) {
        headers.insert(header::HOST, host);
    }
}

fn answer(
    mut response: Response<CutBody<Incoming>>,
    client: Option<OnUpgrade>,
    prefix: &str,
    port: u16,
    (cut, tasks): (Arc<CancellationToken>, &Tasks),
) -> Response<Body> {
    let switched = response.status() == StatusCode::SWITCHING_PROTOCOLS;
    let protocol = response.headers().get(header::UPGRADE).cloned();
    let guest = switched.then(|| hyper::upgrade::on(&mut response));
    let headers = response.headers_mut();
    strip_hop_by_hop(headers);
    outward_location(headers, prefix, port);
    if switched {
        headers.insert(header::CONNECTION, HeaderValue::from_static("upgrade"));
        if let Some(protocol) = protocol {
            headers.insert(header::UPGRADE, protocol);
        }
    }
    match (client, guest) {
        (Some(client), Some(guest)) => join(client, guest, cut, tasks),
        (None, Some(_)) => return Refusal::Internal.response(None, port),
        (_, None) => {}
    }
    // A response body that breaks is an error here, on which hyper resets the client's connection instead of ending the body.
    response.map(Body::new)
}

/// Copies bytes both ways until the guest's side ends, the caller loses its right or the server stops. A client that stops
/// sending still receives.
fn join(client: OnUpgrade, guest: OnUpgrade, cut: Arc<CancellationToken>, tasks: &Tasks) {
    let stop = tasks.token();
    tasks.spawn_detached("upgraded connection", async move {
        let copy = async {
            let (Ok(client), Ok(guest)) = tokio::join!(client, guest) else {
                return;
            };
            let (mut from_client, mut to_client) = tokio::io::split(TokioIo::new(client));
            let (mut from_guest, mut to_guest) = tokio::io::split(TokioIo::new(guest));
            let inward = async {
                let copied = tokio::io::copy(&mut from_client, &mut to_guest).await;
                if copied.is_ok() && to_guest.shutdown().await.is_ok() {
                    std::future::pending::<()>().await;
                }
            };
            // A copy that fails means that one side closed the connection, which is its normal end.
            tokio::select! {
                _ = tokio::io::copy(&mut from_guest, &mut to_client) => {}
                () = inward => {}
            }
        };
        tokio::select! {
            () = copy => {}
            () = cut.cancelled() => {}
            () = stop.cancelled() => {}
        }
    });
}

/// Rewrites a redirect of the program in the sandbox to a path: the client knows neither the host agent's prefix nor the
/// program's own host name.
fn outward_location(headers: &mut http::HeaderMap, prefix: &str, port: u16) {
    let Some(location) = headers
        .get(header::LOCATION)
        .and_then(|value| value.to_str().ok())
    else {
        return;
    };
    let inner = format!("http://localhost:{port}");
    let path = location.strip_prefix(&inner).unwrap_or(location);
    let path = path.strip_prefix(prefix).unwrap_or(path);
    if path.len() == location.len() {
        return;
    }
    let starts_path = path.starts_with(['/', '?', '#']);
    let path = if path.is_empty() { "/" } else { path };
    if let (true, Ok(value)) = (starts_path || path == "/", HeaderValue::from_str(path)) {
        headers.insert(header::LOCATION, value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_redirect_is_rewritten_for_the_client() {
        for (inside, outside) in [
            ("/login", "/login"),
            ("http://localhost:80/login?a", "/login?a"),
            ("http://localhost:80", "/"),
            ("http://localhost:8080/x", "http://localhost:8080/x"),
            ("/proxy/sb-1/80/login", "/login"),
            ("https://elsewhere.test/", "https://elsewhere.test/"),
        ] {
            let mut headers = http::HeaderMap::new();
            headers.insert(header::LOCATION, inside.parse().unwrap());
            outward_location(&mut headers, "/proxy/sb-1/80", 80);
            assert_eq!(headers[header::LOCATION], outside, "{inside}");
        }
    }
}
