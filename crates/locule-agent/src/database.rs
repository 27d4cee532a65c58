//! How far the control plane's database has come, as its orders said: what a host remembers so that a database that went back
//! in time is noticed. It only remembers and reports; the control plane decides what to leave alone then.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use locule_agent_api::WriteMark;
use locule_base::tasks::Tasks;
use locule_disk::write_durably;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use crate::golden::blocking;
use crate::lifecycle::LifecycleError;

/// Between two writes: no order waits for them, and a crash forgets no more than this.
const PERIOD: Duration = Duration::from_secs(1);

#[derive(Debug)]
pub(crate) struct Database {
    path: PathBuf,
    seen: Mutex<Option<WriteMark>>,
    changed: Notify,
}

impl Database {
    fn open(dir: &Path) -> io::Result<Self> {
        let path = dir.join("database.json");
        let seen = match std::fs::read(&path) {
            Ok(text) => Some(serde_json::from_slice(&text)?),
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(error) => return Err(error),
        };
        Ok(Self {
            path,
            seen: Mutex::new(seen),
            changed: Notify::new(),
        })
    }

    /// Opens it, and writes down what is noted until the host stops.
    pub(crate) fn start(dir: &Path, tasks: &Tasks) -> io::Result<Arc<Self>> {
        let database = Arc::new(Self::open(dir)?);
        let kept = database.clone();
        tasks.spawn("database mark", |stop| kept.keep(stop));
        Ok(database)
    }

    fn lock(&self) -> MutexGuard<'_, Option<WriteMark>> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn seen(&self) -> Option<WriteMark> {
        self.lock().clone()
    }

    /// What came with an order. The furthest of the first database counts: of another one nobody knows how far it is.
    pub(crate) fn note(&self, at: WriteMark) {
        let mut seen = self.lock();
        let is_further = seen
            .as_ref()
            .is_none_or(|seen| seen.cluster == at.cluster && seen.counter < at.counter);
        if is_further {
            *seen = Some(at);
            self.changed.notify_one();
        }
    }

    /// An operator says that this is the database. Durable when this returns.
    pub(crate) async fn accept(&self, at: WriteMark) -> Result<(), LifecycleError> {
        *self.lock() = Some(at);
        self.write().await
    }

    async fn write(&self) -> Result<(), LifecycleError> {
        let Some(seen) = self.seen() else {
            return Ok(());
        };
        let (path, io) = (self.path.clone(), LifecycleError::io);
        blocking(move || {
            let text =
                serde_json::to_vec(&seen).map_err(|error| io("write the mark")(error.into()))?;
            write_durably(&path, &text).map_err(io("write the mark"))
        })
        .await
    }

    async fn keep(self: Arc<Self>, stop: CancellationToken) -> anyhow::Result<()> {
        loop {
            tokio::select! {
                () = stop.cancelled() => {}
                () = self.changed.notified() => {}
            }
            if let Err(error) = self.write().await {
                tracing::warn!(
                    error = locule_base::errors::chain(&error),
                    "cannot remember how far the database is"
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
    async fn the_furthest_mark_of_one_database_is_kept_until_another_is_accepted() {
        let folder = tempfile::tempdir().unwrap();
        let database = Database::open(folder.path()).unwrap();
        assert_eq!(database.seen(), None);
        for at in [mark("a", 3), mark("a", 7), mark("a", 5), mark("b", 100)] {
            database.note(at);
        }
        assert_eq!(database.seen(), Some(mark("a", 7)));
        database.write().await.unwrap();
        let next = Database::open(folder.path()).unwrap();
        assert_eq!(next.seen(), Some(mark("a", 7)));
        for at in [mark("a", 2), mark("b", 1)] {
            next.accept(at.clone()).await.unwrap();
            let after = Database::open(folder.path()).unwrap();
            assert_eq!(after.seen(), Some(at));
        }
    }

    #[tokio::test]
    async fn what_was_noted_is_on_the_disk_when_the_host_has_stopped() {
        let folder = tempfile::tempdir().unwrap();
        let database = Arc::new(Database::open(folder.path()).unwrap());
        database.note(mark("a", 7));
        let stop = CancellationToken::new();
        stop.cancel();
        database.keep(stop).await.unwrap();
        let next = Database::open(folder.path()).unwrap();
        assert_eq!(next.seen(), Some(mark("a", 7)));
    }
}
