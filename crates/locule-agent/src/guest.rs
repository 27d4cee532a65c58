//! The host's calls into a guest. Everything that comes back is hostile: bounded in size and time.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use buffa::Message as _;
use http::{Request, Response, StatusCode, header};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::body::{Bytes, Incoming};
use locule_agent_api::http1::exchange;
use locule_base::clock::SharedClock;
use locule_guest_api::control::{FreezeResponse, InitRequest, InitResponse, ThawRequest};
use locule_guest_api::proto::process::{ProcessConfig, StartRequest};
use locule_guest_api::{ACCESS_TOKEN_HEADER, CONTROL_KEY_HEADER, FREEZE_TIMEOUT, GUEST_PORT};
use locule_net::SandboxNet;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::manifest::Manifest;

const BODY_BYTES_MAX: usize = 64 * 1024;
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
const CALL_TIMEOUT: Duration = Duration::from_secs(20);
/// A guest's clock may be off by so much when its sandbox is announced.
const CLOCK_ERROR_MAX: Duration = Duration::from_millis(40);
/// On a host that is too busy to set it any better, it is set as well as it can be.
const CLOCK_TRIES: usize = 3;
/// The first finds everything cold, the second most of it warm; more gain nothing.
const WARM_ROUNDS: usize = 3;
/// A guest may have hundreds of megabytes to write to its disk before it is captured.
const WRITE_BACK_TIMEOUT: Duration = Duration::from_secs(10);

#[derive(Debug, thiserror::Error)]
pub(crate) enum GuestError {
    #[error("the guest does not answer")]
    Silent,
    #[error("reach the guest agent")]
    Connect(#[source] std::io::Error),
    #[error("talk to the guest agent")]
    Http(#[source] hyper::Error),
    #[error("the guest agent answered {status} to {path}")]
    Refused {
        path: &'static str,
        status: StatusCode,
    },
    #[error("the guest agent's answer makes no sense")]
    Nonsense,
}

impl GuestError {
    /// Whether the guest refused the control key: it is another's, or nobody's any more.
    pub(crate) fn is_wrong_key(&self) -> bool {
        matches!(self, Self::Refused { status, .. } if *status == StatusCode::UNAUTHORIZED)
    }
}

/// Fresh secrets and entropy: 32 bytes from the kernel.
pub(crate) fn random_bytes() -> [u8; 32] {
    rand::random()
}

async fn call<T: DeserializeOwned>(
    net: &SandboxNet,
    key: &str,
    path: &'static str,
    body: Vec<u8>,
    timeout: Duration,
) -> Result<Option<T>, GuestError> {
    let request = Request::post(path)
        .header(header::CONTENT_TYPE, "application/json")
        .header(CONTROL_KEY_HEADER, key);
    let work = async {
        let bytes = send(net, path, request, body).await?;
        understand(&bytes)
    };
    tokio::time::timeout(timeout, work)
        .await
        .map_err(|_| GuestError::Silent)?
}

async fn send(
    net: &SandboxNet,
    path: &'static str,
    request: http::request::Builder,
    body: Vec<u8>,
) -> Result<Bytes, GuestError> {
    let stream = net
        .connect(GUEST_PORT, CONNECT_TIMEOUT)
        .await
        .map_err(GuestError::Connect)?;
    let request = request
        .header(header::HOST, "guest")
        .body(Full::new(Bytes::from(body)))
        .map_err(|_| GuestError::Nonsense)?;
    let response = exchange(stream, request).await.map_err(GuestError::Http)?;
    read(path, response).await
}

async fn read(path: &'static str, response: Response<Incoming>) -> Result<Bytes, GuestError> {
    let status = response.status();
    if !status.is_success() {
        return Err(GuestError::Refused { path, status });
    }
    let body = Limited::new(response.into_body(), BODY_BYTES_MAX)
        .collect()
        .await
        .map_err(|_| GuestError::Nonsense)?;
    Ok(body.to_bytes())
}

fn understand<T: DeserializeOwned>(bytes: &[u8]) -> Result<Option<T>, GuestError> {
    if bytes.is_empty() {
        return Ok(None);
    }
    serde_json::from_slice(bytes)
        .map(Some)
        .map_err(|_| GuestError::Nonsense)
}

fn json(value: &impl Serialize) -> Vec<u8> {
    // Plain structures with text keys: serialisation cannot fail.
    serde_json::to_vec(value).unwrap_or_default()
}

fn unix_nanos(clock: &SharedClock) -> i64 {
    clock.now().timestamp_nanos_opt().unwrap_or(0)
}

/// Clock and entropy for a guest whose identity does not matter yet.
fn new_life(clock: &SharedClock) -> InitRequest {
    InitRequest {
        new_control_key: None,
        access_token: None,
        sandbox_id: String::new(),
        template_id: String::new(),
        hostname: "locule".to_owned(),
        env_vars: std::collections::BTreeMap::new(),
        default_user: None,
        default_workdir: None,
        timestamp_unix_nanos: unix_nanos(clock),
        entropy: STANDARD.encode(random_bytes()),
        run_hooks: false,
        standby: false,
    }
}

/// Waits until the guest agent of a machine that boots answers, and gives it its first control key.
pub(crate) async fn init_template(
    net: &SandboxNet,
    key: &str,
    clock: &SharedClock,
    patience: Duration,
) -> Result<(), GuestError> {
    let first = async {
        loop {
            let request = InitRequest {
                new_control_key: Some(key.to_owned()),
                ..new_life(clock)
            };
            let answer =
                call::<InitResponse>(net, "", "/init", json(&request), Duration::from_secs(5))
                    .await;
            match answer {
                Ok(_) => return Ok(()),
                // It is still booting: nothing listens yet.
                Err(GuestError::Connect(_) | GuestError::Silent | GuestError::Http(_)) => {
                    tokio::time::sleep(Duration::from_millis(20)).await;
                }
                Err(error) => return Err(error),
            }
        }
    };
    tokio::time::timeout(patience, first)
        .await
        .map_err(|_| GuestError::Silent)?
}

/// Makes a restored guest the sandbox of this manifest: everything that must be new is new when this returns.
pub(crate) async fn init(
    net: &SandboxNet,
    current_key: &str,
    manifest: &Manifest,
    clock: &SharedClock,
) -> Result<InitResponse, GuestError> {
    let request = InitRequest {
        new_control_key: Some(manifest.control_key.clone()),
        access_token: Some(manifest.access_token.clone()),
        sandbox_id: manifest.sandbox.base36(),
        template_id: manifest.template.clone(),
        hostname: format!("sb-{}", &manifest.sandbox.base36()[..12]),
        env_vars: manifest.env.clone(),
        default_user: Some(manifest.default_user.clone()).filter(|user| !user.is_empty()),
        run_hooks: true,
        ..new_life(clock)
    };
    let mut asked = clock.monotonic();
    let answer = call(net, current_key, "/init", json(&request), CALL_TIMEOUT).await?;
    for _ in 0..CLOCK_TRIES {
        // What was sent so long ago may have been read as late.
        if clock.monotonic().saturating_sub(asked) <= CLOCK_ERROR_MAX {
            break;
        }
        asked = clock.monotonic();
        thaw(net, &manifest.control_key, clock).await?;
    }
    answer.ok_or(GuestError::Nonsense)
}

/// Stops the user's processes and writes the guest's dirty pages to its disk. `false`: some would not stop.
pub(crate) async fn freeze(net: &SandboxNet, key: &str) -> Result<bool, GuestError> {
    let timeout = FREEZE_TIMEOUT + WRITE_BACK_TIMEOUT;
    let answer: Option<FreezeResponse> = call(net, key, "/freeze", Vec::new(), timeout).await?;
    Ok(answer.ok_or(GuestError::Nonsense)?.frozen)
}

/// Does what the first calls to a sandbox do, as often as it takes to find them translated and cached.
pub(crate) async fn warm(
    net: &SandboxNet,
    key: &str,
    clock: &SharedClock,
) -> Result<(), GuestError> {
    for _ in 0..WARM_ROUNDS {
        practise(net, key, clock).await?;
    }
    Ok(())
}

/// A life that is nobody's: the user's processes stay frozen, and commands run beside them.
async fn practise(net: &SandboxNet, key: &str, clock: &SharedClock) -> Result<(), GuestError> {
    let token = hex::encode(random_bytes());
    let life = InitRequest {
        // Replaced by the sandbox's own.
        access_token: Some(token.clone()),
        standby: true,
        ..new_life(clock)
    };
    call::<InitResponse>(net, key, "/init", json(&life), CALL_TIMEOUT).await?;
    // The least there is, as the API asks for it, and the shell, as the SDKs do.
    let least = command("/bin/true", &[]).encode_to_vec();
    let shell = json(&command("/bin/bash", &["-l", "-c", "true"]));
    for (codec, message) in [("proto", least), ("json", shell)] {
        let path = "/process.Process/Start";
        let request = Request::post(path)
            .header(header::CONTENT_TYPE, format!("application/connect+{codec}"))
            .header("connect-protocol-version", "1")
            .header(ACCESS_TOKEN_HEADER, &token);
        let length = u32::try_from(message.len()).map_err(|_| GuestError::Nonsense)?;
        let envelope = [&[0], length.to_be_bytes().as_slice(), &message].concat();
        // Ends with the command. What it says does not matter: an image without a shell is warm without one.
        tokio::time::timeout(CALL_TIMEOUT, send(net, path, request, envelope))
            .await
            .map_err(|_| GuestError::Silent)??;
    }
    Ok(())
}

fn command(program: &str, args: &[&str]) -> StartRequest {
    StartRequest {
        process: ProcessConfig {
            cmd: program.to_owned(),
            args: args.iter().copied().map(str::to_owned).collect(),
            ..Default::default()
        }
        .into(),
        stdin: Some(false),
        ..Default::default()
    }
}

/// Sets the clock, and lets the user's processes go on if they are frozen.
pub(crate) async fn thaw(
    net: &SandboxNet,
    key: &str,
    clock: &SharedClock,
) -> Result<(), GuestError> {
    let now = ThawRequest {
        timestamp_unix_nanos: unix_nanos(clock),
    };
    let timeout = FREEZE_TIMEOUT + Duration::from_secs(3);
    call::<serde_json::Value>(net, key, "/thaw", json(&now), timeout)
        .await
        .map(drop)
}

#[cfg(test)]
mod fuzz {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    use super::*;

    /// The host asks, the guest says `bytes`, whatever they are, and hangs up.
    async fn asked(bytes: &[u8]) -> Result<Option<InitResponse>, GuestError> {
        let (ours, mut theirs) = tokio::io::duplex(1 << 17);
        let guest = async {
            let mut request = [0; 4096];
            // The host may have given up already.
            let _ = theirs.read(&mut request).await;
            let _ = theirs.write_all(bytes).await;
            drop(theirs);
        };
        let host = async {
            let request = Request::post("/init").header(header::HOST, "guest");
            let request = request.body(Full::new(Bytes::new())).unwrap();
            let response = exchange(ours, request).await.map_err(GuestError::Http)?;
            understand(&read("/init", response).await?)
        };
        tokio::join!(host, guest).0
    }

    #[test]
    fn any_answer_of_a_guest_is_understood_or_an_error() {
        let body = r#"{"guestVersion":"1","kernelVersion":"6.1","bootId":"b"}"#;
        let length = body.len();
        let seeds = [
            format!(
                "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n\r\n{body}"
            ),
            format!(
                "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n{length:x}\r\n{body}\r\n0\r\n\r\n"
            ),
            format!("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.0 200 OK\r\n\r\n{body}"),
            "HTTP/1.1 204 No Content\r\nconnection: close\r\n\r\n".to_owned(),
            "HTTP/1.1 401 Unauthorized\r\ncontent-length: 0\r\n\r\n".to_owned(),
            "HTTP/1.1 101 Switching Protocols\r\nupgrade: x\r\nconnection: upgrade\r\n\r\n"
                .to_owned(),
        ];
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        let understood = runtime.block_on(asked(seeds[0].as_bytes()));
        assert_eq!(understood.unwrap().unwrap().kernel_version, "6.1");
        locule_fuzz::fuzz(&seeds, |bytes| {
            runtime.block_on(async {
                let asked = tokio::time::timeout(Duration::from_secs(5), asked(bytes)).await;
                format!("{:?}", asked.expect("an answer that ends is an answer"))
            })
        });
    }
}
