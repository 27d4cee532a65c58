//! Runs futures until none of them can go on: no connection of the database is in use, and no task is ready.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Poll, Waker};

use locule_store::PgPool;
use tokio::runtime::{Builder, Runtime};

/// A task can wake another one without a connection: rounds without any progress.
const CALM_ROUNDS: usize = 3;

#[derive(Debug, Default)]
struct Watched {
    pools: Vec<PgPool>,
    waiting: Option<Waker>,
}

/// Whether the runtime has nothing to do.
#[derive(Debug, Clone, Default)]
pub(super) struct Calm {
    watched: Arc<Mutex<Watched>>,
    /// The thread has no task to run, and no statement is on its way.
    is_calm: Arc<AtomicBool>,
}

impl Calm {
    fn watched(&self) -> MutexGuard<'_, Watched> {
        self.watched.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The pools whose statements are waited for.
    pub(super) fn watch(&self, pools: Vec<PgPool>) {
        self.watched().pools = pools;
    }

    /// Called by the runtime when its thread has no task to run.
    fn parks(&self) {
        let mut watched = self.watched();
        let is_idle = |pool: &PgPool| usize::try_from(pool.size()).ok() == Some(pool.num_idle());
        if watched.pools.iter().all(is_idle)
            && let Some(waiting) = watched.waiting.take()
        {
            self.is_calm.store(true, Ordering::Relaxed);
            waiting.wake();
        }
    }

    /// Returns when nothing goes on any more. `poll` runs what is waited for, and returns whether something ended.
    pub(super) async fn settle(&self, mut poll: impl FnMut(&mut std::task::Context<'_>) -> bool) {
        let mut rounds = 0;
        self.is_calm.store(false, Ordering::Relaxed);
        std::future::poll_fn(|context| {
            let has_ended = poll(context);
            let was_calm = self.is_calm.swap(false, Ordering::Relaxed);
            rounds = if was_calm && !has_ended {
                rounds + 1
            } else {
                0
            };
            if rounds >= CALM_ROUNDS {
                return Poll::Ready(());
            }
            self.watched().waiting = Some(context.waker().clone());
            Poll::Pending
        })
        .await;
        self.watched().waiting = None;
    }
}

/// A runtime of this thread only.
pub(super) fn runtime(calm: &Calm) -> Runtime {
    let calm = calm.clone();
    Builder::new_current_thread()
        .enable_all()
        .on_thread_park(move || calm.parks())
        .build()
        .expect("the runtime of a simulation")
}
