//! The parts that every use case needs: the database, the clock, and the set of background tasks.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use locule_base::clock::SharedClock;
use locule_base::tasks::Tasks;
use locule_store::periodic::JobLocks;
use locule_store::{PgPool, StoreError};

use crate::background::periodic::PeriodicTasks;
use crate::error::CommonError;
use crate::turns::{Asker, Turn, Turns};

/// Cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct Core {
    pub(crate) pool: PgPool,
    pub(crate) clock: SharedClock,
    pub(crate) tasks: Tasks,
    pub(crate) periodic: PeriodicTasks,
    pub(crate) job_locks: JobLocks,
    turns: Arc<Turns>,
}

impl Core {
    pub(crate) fn new(pool: PgPool, clock: SharedClock, tasks: Tasks) -> Self {
        Self {
            job_locks: JobLocks::new(&pool),
            pool,
            clock,
            tasks,
            periodic: PeriodicTasks::default(),
            turns: Arc::default(),
        }
    }

    /// Waits for a turn at the database, before a connection is taken.
    pub(crate) async fn turn(&self, asker: Asker) -> Turn {
        self.turns.wait(asker).await
    }

    pub(crate) fn now(&self) -> DateTime<Utc> {
        self.clock.now()
    }

    pub(crate) async fn connection(&self) -> Result<locule_store::PooledConnection, CommonError> {
        Ok(self.pool.acquire().await.map_err(StoreError::from)?)
    }

    pub(crate) async fn transaction(&self) -> Result<locule_store::Transaction, CommonError> {
        Ok(self.pool.begin().await.map_err(StoreError::from)?)
    }

    pub(crate) async fn commit(&self, tx: locule_store::Transaction) -> Result<(), CommonError> {
        Ok(tx.commit().await.map_err(StoreError::from)?)
    }
}
