//! Forwards a client's request to a port of a sandbox and streams the response back.

use std::sync::Arc;

use axum::body::Body;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Response, StatusCode, header};
use hyper::upgrade::OnUpgrade;
use hyper_util::rt::TokioIo;
use locule_agent_api::http1::ExchangeBody;
use locule_base::tasks::Tasks;
use locule_guest_api::GUEST_PORT;
use tokio::io::AsyncWriteExt as _;
use tokio_util::sync::CancellationToken;

use crate::control_path::leads_to_control;
use crate::headers::{
    present, strip_credentials, strip_hop_by_hop, strip_platform_cookies, upgrade,
};
use crate::pass::Pass;
use crate::retained::Retained;
use crate::{AgentTransport, CutBody, Refusal, Target};

const FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");

/// A request for a port of a sandbox. The caller has checked access.
#[derive(Debug)]
pub struct Forwarding {
    port: u16,
    pass: Pass,
    head: Request<()>,
    body: Retained,
    client: Option<OnUpgrade>,
}

/// Why a request was not forwarded, and whether it can be sent again because nothing of its body was read.
#[derive(Debug)]
pub struct NotForwarded {
    pub refusal: Refusal,
    pub repeatable: bool,
}

impl Forwarding {
    /// Words for which `is_credential` holds are not forwarded.
    pub fn new(
        port: u16,
        pass: Pass,
        mut request: Request<Body>,
        is_credential: impl Fn(&str) -> bool,
    ) -> Result<Self, Refusal> {
        if port == GUEST_PORT && leads_to_control(request.uri().path()) {
            return Err(Refusal::Control);
        }
        if request.method() == Method::CONNECT {
            // The requests inside a tunnel would pass no check of paths and headers.
            return Err(Refusal::Tunnel);
        }
        let switch = upgrade(request.headers());
        let client = switch.is_some().then(|| hyper::upgrade::on(&mut request));
        strip_credentials(request.headers_mut(), port, is_credential);
        prepare(request.headers_mut(), port, switch);
        let (parts, body) = request.into_parts();
        Ok(Self {
            port,
            pass,
            head: Request::from_parts(parts, ()),
            body: Retained::new(body),
            client,
        })
    }

    /// Sends the request. An upgraded connection is served by a task of `tasks`, and is closed when they stop or the target is
    /// cut. With `repeatable` the body waits for the host agent to admit the request.
    pub async fn send(
        &mut self,
        target: Target,
        repeatable: bool,
        tasks: &Tasks,
    ) -> Result<Response<Body>, NotForwarded> {
        let (sandbox, port) = (target.sandbox, self.port);
        let cut = target.cut.clone();
        let mut head = self.head.clone();
        present(head.headers_mut(), self.pass, &target.access_token);
        let transport = AgentTransport::new(target);
        let sent = if repeatable {
            transport.send(port, self.body.attach(head)).await
        } else {
            let body = self.body.take().unwrap_or_default();
            transport.send(port, head.map(|()| body)).await
        };
        match sent {
            Ok(response) => {
                let prefix = format!("/proxy/{sandbox}/{port}");
                Ok(answer(
                    response,
                    self.client.take(),
                    &prefix,
                    port,
                    (cut, tasks),
                ))
            }
            Err(error) => {
                tracing::debug!(sandbox.id = %sandbox, port, error = %locule_base::errors::chain(&error), "a request to a port of a sandbox was not forwarded");
                Err(NotForwarded {
                    refusal: Refusal::from(&error),
                    repeatable: self.body.is_whole(),
                })
            }
        }
    }
}

fn prepare(headers: &mut HeaderMap, port: u16, switch: Option<HeaderValue>) {
    strip_hop_by_hop(headers);
    // Answered by this server, when it begins to read the body.
    headers.remove(header::EXPECT);
    if let Some(protocol) = switch {
        headers.insert(header::CONNECTION, HeaderValue::from_static("upgrade"));
        headers.insert(header::UPGRADE, protocol);
    }
    let outer = headers.remove(header::HOST);
    let inner = format!("localhost:{port}");
    if let Some(outer) = outer {
        for name in [header::ORIGIN, header::REFERER] {
            inward(headers, &name, &outer, &inner);
        }
        headers.insert(FORWARDED_HOST, outer);
    }
    // A program in the sandbox does not know the outer host name.
    if let Ok(host) = HeaderValue::from_str(&inner) {
        headers.insert(header::HOST, host);
    }
}

/// Rewrites a URL in a header as `Host` is rewritten. Programs compare the two: a page of another origin stays one.
fn inward(headers: &mut HeaderMap, name: &HeaderName, outer: &HeaderValue, inner: &str) {
    let Some(url) = headers.get(name).and_then(|value| value.to_str().ok()) else {
        return;
    };
    let Some((_, rest)) = url.split_once("://") else {
        return;
    };
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let (authority, path) = rest.split_at(end);
    if !authority.as_bytes().eq_ignore_ascii_case(outer.as_bytes()) {
        return;
    }
    if let Ok(value) = HeaderValue::from_str(&format!("http://{inner}{path}")) {
        headers.insert(name, value);
    }
}

fn answer(
    mut response: Response<CutBody<ExchangeBody>>,
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
    strip_platform_cookies(headers);
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
fn outward_location(headers: &mut HeaderMap, prefix: &str, port: u16) {
    let Some(location) = headers
        .get(header::LOCATION)
        .and_then(|value| value.to_str().ok())
    else {
        return;
    };
    let inner = ["localhost", "127.0.0.1", "[::1]"].map(|host| format!("http://{host}:{port}"));
    let path = inner.iter().find_map(|inner| location.strip_prefix(inner));
    let path = path.unwrap_or(location);
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

    /// Tornado, and what is built on it, compares the two.
    #[test]
    fn origin_and_referer_are_rewritten_as_host_is() {
        let outer = "8888-id.sandboxes.test";
        for (name, sent, seen) in [
            (
                "origin",
                "https://8888-id.sandboxes.test",
                "http://localhost:8888",
            ),
            (
                "origin",
                "http://8888-ID.sandboxes.test",
                "http://localhost:8888",
            ),
            (
                "referer",
                "https://8888-id.sandboxes.test/a?b",
                "http://localhost:8888/a?b",
            ),
            (
                "referer",
                "https://8888-id.sandboxes.test?b",
                "http://localhost:8888?b",
            ),
            ("origin", "https://elsewhere.test", "https://elsewhere.test"),
            (
                "origin",
                "https://8888-id.sandboxes.test.elsewhere.test",
                "https://8888-id.sandboxes.test.elsewhere.test",
            ),
            (
                "origin",
                "https://8888-id.sandboxes.test:444",
                "https://8888-id.sandboxes.test:444",
            ),
            ("origin", "null", "null"),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(header::HOST, outer.parse().unwrap());
            headers.insert(name, sent.parse().unwrap());
            prepare(&mut headers, 8888, None);
            assert_eq!(headers[name], seen, "{sent}");
            assert_eq!(headers[header::HOST], "localhost:8888");
            assert_eq!(headers["x-forwarded-host"], outer);
        }
    }

    #[test]
    fn a_redirect_is_rewritten_for_the_client() {
        for (inside, outside) in [
            ("/login", "/login"),
            ("http://localhost:80/login?a", "/login?a"),
            ("http://localhost:80", "/"),
            ("http://127.0.0.1:80/login", "/login"),
            ("http://[::1]:80?a", "?a"),
            ("http://localhost:8080/x", "http://localhost:8080/x"),
            ("/proxy/sb-1/80/login", "/login"),
            ("https://elsewhere.test/", "https://elsewhere.test/"),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(header::LOCATION, inside.parse().unwrap());
            outward_location(&mut headers, "/proxy/sb-1/80", 80);
            assert_eq!(headers[header::LOCATION], outside, "{inside}");
        }
    }
}
