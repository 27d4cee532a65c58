//! The control plane as a value: what every use case can reach.

use std::collections::HashMap;
use std::sync::{Arc, MutexGuard, PoisonError};

use chrono::{DateTime, Utc};
use hmac::{Hmac, Mac as _};
use locule_agent_api::{Connector, HostAgent};
use locule_base::clock::SharedClock;
use locule_base::tasks::Tasks;
use locule_domain::{Limits, Quota};
use locule_ids::{ApiKeyId, HostId, SandboxId};
use locule_store::{PgPool, StoreError, cluster};
use sha2::Sha256;

use crate::error::ControlError;
use crate::github::Github;
use crate::mail::Mailer;
use crate::passwords::Passwords;
use crate::rate::{Rates, Tries};
use crate::{jobs, retention, sweep, watch};

/// Secrets and rules of one cluster.
#[derive(Clone)]
pub struct ControlConfig {
    /// Sandboxes' access tokens are made from it.
    pub platform_key: Vec<u8>,
    /// Signs login tokens.
    pub jwt_secret: Vec<u8>,
    /// What one sandbox may be.
    pub limits: Limits,
    /// What one team may use, where it has no limits of its own.
    pub quota: Quota,
    pub rates: Rates,
    /// Without one, an account is active at once, and a forgotten password stays forgotten.
    pub mailer: Option<Mailer>,
    /// Without one, nobody comes in by way of GitHub.
    pub github: Option<Github>,
}

impl ControlConfig {
    /// With the limits that an installation begins with.
    pub fn new(platform_key: Vec<u8>, jwt_secret: Vec<u8>) -> Self {
        Self {
            platform_key,
            jwt_secret,
            limits: Limits::default(),
            quota: Quota::default(),
            rates: Rates::default(),
            mailer: None,
            github: None,
        }
    }
}

impl std::fmt::Debug for ControlConfig {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ControlConfig")
            .field("limits", &self.limits)
            .finish_non_exhaustive()
    }
}

/// A host and the ways to it: orders by RPC, bytes by the connector.
#[derive(Clone)]
pub struct HostLink {
    pub id: HostId,
    pub agent: Arc<dyn HostAgent>,
    pub connector: Connector,
}

impl std::fmt::Debug for HostLink {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("HostLink")
            .field("id", &self.id)
            .finish_non_exhaustive()
    }
}

/// Why sandboxes cannot be created right now.
#[derive(Debug, thiserror::Error)]
pub enum NotReady {
    #[error("the database does not answer")]
    Database,
    #[error("no host is ready")]
    Host,
}

/// Held by whoever gives orders about a sandbox.
pub(crate) type OrderGuard = tokio::sync::OwnedMutexGuard<()>;

/// Keys used since the last write, and when.
type UsedKeys = std::sync::Mutex<HashMap<ApiKeyId, DateTime<Utc>>>;

pub(crate) struct Inner {
    pub(crate) config: ControlConfig,
    pub(crate) pool: PgPool,
    pub(crate) clock: SharedClock,
    pub(crate) tasks: Tasks,
    pub(crate) hosts: Vec<HostLink>,
    pub(crate) passwords: Passwords,
    pub(crate) tries: Tries,
    used_keys: UsedKeys,
    /// One order at a time about one sandbox from this process.
    pub(crate) locks: std::sync::Mutex<HashMap<SandboxId, std::sync::Weak<tokio::sync::Mutex<()>>>>,
}

/// Cheap to clone.
#[derive(Clone)]
pub struct Control(pub(crate) Arc<Inner>);

impl std::fmt::Debug for Control {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Control")
            .field("hosts", &self.0.hosts)
            .finish_non_exhaustive()
    }
}

/// The one place where HMAC gets its key.
pub(crate) fn keyed(key: &[u8]) -> Hmac<Sha256> {
    #[expect(clippy::expect_used, reason = "HMAC takes a key of any length")]
    Hmac::<Sha256>::new_from_slice(key).expect("any key length")
}

impl Control {
    pub fn new(
        config: ControlConfig,
        pool: PgPool,
        clock: SharedClock,
        tasks: Tasks,
        hosts: Vec<HostLink>,
    ) -> Self {
        Self(Arc::new(Inner {
            config,
            pool,
            clock,
            tasks,
            hosts,
            passwords: Passwords::default(),
            tries: Tries::default(),
            used_keys: UsedKeys::default(),
            locks: std::sync::Mutex::default(),
        }))
    }

    /// Starts what runs in the background: a watch per host, the sweep, jobs, and what forgets what is over.
    pub fn start(&self) {
        for host in &self.0.hosts {
            let (control, host) = (self.clone(), host.clone());
            self.0
                .tasks
                .spawn("host watch", |stop| watch::run(control, host, stop));
        }
        let control = self.clone();
        self.0
            .tasks
            .spawn("sandbox sweep", |stop| sweep::run(control, stop));
        let control = self.clone();
        self.0.tasks.spawn("jobs", |stop| jobs::run(control, stop));
        let control = self.clone();
        self.0
            .tasks
            .spawn("retention", |stop| retention::run(control, stop));
    }

    /// One pass of the sweep, now.
    pub async fn sweep(&self) -> Result<(), ControlError> {
        sweep::once(self).await
    }

    pub(crate) fn now(&self) -> DateTime<Utc> {
        self.0.clock.now()
    }

    pub(crate) fn limits(&self) -> &Limits {
        &self.0.config.limits
    }

    pub(crate) async fn connection(&self) -> Result<locule_store::PooledConnection, ControlError> {
        Ok(self.0.pool.acquire().await.map_err(StoreError::from)?)
    }

    pub(crate) async fn transaction(&self) -> Result<locule_store::Transaction, ControlError> {
        Ok(self.0.pool.begin().await.map_err(StoreError::from)?)
    }

    pub(crate) async fn commit(&self, tx: locule_store::Transaction) -> Result<(), ControlError> {
        Ok(tx.commit().await.map_err(StoreError::from)?)
    }

    pub(crate) fn used_keys(&self) -> MutexGuard<'_, HashMap<ApiKeyId, DateTime<Utc>>> {
        self.0
            .used_keys
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn host(&self, id: HostId) -> Option<&HostLink> {
        self.0.hosts.iter().find(|host| host.id == id)
    }

    /// Orders about one sandbox are given one after the other.
    pub(crate) async fn lock(&self, sandbox: SandboxId) -> OrderGuard {
        self.lock_of(sandbox).lock_owned().await
    }

    /// As [`Self::lock`]; `None` while an order is under way.
    pub(crate) fn try_lock(&self, sandbox: SandboxId) -> Option<OrderGuard> {
        self.lock_of(sandbox).try_lock_owned().ok()
    }

    fn lock_of(&self, sandbox: SandboxId) -> Arc<tokio::sync::Mutex<()>> {
        let mut locks = self.0.locks.lock().unwrap_or_else(PoisonError::into_inner);
        locks.retain(|_, lock| lock.strong_count() > 0);
        let known = locks.get(&sandbox).and_then(std::sync::Weak::upgrade);
        let lock = known.unwrap_or_default();
        locks.insert(sandbox, Arc::downgrade(&lock));
        lock
    }

    /// What clients of one sandbox show to its guest agent. The same for ever, so that an old SDK object goes on working.
    pub fn access_token(&self, sandbox: SandboxId) -> String {
        self.derive(b"access", sandbox)
    }

    /// What visitors of a private sandbox's ports show.
    pub fn traffic_token(&self, sandbox: SandboxId) -> String {
        self.derive(b"traffic", sandbox)
    }

    fn derive(&self, purpose: &[u8], sandbox: SandboxId) -> String {
        let mut mac = keyed(&self.0.config.platform_key);
        mac.update(purpose);
        mac.update(sandbox.as_uuid().as_bytes());
        hex::encode(mac.finalize().into_bytes())
    }

    /// Whether sandboxes can be created.
    pub async fn ready(&self) -> Result<(), NotReady> {
        let mut conn = self.connection().await.map_err(|_| NotReady::Database)?;
        cluster::ping(&mut conn)
            .await
            .map_err(|_| NotReady::Database)?;
        for host in &self.0.hosts {
            if host.agent.host().await.is_ok_and(|host| host.ready) {
                return Ok(());
            }
        }
        Err(NotReady::Host)
    }
}
