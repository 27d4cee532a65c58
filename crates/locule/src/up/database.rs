//! The private PostgreSQL of `locule up`: a cluster in the data directory, on a Unix socket that root and the control plane can
//! reach.
//!
//! The server knows a client by the user of its process. Root, that is `up`, is the owner of the tables; the control plane's user
//! is a role that may not change the audit log.

use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, ensure};
use locule_base::command::Command;
use locule_store::{PgPool, SERVE_ROLE, StoreError};
use nix::sys::signal::Signal;

use super::banner::Progress;
use super::checks::SERVE_USER;
use super::layout::Layout;
use super::supervisor::{Service, Supervisor};
use crate::environment;

const PATIENCE: Duration = Duration::from_mins(1);

/// The name of the map from users of the machine to roles of the database.
const MAP: &str = "locule";
const OWNER: &str = "locule";
const DATABASE: &str = "locule";

/// How the owner of the tables connects to the database, and how the control plane does.
#[derive(Debug)]
pub(super) struct Urls {
    pub(super) owner: String,
    pub(super) serve: String,
}

impl Urls {
    /// Those of a PostgreSQL that `up` does not start.
    pub(super) fn of_environment() -> anyhow::Result<Option<Self>> {
        let serve = environment::serve_database_url();
        let Some(owner) = environment::database_url() else {
            ensure!(
                serve.is_none(),
                "{} is set but {}, the URL of the owner of the tables, is not",
                environment::SERVE_DATABASE_URL,
                environment::DATABASE_URL
            );
            return Ok(None);
        };
        let serve = serve.unwrap_or_else(|| owner.clone());
        Ok(Some(Self { owner, serve }))
    }
}

/// Starts PostgreSQL, after creating its cluster at the first start.
pub(super) async fn start(
    layout: &Layout,
    supervisor: &mut Supervisor,
    progress: &Progress,
) -> anyhow::Result<Urls> {
    progress
        .step("PostgreSQL", start_and_wait(layout, supervisor))
        .await
}

/// Who may connect as which role. Written at each start, outside of the data directory, where no other user may write.
fn write_access(run_dir: &Path) -> anyhow::Result<(PathBuf, PathBuf)> {
    let (access, map) = (run_dir.join("pg_hba.conf"), run_dir.join("pg_ident.conf"));
    let roles =
        format!("local all {OWNER} peer map={MAP}\nlocal {DATABASE} {SERVE_ROLE} peer map={MAP}\n");
    let users = format!("{MAP} root {OWNER}\n{MAP} {SERVE_USER} {SERVE_ROLE}\n");
    for (path, text) in [(&access, roles), (&map, users)] {
        let write = || {
            std::fs::write(path, text)?;
            std::fs::set_permissions(path, Permissions::from_mode(0o644))
        };
        write().with_context(|| format!("write {}", path.display()))?;
    }
    Ok((access, map))
}

async fn start_and_wait(layout: &Layout, supervisor: &mut Supervisor) -> anyhow::Result<Urls> {
    let programs = programs()?;
    let (data, sockets) = (
        layout.folder("postgres").join("data"),
        sockets(&layout.run_dir()),
    );
    if !data.join("PG_VERSION").exists() {
        // A crash of initdb leaves an incomplete cluster, which holds no data yet.
        let _ = std::fs::remove_dir_all(&data);
        let user = layout.users().database;
        let init = Command::new("setpriv")
            .arg(format!("--reuid={}", user.uid))
            .arg(format!("--regid={}", user.gid))
            .args(["--clear-groups", "--"])
            .arg(programs.join("initdb"))
            .arg(format!("--username={OWNER}"))
            .args([
                // The files that `write_access` writes decide instead.
                "--auth=reject",
                "--encoding=UTF8",
                "--locale=C.UTF-8",
                "--pgdata",
            ])
            .arg(&data)
            .timeout(Duration::from_mins(2));
        init.run().await.context("create the PostgreSQL cluster")?;
    }
    let (access, map) = write_access(&layout.run_dir())?;
    let service = Service {
        name: "postgres",
        program: programs.join("postgres"),
        args: vec![
            "-D".to_owned(),
            data.to_string_lossy().into_owned(),
            "-k".to_owned(),
            sockets.to_string_lossy().into_owned(),
            "-c".to_owned(),
            "listen_addresses=".to_owned(),
            "-c".to_owned(),
            // The folder of the socket is closed to others.
            "unix_socket_permissions=0777".to_owned(),
            "-c".to_owned(),
            format!("hba_file={}", access.display()),
            "-c".to_owned(),
            format!("ident_file={}", map.display()),
        ],
        environment: Vec::new(),
        user: Some(layout.users().database),
        log: layout.log("postgres"),
        oom_score_adj: super::supervisor::SPARED,
        // PostgreSQL's "fast shutdown": it closes open connections instead of waiting for them.
        stop: Signal::SIGINT,
        on_exit_of_up: Signal::SIGINT,
        ends_without: None,
    };
    supervisor.start(service)?;
    let admin = url(&layout.run_dir(), "postgres");
    let answers = || async {
        let pool = locule_store::connect(&admin).ok()?;
        let made = prepare(&pool).await;
        pool.close().await;
        made.ok()
    };
    supervisor.until("postgres", PATIENCE, answers).await?;
    Ok(Urls {
        owner: url(&layout.run_dir(), DATABASE),
        serve: url_as(&layout.run_dir(), SERVE_ROLE, DATABASE),
    })
}

/// Creates what belongs to the cluster and not to a database of it.
async fn prepare(pool: &PgPool) -> Result<(), StoreError> {
    locule_store::ensure_database(pool, DATABASE).await?;
    locule_store::ensure_serve_role(&mut *pool.acquire().await?).await
}

fn sockets(run_dir: &Path) -> PathBuf {
    run_dir.join("postgres")
}

/// The URL of a database of the private PostgreSQL, for root.
pub(crate) fn url(run_dir: &Path, database: &str) -> String {
    url_as(run_dir, OWNER, database)
}

fn url_as(run_dir: &Path, role: &str, database: &str) -> String {
    let sockets = sockets(run_dir);
    format!(
        "postgres://{role}@localhost/{database}?host={}",
        sockets.display()
    )
}

/// The folder of the newest version's programs: Debian installs each version in a folder of its own.
fn programs() -> anyhow::Result<PathBuf> {
    let versions = std::fs::read_dir("/usr/lib/postgresql")
        .into_iter()
        .flatten()
        .flatten();
    let number = |path: &PathBuf| {
        path.file_name()
            .and_then(|name| name.to_str()?.parse::<u32>().ok())
    };
    let newest = versions
        .map(|entry| entry.path())
        .filter(|path| path.join("bin/postgres").exists())
        .max_by_key(number);
    Ok(newest
        .context("PostgreSQL is missing: apt-get install postgresql")?
        .join("bin"))
}
