//! How this host belongs to a control plane: the agent registers once with a registration token, and then sends a heartbeat every
//! 30 s (B-111).
//!
//! | answer to a heartbeat | what the agent does |
//! |---|---|
//! | 204 | waits 30 s, give or take a tenth |
//! | 401, 403 | gets new credentials, and sends the heartbeat again |
//! | 409 `host_unreachable` | logs it, and tries again soon: the control plane does not reach the agent's address |
//! | 404 `host_deleted` with the id of this host | leaves the platform |
//! | no answer, 5xx, 429, another 404 | tries again soon |
//! | another refusal | logs it, and tries again at the next time |
//!
//! [`contact`] decides when the agent has lost the control plane, and what it does then.
//!
//! New credentials are fetched in the middle of the life of the old ones, so that an access token is valid while a request for new
//! ones fails.

pub(crate) mod client;
mod contact;
pub(crate) mod credentials;
mod download;
mod images;
mod obtain;

use std::fs;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use chrono::{DateTime, Utc};
use locule_agent_api::tls::{AgentTls, certificate_from_pem};
use locule_agent_api::{HostAgent as _, inventory_hash};
use locule_api::{ErrorCode, HostHeartbeat, HostTemplate};
use locule_base::backoff::Backoff;
use locule_base::handshakes::HandshakeLimits;
use locule_domain::PauseReason;
use locule_domain::host::HOST_TOKEN_LIFETIME;
use locule_ids::HostId;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use self::client::{CallError, ControlPlane};
use self::contact::{Contact, Decision, Heard};
use self::credentials::Credentials;
pub(crate) use self::images::fetch_images;
pub(crate) use self::obtain::Enrolment;
use crate::config::RegistrationConfig;
use crate::registry::Registry;
use crate::server;
use crate::tls_time::tls_time;

const BOOT_ID: &str = "/proc/sys/kernel/random/boot_id";
/// The first and the longest of the waits before a call is repeated that failed.
const RETRY_FIRST: Duration = Duration::from_millis(100);
const RETRY_LONGEST: Duration = Duration::from_secs(5);
/// Of the period of heartbeats, at random, so that the hosts do not all call at the same time.
const JITTER: f64 = 0.1;
/// The time limit of the pauses of all sandboxes.
const PAUSE_ALL: Duration = Duration::from_mins(2);

/// Registers the agent if necessary, and sends heartbeats until `stop`, or until the control plane wants none.
pub(crate) async fn run(
    config: RegistrationConfig,
    registry: Arc<Registry>,
    listener: Option<TcpListener>,
    stop: CancellationToken,
) -> anyhow::Result<()> {
    let host = &registry.shared.host;
    let (data_dir, clock) = (host.config.data_dir.clone(), host.clock.clone());
    let agent = Registered {
        enrolment: Enrolment::new(config, data_dir, &host.pool, clock),
        registry,
        tls: None,
    };
    tokio::select! {
        () = stop.cancelled() => Ok(()),
        ended = agent.run(listener) => ended,
    }
}

struct Registered {
    enrolment: Enrolment,
    registry: Arc<Registry>,
    /// What the agent's TLS listener shows, if it has one.
    tls: Option<AgentTls>,
}

impl Registered {
    async fn run(mut self, listener: Option<TcpListener>) -> anyhow::Result<()> {
        let (mut credentials, plane) = self.enrolment.credentials().await?;
        if let Some(listener) = listener {
            // An agent that was reached through its socket before has no certificate yet.
            if credentials.tls.is_none() {
                let renewed = self.renew(&plane, &mut credentials).await;
                renewed.context("get the certificate of this host")?;
            }
            self.serve_tls(listener, &credentials)?;
        }
        tracing::info!(
            host.id = %credentials.host_id,
            address = %self.enrolment.config.address,
            server = %self.enrolment.config.server,
            "the agent is registered"
        );
        // A failed heartbeat is not repeated more slowly than heartbeats are sent.
        let [first, longest] =
            [RETRY_FIRST, RETRY_LONGEST].map(|wait| wait.min(self.enrolment.config.period));
        let mut backoff = Backoff::new(first, longest);
        let mut contact = Contact::since(
            self.enrolment.clock.monotonic(),
            self.enrolment.config.error_limit,
        );
        let mut is_online = false;
        loop {
            let beaten = self.beat(&plane, &mut credentials).await;
            let host = credentials.host_id;
            let heard = Unbeaten::heard(&beaten, host);
            if !self
                .act(contact.hear(heard, self.enrolment.clock.monotonic()), host)
                .await
            {
                return Ok(());
            }
            let wait = match beaten {
                Ok(()) => {
                    if !is_online {
                        tracing::info!(host.id = %host, "the control plane has the agent's heartbeat");
                    }
                    is_online = true;
                    backoff.reset();
                    self.enrolment
                        .config
                        .period
                        .mul_f64(1.0 + JITTER * (2.0 * rand::random::<f64>() - 1.0))
                }
                Err(Unbeaten { error, .. }) => {
                    is_online = false;
                    let text = locule_base::errors::chain(&error);
                    tracing::warn!(host.id = %host, error = text, "the control plane did not take a heartbeat");
                    let soon = heard == Heard::Silence
                        || error.is_temporary()
                        || error.has(ErrorCode::HostUnreachable);
                    if soon {
                        backoff.next_wait()
                    } else {
                        self.enrolment.config.period
                    }
                }
            };
            tokio::time::sleep(wait).await;
        }
    }

    /// Starts the TLS listener, before the first heartbeat makes the control plane call there.
    fn serve_tls(
        &mut self,
        listener: TcpListener,
        credentials: &Credentials,
    ) -> anyhow::Result<()> {
        let own = credentials.tls.as_ref();
        let own = own.context("the agent has no certificate")?;
        let ca = certificate_from_pem(&own.ca)?;
        let tls = AgentTls::new(&ca, own.own_certificate()?, tls_time(&self.enrolment.clock))?;
        self.tls = Some(tls.clone());
        let router = server::router(self.registry.clone());
        let (tasks, limits) = (&self.registry.shared.host.tasks, HandshakeLimits::default());
        let connections = tasks.clone();
        tasks.spawn("agent TLS server", move |stop| {
            server::serve_tls(listener, router, tls, limits, connections, stop)
        });
        Ok(())
    }

    /// Returns whether the agent sends further heartbeats.
    async fn act(&self, decision: Decision, host: HostId) -> bool {
        match decision {
            Decision::Continue => true,
            Decision::PauseAll => {
                tracing::error!(host.id = %host, server = %self.enrolment.config.server, "the agent has lost the control plane, and pauses all sandboxes");
                self.pause_all().await;
                true
            }
            Decision::PauseAllAndStop => {
                tracing::error!(
                    host.id = %host,
                    server = %self.enrolment.config.server,
                    "the control plane refuses the credentials of this agent, which pauses all sandboxes and sends no further heartbeat; get a registration token of the host, and start the agent with --register TOKEN"
                );
                self.pause_all().await;
                false
            }
            Decision::Leave => {
                tracing::warn!(host.id = %host, "the control plane deleted this host");
                self.registry.leave();
                false
            }
        }
    }

    /// The reports of the sandboxes say the reason, so that each becomes `paused` once the control plane hears of them (B-124).
    async fn pause_all(&self) {
        let enough = tokio::time::sleep(PAUSE_ALL);
        let reason = PauseReason::ControlPlaneLost;
        let left = self.registry.pause_all_for(reason, enough).await;
        if !left.is_empty() {
            tracing::error!(
                sandboxes = left.len(),
                "the agent has lost the control plane, and not all sandboxes are paused; those that are not run on"
            );
        }
    }

    /// Sends one heartbeat, with new credentials if the old ones are not valid or half their life is over.
    async fn beat(
        &self,
        plane: &ControlPlane,
        credentials: &mut Credentials,
    ) -> Result<(), Unbeaten> {
        let mut is_new = false;
        if self.is_old(credentials) {
            is_new = self.renew(plane, credentials).await.is_ok();
        }
        let heartbeat = self.heartbeat().await;
        let sent = plane.heartbeat(credentials.host_id, &credentials.token, &heartbeat);
        let sent = match sent.await {
            Err(error) if error.is_unauthorized() && !is_new => {
                let renewed = self.renew(plane, credentials).await;
                renewed.map_err(|error| Unbeaten {
                    has_tried_to_renew: true,
                    error,
                })?;
                let token = &credentials.token;
                plane
                    .heartbeat(credentials.host_id, token, &heartbeat)
                    .await
            }
            sent => sent,
        };
        sent.map_err(|error| Unbeaten {
            has_tried_to_renew: false,
            error,
        })
    }

    /// Gets new credentials, and keeps them. The TLS listener shows the new certificate from the next connection on.
    async fn renew(
        &self,
        plane: &ControlPlane,
        credentials: &mut Credentials,
    ) -> Result<(), CallError> {
        self.enrolment.renew(plane, credentials).await?;
        if let (Some(listening), Some(own)) = (&self.tls, &credentials.tls) {
            let own = own.own_certificate();
            let own = own.map_err(|error| CallError::NotKept(error.into()))?;
            listening.replace_certificate(own);
            tracing::info!(host.id = %credentials.host_id, "the agent shows a new certificate");
        }
        Ok(())
    }

    /// Whether half the life of an access token is over.
    fn is_old(&self, credentials: &Credentials) -> bool {
        let Some(ends) = ends_at(&credentials.token) else {
            return true;
        };
        let half = HOST_TOKEN_LIFETIME / 2;
        self.enrolment.clock.now() + half > ends
    }

    async fn heartbeat(&self) -> HostHeartbeat {
        let info = self.registry.host().await.ok();
        let host = &self.registry.shared.host;
        let limit = host.config.limits.memory_limit_mib;
        let used = info.as_ref().map_or(0, |info| info.memory_used_bytes >> 20);
        let reports = self.registry.list_sandboxes().await.ok();
        HostHeartbeat {
            address: Some(self.enrolment.config.address.to_string()),
            agent_version: env!("CARGO_PKG_VERSION").to_owned(),
            protocol: locule_agent_api::PROTOCOL_VERSION,
            accelerator: host.accelerator.kind.to_string(),
            boot_id: fs::read_to_string(BOOT_ID)
                .unwrap_or_default()
                .trim()
                .to_owned(),
            free_memory_mib: limit.saturating_sub(used),
            pool_free_bytes: host.pool.free_bytes().unwrap_or(0),
            templates: host
                .bundle
                .templates()
                .map(|(name, sha256)| HostTemplate {
                    name: name.to_owned(),
                    sha256: sha256.to_owned(),
                })
                .collect(),
            // Empty while the agent does not know yet what the host holds.
            inventory_hash: reports.map_or_else(String::new, |reports| inventory_hash(&reports)),
        }
    }
}

/// A heartbeat that the control plane did not take.
struct Unbeaten {
    error: CallError,
    /// The error is that of the call for new credentials.
    has_tried_to_renew: bool,
}

impl Unbeaten {
    fn heard(beaten: &Result<(), Self>, host: HostId) -> Heard {
        let Err(Self {
            error,
            has_tried_to_renew,
        }) = beaten
        else {
            return Heard::Answer;
        };
        match error {
            CallError::NoAnswer(_) | CallError::Untrusted(_) => Heard::Silence,
            CallError::Unavailable { .. } => Heard::Trouble,
            CallError::Refused { .. } if *has_tried_to_renew && error.is_unauthorized() => {
                Heard::Refused
            }
            CallError::Refused { .. } if error.deletes(host) => Heard::Deleted,
            CallError::Refused { .. } if error.is_not_found() => Heard::Silence,
            CallError::Refused { .. } | CallError::NotKept(_) => Heard::Answer,
        }
    }
}

/// The end of an access token, which its claims say. The agent does not check the signature: the token is its own.
fn ends_at(token: &str) -> Option<DateTime<Utc>> {
    use base64::Engine as _;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;
    #[derive(serde::Deserialize)]
    struct Claims {
        exp: i64,
    }
    let claims = token.split('.').nth(1)?;
    let claims: Claims = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(claims).ok()?).ok()?;
    DateTime::from_timestamp(claims.exp, 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_of_an_access_token_is_read_from_its_claims() {
        // {"exp":1764021600}
        let ends = ends_at("x.eyJleHAiOjE3NjQwMjE2MDB9.y").unwrap();
        assert_eq!(ends.timestamp(), 1_764_021_600);
        for token in ["", "x", "x.y.z", "x..y"] {
            assert_eq!(ends_at(token), None, "{token}");
        }
    }
}
