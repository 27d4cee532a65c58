//! An agent from its start to its stop.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use locule_base::clock::SystemClock;
use locule_base::tasks::Tasks;
use locule_disk::{DiskError, Pool, PoolOptions};
use locule_net::{HostNet, NetError};
use locule_vmm::{Qemu, VmmError};
use tokio::sync::Semaphore;

use crate::config::{Config, OnStop};
use crate::database::Database;
use crate::golden::Goldens;
use crate::host::Host;
use crate::images::{BadBundle, Bundle};
use crate::ledger::Ledger;
use crate::lifecycle::LifecycleError;
use crate::registry::Registry;
use crate::slots::Slots;
use crate::warm::WarmPool;
use crate::watch::Changes;
use crate::{adopt, pressure, server};

/// Why an agent cannot start.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    #[error(transparent)]
    Bundle(#[from] BadBundle),
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
    #[error("take over what was here")]
    Adopt(#[source] Box<dyn std::error::Error + Send + Sync>),
    #[error("make the first golden image")]
    Golden(#[source] Box<dyn std::error::Error + Send + Sync>),
    #[error("{0} sandboxes could not be paused; their VMs run on and will be adopted")]
    NotParked(usize),
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
}

/// Serves until `tasks` are told to stop, then stops as configured.
pub async fn run(config: Config, tasks: Tasks) -> Result<(), RunError> {
    let on_stop = config.on_stop;
    let stop = tasks.token();
    let agent = Agent::start(config, Tasks::new()).await?;
    tokio::select! {
        () = stop.cancelled() => {}
        () = agent.failed() => {}
    }
    agent.stop(on_stop).await
}

impl Agent {
    /// Opens everything, adopts what is there, makes the default shape's golden image, and then says that it is ready.
    pub async fn start(config: Config, tasks: Tasks) -> Result<Self, RunError> {
        make_folders(&config)?;
        let bundle = Bundle::open(&config.images)?;
        let accelerator = locule_vmm::choose_accelerator(
            config.accelerator,
            &bundle.kernel(),
            &bundle.initramfs(),
            &config.run_dir,
        )
        .await?;
        let vmm = Qemu::find(accelerator.kind, config.qemu.as_deref()).await?;
        if let Some(why) = &accelerator.reason {
            tracing::warn!(
                why,
                "no KVM: guests run in TCG, for development and trusted code only"
            );
        }
        let size_bytes = config.pool_bytes;
        let pool = Pool::open(&config.data_dir, PoolOptions { size_bytes }).await?;
        let net = HostNet::open(&config.instance, &config.data_dir, config.net_options()).await?;
        let ledger = Ledger::open(pool.root()).map_err(file("open", pool.root()))?;
        let database = Database::start(&config.data_dir, &tasks);
        let open = |path: PathBuf| File::open(&path).map(Arc::new).map_err(file("open", &path));
        let host = Arc::new(Host {
            kernel: open(bundle.kernel())?,
            initramfs: open(bundle.initramfs())?,
            clock: SystemClock::shared(),
            tasks: tasks.clone(),
            bundle,
            pool,
            net,
            vmm: Arc::new(vmm),
            accelerator,
            ledger,
            database: database.map_err(file("read what is in", &config.data_dir))?,
            slots: Slots::default(),
            goldens: Goldens::default(),
            changes: Changes::new(),
            warm: WarmPool::default(),
            rewrites: Semaphore::new(1),
            config,
        });
        let registry = Registry::new(host.clone());
        let socket = host.config.socket();
        let listener =
            server::bind(&socket, host.config.peer).map_err(file("listen on", &socket))?;
        let (serving, peer, connections) = (registry.clone(), host.config.peer, tasks.clone());
        tasks.spawn("agent server", move |stop| {
            server::serve(listener, serving, peer, connections, stop)
        });
        adopt::adopt(&host, &registry)
            .await
            .map_err(|error| RunError::Adopt(error.into()))?;
        let agent = Self { host, registry };
        agent
            .warm()
            .await
            .map_err(|error| RunError::Golden(error.into()))?;
        let (host, registry) = (agent.host.clone(), agent.registry.clone());
        tasks.spawn("memory pressure", |stop| {
            pressure::watch(host, registry, stop)
        });
        agent.registry.set_ready();
        tracing::info!(vmm = %agent.host.vmm.identity(), "the host is ready");
        Ok(agent)
    }

    /// The shape that most sandboxes have is made before anybody asks for it.
    async fn warm(&self) -> Result<(), LifecycleError> {
        let host = &self.host;
        let template = host
            .bundle
            .templates()
            .next()
            .unwrap_or("minimal")
            .to_owned();
        let shape = host.config.default_shape;
        match host.goldens.get(host, &template, shape).await {
            Ok(_) => {}
            // Whoever frees some room needs a running host for that.
            Err(error) if error.is_full() => tracing::error!(
                error = locule_base::errors::chain(&error),
                "no golden image: the disk pool is full"
            ),
            Err(error) => return Err(error),
        }
        if host.config.warm_max > 0 {
            host.warm.keep_one(&template, shape);
            let keeper = host.clone();
            host.tasks.spawn("warm pool", |stop| keeper.keep_warm(stop));
        }
        Ok(())
    }

    /// The agent without its socket.
    pub fn registry(&self) -> Arc<Registry> {
        self.registry.clone()
    }

    /// Ends when one of the agent's own tasks failed.
    pub async fn failed(&self) {
        self.host.tasks.token().cancelled().await;
    }

    /// Pauses or leaves the sandboxes, then ends every task. The network's names and the pool stay for the next start.
    pub async fn stop(self, on_stop: OnStop) -> Result<(), RunError> {
        // A driver that is let go of drops its slot while its VM lives on: nobody may take it.
        self.host.slots.close();
        let left = match on_stop {
            OnStop::Pause => self.registry.park_all().await.len(),
            OnStop::Keep => 0,
        };
        self.registry.let_go();
        if let Err(left) = self.host.tasks.shutdown(Duration::from_secs(10)).await {
            tracing::warn!(%left, "stopping anyway");
        }
        let _ = fs::remove_file(self.host.config.socket());
        drop(self.registry);
        if left > 0 {
            return Err(RunError::NotParked(left));
        }
        if on_stop == OnStop::Pause
            && let Ok(host) = Arc::try_unwrap(self.host)
        {
            // Nothing runs: the machine gets back its mount and its rules.
            host.net.close().await?;
            host.pool.close()?;
        }
        Ok(())
    }
}
