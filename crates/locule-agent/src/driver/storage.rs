//! How much of the pool the sandbox's own files occupy: the control plane counts it against the quota of the sandbox's team.
//!
//! Measured beside the driver, so that no order waits for it: after each change of the state, and again from time to time, because a
//! guest writes to its disk and a snapshot that is defragmented shares no extents any more. Measuring reads extent maps, no content.

use std::time::Duration;

use locule_base::errors::chain;
use tokio::sync::oneshot;

use super::Driver;
use crate::blocking::blocking;
use crate::manifest::ManifestState;

/// How often the files of a sandbox are measured while it runs, and while it is paused.
const RUNNING_PERIOD: Duration = Duration::from_secs(30);
const PAUSED_PERIOD: Duration = Duration::from_mins(10);

/// What the driver knows of the files of its sandbox.
#[derive(Debug, Default)]
pub(super) struct Storage {
    /// As measured last.
    pub(super) bytes: Option<u64>,
    /// The state at the last measurement, and when the next one is due.
    measured: Option<(ManifestState, Duration)>,
    in_progress: Option<oneshot::Receiver<u64>>,
}

impl Storage {
    fn is_due(&self, state: &ManifestState, now: Duration) -> bool {
        let same = |(measured, due): &(ManifestState, Duration)| measured == state && now < *due;
        !self.measured.as_ref().is_some_and(same)
    }

    /// The result of a measurement that has ended.
    fn take_result(&mut self) -> Option<u64> {
        use oneshot::error::TryRecvError;
        match self.in_progress.as_mut()?.try_recv() {
            Ok(bytes) => {
                self.in_progress = None;
                Some(bytes)
            }
            Err(TryRecvError::Empty) => None,
            Err(TryRecvError::Closed) => {
                self.in_progress = None;
                None
            }
        }
    }
}

impl Driver {
    /// Takes the result of a measurement, and starts the next one when it is due.
    pub(super) fn measure_storage(&mut self) {
        if let Some(bytes) = self.storage.take_result()
            && self.storage.bytes.replace(bytes) != Some(bytes)
            && matches!(self.manifest.state, ManifestState::Paused { .. })
        {
            // A running sandbox changes all the time; its reports are listed.
            self.publish();
        }
        let now = self.host.clock.monotonic();
        if self.storage.in_progress.is_some() || !self.storage.is_due(&self.manifest.state, now) {
            return;
        }
        let period = match self.manifest.state {
            ManifestState::Paused { .. } => PAUSED_PERIOD,
            ManifestState::Creating
            | ManifestState::Running { .. }
            | ManifestState::Resuming { .. }
            | ManifestState::Stopped => RUNNING_PERIOD,
        };
        self.storage.measured = Some((self.manifest.state.clone(), now + period));
        let (sender, result) = oneshot::channel();
        self.storage.in_progress = Some(result);
        let (sandbox, folder) = (
            self.manifest.sandbox,
            self.host.ledger.folder(self.manifest.sandbox),
        );
        self.host
            .tasks
            .spawn_detached("measure storage", async move {
                match blocking(move || Ok(locule_disk::own_bytes(&folder)?)).await {
                    Ok(bytes) => {
                        // The driver may have exited.
                        let _ = sender.send(bytes);
                    }
                    Err(error) => {
                        tracing::warn!(sandbox.id = %sandbox, error = chain(&error), "the files of a sandbox cannot be measured; the last measurement counts");
                    }
                }
            });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_measurement_is_due_after_a_change_of_the_state_and_after_its_period() {
        let (paused, later) = (
            ManifestState::Paused { snapshot: 1 },
            Duration::from_secs(10),
        );
        let mut storage = Storage::default();
        assert!(storage.is_due(&paused, Duration::ZERO));
        storage.measured = Some((paused.clone(), later));
        assert!(!storage.is_due(&paused, Duration::from_secs(9)));
        assert!(storage.is_due(&paused, later));
        assert!(storage.is_due(&ManifestState::Paused { snapshot: 2 }, Duration::ZERO));
    }

    #[test]
    fn a_measurement_that_failed_is_no_result_and_is_over() {
        let mut storage = Storage::default();
        let (sender, result) = oneshot::channel();
        storage.in_progress = Some(result);
        assert_eq!(storage.take_result(), None);
        assert!(storage.in_progress.is_some());
        sender.send(7).unwrap();
        assert_eq!(storage.take_result(), Some(7));
        let (sender, result) = oneshot::channel();
        storage.in_progress = Some(result);
        drop(sender);
        assert_eq!(storage.take_result(), None);
        assert!(storage.in_progress.is_none());
    }
}
