//! How the agent gets its credentials, and keeps them: once for a registration token, then for its refresh token.

use std::path::PathBuf;

use anyhow::Context as _;
use locule_agent_api::tls::{ControlTrust, certificate_from_pem};
use locule_api::{HostCredentials, RefreshHostRequest, RegisterHostRequest};
use locule_base::backoff::Backoff;
use locule_base::clock::SharedClock;
use locule_disk::Pool;
use locule_domain::HostAddress;

use super::client::{CallError, ControlPlane};
use super::credentials::{self, Credentials, TlsCredentials};
use super::{RETRY_FIRST, RETRY_LONGEST};
use crate::config::{RegistrationConfig, machine_cores, machine_mib};
use crate::host_key::HostKey;

/// How this host gets its credentials.
pub(crate) struct Enrolment {
    pub(super) config: RegistrationConfig,
    pub(super) clock: SharedClock,
    data_dir: PathBuf,
    /// What the control plane is told of the disk pool.
    pool_bytes: u64,
}

impl Enrolment {
    pub(crate) fn new(
        config: RegistrationConfig,
        data_dir: PathBuf,
        pool: &Pool,
        clock: SharedClock,
    ) -> Self {
        Self {
            config,
            clock,
            data_dir,
            pool_bytes: pool.size_bytes().unwrap_or(0),
        }
    }

    /// The credentials of the agent's file, or new ones for its registration token; and the control plane, as they let the agent know it.
    pub(super) async fn credentials(&self) -> anyhow::Result<(Credentials, ControlPlane)> {
        let path = Credentials::path(&self.data_dir);
        let read = Credentials::read(&self.data_dir);
        let kept = read.with_context(|| format!("read {}", path.display()))?;
        let token = match (&kept, &self.config.token) {
            (Some(kept), None) => return self.known(kept),
            // The token was used when the agent started for the first time.
            (Some(kept), Some(token)) if kept.registered_with == credentials::hash(token) => {
                return self.known(kept);
            }
            (Some(_) | None, Some(token)) => token,
            (None, None) => anyhow::bail!(
                "the agent has no credentials for {}: start it once with --register and a registration token",
                self.config.server
            ),
        };
        // A new registration may be that of another platform: the hash that came with the token counts.
        let trust = match self.config.ca_hash {
            Some(hash) => Some(ControlTrust::Pin(hash)),
            None => kept.as_ref().map(ca).transpose()?.flatten(),
        };
        let plane = self.plane(trust)?;
        let key = self.key(kept.as_ref())?;
        let request = self.registration(token, key.as_ref())?;
        let mut backoff = Backoff::new(RETRY_FIRST, RETRY_LONGEST);
        let issued = loop {
            match plane.register(&request).await {
                Ok(issued) => break issued,
                Err(error) if error.is_temporary() => {
                    let text = locule_base::errors::chain(&error);
                    tracing::debug!(error = text, "the agent could not register yet");
                    tokio::time::sleep(backoff.next_wait()).await;
                }
                Err(error) => return Err(error).context("register the agent"),
            }
        };
        let credentials = self.keep(issued, credentials::hash(token), key).await?;
        self.known(&credentials)
    }

    /// The control plane that issued these credentials.
    fn known(&self, credentials: &Credentials) -> anyhow::Result<(Credentials, ControlPlane)> {
        let pin = self.config.ca_hash.map(ControlTrust::Pin);
        let plane = self.plane(ca(credentials)?.or(pin))?;
        Ok((credentials.clone(), plane))
    }

    fn plane(&self, trust: Option<ControlTrust>) -> anyhow::Result<ControlPlane> {
        let server = self.config.server.clone();
        Ok(ControlPlane::new(server, trust, &self.clock)?)
    }

    /// The key of this host, if the control plane reaches it through TLS. Made once.
    fn key(&self, kept: Option<&Credentials>) -> anyhow::Result<Option<HostKey>> {
        if matches!(self.config.address, HostAddress::Unix(_)) {
            return Ok(None);
        }
        let key = match kept.and_then(|kept| kept.tls.as_ref()) {
            Some(kept) => HostKey::from_pem(&kept.key)?,
            None => HostKey::generate()?,
        };
        Ok(Some(key))
    }

    fn registration(
        &self,
        token: &str,
        key: Option<&HostKey>,
    ) -> anyhow::Result<RegisterHostRequest> {
        let number = |value: u64| Some(i32::try_from(value).unwrap_or(i32::MAX));
        Ok(RegisterHostRequest {
            token: token.to_owned(),
            address: self.config.address.to_string(),
            arch: Some(std::env::consts::ARCH.to_owned()),
            cpu_cores: number(machine_cores().into()),
            memory_mb: number(machine_mib()),
            disk_gb: number(self.pool_bytes >> 30),
            csr_pem: key.map(HostKey::csr_pem).transpose()?,
        })
    }

    /// Writes credentials into the agent's file.
    async fn keep(
        &self,
        issued: HostCredentials,
        registered_with: String,
        key: Option<HostKey>,
    ) -> anyhow::Result<Credentials> {
        let certified = issued.cert_pem.zip(issued.ca_cert_pem);
        let tls = match key {
            None => None,
            Some(key) => {
                let (certificate, ca) =
                    certified.context("the control plane issued no certificate")?;
                Some(TlsCredentials {
                    key: key.to_pem(),
                    certificate,
                    ca,
                })
            }
        };
        let credentials = Credentials {
            host_id: issued.host.id,
            token: issued.token,
            refresh_token: issued.refresh_token,
            registered_with,
            tls,
        };
        let (written, folder) = (credentials.clone(), self.data_dir.clone());
        let writing = tokio::task::spawn_blocking(move || written.write(&folder));
        writing
            .await
            .context("the writing of the credentials panicked")?
            .with_context(|| format!("write {}", Credentials::path(&self.data_dir).display()))?;
        Ok(credentials)
    }

    /// Gets new credentials, and keeps them.
    pub(super) async fn renew(
        &self,
        plane: &ControlPlane,
        credentials: &mut Credentials,
    ) -> Result<(), CallError> {
        let not_kept = |error: anyhow::Error| CallError::NotKept(error.into());
        let key = self.key(Some(credentials)).map_err(not_kept)?;
        let csr = key.as_ref().map(HostKey::csr_pem).transpose();
        let request = RefreshHostRequest {
            refresh_token: credentials.refresh_token.clone(),
            csr_pem: csr.map_err(|error| not_kept(error.into()))?,
        };
        let issued = plane.refresh(&request, &credentials.token).await?;
        let registered_with = credentials.registered_with.clone();
        let kept = self.keep(issued, registered_with, key).await;
        *credentials = kept.map_err(not_kept)?;
        Ok(())
    }
}

/// How a host with these credentials knows the control plane.
fn ca(credentials: &Credentials) -> anyhow::Result<Option<ControlTrust>> {
    let Some(tls) = &credentials.tls else {
        return Ok(None);
    };
    let ca = certificate_from_pem(&tls.ca).context("the CA in the credentials")?;
    Ok(Some(ControlTrust::Ca(ca)))
}
