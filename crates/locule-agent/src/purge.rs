//! The lock on the data directory of an agent, and the removal of what an agent that left its platform has kept.

use std::fs::{self, File};
use std::io;
use std::os::fd::AsFd as _;
use std::path::{Path, PathBuf};

use locule_disk::{DiskError, Pool};
use rustix::fs::{FlockOperation, flock};

use crate::config::Config;
use crate::registration::credentials::Credentials;
use crate::write_mark;

/// Why nothing is removed.
#[derive(Debug, thiserror::Error)]
pub enum PurgeError {
    #[error(
        "{} holds credentials, so that the host belongs to a control plane: delete the host there first, and its agent leaves by itself", .0.display()
    )]
    Registered(PathBuf),
    #[error("{}: a process uses the data directory; stop the host agent and its VMs first", .0.display())]
    InUse(PathBuf),
    #[error("{action} {}", path.display())]
    File {
        action: &'static str,
        path: PathBuf,
        source: io::Error,
    },
    #[error("remove the disk pool")]
    Disk(#[from] DiskError),
}

/// Says that an agent uses a data directory, until the value is dropped.
#[derive(Debug)]
pub(crate) struct InUse {
    _folder: File,
}

impl InUse {
    pub(crate) fn lock(data_dir: &Path) -> io::Result<Self> {
        let folder = File::open(data_dir)?;
        flock(folder.as_fd(), FlockOperation::NonBlockingLockShared)?;
        Ok(Self { _folder: folder })
    }
}

/// Removes what an agent keeps in its data directory: all sandboxes with their snapshots, the guest images that the agent fetched, and
/// the write mark. Refuses while the agent has credentials, and while a process uses a file in the directory. Blocks.
pub fn purge(data_dir: &Path) -> Result<(), PurgeError> {
    let file = |action, path: &Path| {
        let path = path.to_owned();
        move |source| PurgeError::File {
            action,
            path,
            source,
        }
    };
    let folder = match File::open(data_dir) {
        Ok(folder) => folder,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(file("open", data_dir)(error)),
    };
    let credentials = Credentials::path(data_dir);
    if credentials
        .try_exists()
        .map_err(file("read", &credentials))?
    {
        return Err(PurgeError::Registered(credentials));
    }
    let in_use = || PurgeError::InUse(data_dir.to_owned());
    flock(folder.as_fd(), FlockOperation::NonBlockingLockExclusive).map_err(|_| in_use())?;
    if is_open(data_dir) {
        return Err(in_use());
    }
    Pool::remove(data_dir)?;
    let images = Config::fetched_images_in(data_dir);
    locule_disk::remove_tree(&images).map_err(file("remove", &images))?;
    let mark = write_mark::path(data_dir);
    match fs::remove_file(&mark) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(file("remove", &mark)(error)),
        Ok(()) | Err(_) => Ok(()),
    }
}

/// Whether a process has a file below this folder open, as a VM has its disk.
fn is_open(folder: &Path) -> bool {
    let list = |path: &Path| fs::read_dir(path).into_iter().flatten().flatten();
    let processes = list(Path::new("/proc")).map(|entry| entry.path());
    let open = processes.flat_map(|process| list(&process.join("fd")).map(|entry| entry.path()));
    open.filter_map(|link| fs::read_link(link).ok())
        .any(|target| target.starts_with(folder) && target != folder)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn host() -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir_all(folder.path().join("pool/sandboxes/1")).unwrap();
        fs::write(folder.path().join("pool/sandboxes/1/memory.1"), "kept").unwrap();
        fs::write(write_mark::path(folder.path()), "{}").unwrap();
        let images = Config::fetched_images_in(folder.path());
        fs::create_dir(&images).unwrap();
        fs::write(images.join("manifest.json"), "{}").unwrap();
        fs::write(folder.path().join("notes.txt"), "of the operator").unwrap();
        folder
    }

    #[test]
    fn an_agent_that_left_is_removed_with_its_sandboxes_and_nothing_else() {
        let folder = host();
        purge(folder.path()).unwrap();
        let left: Vec<_> = fs::read_dir(folder.path()).unwrap().flatten().collect();
        assert_eq!(left.len(), 1, "{left:?}");
        assert_eq!(left[0].file_name(), "notes.txt");
        purge(folder.path()).unwrap();
        purge(&folder.path().join("missing")).unwrap();
    }

    #[test]
    fn nothing_is_removed_from_a_host_that_is_registered_or_in_use() {
        let folder = host();
        let is_whole = || folder.path().join("pool/sandboxes/1/memory.1").exists();
        let credentials = Credentials::path(folder.path());
        fs::write(&credentials, "{}").unwrap();
        let refused = purge(folder.path()).unwrap_err();
        assert!(matches!(refused, PurgeError::Registered(_)), "{refused}");
        fs::remove_file(credentials).unwrap();

        let lock = InUse::lock(folder.path()).unwrap();
        let refused = purge(folder.path()).unwrap_err();
        assert!(matches!(refused, PurgeError::InUse(_)), "{refused}");
        drop(lock);

        let disk = File::open(folder.path().join("pool/sandboxes/1/memory.1")).unwrap();
        let refused = purge(folder.path()).unwrap_err();
        assert!(matches!(refused, PurgeError::InUse(_)), "{refused}");
        assert!(is_whole());
        drop(disk);
        purge(folder.path()).unwrap();
        assert!(!is_whole());
    }
}
