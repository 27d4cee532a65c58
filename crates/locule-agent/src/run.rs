//! An agent from its start to its stop.

use std::fs::{self, File};
use std::io;
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use locule_base::clock::{SharedClock, SystemClock};
use locule_base::tasks::Tasks;
use locule_disk::{DiskError, Pool, PoolOptions};
use locule_ids::SandboxId;
use locule_images::{BadBundle, Bundle};
use locule_net::{Forwarding, HostNet, NetError};
use locule_vmm::{KvmProbe, Qemu, VmmError};
use tokio::net::TcpListener;

use crate::config::{Config, ImageSource, OnStop};
use crate::error::HostError;
use crate::host::Host;
use crate::ledger::Ledger;
use crate::promises::Promises;
use crate::purge::InUse;
use crate::registration::credentials::Credentials;
use crate::registry::Registry;
use crate::slots::Slots;
use crate::vm_source::VmSource;
use crate::write_mark::WriteMarkStore;
use crate::{adopt, pressure, registration, server};

/// Whether KVM works is the same for every agent of this machine, until its next boot.
const KVM_PROBE_RESULT: &str = "/run/locule/kvm-probe.json";

/// Why an agent cannot start.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    #[error(transparent)]
    Bundle(#[from] BadBundle),
    #[error("get the guest images from the control plane")]
    Images(#[source] Box<dyn std::error::Error + Send + Sync>),
    #[error("the virtual machine monitor cannot be used")]
    Vmm(#[from] VmmError),
    #[error("the disk pool cannot be used")]
    Disk(#[from] DiskError),
    #[error("the network cannot be used")]
    Net(#[from] NetError),
    #[error("{action} {path}")]
    File {
        action: &'static str,
        path: PathBuf,
        source: io::Error,
    },
    #[error("listen on {address}")]
    TlsListen {
        address: SocketAddr,
        source: io::Error,
    },
    #[error("adopt the sandboxes of this host")]
    Adopt(#[source] Box<dyn std::error::Error + Send + Sync>),
    #[error("take the first template snapshot")]
    TemplateSnapshot(#[source] Box<dyn std::error::Error + Send + Sync>),
    #[error(
        "{} sandboxes are not paused ({}); their VMs continue to run, and the next agent adopts them",
        .0.len(),
        list(.0)
    )]
    NotPaused(Vec<SandboxId>),
}

fn list(sandboxes: &[SandboxId]) -> String {
    let names: Vec<_> = sandboxes.iter().map(ToString::to_string).collect();
    names.join(", ")
}

fn file(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> RunError {
    let path = path.to_owned();
    move |source| RunError::File {
        action,
        path,
        source,
    }
}

fn make_folders(config: &Config) -> Result<(), RunError> {
    let control = config.control_dir();
    let folders = [
        (&config.data_dir, 0o700),
        (&config.run_dir, 0o755),
        (&control, 0o700),
    ];
    for (folder, mode) in folders {
        fs::create_dir_all(folder).map_err(file("create", folder))?;
        fs::set_permissions(folder, fs::Permissions::from_mode(mode))
            .map_err(file("open", folder))?;
    }
    Ok(())
}

/// A started agent.
#[derive(Debug)]
pub struct Agent {
    host: Arc<Host>,
    registry: Arc<Registry>,
    tls_address: Option<SocketAddr>,
    _in_use: InUse,
}

/// Serves until `tasks` are stopped, then stops as configured.
pub async fn run(config: Config, tasks: Tasks) -> Result<(), RunError> {
    let on_stop = config.on_stop;
    let stop = tasks.token();
    let agent = Agent::start(config, Tasks::new()).await?;
    tokio::select! {
        () = stop.cancelled() => {}
        () = agent.failed() => {}
        () = agent.left() => return agent.leave(std::future::pending()).await,
    }
    agent.stop(on_stop).await
}

impl Agent {
    /// Opens everything, adopts the sandboxes of the ledger, takes the template snapshot of the default shape, and is then ready.
    pub async fn start(config: Config, tasks: Tasks) -> Result<Self, RunError> {
        Self::start_at(config, tasks, SystemClock::shared()).await
    }

    /// As [`Self::start`], with the time of another clock.
    pub async fn start_at(
        config: Config,
        tasks: Tasks,
        clock: SharedClock,
    ) -> Result<Self, RunError> {
        make_folders(&config)?;
        let in_use = InUse::lock(&config.data_dir).map_err(file("lock", &config.data_dir))?;
        let size_bytes = config.pool_bytes;
        let pool = Pool::open(&config.data_dir, PoolOptions { size_bytes }).await?;
        let bundle = Bundle::open(&images(&config, &pool, &clock).await?)?;
        let probe = KvmProbe {
            kernel: &bundle.kernel(),
            initramfs: &bundle.initramfs(),
            scratch: &config.run_dir,
            limit: config.kvm_probe_limit,
            kept_in: Some(KVM_PROBE_RESULT.as_ref()),
        };
        let accelerator = locule_vmm::choose_accelerator(config.accelerator, probe).await?;
        let vmm = Qemu::find(accelerator.kind, config.qemu.as_deref()).await?;
        if let Some(reason) = &accelerator.reason {
            tracing::warn!(
                reason,
                "KVM cannot be used: guests run in the TCG emulator, for development and trusted code only"
            );
        }
        let net = HostNet::open(&config.instance, &config.data_dir, config.net_options()).await?;
        log_forwarding(net.forwarding());
        let ledger = Ledger::open(pool.root()).map_err(file("open", pool.root()))?;
        let write_marks = WriteMarkStore::start(&config.data_dir, &tasks)
            .map_err(file("read the write mark in", &config.data_dir))?;
        let open = |path: PathBuf| File::open(&path).map(Arc::new).map_err(file("open", &path));
        let host = Arc::new(Host {
            kernel: open(bundle.kernel())?,
            initramfs: open(bundle.initramfs())?,
            clock,
            tasks: tasks.clone(),
            bundle,
            pool,
            net,
            vmm: Arc::new(vmm),
            accelerator,
            ledger,
            slots: Slots::default(),
            promises: Promises::new(config.limits),
            config,
        });
        let vm_source = Arc::new(VmSource::new(host.clone()));
        let registry = Registry::new(host.clone(), vm_source.clone(), write_marks);
        let socket = host.config.socket();
        let listener =
            server::bind(&socket, host.config.peer).map_err(file("listen on", &socket))?;
        let router = server::router(registry.clone());
        let (tls_listener, tls_address) = bind_tls(&host.config).await?.unzip();
        let (peer, connections) = (host.config.peer, tasks.clone());
        tasks.spawn("agent server", move |stop| {
            server::serve(listener, router, peer, connections, stop)
        });
        adopt::adopt(&host, &registry)
            .await
            .map_err(|error| RunError::Adopt(error.into()))?;
        prepare(&host, &vm_source)
            .await
            .map_err(|error| RunError::TemplateSnapshot(error.into()))?;
        start_pressure(&host, vm_source, &registry);
        registry.set_ready();
        tracing::info!(vmm = %host.vmm.identity(), "the host is ready");
        start_registration(&host, &registry, tls_listener);
        Ok(Self {
            host,
            registry,
            tls_address,
            _in_use: in_use,
        })
    }

    /// The agent without its socket.
    pub fn registry(&self) -> Arc<Registry> {
        self.registry.clone()
    }

    /// Where the agent listens for a control plane on another machine.
    pub fn tls_address(&self) -> Option<SocketAddr> {
        self.tls_address
    }

    /// Returns when one of the agent's own tasks has failed.
    pub async fn failed(&self) {
        self.host.tasks.token().cancelled().await;
    }

    /// Returns when the control plane has deleted this host: the owner of the agent calls [`Self::leave`].
    pub async fn left(&self) {
        self.registry.left().await;
    }

    /// Leaves the platform: pauses every sandbox and removes the credentials. Every file of a sandbox stays. An agent that cannot
    /// pause a sandbox keeps its credentials, so that the next agent tries again.
    pub async fn leave(self, enough: impl Future<Output = ()>) -> Result<(), RunError> {
        let data_dir = self.host.config.data_dir.clone();
        self.stop_until(OnStop::Pause, enough).await?;
        let path = Credentials::path(&data_dir);
        Credentials::remove(&data_dir).map_err(file("remove", &path))?;
        tracing::warn!(
            data_dir = %data_dir.display(),
            "the agent left the platform, which deleted this host; the files of its sandboxes stay in the data directory, and `locule agent --purge` removes them"
        );
        Ok(())
    }

    /// Pauses or leaves the sandboxes, then ends every task. The pool stays for the next start.
    pub async fn stop(self, on_stop: OnStop) -> Result<(), RunError> {
        self.stop_until(on_stop, std::future::pending()).await
    }

    /// As [`Self::stop`], but the sandboxes that are not paused when `enough` completes are left running.
    pub async fn stop_until(
        self,
        on_stop: OnStop,
        enough: impl Future<Output = ()>,
    ) -> Result<(), RunError> {
        // A driver that detaches drops its slot while its VM continues to run: no other VM may take the slot.
        self.host.slots.close();
        let left = match on_stop {
            OnStop::Pause => self.registry.pause_all_for_shutdown(enough).await,
            OnStop::Keep => Vec::new(),
        };
        self.registry.detach();
        if let Err(tasks) = self.host.tasks.shutdown(Duration::from_secs(10)).await {
            tracing::warn!(left = %tasks, "the agent stops although tasks of it still run");
        }
        let _ = fs::remove_file(self.host.config.socket());
        drop(self.registry);
        if !left.is_empty() {
            return Err(RunError::NotPaused(left));
        }
        if on_stop == OnStop::Pause
            && let Ok(host) = Arc::try_unwrap(self.host)
        {
            // No sandbox runs: the mount and the packet rules are removed from the machine.
            host.net.close().await?;
            host.pool.close()?;
        }
        Ok(())
    }
}

/// The folder of the guest images. Images of the control plane are fetched first, with the credentials of this host.
async fn images(config: &Config, pool: &Pool, clock: &SharedClock) -> Result<PathBuf, RunError> {
    match &config.images {
        ImageSource::Folder(folder) => Ok(folder.clone()),
        ImageSource::ControlPlane => {
            let fetched = registration::fetch_images(config, pool, clock.clone()).await;
            fetched.map_err(|error| RunError::Images(error.into()))
        }
    }
}

/// Binds the port of the TLS listener, if the host has one. The listener serves once the agent has a certificate.
async fn bind_tls(config: &Config) -> Result<Option<(TcpListener, SocketAddr)>, RunError> {
    let registration = config.registration.as_ref();
    let Some(address) = registration.and_then(|registration| registration.listen) else {
        return Ok(None);
    };
    let failed = |source| RunError::TlsListen { address, source };
    let listener = TcpListener::bind(address).await.map_err(failed)?;
    let bound = listener.local_addr().map_err(failed)?;
    Ok(Some((listener, bound)))
}

/// Starts the task that pauses sandboxes when the memory runs short.
fn start_pressure(host: &Host, vm_source: Arc<VmSource>, registry: &Arc<Registry>) {
    let (limits, watched) = (host.config.limits, registry.clone());
    host.tasks.spawn("memory pressure", move |stop| {
        pressure::watch(limits, vm_source, watched, stop)
    });
}

/// Starts the task that registers the agent and sends heartbeats, if the agent belongs to a control plane.
fn start_registration(host: &Host, registry: &Arc<Registry>, tls_listener: Option<TcpListener>) {
    if let Some(config) = host.config.registration.clone() {
        let registry = registry.clone();
        host.tasks.spawn("registration", |stop| {
            registration::run(config, registry, tls_listener, stop)
        });
    }
}

fn log_forwarding(forwarding: Forwarding) {
    match forwarding {
        Forwarding::SandboxesOnly => tracing::info!(
            "this machine forwards packets from and to sandboxes only: Locule turned forwarding on, and drops other packets (nft table ip locule_forwarding)"
        ),
        Forwarding::OfMachine => tracing::info!(
            "this machine forwarded packets before: its own rules decide about packets that are neither from nor to a sandbox"
        ),
        Forwarding::Off => {
            tracing::warn!("this machine forwards no packets: sandboxes have no network");
        }
    }
}

/// Takes the template snapshots of the listed shapes, and starts to fill the warm pool.
async fn prepare(host: &Host, vm_source: &VmSource) -> Result<(), HostError> {
    let template = host
        .bundle
        .templates()
        .next()
        .map_or("minimal", |(name, _)| name)
        .to_owned();
    for shape in &host.config.warm_shapes {
        match vm_source.template_snapshots.get(&template, *shape).await {
            Ok(_) => {}
            // The host must run so that an operator can destroy sandboxes.
            Err(error) if error.is_full() => tracing::error!(
                error = locule_base::errors::chain(&error),
                "the template snapshot of a listed shape cannot be taken: the disk pool is full"
            ),
            Err(error) => return Err(error),
        }
        vm_source.warm_pool.set_min_warm(&template, *shape, 1);
    }
    let snapshots = vm_source.template_snapshots.clone();
    host.tasks
        .spawn("template snapshots", |stop| snapshots.maintain(stop));
    if host.config.warm_max > 0 {
        let pool = vm_source.warm_pool.clone();
        host.tasks.spawn("warm pool", |stop| pool.maintain(stop));
    }
    Ok(())
}
