//! `locule up`: starts a whole platform on one machine with one command, supervises it, and stops it.
//!
//! ```text
//! checks ─► folders, lock, secrets ─► PostgreSQL ─► bootstrap ─► Redis ─► agent ─► serve ─► proof ─► banner ─► supervise
//! ```
//!
//! Every check runs before the first child starts. A check that fails is an error of one sentence that says what to do.

mod arguments;
mod banner;
pub(crate) mod checks;
pub(crate) mod database;
pub(crate) mod invoker;
mod layout;
mod proof;
mod queue;
mod signals;
mod stopping;
mod supervisor;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, bail};
use locule_agent::Shape;
use locule_agent_api::{Client, Connector, HostAgent as _, HostInfo};
use locule_base::clock::{Clock as _, SystemClock};
use locule_base::tasks::Tasks;
use locule_control::{
    AccountError, Accounts, ControlConfig, ControlPlane, Credential, HostAddress, HostLinks,
    LocalHost, LoginOrigin, NewApiKey, Scope, SignedUp, SignupPolicy,
};
use locule_http::{Names, SandboxDomain};
use locule_store::StoreError;

use crate::{environment, screen};
use banner::Progress;
use database::Urls;
use layout::Layout;
use signals::Signals;
use supervisor::{GaveUp, Service, Supervisor};

/// Includes the boot of the first template snapshot.
const AGENT_PATIENCE: Duration = Duration::from_mins(4);
const SERVE_PATIENCE: Duration = Duration::from_secs(30);
const ADMIN: &str = "admin@locule.local";

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The folder of all data
    #[arg(long, env = "LOCULE_DATA_DIR", default_value = "/var/lib/locule")]
    data_dir: PathBuf,
    /// Address and port of the API
    #[arg(long, env = "LOCULE_LISTEN", default_value = "127.0.0.1:8000")]
    listen: SocketAddr,
    /// The accelerator of the guests: kvm, tcg (emulation), or auto for the best accelerator that works on this machine
    #[arg(long, default_value = "auto")]
    accel: locule_agent::AcceleratorSetting,
    /// Seconds that a first guest may take to boot under KVM; a machine on which it takes longer runs its guests in emulation
    #[arg(long, default_value_t = crate::agent::KVM_PROBE_SEC)]
    kvm_probe_timeout: u64,
    /// The folder of the guest images (default: the images that were installed with the program)
    #[arg(long)]
    images: Option<PathBuf>,
    /// Size of the disk pool in MiB (default: a quarter of the free space)
    #[arg(long)]
    pool_size: Option<u64>,
    /// The size of the warm pool for each template and listed shape; 0 for no warm pool (default: two VMs for each core)
    #[arg(long)]
    warm: Option<u64>,
    /// The shapes that the host keeps ready, as vCPUs and MiB of memory: a template snapshot of each, and a warm pool (default:
    /// 1x512)
    #[arg(long, value_name = "VCPUSxMIB", value_delimiter = ',', value_parser = crate::agent::shape)]
    warm_shapes: Vec<Shape>,
    /// Template snapshots on the host at most: the one that was used least recently, and that no sandbox uses, is removed first
    /// (default: 16)
    #[arg(long)]
    template_snapshots: Option<u64>,
    /// Memory of template snapshots that is loaded at most, in MiB (default: a quarter of the memory limit)
    #[arg(long)]
    template_memory: Option<u64>,
    /// Memory limit of all virtual machines together, in MiB: above the limit the host pauses the sandbox that has been idle
    /// longest (default: 80 % of the machine's memory)
    #[arg(long)]
    memory_limit: Option<u64>,
    /// The QEMU program to use instead of the installed one
    #[arg(long)]
    qemu: Option<PathBuf>,
    /// Rename an existing data directory and set the platform up again
    #[arg(long)]
    reset: bool,
}

pub(crate) async fn run(args: Args) -> anyhow::Result<ExitCode> {
    let clock = SystemClock::new();
    let progress = Progress::new();
    let names = environment::names(args.listen.ip())?;
    let images = checks::run(&args.data_dir, args.listen, args.images.clone())?;
    if args.reset {
        layout::move_aside(&args.data_dir, clock.now())?;
    }
    let users = checks::system_users().await?;
    let layout = Layout::open(&args.data_dir, users)?;
    checks::reachable_for(&args.data_dir, &users)?;
    let mut supervisor = Supervisor::new();
    let mut signals = Signals::new()?;
    let agent = Client::new(Connector::Unix(layout.agent_socket()));
    let started = tokio::select! {
        started = start(&args, &images, &layout, &mut supervisor, &progress, &names) => Some(started),
        () = signals.next() => None,
    };
    match started {
        Some(Ok(())) => {}
        Some(Err(error)) => {
            supervisor.stop(&progress, &mut signals, &agent).await;
            return Err(error);
        }
        None => {
            supervisor.stop(&progress, &mut signals, &agent).await;
            return Ok(ExitCode::SUCCESS);
        }
    }
    let ended = tokio::select! {
        ended = supervisor.supervise() => Some(ended),
        () = signals.next() => None,
    };
    if ended.is_none() {
        screen::complain(
            "\nStopping: the host pauses the running sandboxes, however long that takes; you can resume them after the next start. Press Ctrl-C again to leave those that are not paused yet running.",
        );
    }
    let is_clean = supervisor.stop(&progress, &mut signals, &agent).await;
    match ended {
        Some(GaveUp { name }) => bail!(
            "{name} exited five times within a minute; read its log, {}",
            layout.log(name).display()
        ),
        None if is_clean => Ok(ExitCode::SUCCESS),
        None => Ok(ExitCode::FAILURE),
    }
}

async fn start(
    args: &Args,
    images: &std::path::Path,
    layout: &Layout,
    supervisor: &mut Supervisor,
    progress: &Progress,
    names: &Names,
) -> anyhow::Result<()> {
    let database = match Urls::of_environment()? {
        Some(urls) => urls,
        None => database::start(layout, supervisor, progress).await?,
    };
    let Bootstrapped {
        credentials,
        first_start,
        registration_token,
    } = bootstrap(layout, &database, &args.listen).await?;
    let redis = match environment::redis_url() {
        Some(url) => url,
        None => queue::start(layout, supervisor, progress).await?,
    };
    let boots = if first_start {
        "host agent (the first start boots a guest once)"
    } else {
        "host agent"
    };
    let agent = Registration {
        server: args.listen,
        token: registration_token,
    };
    let host = start_agent(layout, supervisor, progress, (args, images), &agent, boots).await?;
    start_serve(
        layout,
        supervisor,
        progress,
        (&args.listen, images),
        &database.serve,
        &redis,
    )
    .await?;
    let proof = progress
        .step(
            "first sandbox",
            proof::run(&args.listen, &credentials.api_key),
        )
        .await
        .context("the first sandbox failed")?;
    layout.point_home()?;
    let secrets = first_start && screen::is_terminal();
    let domain = names.sandbox_domain.as_ref().map(SandboxDomain::as_str);
    banner::show(
        &proof,
        &host,
        &credentials,
        &layout.credentials(),
        secrets,
        domain,
    );
    Ok(())
}

/// What a start of the platform prepared.
struct Bootstrapped {
    credentials: layout::Credentials,
    /// Whether this start created the credentials.
    first_start: bool,
    /// The host agent registers with the token. `None`: it has registered.
    registration_token: Option<String>,
}

/// How the host agent registers.
struct Registration {
    server: SocketAddr,
    token: Option<String>,
}

impl Registration {
    /// The URL of the control plane, for a program on this machine.
    fn url(&self) -> String {
        let mut server = self.server;
        if server.ip().is_unspecified() {
            server.set_ip(match server {
                SocketAddr::V4(_) => std::net::Ipv4Addr::LOCALHOST.into(),
                SocketAddr::V6(_) => std::net::Ipv6Addr::LOCALHOST.into(),
            });
        }
        format!("http://{server}")
    }

    fn environment(&self) -> Vec<(&'static str, String)> {
        // Other users of the machine can read a command line, and no environment.
        let token = self.token.clone();
        token
            .map(|token| (environment::REGISTER, token))
            .into_iter()
            .collect()
    }
}

/// Creates the schema, gives `serve` its rights, and creates the host, the first account and its key before the API's port opens: no other client can sign up first.
async fn bootstrap(
    layout: &Layout,
    database: &Urls,
    listen: &SocketAddr,
) -> anyhow::Result<Bootstrapped> {
    let pool = locule_store::connect(&database.owner)?;
    match locule_store::migrate(&pool).await {
        Err(error @ StoreError::Schema(_)) if environment::database_url().is_none() => {
            return Err(error).context(layout.other_version());
        }
        migrated => migrated?,
    }
    if database.serve != database.owner {
        let role = locule_store::role_of(&database.serve)?;
        let mut conn = pool.acquire().await.map_err(StoreError::from)?;
        let granted = locule_store::grant_to_serve(&mut conn, &role).await;
        granted.with_context(|| format!("give the role {role} the rights of `locule serve`"))?;
    }
    let clock = SystemClock::shared();
    let known = locule_agent::Credentials::read(&layout.agent_dir());
    let known = known.context("read the credentials of the host agent")?;
    let local = LocalHost {
        address: HostAddress::unix(&layout.agent_socket()).context("the host agent's socket")?,
        credentials: known.map(|known| (known.host_id, known.refresh_token)),
    };
    let registration_token = locule_control::bootstrap(&pool, &local, clock.now())
        .await
        .context("set up the database")?;
    let key = |name| hex::decode(layout.secret(name)?).context("a secret is not hexadecimal");
    let mut config = ControlConfig::new(key("platform_key")?, key("jwt_secret")?, clock.clone())?;
    // The account of the operator needs no invitation, also in a database that has accounts already.
    config.accounts.signup = SignupPolicy::Open;
    let no_hosts = HostLinks::of(Vec::new());
    let control = ControlPlane::new(config, pool.clone(), clock, Tasks::new(), no_hosts);
    let (credentials, first_start) =
        first_account(layout, &control.accounts, format!("http://{listen}")).await?;
    pool.close().await;
    Ok(Bootstrapped {
        credentials,
        first_start,
        registration_token,
    })
}

/// Signs the administrator up, as every person signs up, and creates an API key. The password and the key are on the disk
/// before the database has their hashes. The next start completes a bootstrap that a crash interrupted.
async fn first_account(
    layout: &Layout,
    accounts: &Accounts,
    url: String,
) -> anyhow::Result<(layout::Credentials, bool)> {
    let known = layout.read_credentials(&url)?;
    if known.is_none() && accounts.has_account(ADMIN).await? {
        bail!("{}", layout.missing_credentials());
    }
    let mut credentials = if let Some(known) = known {
        known
    } else {
        let new = layout::Credentials {
            url,
            email: ADMIN.to_owned(),
            password: locule_control::new_password(),
            api_key: String::new(),
        };
        layout.write_credentials(&new)?;
        new
    };
    let first_start = credentials.api_key.is_empty();
    if first_start {
        let (email, password) = (&credentials.email, &credentials.password);
        let name = "Administrator";
        let session = match accounts
            .sign_up(email, password, name, None, LoginOrigin::default())
            .await
        {
            Err(AccountError::EmailTaken) => {
                accounts
                    .login(email, password, LoginOrigin::default())
                    .await
            }
            signed_up => signed_up.and_then(SignedUp::session),
        };
        let token = session.context("sign the administrator up")?.token;
        credentials.api_key = first_key(accounts, &token)
            .await
            .context("create the administrator's API key")?;
        layout.write_credentials(&credentials)?;
    }
    Ok((credentials, first_start))
}

async fn first_key(accounts: &Accounts, token: &str) -> Result<String, AccountError> {
    let identity = accounts.authenticate(Credential::Token(token)).await?;
    let new = NewApiKey {
        name: "first key".to_owned(),
        scope: Scope::Full,
        expires_at: None,
    };
    let (_, key) = accounts.create_api_key(&identity.person()?, &new).await?;
    Ok(key)
}

async fn start_agent(
    layout: &Layout,
    supervisor: &mut Supervisor,
    progress: &Progress,
    (args, images): (&Args, &std::path::Path),
    registration: &Registration,
    step: &str,
) -> anyhow::Result<HostInfo> {
    let service = Service {
        name: "agent",
        program: supervisor::OURSELVES.into(),
        args: arguments::of_agent(layout, args, images, registration),
        environment: registration.environment(),
        user: None,
        log: layout.log("agent"),
        oom_score_adj: supervisor::SPARED,
        stop: nix::sys::signal::Signal::SIGTERM,
        // A crash of `up` is no order to stop: the sandboxes continue to run.
        on_exit_of_up: nix::sys::signal::Signal::SIGUSR2,
        // The agent of a host that was deleted removes its credentials.
        ends_without: Some(locule_agent::Credentials::path(&layout.agent_dir())),
    };
    supervisor.start(service)?;
    let client = Client::new(Connector::Unix(layout.agent_socket()));
    let ready = supervisor.until("agent", AGENT_PATIENCE, || {
        let client = client.clone();
        async move { client.host().await.ok().filter(|host| host.ready) }
    });
    progress.step(step, ready).await
}

async fn start_serve(
    layout: &Layout,
    supervisor: &mut Supervisor,
    progress: &Progress,
    (listen, images): (&SocketAddr, &std::path::Path),
    database: &str,
    redis: &str,
) -> anyhow::Result<()> {
    let service = Service {
        name: "serve",
        program: supervisor::OURSELVES.into(),
        args: arguments::of_serve(layout, listen, images),
        environment: [
            (environment::SERVE_DATABASE_URL, database.to_owned()),
            (environment::REDIS_URL, redis.to_owned()),
            (environment::PLATFORM_KEY, layout.secret("platform_key")?),
            (environment::JWT_SECRET, layout.secret("jwt_secret")?),
        ]
        .into_iter()
        .chain(environment::of_serve())
        .collect(),
        user: Some(layout.users().serve),
        log: layout.log("serve"),
        oom_score_adj: supervisor::SPARED,
        stop: nix::sys::signal::Signal::SIGTERM,
        on_exit_of_up: nix::sys::signal::Signal::SIGTERM,
        ends_without: None,
    };
    supervisor.start(service)?;
    let address = Arc::new(*listen);
    let healthy = supervisor.until("serve", SERVE_PATIENCE, || proof::healthy(address.clone()));
    progress.step("control plane", healthy).await
}
