//! One task per sandbox. Nobody else touches its VM or its manifest; everybody else sends a message.
//!
//! ```text
//! inbox ──► drive ──► lifecycle operation ──► report (told after the commit)
//!             ▲ the VMM's end · the idle clock · the expiry
//! ```

mod begin;
mod clocks;
mod disk;
mod orders;
mod pieces;

use std::sync::Arc;
use std::time::Duration;

use locule_agent_api::{AgentError, ResumeSandbox, SandboxReport, SandboxSpec, UpdateSandbox};
use locule_base::failpoint::reached;
use locule_net::SandboxNet;
use tokio::sync::{mpsc, oneshot, watch};
use tokio_util::sync::CancellationToken;

use crate::activity::Activity;
use crate::host::Host;
use crate::lifecycle::{self, LifecycleError, Vm};
use crate::manifest::{Held, Manifest};

/// Orders that may wait for one sandbox; one more is an error its sender sees.
const INBOX: usize = 32;
/// How often the clocks of a running sandbox are looked at.
const TICK: Duration = Duration::from_secs(1);
/// After a failed automatic pause the next try waits.
const RETRY_AFTER: Duration = Duration::from_secs(30);
/// Requests under way when a pause begins may take this long to end.
const DRAIN: Duration = Duration::from_secs(2);

pub(crate) type Reply<T> = oneshot::Sender<Result<T, AgentError>>;

/// What a sandbox can be asked.
#[derive(Debug)]
pub(crate) enum Command {
    Pause {
        generation: i64,
        reply: Reply<SandboxReport>,
    },
    Resume {
        resume: ResumeSandbox,
        reply: Reply<SandboxReport>,
    },
    Update {
        update: UpdateSandbox,
        reply: Reply<SandboxReport>,
    },
    Destroy {
        generation: i64,
        reply: Reply<()>,
    },
    Report {
        reply: oneshot::Sender<SandboxReport>,
    },
    /// The host needs its memory: pause if running.
    Relieve {
        reply: Reply<SandboxReport>,
    },
    /// The host stops: pause if running, then end.
    Park {
        reply: Reply<SandboxReport>,
    },
}

/// How others reach a sandbox.
#[derive(Debug, Clone)]
pub(crate) struct Handle {
    pub(crate) inbox: mpsc::Sender<Command>,
    pub(crate) activity: Arc<Activity>,
    life: watch::Receiver<Option<Life>>,
    /// As of the last completed order or event. `None`: it is still being created.
    report: watch::Receiver<Option<SandboxReport>>,
}

/// What others may know of a sandbox that runs.
#[derive(Debug, Clone)]
struct Life {
    net: Arc<SandboxNet>,
    vmm: u32,
}

impl Handle {
    /// What it was when it last did something: no order under way is waited for.
    pub(crate) fn report(&self) -> Option<SandboxReport> {
        let report = self.report.borrow().clone()?;
        Some(SandboxReport {
            last_active_at: Some(self.activity.last()),
            ..report
        })
    }

    /// The way to its guest while it runs.
    pub(crate) fn net(&self) -> Option<Arc<SandboxNet>> {
        self.life.borrow().as_ref().map(|life| life.net.clone())
    }

    /// Its VMM while it runs.
    pub(crate) fn vmm_pid(&self) -> Option<u32> {
        self.life.borrow().as_ref().map(|life| life.vmm)
    }
}

/// Everything the task owns.
pub(crate) struct Driver {
    host: Arc<Host>,
    manifest: Manifest,
    vm: Option<Vm>,
    activity: Arc<Activity>,
    life: watch::Sender<Option<Life>>,
    reported: watch::Sender<Option<SandboxReport>>,
    /// Serves names while the VM runs.
    names: Option<CancellationToken>,
    retry_at: Option<Duration>,
    /// The VMM stopped the guest until its disk can be written.
    waits_for_room: bool,
    /// Not before this moment it is let go on again.
    room_at: Option<Duration>,
    pieces: pieces::Pieces,
    /// The highest order that was tried. The manifest holds the highest that was carried out.
    tried: i64,
}

/// Why the task ends.
enum Next {
    Go,
    Gone,
}

/// A sandbox that is there already: paused, or running and adopted.
pub(crate) fn take_over(
    host: &Arc<Host>,
    manifest: Manifest,
    vm: Option<Vm>,
    gone: mpsc::Sender<locule_ids::SandboxId>,
) -> Handle {
    let (mut driver, handle, inbox) = Driver::new(host, manifest);
    driver.set_vm(vm);
    driver.publish();
    spawn(driver, inbox, gone);
    handle
}

/// A new sandbox: the reply comes when it runs, or did not come to run.
pub(crate) fn create(
    host: &Arc<Host>,
    spec: SandboxSpec,
    reply: Reply<SandboxReport>,
    gone: mpsc::Sender<locule_ids::SandboxId>,
) -> Handle {
    let key = hex::encode(crate::guest::random_bytes());
    let manifest = Manifest::new(spec, key, host.clock.now());
    let (mut driver, handle, inbox) = Driver::new(host, manifest);
    let sandbox = driver.manifest.sandbox;
    host.tasks.clone().spawn_detached("sandbox", async move {
        match driver.begin().await {
            Ok(report) => {
                // Whoever asked may have left; the sandbox is there all the same.
                let _ = reply.send(Ok(report));
                driver.drive(inbox).await;
            }
            Err(error) => {
                let text = locule_base::errors::chain(&error);
                tracing::error!(sandbox.id = %sandbox, error = text, "create failed");
                // Whoever asks again at once must not find a task that takes no orders any more.
                drop(inbox);
                let _ = reply.send(Err(error.into()));
            }
        }
        let _ = gone.send(sandbox).await;
    });
    handle
}

fn spawn(
    driver: Driver,
    inbox: mpsc::Receiver<Command>,
    gone: mpsc::Sender<locule_ids::SandboxId>,
) {
    let sandbox = driver.manifest.sandbox;
    driver
        .host
        .tasks
        .clone()
        .spawn_detached("sandbox", async move {
            driver.drive(inbox).await;
            let _ = gone.send(sandbox).await;
        });
}

impl Driver {
    fn new(host: &Arc<Host>, manifest: Manifest) -> (Self, Handle, mpsc::Receiver<Command>) {
        let (sender, inbox) = mpsc::channel(INBOX);
        let activity = Activity::new(host.clock.clone());
        let (life, seen) = watch::channel(None);
        let (reported, report) = watch::channel(None);
        let handle = Handle {
            inbox: sender,
            activity: activity.clone(),
            life: seen,
            report,
        };
        let (host, tried) = (host.clone(), manifest.generation);
        (
            Self {
                host,
                tried,
                manifest,
                vm: None,
                activity,
                life,
                reported,
                names: None,
                retry_at: None,
                waits_for_room: false,
                room_at: None,
                pieces: pieces::Pieces::default(),
            },
            handle,
            inbox,
        )
    }

    fn report(&self) -> SandboxReport {
        let mut report = self.manifest.report(Some(self.activity.last()));
        report.generation = report.generation.max(self.tried);
        report
    }

    fn tell(&self) {
        self.publish();
        self.host.changes.tell(self.report());
    }

    fn publish(&self) {
        self.reported.send_replace(Some(self.report()));
    }

    /// The VM comes or goes, and with it the way to the guest and its name server.
    fn set_vm(&mut self, vm: Option<Vm>) {
        if let Some(names) = self.names.take() {
            names.cancel();
        }
        let net = vm.as_ref().map(|vm| vm.net.clone());
        if let Some(net) = net.clone() {
            let stop = CancellationToken::new();
            self.names = Some(stop.clone());
            self.host.tasks.spawn_detached("name server", async move {
                tokio::select! {
                    () = stop.cancelled() => {}
                    served = locule_net::dns::serve(&net) => if let Err(error) = served {
                        tracing::warn!(error = locule_base::errors::chain(&error), "no name server for a sandbox");
                    },
                }
            });
        }
        let life = vm.as_ref().map(|vm| Life {
            net: vm.net.clone(),
            vmm: vm.machine.handle().pid,
        });
        self.life.send_replace(life);
        self.waits_for_room = false;
        self.vm = vm;
    }

    /// Takes the VM out for an operation that ends it or hands it back.
    fn take_vm(&mut self) -> Option<Vm> {
        let vm = self.vm.take();
        self.set_vm(None);
        vm
    }

    /// Until the sandbox is gone, or nobody can ask it anything any more.
    async fn drive(mut self, mut inbox: mpsc::Receiver<Command>) {
        let mut tick = tokio::time::interval(TICK);
        tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            let vm = self.vm.as_mut();
            let ended = async {
                match vm {
                    Some(vm) => vm.machine.exited().await,
                    None => std::future::pending().await,
                }
            };
            let next = tokio::select! {
                command = inbox.recv() => match command {
                    Some(command) => self.obey(command).await,
                    // The registry let go: the host keeps its VMs for the next agent.
                    None => Next::Gone,
                },
                () = ended => self.vmm_ended().await,
                _ = tick.tick() => {
                    self.look_at_the_image();
                    self.look_at_the_disk().await;
                    self.look_at_the_clocks().await
                }
            };
            self.publish();
            if matches!(next, Next::Gone) {
                self.leave_the_image().await;
                self.set_vm(None);
                return;
            }
        }
    }

    /// The VMM is gone without an order: the guest ended itself, or something killed it.
    async fn vmm_ended(&mut self) -> Next {
        let reason = self.why_it_ended();
        tracing::warn!(sandbox.id = %self.manifest.sandbox, reason, "a sandbox ended by itself");
        if let Err(error) = self.finish(reason).await {
            // It is gone all the same. The next start finds its manifest and no VM, and writes the end down then.
            tracing::error!(sandbox.id = %self.manifest.sandbox, error = locule_base::errors::chain(&error), "cannot write down the end of a sandbox");
            self.activity.cut();
            if let Some(vm) = self.take_vm() {
                vm.release(&self.host).await;
            }
            self.manifest.held = Held::Stopped;
            self.manifest.reason = Some(reason.to_owned());
            self.tell();
        }
        Next::Gone
    }

    /// QEMU says on its own output when a signal ended it; a guest that powers off ends it silently.
    fn why_it_ended(&self) -> &'static str {
        let console = self
            .host
            .ledger
            .folder(self.manifest.sandbox)
            .join("console.log");
        let text = std::fs::read(&console).unwrap_or_default();
        let tail = String::from_utf8_lossy(&text[text.len().saturating_sub(4096)..]).into_owned();
        let said = [
            "reboot: Power down",
            "reboot: System halted",
            "reboot: Restarting system",
            "Kernel panic",
        ];
        if said.iter().any(|line| tail.contains(line)) {
            "guest_shutdown"
        } else {
            "vm_lost"
        }
    }

    /// Writes the end down, then gives everything back. On failure the sandbox is as it was.
    async fn finish(&mut self, reason: &str) -> Result<(), LifecycleError> {
        let host = self.host.clone();
        self.leave_the_image().await;
        reached("destroy", "nothing done");
        let mut ended = self.manifest.clone();
        ended.generation = ended.generation.max(self.tried);
        lifecycle::bury(&host, &mut ended, reason).await?;
        self.manifest = ended;
        reached("destroy", "buried");
        self.activity.cut();
        let vm = self.take_vm();
        lifecycle::clear_by_and_by(&host, &self.manifest, vm).await;
        reached("destroy", "cleared");
        self.tell();
        Ok(())
    }

    /// Pauses the running VM. On failure it runs on and the failure is remembered.
    async fn pause(&mut self, reason: Option<String>) -> Result<(), LifecycleError> {
        self.leave_the_image().await;
        self.activity.drain(DRAIN).await;
        let Some(vm) = self.take_vm() else {
            return Ok(());
        };
        let host = self.host.clone();
        let result = match lifecycle::pause(&host, &mut self.manifest, vm, reason).await {
            Ok(()) => Ok(()),
            Err((vm, error)) => {
                let why = if error.is_full() {
                    "the last pause failed: the host's disk pool is full; the sandbox runs on"
                } else {
                    "the last pause failed; the sandbox runs on"
                };
                self.manifest.last_error = Some(why.to_owned());
                self.set_vm(Some(vm));
                Err(error)
            }
        };
        self.activity.open_up();
        self.tell();
        result
    }

    async fn resume(&mut self, image: u32) -> Result<(), LifecycleError> {
        let host = self.host.clone();
        host.check_room(&self.manifest)?;
        let slot = host.slots.take().ok_or(LifecycleError::NoSlot)?;
        self.pieces.stop();
        let vm = lifecycle::resume(&host, &mut self.manifest, image, slot).await?;
        self.activity.open_up();
        self.set_vm(Some(vm));
        self.tell();
        Ok(())
    }

    fn image(&self) -> Option<u32> {
        match self.manifest.held {
            Held::Paused { image } | Held::Resuming { image, .. } => Some(image),
            Held::Creating | Held::Running { .. } | Held::Stopped => None,
        }
    }
}
