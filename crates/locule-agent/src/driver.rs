//! One task per sandbox. No other task touches the VM or the manifest of the sandbox; other tasks send messages.
//!
//! ```text
//! inbox ──► drive ──► operation ──► report (published after the commit)
//!             ▲ the VMM exits · the sandbox is idle · the sandbox expires
//! ```

mod defragment;
mod disk;
mod end;
mod handle;
mod orders;
mod output;
mod policy;
mod storage;
mod timeouts;

use std::sync::Arc;
use std::time::Duration;

use locule_agent_api::{AgentError, SandboxReport, SandboxSpec};
use locule_base::errors::chain;
use locule_base::failpoint::reached;
use locule_ids::SandboxId;
use tokio::sync::{Semaphore, mpsc, watch};
use tokio_util::sync::CancellationToken;

use self::defragment::Defragmentation;
use self::end::Next;
use self::handle::RunningVm;
use self::storage::Storage;
use crate::activity::{Activity, AllUses};
use crate::events::Events;
use crate::host::Host;
use crate::ledger::{Availability, Ledger};
use crate::manifest::Manifest;
use crate::vm::Vm;
use crate::vm_source::VmSource;

pub(crate) use handle::{Command, Handle, Reply};

/// Orders that may wait for one sandbox. The sender of one more gets an error.
const INBOX: usize = 32;
/// How often the timeouts of a running sandbox are checked.
const TICK: Duration = Duration::from_secs(1);
/// After a failed automatic pause the driver waits before the next try.
const RETRY_AFTER: Duration = Duration::from_secs(30);

/// What all drivers of a host use.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) host: Arc<Host>,
    pub(crate) vm_source: Arc<VmSource>,
    pub(crate) events: Events,
    /// Snapshots are rewritten one at a time: the disk is there for the sandboxes that run.
    rewrites: Arc<Semaphore>,
    /// The uses that all sandboxes together may still begin.
    uses: AllUses,
    /// Drivers that exited.
    exited: mpsc::Sender<SandboxId>,
}

impl Shared {
    pub(crate) fn new(
        host: Arc<Host>,
        vm_source: Arc<VmSource>,
        exited: mpsc::Sender<SandboxId>,
    ) -> Self {
        Self {
            host,
            vm_source,
            events: Events::new(),
            rewrites: Arc::new(Semaphore::new(1)),
            uses: AllUses::within(locule_base::descriptors::current()),
            exited,
        }
    }
}

/// Everything that the task owns.
pub(crate) struct Driver {
    host: Arc<Host>,
    vm_source: Arc<VmSource>,
    events: Events,
    rewrites: Arc<Semaphore>,
    manifest: Manifest,
    vm: Option<Vm>,
    activity: Arc<Activity>,
    running: watch::Sender<Option<RunningVm>>,
    reported: watch::Sender<Option<SandboxReport>>,
    /// Stops the name server of the running VM.
    name_server: Option<CancellationToken>,
    retry_at: Option<Duration>,
    /// The VMM stopped the guest until the guest's disk can be written.
    is_stopped_by_disk: bool,
    /// A guest that is stopped by its disk does not continue before this moment.
    continue_at: Option<Duration>,
    defragmentation: Defragmentation,
    storage: Storage,
    /// The highest generation that was tried. The manifest has the highest that was carried out.
    tried: i64,
}

/// Takes over a sandbox that is there already: paused, or running.
pub(crate) fn adopt(shared: &Shared, manifest: Manifest, vm: Option<Vm>) -> Handle {
    let (mut driver, handle, inbox) = Driver::new(shared, manifest);
    let (sandbox, exited) = (driver.manifest.sandbox, shared.exited.clone());
    if vm.is_none() {
        driver.activity.set_paused();
    }
    driver.set_vm(vm);
    driver.update_report();
    shared.host.tasks.spawn_detached("sandbox", async move {
        driver.drive(inbox).await;
        let _ = exited.send(sandbox).await;
    });
    handle
}

/// Creates a sandbox. The reply comes when the sandbox runs, or when its creation failed.
pub(crate) fn create(shared: &Shared, spec: SandboxSpec, reply: Reply<SandboxReport>) -> Handle {
    let key = hex::encode(crate::guest::random_bytes());
    let manifest = Manifest::new(spec, key, shared.host.clock.now());
    let (mut driver, handle, inbox) = Driver::new(shared, manifest);
    let (sandbox, exited) = (driver.manifest.sandbox, shared.exited.clone());
    shared.host.tasks.spawn_detached("sandbox", async move {
        match driver.create().await {
            Ok(report) => {
                // The caller may have left; the sandbox exists all the same.
                let _ = reply.send(Ok(report));
                driver.drive(inbox).await;
            }
            Err(error) => {
                // A caller that tries again at once must not find a task that takes no orders any more.
                drop(inbox);
                let _ = reply.send(Err(error));
            }
        }
        let _ = exited.send(sandbox).await;
    });
    handle
}

impl Driver {
    fn new(shared: &Shared, manifest: Manifest) -> (Self, Handle, mpsc::Receiver<Command>) {
        let (sender, inbox) = mpsc::channel(INBOX);
        let activity = Activity::new(shared.host.clock.clone(), shared.uses.clone());
        let (running, running_vm) = watch::channel(None);
        let (reported, report) = watch::channel(None);
        let handle = Handle {
            inbox: sender,
            activity: activity.clone(),
            running: running_vm,
            report,
        };
        let driver = Self {
            host: shared.host.clone(),
            vm_source: shared.vm_source.clone(),
            events: shared.events.clone(),
            rewrites: shared.rewrites.clone(),
            tried: manifest.generation,
            manifest,
            vm: None,
            activity,
            running,
            reported,
            name_server: None,
            retry_at: None,
            is_stopped_by_disk: false,
            continue_at: None,
            defragmentation: Defragmentation::default(),
            storage: Storage::default(),
        };
        (driver, handle, inbox)
    }

    /// The sandbox gets its first VM. On failure nothing of the sandbox is left.
    async fn create(&mut self) -> Result<SandboxReport, AgentError> {
        check_unused(&self.host.ledger, self.manifest.sandbox).await?;
        match self.vm_source.clone().acquire(&mut self.manifest).await {
            Ok(vm) => {
                self.activity.touch();
                self.set_vm(Some(vm));
                self.publish();
                reached(
                    "create",
                    "the report is published, the order is not answered",
                );
                Ok(self.report())
            }
            Err(error) => {
                tracing::error!(sandbox.id = %self.manifest.sandbox, error = chain(&error), "a sandbox cannot be created");
                Err(error.into())
            }
        }
    }

    fn report(&self) -> SandboxReport {
        let mut report = self.manifest.report(Some(self.activity.last()));
        report.generation = report.generation.max(self.tried);
        report.stored_bytes = self.storage.bytes;
        report
    }

    /// Reports a change to the handle and to watchers.
    fn publish(&self) {
        self.update_report();
        self.events.publish(self.report());
    }

    fn update_report(&self) {
        self.reported.send_replace(Some(self.report()));
    }

    /// Sets or removes the VM, and with it what the handle shows of the VM and the name server.
    fn set_vm(&mut self, vm: Option<Vm>) {
        if let Some(name_server) = self.name_server.take() {
            name_server.cancel();
        }
        if let Some(net) = vm.as_ref().map(|vm| vm.net.clone()) {
            let (stop, sandbox) = (CancellationToken::new(), self.manifest.sandbox);
            self.name_server = Some(stop.clone());
            self.host.tasks.spawn_detached("name server", async move {
                tokio::select! {
                    () = stop.cancelled() => {}
                    served = locule_net::dns::serve(&net) => if let Err(error) = served {
                        tracing::warn!(sandbox.id = %sandbox, error = chain(&error), "the name server of a sandbox failed");
                    },
                }
            });
        }
        let running = vm.as_ref().map(|vm| RunningVm {
            net: vm.net.clone(),
            control_key: self.manifest.control_key.as_str().into(),
            vmm_pid: vm.machine.handle().pid,
        });
        self.running.send_replace(running);
        self.is_stopped_by_disk = false;
        self.vm = vm;
    }

    /// Takes the VM out for an operation that ends the VM or returns it.
    fn take_vm(&mut self) -> Option<Vm> {
        let vm = self.vm.take();
        self.set_vm(None);
        vm
    }

    /// Runs until the sandbox ends, or until the registry has dropped the handle.
    async fn drive(mut self, mut inbox: mpsc::Receiver<Command>) {
        let mut tick = tokio::time::interval(TICK);
        tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            let vm = self.vm.as_mut();
            let exited = async {
                match vm {
                    Some(vm) => vm.machine.exited().await,
                    None => std::future::pending().await,
                }
            };
            let next = tokio::select! {
                command = inbox.recv() => match command {
                    Some(command) => self.handle(command).await,
                    // The registry detached: the VM stays for the next agent.
                    None => Next::Exit,
                },
                () = exited => self.vmm_exited().await,
                _ = tick.tick() => {
                    self.defragment();
                    self.measure_storage();
                    self.bound_output().await;
                    self.check_disk().await;
                    self.check_timeouts().await
                }
            };
            self.update_report();
            if next == Next::Exit {
                self.stop_defragmenting().await;
                self.set_vm(None);
                return;
            }
        }
    }
}

/// No order brings an ended sandbox back, and no sandbox is created where files lie. The registry has listed this driver
/// before the check, and looks for a driver after it has written a tombstone: one of the two sees the other.
async fn check_unused(ledger: &Ledger, sandbox: SandboxId) -> Result<(), AgentError> {
    match ledger.availability(sandbox).await? {
        Availability::Free => Ok(()),
        Availability::Ended(reason) => Err(AgentError::FailedPrecondition(format!(
            "the sandbox ended: {reason}"
        ))),
        Availability::Occupied => Err(AgentError::FailedPrecondition(
            "files of this sandbox are on the host, which cannot use them".to_owned(),
        )),
    }
}
