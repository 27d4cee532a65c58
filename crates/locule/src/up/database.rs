//! The private PostgreSQL of `locule up`: a cluster in the data directory, on a Unix socket that only its user can reach.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context as _;
use locule_base::command::Command;
use nix::sys::signal::Signal;

use super::banner::Progress;
use super::layout::Layout;
use super::supervisor::{Service, Supervisor};

const PATIENCE: Duration = Duration::from_mins(1);

/// Starts PostgreSQL, after creating its cluster at the first start, and returns its URL.
pub(super) async fn start(
    layout: &Layout,
    supervisor: &mut Supervisor,
    progress: &Progress,
) -> anyhow::Result<String> {
    progress
        .step("PostgreSQL", start_and_wait(layout, supervisor))
        .await
}

async fn start_and_wait(layout: &Layout, supervisor: &mut Supervisor) -> anyhow::Result<String> {
    let programs = programs()?;
    let (data, sockets) = (
        layout.folder("postgres").join("data"),
        sockets(&layout.run_dir()),
    );
    if !data.join("PG_VERSION").exists() {
        // A crash of initdb leaves an incomplete cluster, which holds no data yet.
        let _ = std::fs::remove_dir_all(&data);
        let user = layout.user();
        let init = Command::new("setpriv")
            .arg(format!("--reuid={}", user.uid))
            .arg(format!("--regid={}", user.gid))
            .args(["--clear-groups", "--"])
            .arg(programs.join("initdb"))
            .args([
                "--username=locule",
                "--auth=trust",
                "--encoding=UTF8",
                "--locale=C.UTF-8",
                "--pgdata",
            ])
            .arg(&data)
            .timeout(Duration::from_mins(2));
        init.run().await.context("create the PostgreSQL cluster")?;
    }
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
            "unix_socket_permissions=0700".to_owned(),
        ],
        environment: Vec::new(),
        user: Some(layout.user()),
        log: layout.log("postgres"),
        oom_score_adj: super::supervisor::SPARED,
        // PostgreSQL's "fast shutdown": it closes open connections instead of waiting for them.
        stop: Signal::SIGINT,
        on_exit_of_up: Signal::SIGINT,
    };
    supervisor.start(service)?;
    let admin = url(&layout.run_dir(), "postgres");
    let answers = || async {
        let pool = locule_store::connect(&admin).ok()?;
        let made = locule_store::ensure_database(&pool, "locule").await;
        pool.close().await;
        made.ok()
    };
    supervisor.until("postgres", PATIENCE, answers).await?;
    Ok(url(&layout.run_dir(), "locule"))
}

fn sockets(run_dir: &Path) -> PathBuf {
    run_dir.join("postgres")
}

/// The URL of a database of the private PostgreSQL.
pub(crate) fn url(run_dir: &Path, database: &str) -> String {
    let sockets = sockets(run_dir);
    format!(
        "postgres://locule@localhost/{database}?host={}",
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
