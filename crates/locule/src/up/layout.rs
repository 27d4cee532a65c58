//! Folders, lock, names and secrets of one installation.

use std::fs::{self, File};
use std::io::{ErrorKind, Read as _, Write as _};
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _, chown};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use chrono::{DateTime, Utc};
use rustix::fs::FlockOperation;
use serde::{Deserialize, Serialize};

use crate::environment;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct SystemUser {
    pub(super) uid: u32,
    pub(super) gid: u32,
}

/// What the owner needs to use the installation. Written once: the database holds hashes.
#[derive(Clone, Serialize, Deserialize)]
pub(super) struct Credentials {
    pub(super) url: String,
    pub(super) email: String,
    pub(super) password: String,
    /// Empty until it is made.
    #[serde(default)]
    pub(super) api_key: String,
}

/// An installation, locked for as long as this lives.
#[derive(Debug)]
pub(super) struct Layout {
    dir: PathBuf,
    instance: String,
    user: SystemUser,
    /// Held, not used: the lock goes with it.
    _lock: File,
}

/// Keeps an old installation under another name. One that is up is not touched.
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

fn private(path: &Path) -> std::io::Result<File> {
    File::options()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(path)
}

impl Layout {
    pub(super) fn open(dir: &Path, user: SystemUser) -> anyhow::Result<Self> {
        make(dir, 0o755, None)?;
        let lock = lock(dir)?;
        for (name, mode, owner) in [
            ("secrets", 0o700, None),
            ("logs", 0o755, None),
            ("agent", 0o700, None),
            ("postgres", 0o700, Some(user)),
            ("redis", 0o700, Some(user)),
        ] {
            make(&dir.join(name), mode, owner)?;
        }
        let instance = once(&dir.join("instance"), || {
            hex::encode(rand::random::<[u8; 4]>())
        })?;
        let layout = Self {
            dir: dir.to_owned(),
            instance,
            user,
            _lock: lock,
        };
        for secret in ["platform_key", "jwt_secret"] {
            once(&dir.join("secrets").join(secret), || {
                hex::encode(rand::random::<[u8; 32]>())
            })?;
        }
        make(&layout.run_dir(), 0o755, None)?;
        for socket in ["postgres", "redis"] {
            make(&layout.run_dir().join(socket), 0o700, Some(user))?;
        }
        Ok(layout)
    }

    pub(super) fn user(&self) -> SystemUser {
        self.user
    }

    pub(super) fn instance(&self) -> &str {
        &self.instance
    }

    /// Sockets are here, not under the data directory: their paths may have 107 bytes.
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

    fn credentials(&self) -> PathBuf {
        self.dir.join("credentials.json")
    }

    pub(super) fn credentials_are_gone(&self) -> String {
        format!(
            "{} is gone, and with it the administrator's key: restore it, or start anew with --reset",
            self.credentials().display()
        )
    }

    pub(super) fn is_of_another_version(&self) -> String {
        format!(
            "{} was made by another version of Locule: use that version again, or move the directory aside and start anew with --reset",
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
            give_to_invoker(&temporary)?;
            fs::rename(&temporary, &path)?;
            File::open(&self.dir)?.sync_all()
        };
        write().with_context(|| format!("write {}", path.display()))
    }

    /// What was written at the first start, with the address of this one. `None`: this is the first.
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

    /// Tells this user's command line where the last local server keeps its credentials.
    pub(super) fn point_home(&self) -> anyhow::Result<()> {
        let invoker = environment::invoking_user();
        let by_uid = |(uid, _)| {
            nix::unistd::User::from_uid(nix::unistd::Uid::from_raw(uid))
                .ok()
                .flatten()
        };
        let home = invoker
            .and_then(by_uid)
            .map(|user| user.dir)
            .or_else(environment::home);
        let Some(home) = home else { return Ok(()) };
        let folder = home.join(".config/locule");
        let path = folder.join("credentials.json");
        let write = || -> std::io::Result<()> {
            fs::create_dir_all(&folder)?;
            let text = serde_json::json!({ "credentials": self.credentials() }).to_string();
            private(&path)?.write_all(text.as_bytes())?;
            give_to_invoker(&folder)?;
            give_to_invoker(&path)
        };
        write().with_context(|| format!("write {}", path.display()))
    }
}

fn give_to_invoker(path: &Path) -> std::io::Result<()> {
    match environment::invoking_user() {
        Some((uid, gid)) => chown(path, Some(uid), Some(gid)),
        None => Ok(()),
    }
}

/// One `up` per data directory, for as long as it lives.
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
                "locule is already up on {} (pid {}): stop it first, or use another --data-dir",
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

/// A file that is written the first time and read for ever after.
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
    fn what_is_made_once_stays() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("instance");
        let first = once(&path, || "a1b2c3d4".to_owned()).unwrap();
        assert_eq!(once(&path, || unreachable!("it is there")).unwrap(), first);
        assert_eq!(
            fs::metadata(&path).unwrap().permissions().mode() & 0o777,
            0o600
        );
    }

    #[test]
    fn a_second_lock_is_refused_and_names_the_holder() {
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
