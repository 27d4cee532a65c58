//! The jobs that one process of the control plane runs for all.

use std::time::Duration;

use crate::background::retention;
use crate::reconcile::{monitor, sweep};

/// A job, and the pause between two passes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ClusterJob {
    pub(crate) name: &'static str,
    pub(crate) period: Duration,
}

impl ClusterJob {
    const fn new(name: &'static str, period: Duration) -> Self {
        Self { name, period }
    }
}

pub(crate) const HOST_MONITOR: ClusterJob = ClusterJob::new("host monitor", monitor::PERIOD);
pub(crate) const RETENTION: ClusterJob = ClusterJob::new("retention", retention::PERIOD);
pub(crate) const SANDBOX_SWEEP: ClusterJob = ClusterJob::new("sandbox sweep", sweep::PERIOD);

pub(crate) const ALL: [ClusterJob; 3] = [HOST_MONITOR, RETENTION, SANDBOX_SWEEP];
