//! The checks before `locule up` starts a child. Each error is one sentence that says what to do.

use std::fs;
use std::net::SocketAddr;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail, ensure};
use locule_base::command::Command;

use super::banner::Progress;
use super::invoker::{SystemUser, Users};
use crate::environment;

/// The programs that `up` needs, with the Debian packages that contain them.
const PROGRAMS: [(&str, &str); 5] = [
    ("qemu-system-x86_64", "qemu-system-x86"),
    ("mkfs.xfs", "xfsprogs"),
    ("nft", "nftables"),
    ("ip", "iproute2"),
    ("redis-server", "redis-server"),
];
/// The user of PostgreSQL, which owns the cluster.
pub(super) const DATABASE_USER: &str = "locule";
const REDIS_USER: &str = "locule-redis";
/// The user of the control plane. PostgreSQL knows it by this name.
pub(super) const SERVE_USER: &str = "locule-serve";

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
    // Bound and closed again: an address that is in use is an error now, not after a minute of starting.
    if let Err(error) = std::net::TcpListener::bind(listen) {
        bail!(
            "cannot listen on {listen} ({error}): stop the program that uses the address, or choose another address with --listen"
        );
    }
    Ok(images)
}

/// The Debian packages of the programs that are missing.
pub(crate) fn missing_packages() -> Vec<&'static str> {
    let missing = PROGRAMS
        .iter()
        .filter(|(program, _)| environment::find_program(program).is_none());
    missing.map(|(_, package)| *package).collect()
}

pub(crate) fn find_images(named: Option<PathBuf>) -> anyhow::Result<PathBuf> {
    // A folder that the user names is the only candidate: an error there must not select other images.
    let candidates = match named.or_else(environment::images) {
        Some(named) => vec![named],
        None => default_images(),
    };
    let found = candidates
        .into_iter()
        .find(|folder| folder.join("manifest.json").is_file());
    let found = found
        .context("no guest images found: run `make images`, or name their folder with --images")?;
    // The next build or installation replaces the link, but not the folder that the link names now.
    fs::canonicalize(&found).with_context(|| format!("open {}", found.display()))
}

/// Beside a program in a target folder, then under the prefix of an installed program.
fn default_images() -> Vec<PathBuf> {
    let program = std::env::current_exe().unwrap_or_default();
    let prefix = program.parent().and_then(Path::parent);
    let mut candidates: Vec<_> = ["images", "share/locule/images"]
        .iter()
        .filter_map(|folder| Some(prefix?.join(folder)))
        .collect();
    candidates.push(PathBuf::from("/usr/share/locule/images"));
    candidates
}

/// The users that run PostgreSQL, Redis and the control plane. The first start creates them.
pub(super) async fn system_users() -> anyhow::Result<Users> {
    Ok(Users {
        database: system_user(DATABASE_USER, "the database").await?,
        redis: system_user(REDIS_USER, "Redis").await?,
        serve: system_user(SERVE_USER, "the control plane").await?,
    })
}

async fn system_user(name: &str, what: &str) -> anyhow::Result<SystemUser> {
    if let Some(user) = nix::unistd::User::from_name(name)? {
        return Ok(SystemUser {
            uid: user.uid.as_raw(),
            gid: user.gid.as_raw(),
        });
    }
    Progress::note(&format!(
        "creating the system user `{name}`, which runs {what}"
    ));
    let add = Command::new("useradd").args([
        "--system",
        "--user-group",
        "--no-create-home",
        "--shell",
        "/usr/sbin/nologin",
        name,
    ]);
    let added = add.run().await;
    added.with_context(|| format!("create the system user `{name}`"))?;
    let user = nix::unistd::User::from_name(name)?;
    let user = user.with_context(|| format!("useradd created no system user `{name}`"))?;
    Ok(SystemUser {
        uid: user.uid.as_raw(),
        gid: user.gid.as_raw(),
    })
}

/// Checks that the users whose files are in the data directory may enter each folder above it.
pub(super) fn reachable_for(data_dir: &Path, users: &Users) -> anyhow::Result<()> {
    reachable_for_one(data_dir, DATABASE_USER, users.database)?;
    reachable_for_one(data_dir, REDIS_USER, users.redis)
}

/// The bits of a file's mode that allow an access.
const READ: u32 = 0o4;
const ENTER: u32 = 0o1;

fn permits(meta: &fs::Metadata, user: SystemUser, access: u32) -> bool {
    let shift = if meta.uid() == user.uid {
        6
    } else if meta.gid() == user.gid {
        3
    } else {
        0
    };
    (meta.permissions().mode() >> shift) & access == access
}

/// Whether a user may read every file in a folder.
pub(super) fn can_read(folder: &Path, user: SystemUser) -> bool {
    let allows =
        |path: &Path, access| fs::metadata(path).is_ok_and(|meta| permits(&meta, user, access));
    let Ok(mut files) = fs::read_dir(folder) else {
        return false;
    };
    folder.ancestors().all(|folder| allows(folder, ENTER))
        && files.all(|file| file.is_ok_and(|file| allows(&file.path(), READ)))
}

fn reachable_for_one(data_dir: &Path, name: &str, user: SystemUser) -> anyhow::Result<()> {
    for folder in data_dir.ancestors() {
        ensure!(
            fs::metadata(folder).map_or(true, |meta| permits(&meta, user, ENTER)),
            "the system user `{name}` cannot reach {}: run `chmod o+x {}`, or use another --data-dir",
            data_dir.display(),
            folder.display()
        );
    }
    Ok(())
}
