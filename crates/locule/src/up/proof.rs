//! The proof that a platform works: `locule up` creates a sandbox through the API, runs a command in the sandbox and destroys it.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use http::{Method, Request, StatusCode};
use http_body_util::{BodyExt as _, Full, Limited};
use locule_agent_api::http1::exchange;
use locule_base::clock::{Clock as _, SystemClock};
use serde_json::{Value, json};
use tokio::net::TcpStream;

const ANSWER_BYTES_MAX: usize = 1024 * 1024;
const PATIENCE: Duration = Duration::from_mins(4);

#[derive(Debug)]
pub(super) struct Proof {
    pub(super) kernel: String,
    /// From the request that creates the sandbox to the end of the command.
    pub(super) total_ms: u128,
    /// The part of `total_ms` that the host needed to create the sandbox.
    pub(super) ready_ms: u64,
}

async fn call(
    listen: &SocketAddr,
    method: Method,
    path: &str,
    key: &str,
    body: Option<Value>,
) -> anyhow::Result<(StatusCode, Value)> {
    let work = async {
        let stream = TcpStream::connect(listen).await?;
        let body = body.map(|body| body.to_string()).unwrap_or_default();
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header("host", listen.to_string())
            .header("content-type", "application/json")
            .header("x-api-key", key)
            .body(Full::new(body.into()))?;
        let response = exchange(stream, request).await?;
        let status = response.status();
        let bytes = Limited::new(response.into_body(), ANSWER_BYTES_MAX)
            .collect()
            .await;
        let bytes = bytes.map_err(|error| anyhow::anyhow!(error))?.to_bytes();
        let value = if bytes.is_empty() {
            Value::Null
        } else {
            serde_json::from_slice(&bytes)?
        };
        Ok((status, value))
    };
    tokio::time::timeout(PATIENCE, work)
        .await
        .context("the control plane does not answer within 4 minutes")?
}

/// Returns a value when the platform can create sandboxes.
pub(super) async fn healthy(listen: Arc<SocketAddr>) -> Option<()> {
    let (status, _) = call(&listen, Method::GET, "/health", "", None).await.ok()?;
    (status == StatusCode::OK).then_some(())
}

pub(super) async fn run(listen: &SocketAddr, key: &str) -> anyhow::Result<Proof> {
    let clock = SystemClock::new();
    let request = json!({ "template": "minimal", "labels": { "purpose": "proof" } });
    let (status, sandbox) = call(listen, Method::POST, "/v1/sandboxes", key, Some(request)).await?;
    ensure!(
        status == StatusCode::CREATED,
        "create answered {status}: {}",
        sandbox["error"]["message"]
    );
    let path = format!(
        "/v1/sandboxes/{}",
        sandbox["id"].as_str().context("the sandbox has no id")?
    );
    let command = json!({ "cmd": "uname", "args": ["-sr"] });
    let ran = call(
        listen,
        Method::POST,
        &format!("{path}/exec"),
        key,
        Some(command),
    )
    .await;
    let total_ms = clock.monotonic().as_millis();
    // A command that failed leaves no sandbox either.
    call(listen, Method::DELETE, &path, key, None).await?;
    let (status, ran) = ran?;
    ensure!(
        status == StatusCode::OK,
        "exec answered {status}: {}",
        ran["error"]["message"]
    );
    Ok(Proof {
        kernel: ran["stdout"].as_str().unwrap_or_default().trim().to_owned(),
        total_ms,
        ready_ms: sandbox["metadata"]["ready_ms"]
            .as_str()
            .and_then(|ms| ms.parse().ok())
            .unwrap_or(0),
    })
}
