//! The warm pool: VMs that are restored before a sandbox needs them.
//!
//! ```text
//! template snapshot ──► restored: VMM process, network, devices loaded ──► warm: past the first instructions, stopped
//!                            └──────────── taken for a sandbox ────────────────┘
//! ```
//!
//! A create that finds a pooled VM renames one folder, lets the vCPUs run and initialises the guest with one call. For each kind
//! (template and shape) the pool holds as many VMs as were asked for together lately: warm VMs up to a limit, restored VMs
//! beyond it. Refilling yields to creates in progress. A pooled VM belongs to no sandbox: a restart of the agent ends it.

mod demand;
mod kind;
mod pooled;

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use locule_agent_api::PoolLevel;
use locule_base::errors::chain;
use locule_vmm::Shape;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use self::kind::{KindPool, VmKind};
use crate::error::HostError;
use crate::host::Host;
use crate::template_snapshot::TemplateSnapshots;

pub(crate) use pooled::PooledVm;

/// How often the pool compares its level with the desired one when nothing happens.
const PERIOD: Duration = Duration::from_secs(5);
/// After a create the new sandbox has the cores for its first command, as long as the pool is not empty.
const FIRST_COMMAND: Duration = Duration::from_millis(250);
/// After a failure the pool waits before the next try.
const RETRY_AFTER: Duration = Duration::from_secs(30);
/// After memory ran short no VM is made for this long.
const SHORT_OF_MEMORY: Duration = Duration::from_mins(1);

#[derive(Debug)]
pub(crate) struct WarmPool {
    host: Arc<Host>,
    template_snapshots: Arc<TemplateSnapshots>,
    kinds: Mutex<HashMap<VmKind, KindPool>>,
    nudge: Notify,
    /// Creates in progress: refilling would take the cores away from them.
    creates: AtomicUsize,
    pause: Mutex<RefillPause>,
}

/// When refilling continues.
#[derive(Debug, Default)]
struct RefillPause {
    /// Not before this moment.
    until: Duration,
    /// Not before this moment, unless the pool is empty.
    until_unless_empty: Duration,
}

/// Refilling pauses as long as this value exists.
#[derive(Debug)]
pub(crate) struct CreateInProgress<'a>(&'a WarmPool);

impl Drop for CreateInProgress<'_> {
    fn drop(&mut self) {
        let pool = self.0;
        pool.pause().until_unless_empty = pool.host.clock.monotonic() + FIRST_COMMAND;
        pool.creates.fetch_sub(1, Ordering::AcqRel);
        pool.nudge.notify_one();
    }
}

/// One step towards the desired level.
enum Step {
    Restore { kind: VmKind, then_warm_up: bool },
    WarmUp(VmKind, PooledVm),
    Release(PooledVm),
}

impl WarmPool {
    pub(crate) fn new(host: Arc<Host>, template_snapshots: Arc<TemplateSnapshots>) -> Self {
        Self {
            host,
            template_snapshots,
            kinds: Mutex::default(),
            nudge: Notify::new(),
            creates: AtomicUsize::new(0),
            pause: Mutex::default(),
        }
    }

    fn kinds(&self) -> MutexGuard<'_, HashMap<VmKind, KindPool>> {
        self.kinds.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn pause(&self) -> MutexGuard<'_, RefillPause> {
        self.pause.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Says that a create is in progress.
    pub(crate) fn create_in_progress(&self) -> CreateInProgress<'_> {
        self.creates.fetch_add(1, Ordering::AcqRel);
        CreateInProgress(self)
    }

    /// The best VM of a kind, if there is one. Counts as demand. The pool has no VMs of shapes that the operator did not list.
    pub(crate) fn take(&self, template: &str, shape: Shape) -> Option<PooledVm> {
        if !self.host.config.is_listed(shape) {
            return None;
        }
        let kind = VmKind {
            template: template.to_owned(),
            shape,
        };
        let mut kinds = self.kinds();
        let pool = kinds.entry(kind).or_default();
        pool.demand.note(self.host.clock.monotonic());
        pool.take()
    }

    /// From now on at least `min_warm` VMs of this kind are kept warm.
    pub(crate) fn set_min_warm(&self, template: &str, shape: Shape, min_warm: usize) {
        let kind = VmKind {
            template: template.to_owned(),
            shape,
        };
        self.kinds().entry(kind).or_default().min_warm = min_warm;
    }

    /// How many VMs there are of each kind.
    pub(crate) fn levels(&self) -> Vec<PoolLevel> {
        let kinds = self.kinds();
        let mut levels: Vec<_> = kinds
            .iter()
            .filter(|(_, pool)| !pool.is_empty())
            .map(|(kind, pool)| pool.level(kind))
            .collect();
        levels.sort_by(|a, b| {
            (&a.template, a.vcpus, a.memory_mib).cmp(&(&b.template, b.vcpus, b.memory_mib))
        });
        levels
    }

    /// The memory that is promised to the VMs.
    pub(crate) fn promised_mib(&self) -> u64 {
        self.kinds().values().map(KindPool::promised_mib).sum()
    }

    /// The memory that the VMs have for themselves.
    pub(crate) fn unique_bytes(&self) -> u64 {
        self.kinds().values().map(KindPool::unique_bytes).sum()
    }

    /// Memory is short: releases one VM, and makes none for a while. `false`: the pool was empty.
    pub(crate) async fn shrink(&self) -> bool {
        let pooled = self.kinds().values_mut().find_map(KindPool::take);
        self.pause().until = self.host.clock.monotonic() + SHORT_OF_MEMORY;
        match pooled {
            Some(pooled) => {
                pooled.release(&self.host).await;
                true
            }
            None => false,
        }
    }

    /// Keeps the pool at the desired level until the host stops, then releases every VM.
    pub(crate) async fn maintain(self: Arc<Self>, stop: CancellationToken) -> anyhow::Result<()> {
        while !stop.is_cancelled() {
            let now = self.host.clock.monotonic();
            let pause = self.refill_pause(now);
            let next = if pause.is_zero() {
                self.next_step(now)
            } else {
                None
            };
            let wait = match next {
                None if pause.is_zero() => PERIOD,
                None => pause,
                Some(next) => match self.perform(next).await {
                    Ok(()) => continue,
                    Err(error) => {
                        tracing::warn!(
                            error = chain(&error),
                            "the warm pool could not make a VM; it tries again later"
                        );
                        RETRY_AFTER
                    }
                },
            };
            tokio::select! {
                () = stop.cancelled() => {}
                () = self.nudge.notified() => {}
                () = tokio::time::sleep(wait) => {}
            }
        }
        let all: Vec<_> = self
            .kinds()
            .values_mut()
            .flat_map(KindPool::take_all)
            .collect();
        for pooled in all {
            pooled.release(&self.host).await;
        }
        Ok(())
    }

    /// For how long the pool stays as it is.
    fn refill_pause(&self, now: Duration) -> Duration {
        if self.creates.load(Ordering::Acquire) > 0 {
            // The end of the last create wakes the task.
            return PERIOD;
        }
        let pause = self.pause();
        let until = if self.kinds().values().all(KindPool::is_empty) {
            pause.until
        } else {
            pause.until.max(pause.until_unless_empty)
        };
        until.saturating_sub(now)
    }

    /// The most urgent step: a missing warm VM first, then a VM too many, then a missing restored VM.
    fn next_step(&self, now: Duration) -> Option<Step> {
        let mut kinds = self.kinds();
        let mut restore = None;
        for (kind, pool) in kinds.iter_mut() {
            if let Some(exited) = pool.take_exited() {
                return Some(Step::Release(exited));
            }
            let desired = pool.desired(now, self.host.config.warm_max);
            if pool.warm.len() < desired.warm {
                return Some(match pool.restored.pop() {
                    Some(restored) => Step::WarmUp(kind.clone(), restored),
                    None => Step::Restore {
                        kind: kind.clone(),
                        then_warm_up: true,
                    },
                });
            }
            if pool.warm.len() > desired.warm {
                return pool.warm.pop().map(Step::Release);
            }
            if pool.restored.len() > desired.restored {
                return pool.restored.pop().map(Step::Release);
            }
            if pool.restored.len() < desired.restored {
                restore = Some(Step::Restore {
                    kind: kind.clone(),
                    then_warm_up: false,
                });
            }
        }
        restore
    }

    async fn perform(&self, step: Step) -> Result<(), HostError> {
        let host = &self.host;
        let (kind, pooled) = match step {
            Step::Release(pooled) => {
                pooled.release(host).await;
                return Ok(());
            }
            Step::WarmUp(kind, pooled) => (kind, pooled.warm_up(host).await?),
            Step::Restore { kind, then_warm_up } => {
                host.require_disk_space()?;
                let (snapshots, template) = (&self.template_snapshots, &kind.template);
                let mut pooled = PooledVm::restore(host, snapshots, template, kind.shape).await?;
                if then_warm_up {
                    pooled = pooled.warm_up(host).await?;
                }
                (kind, pooled)
            }
        };
        self.kinds().entry(kind).or_default().put(pooled);
        Ok(())
    }
}
