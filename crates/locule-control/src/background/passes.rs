//! Runs the passes of periodic tasks.
//!
//! | | runs in | what its latest pass did is kept |
//! |---|---|---|
//! | task of a process | every process | in the memory of the process |
//! | job of the cluster | one process at a time | in the database |

use std::time::Duration;

use chrono::{DateTime, SubsecRound as _, Utc};
use locule_store::{PgConnection, periodic};
use tokio_util::sync::CancellationToken;

use crate::background::cluster_jobs::{self, ClusterJob};
use crate::background::periodic::{Pass, PeriodicTask};
use crate::core::Core;
use crate::error::CommonError;

/// The periodic tasks of this process, and those of the cluster with what the database has of them. In the order of their names.
pub(crate) async fn list(core: &Core) -> Result<Vec<PeriodicTask>, CommonError> {
    let mut conn = core.connection().await?;
    let cluster = of_cluster(&mut conn).await?;
    let mut tasks = core.periodic.list();
    tasks.extend(cluster);
    tasks.sort_by(|one, other| one.name.cmp(&other.name));
    Ok(tasks)
}

/// The jobs of the cluster.
pub(crate) async fn of_cluster(conn: &mut PgConnection) -> Result<Vec<PeriodicTask>, CommonError> {
    let rows = periodic::list(conn).await?;
    let tasks = cluster_jobs::ALL.iter().map(|job| {
        let mut task = PeriodicTask::new(job.name, job.period);
        if let Some(row) = rows.iter().find(|row| row.name == job.name) {
            let number = |count| u64::try_from(count).unwrap_or(0);
            let (found, changed, failed) = row.counts;
            task.last_started_at = row.last_started_at;
            task.last_finished_at = row.last_finished_at;
            task.last_error.clone_from(&row.last_error);
            task.pass = row.last_finished_at.map(|_| Pass {
                found: number(found),
                changed: number(changed),
                failed: number(failed),
            });
        }
        task
    });
    Ok(tasks.collect())
}

/// The error of a failed pass, as administrators see it. Without the causes: those may have parts of a row or of an address.
fn shown<E>(ended: &Result<E, anyhow::Error>) -> Option<String> {
    ended.as_ref().err().map(ToString::to_string)
}

fn log<E>(job: &'static str, ended: &Result<E, anyhow::Error>) {
    if let Err(error) = ended {
        tracing::warn!(
            job,
            error = format!("{error:#}"),
            "a periodic job failed; its next pass tries again"
        );
    }
}

/// Waits until the next pass is due. `false`: the process stops before.
async fn continues(stop: &CancellationToken, wait: Duration) -> bool {
    tokio::select! {
        () = stop.cancelled() => false,
        () = tokio::time::sleep(wait) => true,
    }
}

/// Runs a task at once and then again and again, with a pause of `period` after each pass. A pass that fails is logged; the next
/// pass does its work.
pub(crate) async fn every<E: Into<anyhow::Error>>(
    core: Core,
    job: &'static str,
    period: Duration,
    stop: CancellationToken,
    pass: impl AsyncFn() -> Result<(), E>,
) -> anyhow::Result<()> {
    core.periodic.add(job, period);
    loop {
        core.periodic.begin(job, core.now());
        let ended = pass().await.map_err(Into::<anyhow::Error>::into);
        core.periodic.end(job, shown(&ended), core.now());
        log(job, &ended);
        if !continues(&stop, period).await {
            return Ok(());
        }
    }
}

/// As [`every`], for a job of the cluster: whichever processes run the control plane, one of them runs the job at a time, and a pass
/// begins at most once in a period.
pub(crate) async fn every_alone<E: Into<anyhow::Error>>(
    core: Core,
    job: ClusterJob,
    stop: CancellationToken,
    pass: impl AsyncFn() -> Result<Pass, E>,
) -> anyhow::Result<()> {
    let mut own = None;
    loop {
        let ended = pass_alone(&core, job, &mut own, &pass).await;
        log(job.name, &ended);
        let wait = ended.ok().flatten().unwrap_or(job.period);
        if !continues(&stop, wait).await {
            return Ok(());
        }
    }
}

/// Runs a pass unless another process runs the job, or began a pass less than a period ago: then it returns when the next pass is
/// due. `own`: when this process began its latest pass.
///
/// If the connection of the locks breaks during the pass, another process may begin a pass: the jobs bear that, because each change
/// compares the version of the row that it read.
async fn pass_alone<E: Into<anyhow::Error>>(
    core: &Core,
    job: ClusterJob,
    own: &mut Option<DateTime<Utc>>,
    pass: &impl AsyncFn() -> Result<Pass, E>,
) -> anyhow::Result<Option<Duration>> {
    if !core.job_locks.try_lock(job.name).await? {
        return Ok(None);
    }
    let ended = pass_locked(core, job, own, pass).await;
    core.job_locks.unlock(job.name).await?;
    ended
}

async fn pass_locked<E: Into<anyhow::Error>>(
    core: &Core,
    job: ClusterJob,
    own: &mut Option<DateTime<Utc>>,
    pass: &impl AsyncFn() -> Result<Pass, E>,
) -> anyhow::Result<Option<Duration>> {
    let ClusterJob { name, period } = job;
    // PostgreSQL keeps microseconds.
    let now = core.now().trunc_subsecs(6);
    let mut conn = core.connection().await?;
    periodic::ensure(&mut conn, name).await?;
    let last = periodic::last_started(&mut conn, name).await?;
    if let Some(last) = last.filter(|last| Some(*last) != *own) {
        let due = (last + period - now).to_std().unwrap_or_default();
        // A process whose clock is ahead must not keep the others from the job for longer than a period.
        if !due.is_zero() && due <= period {
            return Ok(Some(due));
        }
    }
    periodic::begin(&mut conn, name, now).await?;
    drop(conn);
    *own = Some(now);
    let ended = pass().await.map_err(Into::<anyhow::Error>::into);
    let Pass {
        found,
        changed,
        failed,
    } = *ended.as_ref().unwrap_or(&Pass::default());
    let number = |count| i64::try_from(count).unwrap_or(i64::MAX);
    let counts = (number(found), number(changed), number(failed));
    let mut conn = core.connection().await?;
    periodic::end(&mut conn, name, core.now(), shown(&ended), counts).await?;
    ended.map(|_| None)
}

#[cfg(test)]
mod tests {
    use super::*;

    mod needs_setup {
        use std::sync::Arc;
        use std::sync::atomic::{AtomicUsize, Ordering};

        use locule_base::clock::{Clock as _, ManualClock};
        use locule_base::tasks::Tasks;
        use locule_store::PgPool;
        use tokio::sync::Notify;

        use super::*;

        const PERIOD: Duration = Duration::from_secs(15);
        const JOB: ClusterJob = ClusterJob {
            name: "a job",
            period: PERIOD,
        };

        /// One of the processes of a control plane.
        struct Process {
            core: Core,
            own: Option<DateTime<Utc>>,
        }

        impl Process {
            fn new(pool: &PgPool, clock: &Arc<ManualClock>) -> Self {
                Self {
                    core: Core::new(pool.clone(), clock.clone(), Tasks::new()),
                    own: None,
                }
            }

            /// Runs the job if it is this process's turn.
            async fn pass(
                &mut self,
                pass: impl AsyncFn() -> anyhow::Result<Pass>,
            ) -> anyhow::Result<Option<Duration>> {
                pass_alone(&self.core, JOB, &mut self.own, &pass).await
            }
        }

        /// W-018.
        #[sqlx::test(migrator = "locule_store::MIGRATIONS")]
        async fn one_process_runs_a_job_and_another_goes_on_when_that_process_dies(pool: PgPool) {
            let clock = Arc::new(ManualClock::at(DateTime::UNIX_EPOCH));
            let (mut one, mut other) = (Process::new(&pool, &clock), Process::new(&pool, &clock));
            let (began, ran) = (Notify::new(), AtomicUsize::new(0));
            let endless = async || {
                began.notify_one();
                std::future::pending().await
            };
            let mut dying = Box::pin(one.pass(endless));
            tokio::select! {
                ended = &mut dying => panic!("{ended:?}"),
                () = began.notified() => {}
            }
            let count = async || {
                ran.fetch_add(1, Ordering::Relaxed);
                Ok(Pass {
                    found: 3,
                    changed: 2,
                    failed: 1,
                })
            };
            // The job is in progress, however long that takes.
            clock.advance(PERIOD * 10);
            other.pass(count).await.unwrap();
            assert_eq!(ran.load(Ordering::Relaxed), 0);

            drop(dying);
            drop(one);
            // PostgreSQL gives the lock back once it has noticed that the connection of the process that died is closed.
            while ran.load(Ordering::Relaxed) == 0 {
                other.pass(count).await.unwrap();
                tokio::task::yield_now().await;
            }
            let mut conn = pool.acquire().await.unwrap();
            let jobs = periodic::list(&mut conn).await.unwrap();
            assert_eq!(jobs[0].counts, (3, 2, 1));
            assert_eq!(jobs[0].last_finished_at, Some(clock.now()));
        }

        #[sqlx::test(migrator = "locule_store::MIGRATIONS")]
        async fn a_pass_begins_once_in_a_period_whichever_process_runs_it(pool: PgPool) {
            let clock = Arc::new(ManualClock::at(DateTime::UNIX_EPOCH));
            let (mut one, mut other) = (Process::new(&pool, &clock), Process::new(&pool, &clock));
            let ran = AtomicUsize::new(0);
            let count = async || {
                ran.fetch_add(1, Ordering::Relaxed);
                Ok(Pass::default())
            };
            assert_eq!(one.pass(count).await.unwrap(), None);
            clock.advance(Duration::from_secs(5));
            // The next pass is due in 10 s.
            assert_eq!(
                other.pass(count).await.unwrap(),
                Some(Duration::from_secs(10))
            );
            assert_eq!(ran.load(Ordering::Relaxed), 1);
            clock.advance(Duration::from_secs(10));
            assert_eq!(other.pass(count).await.unwrap(), None);
            assert_eq!(ran.load(Ordering::Relaxed), 2);
            // The error of a pass is shown, and the next pass comes as usual.
            clock.advance(PERIOD);
            let fail = async || Err(anyhow::anyhow!("no host"));
            one.pass(fail).await.unwrap_err();
            let mut conn = pool.acquire().await.unwrap();
            let jobs = periodic::list(&mut conn).await.unwrap();
            assert_eq!(jobs[0].last_error.as_deref(), Some("no host"));
        }
    }
}
