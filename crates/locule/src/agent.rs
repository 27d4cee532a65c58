//! `locule agent`: the host agent as a process.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context as _;
use locule_agent::{Agent, Config, ImageSource, Limits, OnStop, RegistrationConfig, Server, Shape};
use locule_agent_api::tls::CaPin;
use locule_base::tasks::Tasks;
use locule_base::telemetry;
use locule_control::HostAddress;
use tokio::signal::unix::{SignalKind, signal};

use crate::environment;
use crate::up::checks;

/// A nested or busy host boots the probe's guest in a few seconds.
pub(crate) const KVM_PROBE_SEC: u64 = 10;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The folder of all data of this host
    #[arg(long, default_value = "/var/lib/locule/agent")]
    data_dir: PathBuf,
    /// The folder of the sockets (default: /run/locule-INSTANCE)
    #[arg(long)]
    run_dir: Option<PathBuf>,
    /// Eight hexadecimal digits that are part of every machine-wide name (default: made from the data directory)
    #[arg(long)]
    instance: Option<String>,
    /// The folder of the guest images. Without it, an agent with --server fetches the images from the control plane, and another agent
    /// uses the images that were installed with the program
    #[arg(long)]
    images: Option<PathBuf>,
    /// The accelerator of the guests: auto, kvm or tcg
    #[arg(long, default_value = "auto")]
    accel: locule_agent::AcceleratorSetting,
    /// Seconds that a first guest may take to boot under KVM; a machine on which it takes longer runs its guests in emulation
    #[arg(long, default_value_t = KVM_PROBE_SEC)]
    kvm_probe_timeout: u64,
    /// The QEMU program to use instead of the installed one
    #[arg(long)]
    qemu: Option<PathBuf>,
    /// Size of the disk pool in MiB, where the data directory is on a filesystem without reflinks
    #[arg(long)]
    pool_size: Option<u64>,
    /// The size of the warm pool for each template and listed shape; 0 for no warm pool
    #[arg(long, default_value_t = default_warm_max())]
    warm: usize,
    /// The shapes that the host keeps ready, as vCPUs and MiB of memory: a template snapshot of each, and a warm pool. Other
    /// shapes have no warm pool, and their template snapshots are taken when needed
    #[arg(long, value_name = "VCPUSxMIB", value_delimiter = ',', default_value = "1x512", value_parser = shape)]
    warm_shapes: Vec<Shape>,
    /// Template snapshots on the host at most: the one that was used least recently, and that no sandbox uses, is removed first
    #[arg(long, default_value_t = Limits::default().template_snapshots_max)]
    template_snapshots: usize,
    /// Memory of template snapshots that is loaded at most, in MiB (default: a quarter of the memory limit)
    #[arg(long)]
    template_memory: Option<u64>,
    /// Seconds after which the memory of a template snapshot that no virtual machine uses is given back
    #[arg(long, value_name = "SECONDS", default_value_t = Limits::default().template_memory_idle.as_secs())]
    template_memory_idle: u64,
    /// Memory limit of all virtual machines together, in MiB: above the limit the host pauses the sandbox that has been idle
    /// longest (default: 80 % of the machine's memory)
    #[arg(long)]
    memory_limit: Option<u64>,
    /// Memory that the host promises to running sandboxes, as a multiple of the memory limit
    #[arg(long, default_value_t = Limits::default().memory_overcommit)]
    memory_overcommit: f64,
    /// A paused sandbox's snapshot in more extents than this is rewritten in the background
    #[arg(long, default_value_t = Limits::default().snapshot_extents_max)]
    image_extents_max: u32,
    /// The user id that may call the agent, besides root
    #[arg(long, requires = "peer_gid")]
    peer_uid: Option<u32>,
    /// The group id of that user
    #[arg(long)]
    peer_gid: Option<u32>,
    /// The URL of the control plane: that of its listener for host agents, or that of its API on the same machine. Without it, the
    /// agent registers nowhere
    #[arg(long, value_name = "URL", env = environment::SERVER)]
    server: Option<String>,
    /// The hash of the platform's CA, by which the agent knows the control plane when it registers
    #[arg(long, value_name = "HASH", env = environment::CA_HASH, requires = "server")]
    ca_hash: Option<CaPin>,
    /// The name or the IP address, and the port, at which the control plane reaches this agent. Without it, the control plane is on
    /// this machine
    #[arg(long, value_name = "NAME:PORT", env = environment::ADDRESS, requires = "server", value_parser = tcp_address)]
    address: Option<HostAddress>,
    /// Where the agent listens for the control plane (default: all addresses of this machine, at the port of --address)
    #[arg(long, value_name = "ADDRESS:PORT", requires = "address")]
    listen: Option<SocketAddr>,
    /// Call the control plane without encryption also at another address than loopback
    #[arg(long, requires = "server")]
    plain_http: bool,
    /// The registration token of this host, which is used once. An agent that has registered keeps its credentials in its data
    /// directory
    #[arg(
        long,
        value_name = "TOKEN",
        env = environment::REGISTER,
        hide_env_values = true,
        requires = "server"
    )]
    register: Option<String>,
    /// Seconds for which the control plane may answer with errors until the agent pauses all sandboxes. Without any answer the agent
    /// does so after 90 seconds
    #[arg(long, value_name = "SECONDS", default_value_t = RegistrationConfig::ERROR_LIMIT.as_secs())]
    control_plane_error_limit: u64,
    /// Leave sandboxes running when the agent stops
    #[arg(long)]
    keep_on_stop: bool,
    /// Remove what the agent of a deleted host has kept in the data directory: all sandboxes with their snapshots. Refused while the
    /// agent has credentials
    #[arg(long)]
    purge: bool,
}

/// A shape: `1x512`.
pub(crate) fn shape(text: &str) -> Result<Shape, String> {
    let parse = || {
        let (vcpus, mib) = text.split_once('x')?;
        let (vcpus, memory_mib) = (vcpus.parse().ok()?, mib.parse().ok()?);
        let shape = Shape { vcpus, memory_mib };
        Limits::default().allow(shape).then_some(shape)
    };
    parse().ok_or_else(|| {
        "expected vCPUs and MiB of memory, a multiple of 128, such as 1x512 or 2x1024".to_owned()
    })
}

/// An address on the network.
fn tcp_address(text: &str) -> Result<HostAddress, String> {
    match text.parse() {
        Ok(address @ HostAddress::Tcp { .. }) => Ok(address),
        Ok(HostAddress::Unix(_)) => {
            Err("expected a name and a port, such as 10.0.0.7:50051".to_owned())
        }
        Err(error) => Err(format!("{error}")),
    }
}

/// Two VMs for each core: the cores cannot restore more of them at the same time.
fn default_warm_max() -> usize {
    std::thread::available_parallelism().map_or(1, |cores| cores.get() * 2)
}

/// The control plane that the agent registers with, and the agent's own address.
fn registration(args: &Args, run_dir: &Path) -> anyhow::Result<Option<RegistrationConfig>> {
    let Some(url) = &args.server else {
        return Ok(None);
    };
    let address = match &args.address {
        Some(address) => address.clone(),
        None => HostAddress::unix(&Config::socket_in(run_dir))
            .context("the path of the agent's socket")?,
    };
    let port = match &address {
        HostAddress::Unix(_) => None,
        HostAddress::Tcp { port, .. } => Some(*port),
    };
    let everywhere = |port| SocketAddr::from((Ipv4Addr::UNSPECIFIED, port));
    let server = Server::at(url, args.plain_http)?;
    Ok(Some(RegistrationConfig {
        token: args.register.clone(),
        listen: args.listen.or(port.map(everywhere)),
        ca_hash: args.ca_hash,
        error_limit: Duration::from_secs(args.control_plane_error_limit),
        ..RegistrationConfig::new(server, address)
    }))
}

/// Why the agent ends.
#[derive(Debug, Clone, Copy)]
enum End {
    Stop(OnStop),
    /// A task of the agent failed, which has said why.
    Failed,
    /// The host was deleted.
    Leave,
}

pub(crate) async fn run(args: Args) -> anyhow::Result<()> {
    telemetry::init(&environment::log_filter(), environment::log_format()?)?;
    if args.purge {
        return Ok(locule_agent::purge(&args.data_dir)?);
    }
    crate::raise_descriptors()?;
    let config = config(args)?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    // For restarts and upgrades, and when `up` exits: the sandboxes continue to run.
    let mut restart = signal(SignalKind::user_defined2())?;
    let on_stop = config.on_stop;
    let agent = tokio::select! {
        agent = Agent::start(config, Tasks::new()) => agent.context("cannot start the host agent")?,
        _ = interrupt.recv() => return Ok(()),
        _ = terminate.recv() => return Ok(()),
        _ = restart.recv() => return Ok(()),
    };
    let end = tokio::select! {
        _ = interrupt.recv() => End::Stop(on_stop),
        _ = terminate.recv() => End::Stop(on_stop),
        _ = restart.recv() => End::Stop(OnStop::Keep),
        () = agent.failed() => End::Failed,
        () = agent.left() => End::Leave,
    };
    // The operator waits no longer for the pauses of a clean stop.
    let enough = async {
        restart.recv().await;
    };
    let stopped = match end {
        End::Stop(on_stop) => agent.stop_until(on_stop, enough).await,
        End::Failed => agent.stop_until(OnStop::Keep, enough).await,
        End::Leave => agent.leave(enough).await,
    };
    stopped.context("stop the host agent")?;
    anyhow::ensure!(
        !matches!(end, End::Failed),
        "a task of the host agent failed"
    );
    Ok(())
}

fn images(args: &Args) -> anyhow::Result<ImageSource> {
    let named = args.images.clone().or_else(environment::images);
    if named.is_none() && args.server.is_some() {
        return Ok(ImageSource::ControlPlane);
    }
    Ok(ImageSource::Folder(checks::find_images(named)?))
}

fn config(args: Args) -> anyhow::Result<Config> {
    anyhow::ensure!(
        args.memory_overcommit >= 1.0 && args.memory_overcommit.is_finite(),
        "--memory-overcommit must be 1 or more"
    );
    anyhow::ensure!(
        rustix::process::geteuid().is_root(),
        "the host agent must run as root"
    );
    let instance = args.instance.clone();
    let instance = instance.unwrap_or_else(|| Config::instance_of(&args.data_dir));
    let run_dir = args.run_dir.clone();
    let run_dir = run_dir.unwrap_or_else(|| format!("/run/locule-{instance}").into());
    let images = images(&args)?;
    let registration = registration(&args, &run_dir)?;
    let memory_limit_mib = args
        .memory_limit
        .unwrap_or(Limits::default().memory_limit_mib);
    Ok(Config {
        data_dir: args.data_dir,
        run_dir,
        instance,
        images,
        accelerator: args.accel,
        kvm_probe_limit: Duration::from_secs(args.kvm_probe_timeout),
        qemu: args.qemu,
        pool_bytes: args.pool_size.map(|mib| mib << 20),
        on_stop: if args.keep_on_stop {
            OnStop::Keep
        } else {
            OnStop::Pause
        },
        peer: args.peer_uid.zip(args.peer_gid),
        limits: Limits {
            memory_overcommit: args.memory_overcommit,
            memory_limit_mib,
            snapshot_extents_max: args.image_extents_max,
            template_snapshots_max: args.template_snapshots,
            template_memory_mib: args
                .template_memory
                .unwrap_or(Limits::template_memory_of(memory_limit_mib)),
            template_memory_idle: Duration::from_secs(args.template_memory_idle),
            ..Limits::default()
        },
        warm_max: args.warm,
        warm_shapes: args.warm_shapes,
        registration,
    })
}
