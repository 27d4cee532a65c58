//! What every role needs and no product word appears in: time, tasks, retries, error text, logs, host programs.
//!
//! Nothing here knows what a sandbox is.

pub mod backoff;
pub mod clock;
pub mod command;
pub mod errors;
pub mod failpoint;
pub mod tasks;
pub mod telemetry;
