//! Every sandbox of this host by id, with the handle of its driver.

mod pause;

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use chrono::{DateTime, Utc};
use locule_agent_api::{AgentError, Order, SandboxReport, SandboxSpec};
use locule_ids::SandboxId;
use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;

use crate::driver::{self, Command, Handle, Reply, Shared};
use crate::host::Host;
use crate::ledger::Tombstone;
use crate::manifest::Manifest;
use crate::vm::Vm;
use crate::vm_source::VmSource;
use crate::write_mark::WriteMarkStore;

#[derive(Debug)]
pub struct Registry {
    pub(crate) shared: Shared,
    pub(crate) write_marks: Arc<WriteMarkStore>,
    sandboxes: Mutex<HashMap<SandboxId, Handle>>,
    ready: AtomicBool,
    /// Cancelled when the host was deleted.
    left: CancellationToken,
}

/// A sandbox that runs, and when it was used last.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Running {
    pub(crate) id: SandboxId,
    pub(crate) vmm_pid: u32,
    /// A request or a stream is open.
    pub(crate) in_use: bool,
    pub(crate) last_active: DateTime<Utc>,
}

impl Registry {
    pub(crate) fn new(
        host: Arc<Host>,
        vm_source: Arc<VmSource>,
        write_marks: Arc<WriteMarkStore>,
    ) -> Arc<Self> {
        let (sender, mut exited) = mpsc::channel(64);
        let tasks = host.tasks.clone();
        let registry = Arc::new(Self {
            shared: Shared::new(host, vm_source, sender),
            write_marks,
            sandboxes: Mutex::default(),
            ready: AtomicBool::new(false),
            left: CancellationToken::new(),
        });
        let weak = Arc::downgrade(&registry);
        tasks.spawn("registry", |stop| async move {
            loop {
                let sandbox = tokio::select! {
                    () = stop.cancelled() => return Ok(()),
                    sandbox = exited.recv() => sandbox,
                };
                let (Some(sandbox), Some(registry)) = (sandbox, weak.upgrade()) else {
                    return Ok(());
                };
                registry.remove_exited(sandbox);
            }
        });
        registry
    }

    fn host(&self) -> &Host {
        &self.shared.host
    }

    fn sandboxes(&self) -> MutexGuard<'_, HashMap<SandboxId, Handle>> {
        self.sandboxes
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// A new driver may have taken the id in the meantime.
    fn remove_exited(&self, sandbox: SandboxId) {
        let mut sandboxes = self.sandboxes();
        if sandboxes
            .get(&sandbox)
            .is_some_and(|handle| handle.inbox.is_closed())
        {
            sandboxes.remove(&sandbox);
        }
    }

    pub(crate) fn adopt(&self, manifest: Manifest, vm: Option<Vm>) {
        let sandbox = manifest.sandbox;
        let handle = driver::adopt(&self.shared, manifest, vm);
        self.sandboxes().insert(sandbox, handle);
    }

    pub(crate) fn set_ready(&self) {
        self.ready.store(true, Ordering::Release);
    }

    pub(crate) fn is_ready(&self) -> bool {
        self.ready.load(Ordering::Acquire)
    }

    /// The host was deleted: asks the owner of the agent to [leave](crate::Agent::leave).
    pub(crate) fn leave(&self) {
        self.left.cancel();
    }

    /// Returns when the host was deleted.
    pub(crate) async fn left(&self) {
        self.left.cancelled().await;
    }

    /// Before adoption is complete, and once the agent stops, a sandbox that is not listed may exist all the same.
    pub(crate) fn check_ready(&self) -> Result<(), AgentError> {
        if self.is_ready() {
            Ok(())
        } else {
            let not_ready = "the host agent is starting or stopping".to_owned();
            Err(AgentError::Unavailable(not_ready))
        }
    }

    /// The error for a sandbox that was not found. The agent may have begun to stop since the request began.
    pub(crate) fn absent(&self) -> AgentError {
        self.check_ready().err().unwrap_or(AgentError::NotFound)
    }

    pub(crate) fn handle(&self, sandbox: SandboxId) -> Option<Handle> {
        self.sandboxes()
            .get(&sandbox)
            .filter(|handle| !handle.inbox.is_closed())
            .cloned()
    }

    /// Sends a command to the driver of a sandbox and waits for the reply.
    pub(crate) async fn ask<T>(
        &self,
        sandbox: SandboxId,
        command: impl FnOnce(Reply<T>) -> Command,
    ) -> Result<T, AgentError> {
        self.check_ready()?;
        let handle = self.handle(sandbox).ok_or_else(|| self.absent())?;
        let (reply, answer) = oneshot::channel();
        match handle.inbox.try_send(command(reply)) {
            Ok(()) => {}
            Err(mpsc::error::TrySendError::Full(_)) => {
                return Err(AgentError::ResourceExhausted(
                    "too many orders wait for this sandbox".to_owned(),
                ));
            }
            Err(mpsc::error::TrySendError::Closed(_)) => return Err(self.absent()),
        }
        // A driver that exits without a reply exits because the sandbox ended, or the agent stops.
        answer.await.unwrap_or_else(|_| Err(self.absent()))
    }

    /// Starts the creation of a sandbox, which takes the id at once. `None`: the id is taken.
    pub(crate) fn create(
        &self,
        spec: SandboxSpec,
    ) -> Option<oneshot::Receiver<Result<SandboxReport, AgentError>>> {
        let sandbox = spec.order.sandbox;
        let mut sandboxes = self.sandboxes();
        let known = sandboxes.get(&sandbox);
        if known.is_some_and(|handle| !handle.inbox.is_closed()) {
            return None;
        }
        let (reply, answer) = oneshot::channel();
        let handle = driver::create(&self.shared, spec, reply);
        sandboxes.insert(sandbox, handle);
        Some(answer)
    }

    /// The create order of a sandbox may arrive after its destroy order: it must find that the sandbox ended.
    pub(crate) async fn write_tombstone_of_unknown(&self, order: &Order) -> Result<(), AgentError> {
        let tombstone = Tombstone {
            sandbox: order.sandbox,
            generation: order.generation,
            at: self.host().clock.now(),
            last: None,
        };
        Ok(self.host().ledger.write_first_tombstone(tombstone).await?)
    }

    pub(crate) fn running(&self) -> Vec<Running> {
        let sandboxes = self.sandboxes();
        let running = sandboxes.iter().filter_map(|(sandbox, handle)| {
            Some(Running {
                id: *sandbox,
                vmm_pid: handle.vmm_pid()?,
                in_use: handle.activity.is_open(),
                last_active: handle.activity.last(),
            })
        });
        running.collect()
    }

    /// Ends all drivers without touching their VMs.
    pub(crate) fn detach(&self) {
        let mut sandboxes = self.sandboxes();
        // Before the sandboxes are gone: the server still answers, and an answer without them would say that they are lost.
        self.ready.store(false, Ordering::Release);
        sandboxes.clear();
    }

    /// Every sandbox that the host holds, and those that ended lately, for control planes that missed the event.
    pub(crate) async fn reports(&self) -> Result<Vec<SandboxReport>, AgentError> {
        let mut reports: Vec<_> = {
            let sandboxes = self.sandboxes();
            let open = sandboxes
                .values()
                .filter(|handle| !handle.inbox.is_closed());
            open.filter_map(Handle::report).collect()
        };
        let now = self.host().clock.now();
        let ended = self.host().ledger.recently_ended(now).await?;
        reports.extend(ended.iter().map(|manifest| manifest.report(None)));
        self.check_ready()?;
        Ok(reports)
    }

    /// The report that [`Self::reports`] contains for one sandbox.
    pub(crate) fn report_of(&self, sandbox: SandboxId) -> Option<SandboxReport> {
        if let Some(report) = self.handle(sandbox).and_then(|handle| handle.report()) {
            return Some(report);
        }
        let now = self.host().clock.now();
        let ended = self.host().ledger.tombstone(sandbox);
        let recent = ended.filter(|tombstone| tombstone.is_recent(now));
        Some(recent?.last?.report(None))
    }
}
