//! The data directory of one installation: its folders, lock, instance id and secrets.

use std::fs::{self, File};
use std::io::{ErrorKind, Read as _, Write as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _, chown};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use chrono::{DateTime, Utc};
use rustix::fs::FlockOperation;
use serde::{Deserialize, Serialize};

use super::invoker::{SystemUser, Users, give_to_invoker, point_home};

/// The administrator's credentials. This file is the only copy: the database holds hashes.
#[derive(Clone, Serialize, Deserialize)]
pub(super) struct Credentials {
    pub(super) url: String,
    pub(super) email: String,
    pub(super) password: String,
    /// Empty until the first start has created the key.
    #[serde(default)]
    pub(super) api_key: String,
}

/// An installation, locked until this value is dropped.
#[derive(Debug)]
pub(super) struct Layout {
    dir: PathBuf,
    instance: String,
    users: Users,
    /// Never read: closing the file releases the lock.
    _lock: File,
}

/// Renames a data directory. Refuses the data directory of a platform that runs.
pub(super) fn move_aside(dir: &Path, now: DateTime<Utc>) -> anyhow::Result<()> {
    if dir.exists() {
        let _lock = lock(dir)?;
        let aside = dir.with_extension(format!("old-{}", now.format("%Y%m%d-%H%M%S")));
        fs::rename(dir, &aside)
            .with_context(|| format!("move {} to {}", dir.display(), aside.display()))?;
    }
    Ok(())
}

fn make(folder: &Path, mode: u32, owner: Option<SystemUser>) -> anyhow::Result<()> {
    let prepare = || -> std::io::Result<()> {
        fs::create_dir_all(folder)?;
        fs::set_permissions(folder, fs::Permissions::from_mode(mode))?;
        if let Some(owner) = owner {
            chown(folder, Some(owner.uid), Some(owner.gid))?;
        }
        Ok(())
    };
    prepare().with_context(|| format!("cannot use {}", folder.display()))
}

/// Refuses a data directory of another user: that user could replace files that root writes and trusts.
fn require_own(dir: &Path) -> anyhow::Result<()> {
    let owner = fs::metadata(dir)
        .with_context(|| format!("cannot use {}", dir.display()))?
        .uid();
    let own = nix::unistd::geteuid().as_raw();
    anyhow::ensure!(
        owner == own,
        "{} belongs to the user with the id {owner}, not to root: choose another --data-dir, or make root its owner",
        dir.display()
    );
    Ok(())
}

fn private(path: &Path) -> std::io::Result<File> {
    File::options()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .custom_flags(rustix::fs::OFlags::NOFOLLOW.bits().cast_signed())
        .open(path)
}

impl Layout {
    pub(super) fn open(dir: &Path, users: Users) -> anyhow::Result<Self> {
        make(dir, 0o755, None)?;
        require_own(dir)?;
        let lock = lock(dir)?;
        for (name, mode, owner) in [
            ("secrets", 0o700, None),
            ("logs", 0o750, None),
            ("agent", 0o700, None),
            ("postgres", 0o700, Some(users.database)),
            ("redis", 0o700, Some(users.redis)),
        ] {
            make(&dir.join(name), mode, owner)?;
        }
        let instance = once(&dir.join("instance"), || {
            hex::encode(rand::random::<[u8; 4]>())
        })?;
        let layout = Self {
            dir: dir.to_owned(),
            instance,
            users,
            _lock: lock,
        };
        for secret in ["platform_key", "jwt_secret"] {
            once(&dir.join("secrets").join(secret), || {
                hex::encode(rand::random::<[u8; 32]>())
            })?;
        }
        make(&layout.run_dir(), 0o755, None)?;
        // The control plane may pass, by its group, and no other user but root.
        for (socket, owner) in [("postgres", users.database), ("redis", users.redis)] {
            let owner = SystemUser {
                uid: owner.uid,
                gid: users.serve.gid,
            };
            make(&layout.run_dir().join(socket), 0o710, Some(owner))?;
        }
        Ok(layout)
    }

    pub(super) fn users(&self) -> &Users {
        &self.users
    }

    pub(super) fn instance(&self) -> &str {
        &self.instance
    }

    /// The folder of the sockets. It is not in the data directory, because the path of a socket has at most 107 bytes.
    pub(super) fn run_dir(&self) -> PathBuf {
        Path::new("/run").join(format!("locule-{}", self.instance))
    }

    pub(super) fn agent_socket(&self) -> PathBuf {
        self.run_dir().join("agent.sock")
    }

    pub(super) fn agent_dir(&self) -> PathBuf {
        self.dir.join("agent")
    }

    pub(super) fn folder(&self, name: &str) -> PathBuf {
        self.dir.join(name)
    }

    pub(super) fn log(&self, name: &str) -> PathBuf {
        self.dir.join("logs").join(format!("{name}.log"))
    }

    pub(super) fn secret(&self, name: &str) -> anyhow::Result<String> {
        let path = self.dir.join("secrets").join(name);
        let text = fs::read_to_string(&path).with_context(|| format!("read {}", path.display()))?;
        Ok(text.trim().to_owned())
    }

    /// The file of the administrator's credentials.
    pub(super) fn credentials(&self) -> PathBuf {
        self.dir.join("credentials.json")
    }

    pub(super) fn missing_credentials(&self) -> String {
        format!(
            "{} is missing, and the administrator's key with it: restore the file, or set the platform up again with --reset",
            self.credentials().display()
        )
    }

    pub(super) fn other_version(&self) -> String {
        format!(
            "another version of Locule made {}: use that version again, or set the platform up again with --reset, which renames the directory",
            self.dir.display()
        )
    }

    pub(super) fn write_credentials(&self, credentials: &Credentials) -> anyhow::Result<()> {
        let path = self.credentials();
        let write = || -> std::io::Result<()> {
            let temporary = path.with_extension("new");
            let mut file = private(&temporary)?;
            file.write_all(&serde_json::to_vec_pretty(credentials)?)?;
            file.sync_all()?;
            give_to_invoker(&file)?;
            fs::rename(&temporary, &path)?;
            File::open(&self.dir)?.sync_all()
        };
        write().with_context(|| format!("write {}", path.display()))
    }

    /// The credentials that the first start wrote, with the URL of this start. `None` at the first start.
    pub(super) fn read_credentials(&self, url: &str) -> anyhow::Result<Option<Credentials>> {
        let path = self.credentials();
        let text = match fs::read(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error).with_context(|| format!("read {}", path.display())),
        };
        let mut credentials: Credentials =
            serde_json::from_slice(&text).with_context(|| format!("read {}", path.display()))?;
        if credentials.url != url {
            url.clone_into(&mut credentials.url);
            self.write_credentials(&credentials)?;
        }
        Ok(Some(credentials))
    }

    /// Writes the path of the credentials into the home of the user, where the `locule` commands look for it.
    pub(super) fn point_home(&self) -> anyhow::Result<()> {
        let Some((path, written)) = point_home(&self.credentials()) else {
            return Ok(());
        };
        written.with_context(|| format!("write {}", path.display()))
    }
}

/// Locks a data directory: only one `up` may use it at a time.
fn lock(dir: &Path) -> anyhow::Result<File> {
    let path = dir.join("lock");
    let open = File::options()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o644)
        .open(&path);
    let mut file = open.with_context(|| format!("cannot use {}", path.display()))?;
    match rustix::fs::flock(&file, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => {}
        Err(rustix::io::Errno::WOULDBLOCK) => {
            let mut pid = String::new();
            file.read_to_string(&mut pid)?;
            bail!(
                "`locule up` already runs on {} (pid {}): stop that process first, or use another --data-dir",
                dir.display(),
                pid.trim()
            );
        }
        Err(error) => return Err(error).with_context(|| format!("lock {}", path.display())),
    }
    file.set_len(0)?;
    writeln!(file, "{}", std::process::id())?;
    Ok(file)
}

/// The content of a file, which the first call writes.
fn once(path: &Path, make: impl FnOnce() -> String) -> anyhow::Result<String> {
    if let Ok(text) = fs::read_to_string(path)
        && !text.trim().is_empty()
    {
        return Ok(text.trim().to_owned());
    }
    let text = make();
    let write = || -> std::io::Result<()> {
        let mut file = private(path)?;
        file.write_all(text.as_bytes())?;
        file.sync_all()
    };
    write().with_context(|| format!("write {}", path.display()))?;
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_call_reads_the_content_that_the_first_call_wrote() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("instance");
        let first = once(&path, || "a1b2c3d4".to_owned()).unwrap();
        assert_eq!(
            once(&path, || unreachable!("the file exists")).unwrap(),
            first
        );
        assert_eq!(
            fs::metadata(&path).unwrap().permissions().mode() & 0o777,
            0o600
        );
    }

    #[test]
    fn a_second_lock_on_a_data_directory_fails_and_names_the_process_that_holds_it() {
        let folder = tempfile::tempdir().unwrap();
        let held = lock(folder.path()).unwrap();
        let error = lock(folder.path()).unwrap_err().to_string();
        assert!(
            error.contains(&format!("pid {}", std::process::id())),
            "{error}"
        );
        drop(held);
        lock(folder.path()).unwrap();
    }
}
