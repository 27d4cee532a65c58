//! `/proxy/{sandbox}/{port}/…`: bytes to and from a guest, streamed both ways, `WebSockets` and other upgrades included.
//!
//! Each request counts as activity as long as it is open, except one to the guest agent that the edge did not check a credential for.
//! When the sandbox stops running, open connections are broken off: a regular end would look like the end of the work.

mod head;

use std::io;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::{Path, Request, State};
use axum::http::{HeaderName, HeaderValue, StatusCode, Uri, header};
use axum::response::{IntoResponse as _, Response};
use futures::{Stream, StreamExt as _};
use hyper::upgrade::Upgraded;
use hyper_util::rt::TokioIo;
use locule_agent_api::http1::exchange;
use locule_agent_api::{
    HolderKind, PROXY_ERROR_HEADER, PROXY_PROBE_HEADER, PROXY_USE_HEADER, PROXY_VISITOR_HEADER,
    Purpose,
};
use locule_guest_api::{CONTROL_KEY_HEADER, CONTROL_PATHS, GUEST_PORT};
use locule_ids::SandboxId;
use locule_net::SandboxNet;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_util::either::Either;

use self::head::watched;
use crate::activity::{Activity, Use, UseKind, UseRefused};
use crate::guest::open_tunnel;
use crate::registry::Registry;

const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

fn failed(status: StatusCode, error: &'static str) -> Response {
    (
        status,
        [(
            HeaderName::from_static(PROXY_ERROR_HEADER),
            HeaderValue::from_static(error),
        )],
    )
        .into_response()
}

#[derive(Debug, serde::Deserialize)]
pub(crate) struct Target {
    sandbox: String,
    port: u16,
    #[serde(default)]
    path: String,
}

pub(crate) async fn proxy(
    State(registry): State<Arc<Registry>>,
    Path(target): Path<Target>,
    request: Request,
) -> Response {
    let Target {
        sandbox,
        port,
        path,
    } = target;
    let Ok(sandbox) = sandbox.parse::<SandboxId>() else {
        return failed(StatusCode::NOT_FOUND, "not_found");
    };
    if port == GUEST_PORT && is_control(&format!("/{path}"), &inner(request.uri())) {
        return failed(StatusCode::NOT_FOUND, "not_found");
    }
    let Some(handle) = registry.handle(sandbox) else {
        return failed(StatusCode::NOT_FOUND, "not_found");
    };
    // After the request is admitted: it may have waited for the end of a pause.
    let stream = async {
        match handle.guest() {
            Some((net, key)) => connect(&net, &key, port).await.map(Some),
            None => Ok(None),
        }
    };
    pass_on(&handle.activity, sandbox, port, request, stream).await
}

/// Passes a request on to the program behind a port while it counts as a use of the sandbox. `stream` has no connection when the
/// sandbox does not run.
async fn pass_on<S>(
    activity: &Arc<Activity>,
    sandbox: SandboxId,
    port: u16,
    mut request: Request,
    stream: impl Future<Output = io::Result<Option<S>>>,
) -> Response
where
    S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    let is_probe = request.headers_mut().remove(PROXY_PROBE_HEADER).is_some();
    let kind = match port {
        _ if is_probe => UseKind::Probe,
        GUEST_PORT => UseKind::Call,
        _ => UseKind::Visit,
    };
    let visitor = request.headers_mut().remove(PROXY_VISITOR_HEADER);
    let visitor = visitor.as_ref().and_then(address);
    let noted = request.headers_mut().remove(PROXY_USE_HEADER);
    let purpose = purpose(port, noted.as_ref(), inner(request.uri()).path());
    let in_use = match activity.begin_after_pause(kind, visitor).await {
        Ok(in_use) => in_use,
        Err(UseRefused::Pausing) if !is_probe => return failed(StatusCode::CONFLICT, "draining"),
        Err(UseRefused::Pausing | UseRefused::Paused) => {
            return failed(StatusCode::CONFLICT, "not_running");
        }
        Err(UseRefused::Busy) => return failed(StatusCode::SERVICE_UNAVAILABLE, "busy"),
    };
    in_use.set_purpose(purpose);
    let stream = match stream.await {
        Ok(Some(stream)) => stream,
        Ok(None) => return failed(StatusCode::CONFLICT, "not_running"),
        Err(_) => return failed(StatusCode::BAD_GATEWAY, "port_closed"),
    };
    match forward(stream, request, kind, in_use).await {
        Ok(response) => response,
        Err(error) => {
            tracing::debug!(sandbox.id = %sandbox, port, %error, "a request to a port of a sandbox failed");
            failed(StatusCode::BAD_GATEWAY, "broken")
        }
    }
}

/// What a request is for: as the control plane says of its own requests, or as the path tells.
fn purpose(port: u16, noted: Option<&HeaderValue>, path: &str) -> Purpose {
    if port != GUEST_PORT {
        return Purpose {
            port: Some(port),
            ..Purpose::new(HolderKind::Port)
        };
    }
    let noted = noted.and_then(|noted| Purpose::parse(noted.to_str().ok()?));
    noted.unwrap_or_else(|| {
        Purpose::new(match path {
            "/process.Process/Start" => HolderKind::Command,
            "/process.Process/Connect" => HolderKind::ProcessStream,
            "/files" => HolderKind::Transfer,
            _ => HolderKind::Call,
        })
    })
}

/// A connection to a port of the guest. A port that is closed at the guest's address may be open on a loopback address, which
/// the guest agent reaches.
async fn connect(
    net: &SandboxNet,
    key: &str,
    port: u16,
) -> io::Result<Either<TcpStream, TokioIo<Upgraded>>> {
    match net.connect(port, CONNECT_TIMEOUT).await {
        Ok(stream) => Ok(Either::Left(stream)),
        Err(refused) if refused.kind() == io::ErrorKind::ConnectionRefused => {
            let tunnel = open_tunnel(net, key, port, CONNECT_TIMEOUT).await;
            tunnel.map(Either::Right).map_err(|_| refused)
        }
        Err(error) => Err(error),
    }
}

fn address(header: &HeaderValue) -> Option<IpAddr> {
    header.to_str().ok()?.parse().ok()
}

/// The part of `/proxy/{sandbox}/{port}/…` that the program in the guest gets, still encoded.
fn inner(uri: &Uri) -> Uri {
    let rest = uri.path().splitn(5, '/').nth(4).unwrap_or_default();
    let query = uri
        .query()
        .map(|query| format!("?{query}"))
        .unwrap_or_default();
    // The text was part of a request line, so it is a valid URI.
    Uri::try_from(format!("/{rest}{query}")).unwrap_or_default()
}

/// Whether only the host may call this path of the guest agent, in any spelling of the path.
fn is_control(decoded: &str, inner: &Uri) -> bool {
    [decoded, inner.path()]
        .iter()
        .any(|path| CONTROL_PATHS.contains(path))
}

async fn forward(
    stream: impl AsyncRead + AsyncWrite + Send + Unpin + 'static,
    mut request: Request,
    kind: UseKind,
    in_use: Use,
) -> Result<Response, hyper::Error> {
    *request.uri_mut() = inner(request.uri());
    request.headers_mut().remove(CONTROL_KEY_HEADER);
    // Answered by this server, when it begins to read the body.
    request.headers_mut().remove(header::EXPECT);
    let upgrade = request
        .headers()
        .contains_key(header::UPGRADE)
        .then(|| hyper::upgrade::on(&mut request));
    let (parts, body) = request.into_parts();
    let (body, overdue) = watched(body);
    // The guest agent answers in its own time: a call may last as long as the process that it waits for.
    let overdue = async {
        match kind {
            UseKind::Call => std::future::pending().await,
            UseKind::Visit | UseKind::Probe => overdue.await,
        }
    };
    let mut response = tokio::select! {
        exchanged = exchange(stream, Request::from_parts(parts, body)) => exchanged?,
        () = in_use.cut.cancelled() => return Ok(failed(StatusCode::BAD_GATEWAY, "not_running")),
        () = overdue => return Ok(failed(StatusCode::GATEWAY_TIMEOUT, "no_answer")),
    };
    // Only the host sets this header: a "not running" of the guest would be believed.
    response.headers_mut().remove(PROXY_ERROR_HEADER);
    if response.status() == StatusCode::SWITCHING_PROTOCOLS {
        let Some(ours) = upgrade else {
            return Ok(failed(StatusCode::BAD_GATEWAY, "broken"));
        };
        let theirs = hyper::upgrade::on(&mut response);
        tunnel(ours, theirs, in_use);
        return Ok(response.map(|_| Body::empty()));
    }
    Ok(response.map(|body| Body::from_stream(cut_off(Body::new(body).into_data_stream(), in_use))))
}

/// The body, passed on as it arrives; broken off, not ended, when the sandbox stops running.
fn cut_off(
    body: impl Stream<Item = Result<axum::body::Bytes, axum::Error>> + Send + 'static,
    in_use: Use,
) -> impl Stream<Item = Result<axum::body::Bytes, io::Error>> + Send + 'static {
    let state = Some((Box::pin(body), in_use));
    futures::stream::unfold(state, |state| async move {
        let (mut body, in_use) = state?;
        tokio::select! {
            biased;
            () = in_use.cut.cancelled() => Some((Err(io::ErrorKind::ConnectionAborted.into()), None)),
            chunk = body.next() => match chunk? {
                Ok(bytes) => Some((Ok(bytes), Some((body, in_use)))),
                Err(error) => Some((Err(io::Error::other(error)), None)),
            },
        }
    })
}

fn tunnel(ours: hyper::upgrade::OnUpgrade, theirs: hyper::upgrade::OnUpgrade, in_use: Use) {
    #[expect(
        clippy::disallowed_methods,
        reason = "ends with its two connections, which are cut with the sandbox"
    )]
    tokio::spawn(async move {
        let both = async {
            if let (Ok(ours), Ok(theirs)) = tokio::join!(ours, theirs) {
                // Either side may break off at any time.
                let _ = tokio::io::copy_bidirectional(
                    &mut TokioIo::new(ours),
                    &mut TokioIo::new(theirs),
                )
                .await;
            }
        };
        tokio::select! {
            () = both => {}
            () = in_use.cut.cancelled() => {}
        }
    });
}

#[cfg(test)]
mod fuzz;
#[cfg(test)]
mod tests;
