//! [`ControlPlane`]: both audiences of the control plane over one database, and the periodic jobs.
//!
//! ```text
//! locule-http ──► Sandboxes ──► hosts          Accounts ──► Jobs ──► Sandboxes (destroy), e-mail
//!            ├──► Accounts                     each holds a Core: database, clock, tasks
//!            └──► Hosts
//! ```

use locule_base::clock::SharedClock;
use locule_base::tasks::Tasks;
use locule_store::PgPool;

use crate::accounts::error::AccountError;
use crate::accounts::{Accounts, AccountsConfig};
use crate::background;
use crate::background::jobs::Jobs;
use crate::background::periodic::Pass;
use crate::core::Core;
use crate::events::Events;
use crate::host_certificates::{HostCertificates, HostCertificatesError};
use crate::hosts::links::HostLinks;
use crate::hosts::{HostImages, Hosts, HostsConfig};
use crate::reconcile::monitor::Monitor;
use crate::reconcile::sweep::Sweep;
use crate::sandboxes::error::SandboxError;
use crate::sandboxes::{Sandboxes, SandboxesConfig};

/// Secrets and limits of one cluster.
#[derive(Debug, Clone)]
pub struct ControlConfig {
    pub sandboxes: SandboxesConfig,
    pub accounts: AccountsConfig,
    pub hosts: HostsConfig,
}

impl ControlConfig {
    /// The configuration of a new installation.
    pub fn new(
        platform_key: Vec<u8>,
        jwt_secret: Vec<u8>,
        clock: SharedClock,
    ) -> Result<Self, HostCertificatesError> {
        Ok(Self {
            hosts: HostsConfig {
                certificates: HostCertificates::new(&platform_key, clock)?,
                url: None,
                images: HostImages::default(),
            },
            sandboxes: SandboxesConfig::new(platform_key),
            accounts: AccountsConfig::new(jwt_secret),
        })
    }
}

/// Cheap to clone.
#[derive(Debug, Clone)]
pub struct ControlPlane {
    pub sandboxes: Sandboxes,
    pub accounts: Accounts,
    pub hosts: Hosts,
    pub events: Events,
    jobs: Jobs,
    monitor: Monitor,
    sweep: Sweep,
}

impl ControlPlane {
    pub fn new(
        config: ControlConfig,
        pool: PgPool,
        clock: SharedClock,
        tasks: Tasks,
        links: HostLinks,
    ) -> Self {
        let core = Core::new(pool, clock, tasks);
        let events = Events::new(core.clone());
        let sandboxes = Sandboxes::new(core.clone(), config.sandboxes, links.clone());
        let secret = &config.accounts.jwt_secret;
        let hosts = Hosts::new(core.clone(), config.hosts, secret, links, sandboxes.clone());
        let monitor = Monitor::new(sandboxes.clone());
        let sweep = Sweep::new(sandboxes.clone());
        let mailer = config.accounts.mailer.clone();
        let jobs = Jobs::new(core.clone(), sandboxes.clone(), mailer);
        let accounts = Accounts::new(core, config.accounts, jobs.clone());
        Self {
            sandboxes,
            accounts,
            hosts,
            events,
            jobs,
            monitor,
            sweep,
        }
    }

    /// Starts the watch of every host and the periodic jobs.
    pub fn start(&self) {
        background::start(
            &self.sandboxes,
            &self.accounts,
            &self.hosts,
            &self.jobs,
            (&self.monitor, &self.sweep),
        );
        self.start_events();
    }

    /// Starts only the task that closes the connections of callers that lost their right.
    pub fn start_revocation(&self) {
        background::start_revocation(&self.sandboxes);
    }

    /// Starts only the task that tells the streams of teams what changes.
    pub fn start_events(&self) {
        background::start_events(&self.sandboxes, &self.events);
    }

    /// One pass over the callers of open connections.
    pub async fn check_grants(&self) {
        self.sandboxes.check_grants().await;
    }

    /// One pass of the sandbox sweep.
    pub async fn sweep(&self) -> Result<Pass, SandboxError> {
        self.sweep.pass().await
    }

    /// One pass of the host monitor.
    pub async fn monitor_hosts(&self) -> Result<Pass, SandboxError> {
        self.monitor.pass().await
    }

    /// One pass over the jobs that are due.
    pub async fn run_due_jobs(&self) -> anyhow::Result<()> {
        self.jobs.run_due().await
    }

    /// One pass of the retention job.
    pub async fn purge_expired(&self) -> Result<(), AccountError> {
        self.accounts.purge_expired().await
    }
}
