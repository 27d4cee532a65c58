//! What the latest passes of the periodic tasks of this process did, for platform administrators.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use chrono::{DateTime, Utc};

/// What a pass found, changed, and could not change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Pass {
    pub found: u64,
    pub changed: u64,
    pub failed: u64,
}

impl std::ops::AddAssign for Pass {
    fn add_assign(&mut self, other: Self) {
        self.found += other.found;
        self.changed += other.changed;
        self.failed += other.failed;
    }
}

/// A task that runs on a period.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PeriodicTask {
    pub name: String,
    /// The pause between two passes.
    pub period: Duration,
    pub last_started_at: Option<DateTime<Utc>>,
    /// The end of the latest pass that has ended, whether it failed or not.
    pub last_finished_at: Option<DateTime<Utc>>,
    /// Why that pass failed, without the details that the log has.
    pub last_error: Option<String>,
    /// What that pass did, if the task counts it.
    pub pass: Option<Pass>,
}

impl PeriodicTask {
    pub(crate) fn new(name: &str, period: Duration) -> Self {
        Self {
            name: name.to_owned(),
            period,
            last_started_at: None,
            last_finished_at: None,
            last_error: None,
            pass: None,
        }
    }
}

/// The periodic tasks of a process. Cheap to clone; clones share the list.
#[derive(Debug, Clone, Default)]
pub(crate) struct PeriodicTasks(Arc<Mutex<BTreeMap<&'static str, PeriodicTask>>>);

impl PeriodicTasks {
    fn tasks(&self) -> MutexGuard<'_, BTreeMap<&'static str, PeriodicTask>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds a task that has had no pass in this process.
    pub(crate) fn add(&self, name: &'static str, period: Duration) {
        let mut tasks = self.tasks();
        tasks
            .entry(name)
            .or_insert_with(|| PeriodicTask::new(name, period));
    }

    /// Records that a pass begins.
    pub(crate) fn begin(&self, name: &'static str, now: DateTime<Utc>) {
        if let Some(task) = self.tasks().get_mut(name) {
            task.last_started_at = Some(now);
        }
    }

    /// Records that a pass has ended.
    pub(crate) fn end(&self, name: &'static str, error: Option<String>, now: DateTime<Utc>) {
        if let Some(task) = self.tasks().get_mut(name) {
            task.last_finished_at = Some(now);
            task.last_error = error;
        }
    }

    /// In the order of their names.
    pub(crate) fn list(&self) -> Vec<PeriodicTask> {
        self.tasks().values().cloned().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_task_shows_its_latest_pass_and_the_error_of_the_one_that_ended_last() {
        let tasks = PeriodicTasks::default();
        let at = |seconds| DateTime::UNIX_EPOCH + chrono::Duration::seconds(seconds);
        let period = Duration::from_secs(15);
        for name in ["sweep", "jobs"] {
            tasks.add(name, period);
        }
        tasks.begin("sweep", at(1));
        tasks.end("sweep", Some("no database".to_owned()), at(2));
        tasks.begin("jobs", at(3));
        tasks.begin("sweep", at(4));
        let shown = |tasks: &PeriodicTasks| -> Vec<_> {
            let all = tasks.list().into_iter();
            all.map(|one| {
                (
                    one.name,
                    one.last_started_at,
                    one.last_finished_at,
                    one.last_error,
                )
            })
            .collect()
        };
        let name = str::to_owned;
        let failed = Some("no database".to_owned());
        let jobs = (name("jobs"), Some(at(3)), None, None);
        assert_eq!(
            shown(&tasks),
            [
                jobs.clone(),
                (name("sweep"), Some(at(4)), Some(at(2)), failed)
            ]
        );
        tasks.end("sweep", None, at(5));
        assert_eq!(
            shown(&tasks),
            [jobs, (name("sweep"), Some(at(4)), Some(at(5)), None)]
        );
    }
}
