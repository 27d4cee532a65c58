//! Spawned tasks that have an owner, which can stop them and wait for them.
//!
//! ```text
//! Tasks ── stop token ──► task a, task b, …      shutdown(grace): cancel, then wait
//!       └─ tracker ◄───── counts the running tasks
//! ```

use std::fmt;
use std::future::Future;
use std::time::Duration;

use futures::FutureExt as _;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// The tasks of one role (control plane, host agent) of a process. Cheap to clone; clones share the set.
#[derive(Clone, Default)]
pub struct Tasks {
    stop: CancellationToken,
    tracker: TaskTracker,
}

impl fmt::Debug for Tasks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tasks")
            .field("running", &self.tracker.len())
            .finish_non_exhaustive()
    }
}

/// Tasks were still running at the end of the grace period.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{left} tasks still run at the end of the grace period")]
pub struct TasksLeft {
    pub left: usize,
}

impl Tasks {
    pub fn new() -> Self {
        Self::default()
    }

    /// The token that is cancelled when the role stops.
    pub fn token(&self) -> CancellationToken {
        self.stop.clone()
    }

    /// Runs a task of the role. A task that fails or panics stops the whole role: a restarted process is better than one that
    /// runs without the task.
    pub fn spawn<F>(&self, name: &'static str, run: impl FnOnce(CancellationToken) -> F)
    where
        F: Future<Output = anyhow::Result<()>> + Send + 'static,
    {
        let stop = self.stop.clone();
        let task = std::panic::AssertUnwindSafe(run(stop.child_token())).catch_unwind();
        self.track(async move {
            let failure = match task.await {
                Ok(Ok(())) => return,
                Ok(Err(error)) => format!("{error:#}"),
                Err(_) => "panicked".to_owned(),
            };
            tracing::error!(
                task.name = name,
                error = failure,
                "a task failed; the process stops"
            );
            stop.cancel();
        });
    }

    /// Runs work that must be completed even while the role stops, such as the cleanup after a request whose client
    /// disconnected. The work is never cancelled, and a panic in it does not stop the role.
    pub fn spawn_detached(
        &self,
        name: &'static str,
        work: impl Future<Output = ()> + Send + 'static,
    ) {
        let work = std::panic::AssertUnwindSafe(work).catch_unwind();
        self.track(async move {
            if work.await.is_err() {
                tracing::error!(task.name = name, "a detached task panicked");
            }
        });
    }

    fn track(&self, future: impl Future<Output = ()> + Send + 'static) {
        #[expect(clippy::disallowed_methods, reason = "this module spawns all tasks")]
        tokio::spawn(self.tracker.track_future(future));
    }

    /// Asks every task to stop and waits for all of them, for at most `grace`.
    pub async fn shutdown(&self, grace: Duration) -> Result<(), TasksLeft> {
        self.stop.cancel();
        self.tracker.close();
        match tokio::time::timeout(grace, self.tracker.wait()).await {
            Ok(()) => Ok(()),
            Err(_) => Err(TasksLeft {
                left: self.tracker.len(),
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn shutdown_stops_and_waits_for_every_task() {
        let tasks = Tasks::new();
        let (ended, mut seen) = tokio::sync::mpsc::channel(4);
        for _ in 0..4 {
            let ended = ended.clone();
            tasks.spawn("waiter", |stop| async move {
                stop.cancelled().await;
                ended.send(()).await?;
                Ok(())
            });
        }
        tasks.shutdown(Duration::from_secs(5)).await.unwrap();
        for _ in 0..4 {
            seen.try_recv().unwrap();
        }
    }

    #[tokio::test]
    async fn a_failed_or_panicking_task_stops_the_role() {
        for panics in [false, true] {
            let tasks = Tasks::new();
            tasks.spawn("broken", move |_| async move {
                assert!(!panics, "as the test asked");
                anyhow::bail!("broken")
            });
            tokio::time::timeout(Duration::from_secs(5), tasks.token().cancelled())
                .await
                .unwrap();
        }
    }

    #[tokio::test]
    async fn a_task_that_ignores_the_stop_is_reported_as_left() {
        let tasks = Tasks::new();
        tasks.spawn("stubborn", |_| std::future::pending());
        assert_eq!(
            tasks.shutdown(Duration::from_millis(10)).await,
            Err(TasksLeft { left: 1 })
        );
    }

    #[tokio::test]
    async fn detached_work_is_finished_during_shutdown() {
        let tasks = Tasks::new();
        let (release, released) = tokio::sync::oneshot::channel::<()>();
        let (done, finished) = tokio::sync::oneshot::channel();
        let stop = tasks.token();
        tasks.spawn_detached("cleanup", async move {
            released.await.unwrap();
            done.send(()).unwrap();
        });
        let waiting = tasks.shutdown(Duration::from_secs(5));
        let releasing = async {
            stop.cancelled().await;
            release.send(()).unwrap();
        };
        let (ended, ()) = tokio::join!(waiting, releasing);
        ended.unwrap();
        finished.await.unwrap();
    }
}
