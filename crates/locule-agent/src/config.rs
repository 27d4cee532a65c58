//! The settings of a host.

use std::net::SocketAddr;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use locule_agent_api::tls::CaPin;
use locule_base::memory::MachineMemory;
use locule_domain::host::HEARTBEAT_PERIOD;
use locule_domain::{HostAddress, MEMORY_STEP_MIB};
use locule_net::NetOptions;
use locule_vmm::{AcceleratorSetting, Shape};
use sha2::{Digest as _, Sha256};

use crate::registration::client::Server;

/// What happens to running sandboxes when the agent stops.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum OnStop {
    /// Each is paused, with its memory, and reported.
    #[default]
    Pause,
    /// Each continues to run, and is adopted by the next agent.
    Keep,
}

/// Limits of one sandbox, and of all sandboxes together.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    pub vcpus_max: u32,
    pub memory_mib_max: u32,
    /// Memory promised to running sandboxes, as a multiple of what all VMs may use: sandboxes rarely use all of their memory.
    pub memory_overcommit: f64,
    /// The bandwidth of one sandbox in each direction.
    pub bandwidth_mbit: u32,
    /// The memory that all VMs together may use. Above the limit the sandbox that was idle for longest is paused.
    pub memory_limit_mib: u64,
    /// The memory of a paused sandbox in more extents than this is defragmented.
    pub snapshot_extents_max: u32,
    /// Template snapshots on the host at most, those of listed shapes included.
    pub template_snapshots_max: usize,
    /// The memory of template snapshots that is loaded at most.
    pub template_memory_mib: u64,
    /// Memory of a template snapshot that no VM has used for this long is given back.
    pub template_memory_idle: Duration,
}

impl Limits {
    /// Whether a sandbox may have this shape.
    pub fn allow(&self, shape: Shape) -> bool {
        (1..=self.vcpus_max).contains(&shape.vcpus)
            && (MEMORY_STEP_MIB..=self.memory_mib_max).contains(&shape.memory_mib)
            && shape.memory_mib.is_multiple_of(MEMORY_STEP_MIB)
    }

    /// The share of the memory limit that template snapshots may use.
    pub const fn template_memory_of(memory_limit_mib: u64) -> u64 {
        memory_limit_mib / 4
    }

    /// Whether so much memory may be promised.
    pub(crate) fn fits(&self, promised_mib: u64) -> bool {
        #[expect(
            clippy::cast_precision_loss,
            reason = "mebibytes of memory are far below 2^52"
        )]
        let fits = promised_mib as f64 <= self.memory_limit_mib as f64 * self.memory_overcommit;
        fits
    }
}

/// The rest is for the host's own programs, and for the page cache of disks and snapshots.
const LIMIT_PERCENT: u64 = 80;

impl Default for Limits {
    fn default() -> Self {
        Self {
            vcpus_max: 8,
            memory_mib_max: 8192,
            memory_overcommit: 2.0,
            bandwidth_mbit: 1000,
            memory_limit_mib: machine_mib() * LIMIT_PERCENT / 100,
            snapshot_extents_max: 8192,
            template_snapshots_max: 16,
            template_memory_mib: Self::template_memory_of(machine_mib() * LIMIT_PERCENT / 100),
            template_memory_idle: Duration::from_secs(30),
        }
    }
}

/// The cores of the machine that the agent may use.
pub(crate) fn machine_cores() -> u32 {
    std::thread::available_parallelism().map_or(1, |cores| u32::try_from(cores.get()).unwrap_or(1))
}

/// All memory of the machine.
pub(crate) fn machine_mib() -> u64 {
    MachineMemory::read().map_or(0, |memory| memory.total_bytes >> 20)
}

/// Where the images of the guests come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ImageSource {
    /// A bundle on this machine.
    Folder(PathBuf),
    /// The control plane, from which the agent fetches what it lacks each time that it starts.
    ControlPlane,
}

/// The control plane of a host agent.
#[derive(Clone)]
pub struct RegistrationConfig {
    pub server: Server,
    /// The token of `--register`. An agent that has credentials needs none.
    pub token: Option<String>,
    /// The address at which the control plane reaches the agent.
    pub address: HostAddress,
    /// Where the agent listens for a control plane on another machine, through TLS. `None`: only programs on this machine reach the
    /// agent.
    pub listen: Option<SocketAddr>,
    /// By which the agent knows the control plane before it has credentials.
    pub ca_hash: Option<CaPin>,
    /// How long the control plane may answer that it cannot answer, before the agent pauses all sandboxes.
    pub error_limit: Duration,
    /// The time between two heartbeats: [`HEARTBEAT_PERIOD`] outside of tests.
    pub period: Duration,
}

impl RegistrationConfig {
    pub const ERROR_LIMIT: Duration = Duration::from_mins(15);

    /// For an agent that has registered.
    pub fn new(server: Server, address: HostAddress) -> Self {
        Self {
            server,
            token: None,
            address,
            listen: None,
            ca_hash: None,
            error_limit: Self::ERROR_LIMIT,
            period: HEARTBEAT_PERIOD,
        }
    }
}

impl std::fmt::Debug for RegistrationConfig {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RegistrationConfig")
            .field("server", &self.server)
            .field("address", &self.address)
            .finish_non_exhaustive()
    }
}

#[derive(Debug, Clone)]
pub struct Config {
    /// Everything the host keeps; private to the agent.
    pub data_dir: PathBuf,
    /// Sockets of this instance. Short, because the path of a socket may have 107 bytes.
    pub run_dir: PathBuf,
    /// Eight hex digits, chosen once per data directory; part of every machine-wide name.
    pub instance: String,
    pub images: ImageSource,
    pub accelerator: AcceleratorSetting,
    /// Without a booted guest by then, KVM does not work on this machine.
    pub kvm_probe_limit: Duration,
    /// The VMM program. `None`: the installed QEMU.
    pub qemu: Option<PathBuf>,
    /// Size of the pool file, where the data directory needs a pool file.
    pub pool_bytes: Option<u64>,
    pub on_stop: OnStop,
    /// The user, besides root, that may connect to the agent's socket, with its group.
    pub peer: Option<(u32, u32)>,
    pub limits: Limits,
    /// Warm VMs of one kind at most; 0 switches the warm pool off.
    pub warm_max: usize,
    /// The shapes that the host keeps ready: their template snapshots are taken before the agent is ready and stay, and the
    /// warm pool has VMs of these shapes and no others.
    pub warm_shapes: Vec<Shape>,
    /// The control plane that the agent registers with. `None`: the agent registers nowhere, and only the users of its socket reach
    /// it.
    pub registration: Option<RegistrationConfig>,
}

impl Config {
    /// The name of an instance whose operator chose none: the same at each start with this data directory.
    pub fn instance_of(data_dir: &Path) -> String {
        let hash = Sha256::digest(data_dir.as_os_str().as_bytes());
        hex::encode(&hash[..4])
    }

    pub fn socket(&self) -> PathBuf {
        Self::socket_in(&self.run_dir)
    }

    /// The agent's socket in a folder of sockets.
    pub fn socket_in(run_dir: &Path) -> PathBuf {
        run_dir.join("agent.sock")
    }

    /// Whether the operator listed the shape.
    pub(crate) fn is_listed(&self, shape: Shape) -> bool {
        self.warm_shapes.contains(&shape)
    }

    pub(crate) fn net_options(&self) -> NetOptions {
        NetOptions {
            bandwidth_mbit: self.limits.bandwidth_mbit,
            ..NetOptions::default()
        }
    }

    /// The guest images that the agent has fetched.
    pub(crate) fn fetched_images(&self) -> PathBuf {
        Self::fetched_images_in(&self.data_dir)
    }

    pub(crate) fn fetched_images_in(data_dir: &Path) -> PathBuf {
        data_dir.join("images")
    }

    pub(crate) fn control_dir(&self) -> PathBuf {
        self.run_dir.join("vmm")
    }
}
