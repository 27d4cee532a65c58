//! What must be true before anything is started. Each refusal is one sentence that says what to do.

use std::fs;
use std::net::SocketAddr;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail, ensure};
use locule_base::command::Command;

use super::banner::Progress;
use super::layout::SystemUser;
use crate::environment;

/// Programs, and the Debian packages they come from.
const PROGRAMS: [(&str, &str); 5] = [
    ("qemu-system-x86_64", "qemu-system-x86"),
    ("mkfs.xfs", "xfsprogs"),
    ("nft", "nftables"),
    ("ip", "iproute2"),
    ("redis-server", "redis-server"),
];
const USER: &str = "locule";

/// Checks the machine and finds the guest images.
pub(super) fn run(
    data_dir: &Path,
    listen: SocketAddr,
    images: Option<PathBuf>,
) -> anyhow::Result<PathBuf> {
    ensure!(
        rustix::process::geteuid().is_root(),
        "locule up starts virtual machines and must run as root: try `sudo locule up`"
    );
    ensure!(
        data_dir.is_absolute(),
        "--data-dir must be an absolute path"
    );
    let missing = missing_packages();
    ensure!(
        missing.is_empty(),
        "programs are missing: apt-get install {}",
        missing.join(" ")
    );
    let images = find_images(images)?;
    // Bound and let go: what is taken now is said now, not after a minute of starting.
    if let Err(error) = std::net::TcpListener::bind(listen) {
        bail!(
            "cannot listen on {listen} ({error}): stop what uses it, or choose another address with --listen"
        );
    }
    Ok(images)
}

/// Debian's packages of the programs that are not there.
pub(crate) fn missing_packages() -> Vec<&'static str> {
    let missing = PROGRAMS
        .iter()
        .filter(|(program, _)| find(program).is_none());
    missing.map(|(_, package)| *package).collect()
}

/// A program on the search path.
pub(super) fn find(program: &str) -> Option<PathBuf> {
    environment::search_path()
        .into_iter()
        .map(|folder| folder.join(program))
        .find(|path| path.is_file())
}

pub(crate) fn find_images(named: Option<PathBuf>) -> anyhow::Result<PathBuf> {
    let beside = std::env::current_exe()
        .ok()
        .and_then(|exe| Some(exe.parent()?.parent()?.join("images")));
    // What somebody named is meant: no other place is tried instead.
    let places = match named.or_else(environment::images) {
        Some(named) => [Some(named), None],
        None => [beside, Some(PathBuf::from("/usr/share/locule/images"))],
    };
    let found = places
        .into_iter()
        .flatten()
        .find(|folder| folder.join("manifest.json").is_file());
    let found = found
        .context("no guest images found: run `make images`, or name their folder with --images")?;
    // The link may be moved by the next build; what it names now stays.
    fs::canonicalize(&found).with_context(|| format!("open {}", found.display()))
}

/// The user that database, queue and control plane run as; made if it is not there.
pub(super) async fn system_user() -> anyhow::Result<SystemUser> {
    if let Some(user) = nix::unistd::User::from_name(USER)? {
        return Ok(SystemUser {
            uid: user.uid.as_raw(),
            gid: user.gid.as_raw(),
        });
    }
    Progress::note(
        "creating the system user `locule`, which the database and the control plane run as",
    );
    let add = Command::new("useradd").args([
        "--system",
        "--user-group",
        "--no-create-home",
        "--shell",
        "/usr/sbin/nologin",
        USER,
    ]);
    add.run().await.context("create the system user `locule`")?;
    let user = nix::unistd::User::from_name(USER)?
        .context("the system user `locule` was created and is not there")?;
    Ok(SystemUser {
        uid: user.uid.as_raw(),
        gid: user.gid.as_raw(),
    })
}

/// Every folder above the data directory must let the system user through.
pub(super) fn reachable_for(data_dir: &Path, user: SystemUser) -> anyhow::Result<()> {
    for folder in data_dir.ancestors() {
        let Ok(meta) = fs::metadata(folder) else {
            continue;
        };
        let mode = meta.permissions().mode();
        let passes = if meta.uid() == user.uid {
            mode & 0o100 != 0
        } else if meta.gid() == user.gid {
            mode & 0o010 != 0
        } else {
            mode & 0o001 != 0
        };
        ensure!(
            passes,
            "the system user `locule` cannot reach {}: run `chmod o+x {}`, or use another --data-dir",
            data_dir.display(),
            folder.display()
        );
    }
    Ok(())
}
