//! The host's calls into a guest.

mod transport;
mod tunnel;
mod warm_up;

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use locule_base::clock::SharedClock;
use locule_guest_api::FREEZE_TIMEOUT;
use locule_guest_api::control::{FreezeResponse, InitRequest, InitResponse, ThawRequest};
use locule_net::SandboxNet;

use self::transport::{call, json};
use crate::manifest::Manifest;

pub(crate) use transport::GuestError;
pub(crate) use tunnel::open_tunnel;

const CALL_TIMEOUT: Duration = Duration::from_secs(20);
/// The error that a guest's clock may have when its sandbox is reported as running.
const CLOCK_ERROR_MAX: Duration = Duration::from_millis(40);
/// On a host that is too busy to set the clock within that error, the last try counts.
const CLOCK_TRIES: usize = 3;
/// A guest may have hundreds of megabytes to write to its disk before it is captured.
const WRITE_BACK_TIMEOUT: Duration = Duration::from_secs(10);

/// Fresh secrets and entropy: 32 bytes from the kernel.
pub(crate) fn random_bytes() -> [u8; 32] {
    rand::random()
}

/// The agent inside one guest, called with the key that it accepts.
#[derive(Debug, Clone, Copy)]
pub(crate) struct GuestClient<'a> {
    net: &'a SandboxNet,
    control_key: &'a str,
    clock: &'a SharedClock,
}

impl<'a> GuestClient<'a> {
    pub(crate) fn new(net: &'a SandboxNet, control_key: &'a str, clock: &'a SharedClock) -> Self {
        Self {
            net,
            control_key,
            clock,
        }
    }

    fn unix_nanos(&self) -> i64 {
        self.clock.now().timestamp_nanos_opt().unwrap_or(0)
    }

    /// Clock and entropy for a guest that is no sandbox yet.
    fn anonymous_init(&self) -> InitRequest {
        InitRequest {
            new_control_key: None,
            access_token: None,
            sandbox_id: String::new(),
            template_id: String::new(),
            hostname: "locule".to_owned(),
            env_vars: std::collections::BTreeMap::new(),
            default_user: None,
            default_workdir: None,
            timestamp_unix_nanos: self.unix_nanos(),
            entropy: STANDARD.encode(random_bytes()),
            run_hooks: false,
            standby: false,
        }
    }

    /// Waits until the guest agent of a VM that boots answers, and gives the guest agent its first control key.
    pub(crate) async fn init_template(&self, timeout: Duration) -> Result<(), GuestError> {
        let first = async {
            loop {
                let request = InitRequest {
                    new_control_key: Some(self.control_key.to_owned()),
                    ..self.anonymous_init()
                };
                let limit = Duration::from_secs(5);
                let answer =
                    call::<InitResponse>(self.net, "", "/init", json(&request), limit).await;
                match answer {
                    Ok(_) => return Ok(()),
                    // The guest still boots: no program listens yet.
                    Err(GuestError::Connect(_) | GuestError::Silent | GuestError::Http(_)) => {
                        tokio::time::sleep(Duration::from_millis(20)).await;
                    }
                    Err(error) => return Err(error),
                }
            }
        };
        tokio::time::timeout(timeout, first)
            .await
            .map_err(|_| GuestError::Silent)?
    }

    /// Makes a restored guest the sandbox of this manifest. Clock, names, secrets and random numbers are new when this
    /// returns.
    pub(crate) async fn init(&self, manifest: &Manifest) -> Result<InitResponse, GuestError> {
        let request = InitRequest {
            new_control_key: Some(manifest.control_key.clone()),
            access_token: Some(manifest.access_token.clone()),
            sandbox_id: manifest.sandbox.base36(),
            template_id: manifest.template.clone(),
            hostname: format!("sb-{}", &manifest.sandbox.base36()[..12]),
            env_vars: manifest.env.clone(),
            default_user: Some(manifest.default_user.clone()).filter(|user| !user.is_empty()),
            run_hooks: true,
            ..self.anonymous_init()
        };
        let mut sent = self.clock.monotonic();
        let answer = call(
            self.net,
            self.control_key,
            "/init",
            json(&request),
            CALL_TIMEOUT,
        )
        .await?;
        for _ in 0..CLOCK_TRIES {
            // After a long exchange the guest may have read the time late.
            if self.clock.monotonic().saturating_sub(sent) <= CLOCK_ERROR_MAX {
                break;
            }
            sent = self.clock.monotonic();
            let renewed = GuestClient::new(self.net, &manifest.control_key, self.clock);
            renewed.thaw().await?;
        }
        answer.ok_or(GuestError::Unparsable)
    }

    /// Freezes the user's processes and writes the guest's dirty pages to its disk. `false`: some processes did not freeze.
    pub(crate) async fn freeze(&self) -> Result<bool, GuestError> {
        let timeout = FREEZE_TIMEOUT + WRITE_BACK_TIMEOUT;
        let answer: Option<FreezeResponse> =
            call(self.net, self.control_key, "/freeze", Vec::new(), timeout).await?;
        Ok(answer.ok_or(GuestError::Unparsable)?.frozen)
    }

    /// Sets the clock, and thaws the user's processes if they are frozen.
    pub(crate) async fn thaw(&self) -> Result<(), GuestError> {
        let now = ThawRequest {
            timestamp_unix_nanos: self.unix_nanos(),
        };
        let timeout = FREEZE_TIMEOUT + Duration::from_secs(3);
        call::<serde_json::Value>(self.net, self.control_key, "/thaw", json(&now), timeout)
            .await
            .map(drop)
    }
}
