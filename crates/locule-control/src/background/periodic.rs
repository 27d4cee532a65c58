//! What the periodic tasks of this process did last, for platform administrators.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use chrono::{DateTime, Utc};

/// A task that runs on a period.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PeriodicTask {
    pub name: &'static str,
    /// The pause between two passes.
    pub period: Duration,
    pub last_started_at: Option<DateTime<Utc>>,
    /// The end of the latest pass that has ended, whether it failed or not.
    pub last_finished_at: Option<DateTime<Utc>>,
    /// Why that pass failed, without the details that the log has.
    pub last_error: Option<String>,
}

/// The periodic tasks of a process. Cheap to clone; clones share the list.
#[derive(Debug, Clone, Default)]
pub(crate) struct PeriodicTasks(Arc<Mutex<BTreeMap<&'static str, PeriodicTask>>>);

impl PeriodicTasks {
    fn tasks(&self) -> MutexGuard<'_, BTreeMap<&'static str, PeriodicTask>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Records that a pass begins.
    pub(crate) fn begin(&self, name: &'static str, period: Duration, now: DateTime<Utc>) {
        let mut tasks = self.tasks();
        let task = tasks.entry(name).or_insert_with(|| PeriodicTask {
            name,
            period,
            last_started_at: None,
            last_finished_at: None,
            last_error: None,
        });
        task.last_started_at = Some(now);
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
        tasks.begin("sweep", period, at(1));
        tasks.end("sweep", Some("no database".to_owned()), at(2));
        tasks.begin("jobs", period, at(3));
        tasks.begin("sweep", period, at(4));
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
        let failed = Some("no database".to_owned());
        let jobs = ("jobs", Some(at(3)), None, None);
        assert_eq!(
            shown(&tasks),
            [jobs.clone(), ("sweep", Some(at(4)), Some(at(2)), failed)]
        );
        tasks.end("sweep", None, at(5));
        assert_eq!(
            shown(&tasks),
            [jobs, ("sweep", Some(at(4)), Some(at(5)), None)]
        );
    }
}
