//! A private PostgreSQL and a private Redis for one run of the tests: sockets only, no fsync, gone afterwards.

use std::ffi::OsString;
use std::fs;
use std::os::unix::fs::chown;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

use crate::run::{program, run, say, succeeds};

/// Debian's `nobody`: PostgreSQL refuses to run as root.
const NOBODY: u32 = 65534;
const NOGROUP: u32 = 65534;
const READY_WITHIN: Duration = Duration::from_secs(30);
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// Both servers; stopped when dropped.
#[derive(Debug)]
pub(crate) struct Servers {
    children: Vec<Child>,
    folder: TempDir,
}

impl Servers {
    pub(crate) fn start() -> Result<Self> {
        say(format_args!("starting a private PostgreSQL and Redis"));
        let folder = tempfile::Builder::new()
            .prefix("locule-test-")
            .tempdir()
            .context("a temporary folder")?;
        if rustix::process::geteuid().is_root() {
            chown(folder.path(), Some(NOBODY), Some(NOGROUP)).context("a temporary folder")?;
        }
        let mut servers = Self {
            children: Vec::new(),
            folder,
        };
        servers.start_postgres()?;
        servers.start_redis()?;
        Ok(servers)
    }

    /// How the tests find them.
    pub(crate) fn environment(&self) -> Vec<(&'static str, OsString)> {
        let folder = self.folder.path().display();
        vec![
            (
                "DATABASE_URL",
                format!("postgres://locule@localhost/postgres?host={folder}").into(),
            ),
            ("REDIS_URL", format!("unix://{folder}/redis.sock").into()),
        ]
    }

    /// Stops both; dropping does the same.
    pub(crate) fn stop(self) {
        drop(self);
    }

    fn start_postgres(&mut self) -> Result<()> {
        let (bin, folder) = (postgres_programs()?, self.folder.path());
        let data = folder.join("data");
        let log = fs::File::create(folder.join("postgres.log")).context("a log file")?;
        run(unprivileged(&bin.join("initdb"))
            .args([
                "--username=locule",
                "--auth=trust",
                "--encoding=UTF8",
                "--locale=C.UTF-8",
            ])
            .args(["--no-sync", "--pgdata"])
            .arg(&data)
            .current_dir(folder)
            .stdout(log.try_clone().context("a log file")?))?;
        let settings = [
            "fsync=off",
            "full_page_writes=off",
            "synchronous_commit=off",
            "max_connections=300",
            "listen_addresses=",
        ];
        let child = unprivileged(&bin.join("postgres"))
            .arg("-D")
            .arg(&data)
            .arg("-k")
            .arg(folder)
            .args(settings.iter().flat_map(|setting| ["-c", setting]))
            .current_dir(folder)
            .stdout(log.try_clone().context("a log file")?)
            .stderr(log)
            .spawn()
            .context("cannot start PostgreSQL")?;
        self.children.push(child);
        let mut ready = program(bin.join("pg_isready"));
        ready
            .args([
                "--quiet",
                "--username=locule",
                "--dbname=postgres",
                "--host",
            ])
            .arg(folder);
        wait_for("PostgreSQL", || succeeds(&mut ready))
    }

    fn start_redis(&mut self) -> Result<()> {
        let socket = self.folder.path().join("redis.sock");
        let child = unprivileged(Path::new("redis-server"))
            .args([
                "--port",
                "0",
                "--save",
                "",
                "--appendonly",
                "no",
                "--unixsocketperm",
                "777",
            ])
            .arg("--unixsocket")
            .arg(&socket)
            .current_dir(self.folder.path())
            .stdout(Stdio::null())
            .spawn()
            .context("cannot start Redis: run `make setup`")?;
        self.children.push(child);
        wait_for("Redis", || socket.exists())
    }
}

impl Drop for Servers {
    fn drop(&mut self) {
        for child in &mut self.children {
            // PostgreSQL's fast shutdown, and Redis's: SIGINT. One that is gone already needs none.
            let pid = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
            let _ = pid.map(|pid| kill_process(pid, Signal::INT));
            let _ = child.wait();
        }
    }
}

/// A program that loses root's rights, and ends when this one does.
fn unprivileged(name: &Path) -> Command {
    let mut command = program("setpriv");
    if rustix::process::geteuid().is_root() {
        command.args([format!("--reuid={NOBODY}"), format!("--regid={NOGROUP}")]);
        command.args(["--clear-groups", "--no-new-privs"]);
    }
    command.args(["--pdeathsig", "INT", "--"]).arg(name);
    command
}

/// Debian keeps the server's programs out of the search path, in a folder per version.
fn postgres_programs() -> Result<PathBuf> {
    let root = Path::new("/usr/lib/postgresql");
    let versions = fs::read_dir(root).context("PostgreSQL is not installed: run `make setup`")?;
    versions
        .filter_map(|entry| Some(entry.ok()?.path().join("bin")))
        .filter(|bin| bin.join("initdb").exists())
        .max()
        .context("PostgreSQL's server is not installed: run `make setup`")
}

fn wait_for(what: &str, mut ready: impl FnMut() -> bool) -> Result<()> {
    let mut waited = Duration::ZERO;
    while !ready() {
        if waited >= READY_WITHIN {
            bail!("{what} was not ready within {} s", READY_WITHIN.as_secs());
        }
        thread::sleep(LOOK_EVERY);
        waited += LOOK_EVERY;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::os::unix::net::UnixStream;

    use super::*;

    #[test]
    fn both_servers_answer_and_leave_nothing_behind() {
        let servers = Servers::start().unwrap();
        let folder = servers.folder.path().to_owned();
        for socket in [".s.PGSQL.5432", "redis.sock"] {
            UnixStream::connect(folder.join(socket)).unwrap();
        }
        servers.stop();
        assert!(!folder.exists());
    }
}
