//! Every sandbox of this host by id, and the orders of the control plane handed to their owners.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use futures::stream::{self, StreamExt as _};
use locule_agent_api::{
    AgentError, HostAgent, HostInfo, Order, PROTOCOL_VERSION, ResumeSandbox, SandboxReport,
    SandboxSpec, UpdateSandbox, WatchEvent, WatchStream,
};
use locule_ids::SandboxId;
use tokio::sync::{broadcast, mpsc, oneshot};

use crate::driver::{self, Command, Handle, Reply};
use crate::golden::blocking;
use crate::host::Host;
use crate::lifecycle::{LifecycleError, Vm};
use crate::manifest::{Held, Manifest, Tombstone};

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

    /// Lets go of all drivers without touching their VMs.
    pub(crate) fn let_go(&self) {
        self.sandboxes().clear();
    }

    async fn reports(&self) -> Vec<SandboxReport> {
        let handles: Vec<Handle> = self.sandboxes().values().cloned().collect();
        let mut reports = Vec::with_capacity(handles.len());
        for handle in handles {
            let (reply, answer) = oneshot::channel();
            if handle.inbox.send(Command::Report { reply }).await.is_ok()
                && let Ok(report) = answer.await
            {
                reports.push(report);
            }
        }
        reports
    }

    /// What the host holds, and what ended lately, for those who missed it.
    async fn everything(&self) -> Vec<SandboxReport> {
        let mut all = self.reports().await;
        let ended = self.host.ledger.recently_buried(self.host.clock.now());
        all.extend(ended.iter().map(|manifest| manifest.report(None)));
        all
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

    fn begin(
        &self,
        spec: SandboxSpec,
    ) -> Result<oneshot::Receiver<Result<SandboxReport, AgentError>>, AgentError> {
        let limits = self.host.config.limits;
        if spec.vcpus == 0
            || spec.vcpus > limits.vcpus_max
            || spec.memory_mb < 128
            || spec.memory_mb > limits.memory_mb_max
        {
            return Err(AgentError::InvalidArgument(
                "the size is outside this host's limits".to_owned(),
            ));
        }
        if let Some(buried) = self.host.ledger.buried(spec.sandbox) {
            // Created, used and destroyed before: whoever asks again is late.
            return Err(AgentError::FailedPrecondition(format!(
                "the sandbox ended: {}",
                buried.reason()
            )));
        }
        let (reply, answer) = oneshot::channel();
        let mut sandboxes = self.sandboxes();
        if sandboxes.contains_key(&spec.sandbox) {
            return Err(AgentError::AlreadyExists("the sandbox exists".to_owned()));
        }
        let sandbox = spec.sandbox;
        let handle = driver::create(&self.host, spec, reply, self.gone.clone());
        sandboxes.insert(sandbox, handle);
        Ok(answer)
    }
}

impl Host {
    /// Memory is promised, disk is there: else the caller hears it before anything is made.
    pub(crate) fn check_room(&self, manifest: &Manifest) -> Result<(), LifecycleError> {
        if self.pool.is_low()? {
            return Err(LifecycleError::Full("its disk pool is almost full"));
        }
        let promised: u64 = self
            .ledger
            .read_all()
            .map_err(LifecycleError::io("read the ledger"))?
            .iter()
            .filter_map(|(_, other)| other.as_ref())
            .filter(|other| {
                other.sandbox != manifest.sandbox
                    && matches!(other.held, Held::Running { .. } | Held::Creating)
            })
            .map(|other| u64::from(other.memory_mb))
            .sum();
        #[expect(
            clippy::cast_precision_loss,
            reason = "mebibytes of memory are far below 2^52"
        )]
        let fits = (promised + u64::from(manifest.memory_mb)) as f64
            <= memory_mib() as f64 * self.config.limits.memory_overcommit;
        if fits {
            Ok(())
        } else {
            Err(LifecycleError::Full(
                "its memory is promised to other sandboxes",
            ))
        }
    }
}

fn memory_mib() -> u64 {
    let text = std::fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let kib = text
        .lines()
        .next()
        .and_then(|line| line.split_whitespace().nth(1)?.parse::<u64>().ok());
    kib.unwrap_or(0) / 1024
}

#[async_trait]
impl HostAgent for Registry {
    async fn host(&self) -> Result<HostInfo, AgentError> {
        Ok(HostInfo {
            protocol: PROTOCOL_VERSION,
            agent_version: env!("CARGO_PKG_VERSION").to_owned(),
            accelerator: self.host.accelerator.accelerator.to_string(),
            accelerator_reason: self.host.accelerator.why.clone().unwrap_or_default(),
            vmm: self.host.vmm.identity().to_string(),
            cpu_cores: std::thread::available_parallelism()
                .map_or(1, |cores| u32::try_from(cores.get()).unwrap_or(1)),
            memory_mib: memory_mib(),
            pool_free_bytes: self.host.pool.free_bytes().unwrap_or(0),
            templates: self.host.bundle.templates().map(str::to_owned).collect(),
            warm: self.host.warm.stock(),
            ready: self.is_ready(),
        })
    }

    async fn create_sandbox(&self, spec: SandboxSpec) -> Result<SandboxReport, AgentError> {
        self.check_ready()?;
        let (sandbox, generation) = (spec.sandbox, spec.generation);
        match self.begin(spec) {
            Ok(answer) => answer.await.unwrap_or_else(|_| {
                Err(AgentError::Internal("the sandbox's task ended".to_owned()))
            }),
            Err(AgentError::AlreadyExists(text)) => {
                // The same order again gets the first answer again.
                let (reply, answer) = oneshot::channel();
                let handle = self.handle(sandbox).ok_or(AgentError::NotFound)?;
                let _ = handle.inbox.send(Command::Report { reply }).await;
                let report = answer.await.map_err(|_| AgentError::NotFound)?;
                if report.generation == generation {
                    Ok(report)
                } else {
                    Err(AgentError::AlreadyExists(text))
                }
            }
            Err(error) => Err(error),
        }
    }

    async fn destroy_sandbox(&self, order: Order) -> Result<(), AgentError> {
        let destroyed = self.ask(order.sandbox, |reply| Command::Destroy {
            generation: order.generation,
            reply,
        });
        match destroyed.await {
            Err(AgentError::NotFound) => {
                self.bury_unknown(&order).await?;
                Err(AgentError::NotFound)
            }
            other => other,
        }
    }

    async fn pause_sandbox(&self, order: Order) -> Result<SandboxReport, AgentError> {
        self.ask(order.sandbox, |reply| Command::Pause {
            generation: order.generation,
            reply,
        })
        .await
    }

    async fn resume_sandbox(&self, resume: ResumeSandbox) -> Result<SandboxReport, AgentError> {
        self.ask(resume.sandbox, |reply| Command::Resume { resume, reply })
            .await
    }

    async fn update_sandbox(&self, update: UpdateSandbox) -> Result<SandboxReport, AgentError> {
        self.ask(update.sandbox, |reply| Command::Update { update, reply })
            .await
    }

    async fn ping_sandbox(&self, sandbox: SandboxId) -> Result<(), AgentError> {
        let handle = self.handle(sandbox).ok_or(AgentError::NotFound)?;
        if handle.net.borrow().is_none() {
            return Err(AgentError::FailedPrecondition(
                "the sandbox is not running".to_owned(),
            ));
        }
        handle.activity.touch();
        Ok(())
    }

    async fn list_sandboxes(&self) -> Result<Vec<SandboxReport>, AgentError> {
        self.check_ready()?;
        Ok(self.everything().await)
    }

    async fn watch_sandboxes(&self) -> Result<WatchStream, AgentError> {
        self.check_ready()?;
        // Subscribed before the list is made: a change in between is told twice rather than never.
        let changes = self.host.changes.watch();
        let all = self.everything().await;
        let first = stream::iter(
            all.into_iter()
                .map(|report| Ok(WatchEvent::Report { seq: 0, report })),
        )
        .chain(stream::once(async { Ok(WatchEvent::Complete) }));
        let later = stream::unfold((changes, 1_u64), |(mut changes, seq)| async move {
            match changes.recv().await {
                Ok(report) => Some((Ok(WatchEvent::Report { seq, report }), (changes, seq + 1))),
                // Too slow: the watcher starts over with the full list.
                Err(
                    broadcast::error::RecvError::Lagged(_) | broadcast::error::RecvError::Closed,
                ) => None,
            }
        });
        Ok(Box::pin(first.chain(later)))
    }

    async fn terminate(&self, sandboxes: Vec<SandboxId>) -> Result<(), AgentError> {
        for sandbox in sandboxes {
            match self
                .ask(sandbox, |reply| Command::Destroy {
                    generation: i64::MAX,
                    reply,
                })
                .await
            {
                Ok(()) | Err(AgentError::NotFound) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}
