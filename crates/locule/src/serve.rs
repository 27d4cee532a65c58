//! `locule serve`: the control plane as a process.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use locule_agent_api::{Client, Connector};
use locule_base::clock::SystemClock;
use locule_base::handshakes::HandshakeLimits;
use locule_base::tasks::Tasks;
use locule_base::telemetry;
use locule_control::{
    ControlConfig, ControlPlane, Dial, Github, HostAddress, HostCertificates, HostImages, HostLink,
    HostLinks, Mailer,
};
use locule_http::{AppState, HttpConfig, ListenerLimits};
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

use crate::environment;
use crate::up::checks;

/// The time limit of clean-up that continues after a request to stop.
const GRACE: Duration = Duration::from_secs(45);

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Address and port of the API
    #[arg(long, default_value = "127.0.0.1:8000")]
    listen: SocketAddr,
    /// Address and port of the listener for host agents on other machines, which is apart from the API. Without it, hosts are on this
    /// machine
    #[arg(long, value_name = "ADDRESS:PORT", env = environment::HOSTS_LISTEN)]
    hosts_listen: Option<SocketAddr>,
    /// The URL of this listener, as host agents reach it: https://NAME:PORT
    #[arg(long, value_name = "URL", env = environment::HOSTS_URL)]
    hosts_url: Option<String>,
    /// The folder of the guest images that hosts on other machines fetch (default: the images that were installed with the program, if
    /// there are any)
    #[arg(long)]
    images: Option<PathBuf>,
    /// Do not change the schema of the database
    #[arg(long)]
    no_migrate: bool,
}

#[derive(Debug, clap::Args)]
pub(crate) struct MigrateArgs {
    /// A role of the database that gets the rights of `locule serve`, which do not include changes of the schema or of the audit
    /// log. The role must exist
    #[arg(long, value_name = "ROLE")]
    serve_role: Option<String>,
}

pub(crate) async fn migrate(args: MigrateArgs) -> anyhow::Result<()> {
    let url = environment::database_url().context("DATABASE_URL is not set")?;
    let pool = locule_store::connect(&url)?;
    locule_store::migrate(&pool).await?;
    if let Some(role) = args.serve_role {
        let mut conn = pool.acquire().await.context("connect to the database")?;
        let granted = locule_store::grant_to_serve(&mut conn, &role).await;
        granted.with_context(|| format!("give the role {role} the rights of `locule serve`"))?;
    }
    Ok(())
}

/// Brings the schema up to date where `serve` owns it; elsewhere only checks it.
async fn prepare_schema(pool: &locule_store::PgPool, migrate: bool) -> anyhow::Result<()> {
    if !locule_store::is_owner(pool).await? {
        return Ok(locule_store::check_schema(pool).await?);
    }
    tracing::warn!(
        "`locule serve` connects to the database as the owner of its tables: an attacker that controls `serve` can change the audit log; give it a role of its own (docs/guide/database.md)"
    );
    if migrate {
        locule_store::migrate(pool).await?;
    }
    Ok(())
}

/// How the control plane reaches hosts: on this machine through a socket, on another one through TLS.
fn dial(certificates: HostCertificates) -> Dial {
    Arc::new(move |id, address| {
        let connector = match address {
            HostAddress::Unix(path) => Connector::Unix(path.clone()),
            HostAddress::Tcp { .. } => certificates.connector(id, address.to_string()),
        };
        Some(HostLink {
            id,
            agent: Arc::new(Client::new(connector.clone())),
            connector,
        })
    })
}

/// The guest images that hosts fetch. Images that the operator named must be there.
fn host_images(named: Option<PathBuf>) -> anyhow::Result<HostImages> {
    let named = named.or_else(environment::images);
    let is_named = named.is_some();
    let opened = checks::find_images(named).and_then(|folder| {
        let images = HostImages::open(&folder)?;
        tracing::info!(folder = %folder.display(), "hosts on other machines fetch the guest images from this control plane");
        Ok(images)
    });
    match opened {
        Err(error) if !is_named => {
            tracing::info!(
                error = format!("{error:#}"),
                "this control plane has no guest images: host agents on other machines need --images"
            );
            Ok(HostImages::default())
        }
        opened => opened,
    }
}

/// Starts the listener for host agents on other machines.
async fn serve_hosts(listen: SocketAddr, app: AppState, tasks: &Tasks) -> anyhow::Result<()> {
    let listener = TcpListener::bind(listen)
        .await
        .with_context(|| format!("listen on {listen} for host agents"))?;
    tasks.spawn("host agents", |stop| async move {
        locule_http::serve_hosts(listener, app, HandshakeLimits::default(), stop).await;
        Ok(())
    });
    Ok(())
}

/// Every check of the configuration runs before the port opens.
pub(crate) async fn run(args: Args) -> anyhow::Result<()> {
    telemetry::init(&environment::log_filter(), environment::log_format()?)?;
    let secrets = environment::serve_secrets()?;
    let names = environment::names(args.listen.ip())?;
    if names.share_a_site() {
        tracing::warn!(
            "the sandbox domain and the public URL share a site: pages of sandboxes can set cookies that browsers send to the API; use a domain of its own"
        );
    }
    let limits = ListenerLimits {
        trust_forwarded_for: secrets.http.trust_forwarded_for,
        ..secrets.listener
    };
    let limits = limits.within_descriptors(crate::raise_descriptors()?);
    let pool = locule_store::connect(&secrets.database_url)?;
    prepare_schema(&pool, !args.no_migrate).await?;
    let (tasks, clock) = (Tasks::new(), SystemClock::shared());
    locule_control::prepare(&pool, clock.now()).await?;
    let mut config = ControlConfig::new(secrets.platform_key, secrets.jwt_secret, clock.clone())?;
    config.hosts.url = args.hosts_url;
    config.hosts.images = host_images(args.images)?;
    let certificates = config.hosts.certificates.clone();
    config.sandboxes.scheduler.kind = secrets.scheduler;
    config.accounts.signup = secrets.signup;
    config.accounts.public_url = secrets
        .public_url
        .unwrap_or_else(|| format!("http://{}", args.listen));
    config.accounts.limits = secrets.limits;
    config.accounts.github = secrets.github.map(Github::new).transpose()?;
    config.accounts.mailer = secrets.mail.as_ref().map(Mailer::new).transpose()?;
    let links = HostLinks::new(dial(certificates.clone()));
    let control = ControlPlane::new(config, pool, clock.clone(), tasks.clone(), links);
    control.start();
    let http = HttpConfig {
        names,
        ..secrets.http
    };
    let app = AppState::new(control, tasks.clone(), clock, http);
    if let Some(listen) = args.hosts_listen {
        serve_hosts(listen, app.clone(), &tasks).await?;
        let ca_hash = certificates.pin();
        tracing::info!(address = %listen, %ca_hash, "the listener for host agents listens");
    }
    let router = locule_http::router(app);
    let listener = TcpListener::bind(args.listen)
        .await
        .with_context(|| format!("listen on {}", args.listen))?;
    tracing::info!(address = %args.listen, "the API listens");
    let stop = CancellationToken::new();
    let serving = locule_http::serve_within(listener, router, stop.clone(), limits);
    tokio::pin!(serving);
    let (mut interrupt, mut terminate) = (
        signal(SignalKind::interrupt())?,
        signal(SignalKind::terminate())?,
    );
    let failed = tasks.token();
    tokio::select! {
        served = &mut serving => served.context("serve")?,
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
        () = failed.cancelled() => {}
    }
    // Requests get five seconds to finish; longer streams are closed.
    stop.cancel();
    let _ = tokio::time::timeout(Duration::from_secs(5), serving).await;
    tasks.shutdown(GRACE).await.context("stop")
}
