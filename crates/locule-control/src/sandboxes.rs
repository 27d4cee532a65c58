//! [`Sandboxes`]: the use cases about sandboxes, one a file.

pub(crate) mod access;
pub(crate) mod clock;
mod connect;
mod create;
pub(crate) mod describe;
mod destroy;
pub(crate) mod error;
pub(crate) mod limits;
pub(crate) mod list;
pub(crate) mod locks;
mod pause;
pub(crate) mod placer;
pub(crate) mod port_links;
pub(crate) mod quota;
mod resume;
pub(crate) mod route;
mod timeout;
pub(crate) mod tokens;
mod update;

use std::sync::Arc;
use std::time::Duration;

use locule_domain::{Desired, Limits, Overcommit, Quota, Sandbox, SandboxState, Scheduler};
use locule_ids::{HostId, SandboxId, TeamId};
use locule_store::{PgConnection, cluster, sandboxes};
use tokio::sync::Semaphore;

use crate::authority::{self, Needed};
use crate::caller::Caller;
use crate::core::Core;
use crate::error::CommonError;
use crate::guarded::Guarded;
use crate::hosts::links::{HostLink, HostLinks};
use crate::rate::Tries;
use crate::sandboxes::access::AccessCache;
use crate::sandboxes::error::SandboxError;
use crate::sandboxes::locks::{Locks, OrderGuard};
use crate::sandboxes::placer::Placer;
use crate::turns::Asker;

/// Reads of routes at a time: requests for ports, which any client may send, leave connections of the pool to the API.
const ROUTE_READS_MAX: usize = 8;
const RECHECK_DEFAULT: Duration = Duration::from_secs(5);
const CANDIDATES_KEPT: Duration = Duration::from_secs(1);
/// A host that answers later counts as one that does not answer.
const ACCELERATOR_WAIT_MAX: Duration = Duration::from_secs(1);
const KVM: &str = "kvm";

/// Secrets and limits of the sandboxes of one cluster.
#[derive(Clone)]
pub struct SandboxesConfig {
    /// Access tokens and traffic tokens of sandboxes are derived from it.
    pub platform_key: Vec<u8>,
    /// The largest sandbox that a request may ask for.
    pub limits: Limits,
    /// The quota of a team that has none of its own.
    pub quota: Quota,
    /// After this time the callers of open connections are checked again, and so is what is kept of a sandbox for its ports.
    pub recheck: Duration,
    /// How the host of a new sandbox is chosen.
    pub scheduler: Scheduler,
    /// How long a process uses the hosts that it read for a new sandbox for the next ones.
    pub candidates_kept: Duration,
    /// Makes the ids of new sandboxes. A simulation makes the same ids in each run of a seed.
    pub new_id: Arc<dyn Fn() -> SandboxId + Send + Sync>,
}

/// Host agents promise their memory twice, and sandboxes write a small part of their disks (ADR 0046).
const OVERCOMMIT: Overcommit = Overcommit {
    memory_percent: 200,
    disk_percent: 5000,
};

impl SandboxesConfig {
    /// The configuration of a new installation.
    pub fn new(platform_key: Vec<u8>) -> Self {
        Self {
            platform_key,
            limits: Limits::default(),
            quota: Quota::default(),
            recheck: RECHECK_DEFAULT,
            scheduler: Scheduler {
                overcommit: OVERCOMMIT,
                ..Scheduler::default()
            },
            candidates_kept: CANDIDATES_KEPT,
            new_id: Arc::new(SandboxId::random),
        }
    }
}

impl std::fmt::Debug for SandboxesConfig {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SandboxesConfig")
            .field("limits", &self.limits)
            .field("quota", &self.quota)
            .finish_non_exhaustive()
    }
}

/// The reason why no sandbox can be created now.
#[derive(Debug, thiserror::Error)]
pub enum NotReady {
    #[error("the database does not answer")]
    Database,
    #[error("no host is ready")]
    Host,
}

pub(crate) struct Inner {
    pub(crate) config: SandboxesConfig,
    pub(crate) links: HostLinks,
    pub(crate) creates: Tries<TeamId>,
    pub(crate) guarded: Guarded,
    access: AccessCache,
    /// Reads of a sandbox whose kept tokens do not have the token of a request.
    rereads: Tries<SandboxId>,
    route_reads: Semaphore,
    locks: Locks,
    pub(crate) placer: Placer,
}

/// Sandboxes of every team: create, list, pause, resume, destroy, route, and reconcile with the hosts. Cheap to clone.
#[derive(Clone)]
pub struct Sandboxes {
    pub(crate) core: Core,
    pub(crate) inner: Arc<Inner>,
}

impl std::fmt::Debug for Sandboxes {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Sandboxes")
            .field("hosts", &self.inner.links)
            .finish_non_exhaustive()
    }
}

impl Sandboxes {
    pub(crate) fn new(core: Core, config: SandboxesConfig, links: HostLinks) -> Self {
        let guarded = Guarded::new(core.clock.monotonic());
        let placer = Placer::new(config.scheduler, config.candidates_kept);
        Self {
            core,
            inner: Arc::new(Inner {
                config,
                links,
                creates: Tries::default(),
                guarded,
                access: AccessCache::default(),
                rereads: Tries::default(),
                route_reads: Semaphore::new(ROUTE_READS_MAX),
                locks: Locks::default(),
                placer,
            }),
        }
    }

    pub(crate) fn limits(&self) -> &Limits {
        &self.inner.config.limits
    }

    /// The link to a host. `None`: the host does not exist, or was never reached.
    pub(crate) async fn host(&self, id: HostId) -> Result<Option<HostLink>, CommonError> {
        if let Some(link) = self.inner.links.kept(id) {
            return Ok(Some(link));
        }
        let mut conn = self.core.connection().await?;
        Ok(self.inner.links.read(&mut conn, id).await?)
    }

    /// The links to all hosts, as the database has the hosts at this moment.
    pub(crate) async fn hosts(&self) -> Result<Vec<HostLink>, CommonError> {
        let mut conn = self.core.connection().await?;
        self.inner.links.read_all(&mut conn).await?;
        Ok(self.inner.links.all())
    }

    /// The links that this process keeps. The database is read where there are none: any client may ask, any number of times.
    async fn kept_hosts(&self) -> Result<Vec<HostLink>, CommonError> {
        match self.inner.links.all() {
            none if none.is_empty() => self.hosts().await,
            kept => Ok(kept),
        }
    }

    /// Waits until no other order about the sandbox is in progress in this process.
    pub(crate) async fn lock(&self, sandbox: SandboxId) -> OrderGuard {
        self.inner.locks.lock(sandbox).await
    }

    /// As [`Self::lock`]; `None` while an order is in progress.
    pub(crate) fn try_lock(&self, sandbox: SandboxId) -> Option<OrderGuard> {
        self.inner.locks.try_lock(sandbox)
    }

    /// Whether sandboxes can be created.
    pub async fn ready(&self) -> Result<(), NotReady> {
        let connection = self.core.connection().await;
        let mut conn = connection.map_err(|_| NotReady::Database)?;
        cluster::ping(&mut conn)
            .await
            .map_err(|_| NotReady::Database)?;
        drop(conn);
        let hosts = self.kept_hosts().await.map_err(|_| NotReady::Database)?;
        for host in hosts {
            if host
                .agent
                .host()
                .await
                .is_ok_and(|host| host.ready && host.check_protocol().is_ok())
            {
                return Ok(());
            }
        }
        Err(NotReady::Host)
    }

    /// The accelerator of the hosts that answer at once. Where hosts differ, one that is not KVM: it is what isolates least.
    pub async fn accelerator(&self) -> Option<String> {
        let hosts = self.kept_hosts().await.ok()?;
        let hosts = hosts.iter();
        let asked = hosts.map(|host| tokio::time::timeout(ACCELERATOR_WAIT_MAX, host.agent.host()));
        let answers = futures::future::join_all(asked).await;
        let mut found = answers.into_iter().flatten().flatten();
        let first = found.next()?.accelerator;
        let other = found.map(|host| host.accelerator).find(|one| one != KVM);
        Some(if first == KVM {
            other.unwrap_or(first)
        } else {
            first
        })
    }

    /// A team's sandbox, in any state. Another team's is not found, not forbidden.
    pub async fn get_sandbox(&self, team: TeamId, id: SandboxId) -> Result<Sandbox, SandboxError> {
        let _turn = self.core.turn(Asker::Reads(team)).await;
        let mut conn = self.core.connection().await?;
        let found = sandboxes::get(&mut conn, id)
            .await?
            .filter(|sandbox| sandbox.team == team);
        found.ok_or(SandboxError::not_found())
    }

    /// A team's sandbox as [`Self::get_sandbox`] returns it, for a caller that may change it at this moment.
    pub(crate) async fn get_for_change(
        &self,
        caller: &Caller,
        id: SandboxId,
    ) -> Result<Sandbox, SandboxError> {
        let mut conn = self.core.connection().await?;
        self.confirm(&mut conn, caller).await?;
        let found = sandboxes::get(&mut conn, id).await?;
        let found = found.filter(|sandbox| sandbox.team == caller.team);
        found.ok_or(SandboxError::not_found())
    }

    /// Confirms, in the transaction of a change, that the caller may still change the sandboxes of the team.
    pub(crate) async fn confirm(
        &self,
        conn: &mut PgConnection,
        caller: &Caller,
    ) -> Result<(), SandboxError> {
        let needed = Needed::Sandboxes(caller.team);
        let confirmed = authority::confirm(conn, caller.by, needed, self.core.now()).await;
        Ok(confirmed?)
    }

    /// Records that the sandbox was used at this moment.
    pub async fn touch(&self, id: SandboxId) -> Result<(), SandboxError> {
        let _turn = self.core.turn(Asker::Activity(id)).await;
        let mut conn = self.core.connection().await?;
        Ok(sandboxes::touch(&mut conn, id, self.core.now()).await?)
    }
}

/// The one check of a sandbox's state before a request acts on it. A sandbox that is being destroyed is refused in every state,
/// also while its host cannot be reached to stop it.
pub fn require_state(sandbox: &Sandbox, state: SandboxState) -> Result<(), SandboxError> {
    if sandbox.state == state && sandbox.desired != Desired::Gone {
        return Ok(());
    }
    Err(wrong_state(sandbox, state))
}

/// The error of a request that needs another state than the sandbox has.
pub(crate) fn wrong_state(sandbox: &Sandbox, needed: SandboxState) -> SandboxError {
    let why = if sandbox.state == needed {
        "the sandbox is being destroyed".to_owned()
    } else {
        format!("the sandbox is {}, not {needed}", sandbox.state)
    };
    SandboxError::InvalidState { why }
}
