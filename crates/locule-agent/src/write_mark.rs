//! The write mark: how far the control plane's database has come, as its orders say. A host remembers the mark, so that a database
//! that was restored from an old backup is noticed. The host only remembers and reports; the control plane decides what follows.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use locule_agent_api::WriteMark;
use locule_base::tasks::Tasks;
use locule_disk::write_durably;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use crate::blocking::blocking;
use crate::error::HostError;

/// The time between two writes. No order waits for a write; a crash loses the marks of this time at most.
const PERIOD: Duration = Duration::from_secs(1);

/// The file of the write mark in a data directory.
pub(crate) fn path(data_dir: &Path) -> PathBuf {
    data_dir.join("database.json")
}

#[derive(Debug)]
pub(crate) struct WriteMarkStore {
    path: PathBuf,
    latest: Mutex<Option<WriteMark>>,
    changed: Notify,
}

impl WriteMarkStore {
    fn open(dir: &Path) -> io::Result<Self> {
        let path = path(dir);
        let latest = match std::fs::read(&path) {
            Ok(text) => Some(serde_json::from_slice(&text)?),
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(error) => return Err(error),
        };
        Ok(Self {
            path,
            latest: Mutex::new(latest),
            changed: Notify::new(),
        })
    }

    /// Opens the store, and writes new marks to the disk until the host stops.
    pub(crate) fn start(dir: &Path, tasks: &Tasks) -> io::Result<Arc<Self>> {
        let store = Arc::new(Self::open(dir)?);
        let writer = store.clone();
        tasks.spawn("write mark", |stop| writer.write_changes(stop));
        Ok(store)
    }

    fn lock(&self) -> MutexGuard<'_, Option<WriteMark>> {
        self.latest.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn latest(&self) -> Option<WriteMark> {
        self.lock().clone()
    }

    /// Records the mark of an order. The highest mark of the first database counts; marks of another database cannot be compared.
    pub(crate) fn record(&self, at: WriteMark) {
        let mut latest = self.lock();
        let is_higher = latest
            .as_ref()
            .is_none_or(|latest| latest.cluster == at.cluster && latest.counter < at.counter);
        if is_higher {
            *latest = Some(at);
            self.changed.notify_one();
        }
    }

    /// Takes the mark of a database that an operator accepts. Durable when this returns.
    pub(crate) async fn accept(&self, at: WriteMark) -> Result<(), HostError> {
        *self.lock() = Some(at);
        self.write().await
    }

    async fn write(&self) -> Result<(), HostError> {
        let Some(latest) = self.latest() else {
            return Ok(());
        };
        let (path, io) = (self.path.clone(), HostError::io);
        blocking(move || {
            let text = serde_json::to_vec(&latest)
                .map_err(|error| io("write the write mark")(error.into()))?;
            write_durably(&path, &text).map_err(io("write the write mark"))
        })
        .await
    }

    async fn write_changes(self: Arc<Self>, stop: CancellationToken) -> anyhow::Result<()> {
        loop {
            tokio::select! {
                () = stop.cancelled() => {}
                () = self.changed.notified() => {}
            }
            if let Err(error) = self.write().await {
                tracing::warn!(
                    error = locule_base::errors::chain(&error),
                    "the write mark of the control plane's database cannot be written to the disk"
                );
            }
            tokio::select! {
                () = stop.cancelled() => return Ok(()),
                () = tokio::time::sleep(PERIOD) => {}
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mark(cluster: &str, counter: i64) -> WriteMark {
        WriteMark {
            cluster: cluster.to_owned(),
            counter,
        }
    }

    #[tokio::test]
    async fn the_highest_mark_of_one_database_is_kept_until_another_database_is_accepted() {
        let folder = tempfile::tempdir().unwrap();
        let store = WriteMarkStore::open(folder.path()).unwrap();
        assert_eq!(store.latest(), None);
        for at in [mark("a", 3), mark("a", 7), mark("a", 5), mark("b", 100)] {
            store.record(at);
        }
        assert_eq!(store.latest(), Some(mark("a", 7)));
        store.write().await.unwrap();
        let next = WriteMarkStore::open(folder.path()).unwrap();
        assert_eq!(next.latest(), Some(mark("a", 7)));
        for at in [mark("a", 2), mark("b", 1)] {
            next.accept(at.clone()).await.unwrap();
            let after = WriteMarkStore::open(folder.path()).unwrap();
            assert_eq!(after.latest(), Some(at));
        }
    }

    #[tokio::test]
    async fn a_recorded_mark_is_on_the_disk_when_the_host_has_stopped() {
        let folder = tempfile::tempdir().unwrap();
        let store = Arc::new(WriteMarkStore::open(folder.path()).unwrap());
        store.record(mark("a", 7));
        let stop = CancellationToken::new();
        stop.cancel();
        store.write_changes(stop).await.unwrap();
        let next = WriteMarkStore::open(folder.path()).unwrap();
        assert_eq!(next.latest(), Some(mark("a", 7)));
    }
}
