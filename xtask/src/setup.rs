//! Installs what the platform and its tests run on, from Debian's packages. Starts no service and creates no database.

use std::fs;
use std::io::ErrorKind;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use anyhow::{Context as _, Result, bail};

use crate::run::{program, run_with_progress, say, succeeds};

/// Package, what shows that it is there already, what it is for.
const NEEDED: &[(&str, &str, &str)] = &[
    ("qemu-system-x86", "qemu-system-x86_64", "runs the microVMs"),
    (
        "xfsprogs",
        "mkfs.xfs",
        "makes the pool that clones disks without copying",
    ),
    ("nftables", "nft", "separates sandbox networks"),
    ("iproute2", "ip", "makes sandbox networks"),
    (
        "util-linux",
        "setpriv",
        "runs servers as unprivileged users",
    ),
    (
        "postgresql",
        "/usr/lib/postgresql/*/bin/initdb",
        "keeps the platform's state",
    ),
    (
        "redis-server",
        "redis-server",
        "carries the platform's wake-ups",
    ),
    ("mmdebstrap", "mmdebstrap", "builds guest root filesystems"),
    ("e2fsprogs", "mkfs.ext4", "makes guest disks"),
    ("cpio", "cpio", "packs the guest's initramfs"),
    ("file", "file", "checks that the guest agent is static"),
    (
        "strace",
        "strace",
        "records what the crash tests cut at every point",
    ),
    (
        "nginx-light",
        "nginx",
        "stands in front of the platform in tests, as a cache and for TLS",
    ),
    (
        "dnsmasq-base",
        "dnsmasq",
        "resolves the host names of sandboxes in tests",
    ),
    ("openssl", "openssl", "makes a certificate for tests"),
    ("nodejs", "node", "builds the dashboard"),
    ("npm", "npm", "installs the packages of the dashboard"),
    (
        "python3-venv",
        "python3 -c 'import ensurepip'",
        "runs the SDK tests",
    ),
];

/// Larger than everything above: for tests only.
const BROWSERS: &[(&str, &str, &str)] = &[
    ("chromium", "chromium", "shows the dashboard in tests"),
    (
        "chromium-headless-shell",
        "chromium-headless-shell",
        "runs the tests of the dashboard that need no window",
    ),
];

/// A service that Debian would start on installation listens on a machine-wide port; ours are private.
const NO_SERVICES: &str = "/usr/sbin/policy-rc.d";
const NO_CLUSTER: &str = "/etc/postgresql-common/createcluster.d/locule.conf";

/// Installs what is missing.
pub(crate) fn setup() -> Result<()> {
    let missing = say_missing(NEEDED);
    let lists_missing = !succeeds(program("sh").args([
        "-c",
        "apt-cache show linux-image-cloud-amd64 | grep -q '^Filename'",
    ]));
    if missing.is_empty() && !lists_missing {
        say(format_args!("everything needed is installed"));
        return Ok(());
    }
    if !rustix::process::geteuid().is_root() {
        bail!(
            "installing needs root: run `sudo make setup`, or install {} yourself",
            missing.join(" ")
        );
    }
    apt("reading the package lists", &["update", "-qq"])?;
    if missing.is_empty() {
        return Ok(());
    }
    install(&missing)
}

/// Installs the browsers that are missing.
pub(crate) fn browser() -> Result<()> {
    let missing = say_missing(BROWSERS);
    if missing.is_empty() {
        return Ok(());
    }
    install(&missing)
}

/// The packages that are missing. Says what each is for.
fn say_missing(needed: &[(&'static str, &str, &str)]) -> Vec<&'static str> {
    let missing = needed.iter().filter(|(_, proof, _)| !is_there(proof));
    missing
        .map(|(package, _, purpose)| {
            say(format_args!("to install: {package} ({purpose})"));
            *package
        })
        .collect()
}

fn install(names: &[&str]) -> Result<()> {
    let _quiet = QuietInstall::begin()?;
    let mut arguments = vec!["install", "-y", "-qq", "--no-install-recommends"];
    arguments.extend(names);
    let step = format!("installing {} packages (a minute or two)", names.len());
    apt(&step, &arguments)
}

/// A proof is a program's name, a pattern of paths, or a command that succeeds.
fn is_there(proof: &str) -> bool {
    let script = if proof.contains(' ') {
        proof.to_owned()
    } else {
        format!("command -v {proof} || PATH=$PATH:/usr/sbin:/sbin command -v {proof}")
    };
    succeeds(program("sh").args(["-c", &script]))
}

fn apt(step: &str, arguments: &[&str]) -> Result<()> {
    let mut command = program("apt-get");
    command
        .args(["-o", "Dpkg::Use-Pty=0", "-o", "DPkg::Lock::Timeout=300"])
        .args(arguments);
    command.env("DEBIAN_FRONTEND", "noninteractive");
    run_with_progress(step, &mut command)
        .context("Debian's packages could not be installed: check the machine's apt sources, then run `make setup` again")
}

/// While it lives, installed packages start no services and PostgreSQL's create no cluster.
struct QuietInstall {
    ours: bool,
}

impl QuietInstall {
    fn begin() -> Result<Self> {
        let cluster = Path::new(NO_CLUSTER);
        if !cluster.exists() {
            let folder = cluster.parent().context("a folder")?;
            fs::create_dir_all(folder).context(NO_CLUSTER)?;
            fs::write(cluster, "create_main_cluster = false\n").context(NO_CLUSTER)?;
        }
        let ours = match fs::File::create_new(NO_SERVICES) {
            Ok(_) => true,
            Err(error) if error.kind() == ErrorKind::AlreadyExists => false,
            Err(error) => return Err(error).context(NO_SERVICES),
        };
        if ours {
            fs::write(NO_SERVICES, "#!/bin/sh\nexit 101\n").context(NO_SERVICES)?;
            fs::set_permissions(NO_SERVICES, fs::Permissions::from_mode(0o755))
                .context(NO_SERVICES)?;
        }
        Ok(Self { ours })
    }
}

impl Drop for QuietInstall {
    fn drop(&mut self) {
        if self.ours
            && let Err(error) = fs::remove_file(NO_SERVICES)
        {
            say(format_args!("cannot remove {NO_SERVICES}: {error}"));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_installed_says_what_to_do_and_leaves_no_trace() {
        let policy = fs::read(NO_SERVICES).ok();
        let error = install(&["no-such-package-of-locule"]).unwrap_err();
        let said = format!("{error:#}");
        assert!(
            said.contains("check the machine's apt sources, then run `make setup` again"),
            "{said}"
        );
        let left = fs::read(NO_SERVICES).ok();
        assert_eq!(left, policy, "who may start services is as before");
    }

    #[test]
    fn a_proof_is_a_name_a_pattern_or_a_command() {
        assert!(is_there("sh"));
        assert!(is_there("test -d /"));
        assert!(!is_there("no-such-program-of-locule"));
    }
}
