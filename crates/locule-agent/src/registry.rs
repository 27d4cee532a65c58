//! Every sandbox of this host by id, and the orders of the control plane handed to their owners.

mod agent;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use futures::stream::{self, StreamExt as _};
use locule_agent_api::{AgentError, Order, SandboxReport, SandboxSpec};
use locule_ids::SandboxId;
use tokio::sync::{mpsc, oneshot};

use crate::driver::{self, Command, Handle, Reply};
use crate::golden::blocking;
use crate::host::Host;
use crate::ledger::Tombstone;
use crate::lifecycle::{LifecycleError, Vm};
use crate::manifest::Manifest;
use crate::pressure::Running;

/// Sandboxes paused at the same time when the host stops.
const PARKED_TOGETHER: usize = 4;

#[derive(Debug)]
pub struct Registry {
    host: Arc<Host>,
    sandboxes: Mutex<HashMap<SandboxId, Handle>>,
    /// Drivers say when they are done.
    gone: mpsc::Sender<SandboxId>,
    ready: std::sync::atomic::AtomicBool,
}

impl Registry {
    pub(crate) fn new(host: Arc<Host>) -> Arc<Self> {
        let (gone, mut ended) = mpsc::channel(64);
        let registry = Arc::new(Self {
            host,
            sandboxes: Mutex::default(),
            gone,
            ready: false.into(),
        });
        let weak = Arc::downgrade(&registry);
        registry.host.tasks.spawn("registry", |stop| async move {
            loop {
                let sandbox = tokio::select! {
                    () = stop.cancelled() => return Ok(()),
                    sandbox = ended.recv() => sandbox,
                };
                let (Some(sandbox), Some(registry)) = (sandbox, weak.upgrade()) else {
                    return Ok(());
                };
                registry.forget(sandbox);
            }
        });
        registry
    }

    fn sandboxes(&self) -> std::sync::MutexGuard<'_, HashMap<SandboxId, Handle>> {
        self.sandboxes
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// A driver that has ended takes no more orders.
    fn forget(&self, sandbox: SandboxId) {
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
        let handle = driver::take_over(&self.host, manifest, vm, self.gone.clone());
        self.sandboxes().insert(sandbox, handle);
    }

    pub(crate) fn set_ready(&self) {
        self.ready.store(true, std::sync::atomic::Ordering::Release);
    }

    fn is_ready(&self) -> bool {
        self.ready.load(std::sync::atomic::Ordering::Acquire)
    }

    /// Before adoption is complete nobody may conclude anything from what is not listed.
    fn check_ready(&self) -> Result<(), AgentError> {
        if self.is_ready() {
            Ok(())
        } else {
            Err(AgentError::Unavailable("the host is starting".to_owned()))
        }
    }

    pub(crate) fn handle(&self, sandbox: SandboxId) -> Option<Handle> {
        self.sandboxes()
            .get(&sandbox)
            .filter(|handle| !handle.inbox.is_closed())
            .cloned()
    }

    async fn ask<T>(
        &self,
        sandbox: SandboxId,
        command: impl FnOnce(Reply<T>) -> Command,
    ) -> Result<T, AgentError> {
        self.check_ready()?;
        let handle = self.handle(sandbox).ok_or(AgentError::NotFound)?;
        let (reply, answer) = oneshot::channel();
        match handle.inbox.try_send(command(reply)) {
            Ok(()) => {}
            Err(mpsc::error::TrySendError::Full(_)) => {
                return Err(AgentError::ResourceExhausted(
                    "too many orders wait for this sandbox".to_owned(),
                ));
            }
            Err(mpsc::error::TrySendError::Closed(_)) => return Err(AgentError::NotFound),
        }
        // A driver that ends without an answer ended because the sandbox did.
        answer.await.unwrap_or(Err(AgentError::NotFound))
    }

    /// Pauses everything that runs and lets all drivers end. Returns what could not be paused.
    pub(crate) async fn park_all(&self) -> Vec<(SandboxId, AgentError)> {
        let all: Vec<SandboxId> = self.sandboxes().keys().copied().collect();
        let parked = stream::iter(all).map(|sandbox| async move {
            let result = self.ask(sandbox, |reply| Command::Park { reply }).await;
            match &result {
                Ok(report) => {
                    tracing::info!(sandbox.id = %sandbox, state = ?report.state, "parked");
                }
                Err(error) => tracing::error!(sandbox.id = %sandbox, %error, "cannot pause"),
            }
            // One that ended meanwhile needs no pause.
            result
                .err()
                .filter(|error| *error != AgentError::NotFound)
                .map(|error| (sandbox, error))
        });
        parked
            .buffer_unordered(PARKED_TOGETHER)
            .filter_map(std::future::ready)
            .collect()
            .await
    }

    /// The running sandboxes as the pressure task sees them.
    pub(crate) fn running(&self) -> Vec<Running> {
        let sandboxes = self.sandboxes();
        let running = sandboxes.iter().filter_map(|(sandbox, handle)| {
            Some(Running {
                sandbox: *sandbox,
                pid: handle.vmm_pid()?,
                in_use: handle.activity.is_open(),
                last_active: handle.activity.last(),
            })
        });
        running.collect()
    }

    /// Pauses a sandbox because the host needs its memory.
    pub(crate) async fn relieve(&self, sandbox: SandboxId) -> Result<SandboxReport, AgentError> {
        self.ask(sandbox, |reply| Command::Relieve { reply }).await
    }

    /// Lets go of all drivers without touching their VMs.
    pub(crate) fn let_go(&self) {
        self.sandboxes().clear();
    }

    /// What the host holds, and what ended lately, for those who missed it.
    fn everything(&self) -> Vec<SandboxReport> {
        let mut all: Vec<_> = {
            let sandboxes = self.sandboxes();
            let living = sandboxes
                .values()
                .filter(|handle| !handle.inbox.is_closed());
            living.filter_map(Handle::report).collect()
        };
        let ended = self.host.ledger.recently_buried(self.host.clock.now());
        all.extend(ended.iter().map(|manifest| manifest.report(None)));
        all
    }

    /// The report that [`Self::everything`] contains for one sandbox.
    fn report_of(&self, sandbox: SandboxId) -> Option<SandboxReport> {
        if let Some(report) = self.handle(sandbox).and_then(|handle| handle.report()) {
            return Some(report);
        }
        let ended = self.host.ledger.buried(sandbox)?;
        let is_recent = ended.is_recent(self.host.clock.now());
        let last = ended.last.filter(|_| is_recent)?;
        Some(last.report(None))
    }

    /// The order to create it may still be on its way: it must find that the sandbox is gone.
    async fn bury_unknown(&self, order: &Order) -> Result<(), AgentError> {
        let stone = Tombstone {
            sandbox: order.sandbox,
            generation: order.generation,
            at: self.host.clock.now(),
            last: None,
        };
        let ledger = self.host.ledger.clone();
        let buried = blocking(move || {
            if ledger.is_buried(stone.sandbox) {
                return Ok(());
            }
            ledger
                .bury(&stone)
                .map_err(LifecycleError::io("write the tombstone"))
        });
        Ok(buried.await?)
    }

    /// Nothing brings back what ended, and nothing is made where something lies.
    fn check_unused(&self, sandbox: SandboxId) -> Result<(), AgentError> {
        let ledger = &self.host.ledger;
        let refused = |why: &str| Err(AgentError::FailedPrecondition(why.to_owned()));
        if ledger.is_buried(sandbox) {
            // Created, used and destroyed before: whoever asks again is late.
            let stone = ledger.buried(sandbox);
            let reason = stone.as_ref().map_or("destroyed", Tombstone::reason);
            return refused(&format!("the sandbox ended: {reason}"));
        }
        if ledger.folder(sandbox).exists() {
            return refused("files of this sandbox are on the host, which cannot use them");
        }
        Ok(())
    }

    fn begin(
        &self,
        spec: SandboxSpec,
    ) -> Result<oneshot::Receiver<Result<SandboxReport, AgentError>>, AgentError> {
        let limits = self.host.config.limits;
        if spec.vcpus == 0
            || spec.vcpus > limits.vcpus_max
            || spec.memory_mib < 128
            || spec.memory_mib > limits.memory_mib_max
        {
            return Err(AgentError::InvalidArgument(
                "the size is outside this host's limits".to_owned(),
            ));
        }
        let (reply, answer) = oneshot::channel();
        let sandbox = spec.order.sandbox;
        let mut sandboxes = self.sandboxes();
        let known = sandboxes.get(&sandbox);
        if known.is_some_and(|handle| !handle.inbox.is_closed()) {
            return Err(AgentError::AlreadyExists("the sandbox exists".to_owned()));
        }
        // Looked at under the lock that `destroy_sandbox` takes after it has buried: one of the two sees the other.
        self.check_unused(sandbox)?;
        let handle = driver::create(&self.host, spec, reply, self.gone.clone());
        sandboxes.insert(sandbox, handle);
        Ok(answer)
    }
}
