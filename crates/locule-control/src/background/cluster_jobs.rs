//! The jobs that one process of the control plane runs for all, and the pauses between their passes.

use std::time::Duration;

use crate::background::retention;
use crate::reconcile::{monitor, sweep};

pub(crate) const HOST_MONITOR: &str = "host monitor";
pub(crate) const SANDBOX_SWEEP: &str = "sandbox sweep";
pub(crate) const RETENTION: &str = "retention";

pub(crate) const ALL: [(&str, Duration); 3] = [
    (HOST_MONITOR, monitor::PERIOD),
    (RETENTION, retention::PERIOD),
    (SANDBOX_SWEEP, sweep::PERIOD),
];
