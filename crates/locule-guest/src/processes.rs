//! The user's processes: start, follow, feed and signal them.
//!
//! ```text
//! Start ─► spawn ─► Process ──► pump stdout ─┐
//!                      │    └─► pump stderr ─┼─► Output ─► every follower, in order, without loss
//!                      └─► wait ─────────────┘   (the end is published last, after a short grace)
//! ```

mod events;
mod exit;
mod file_limits;
mod input;
mod output;
mod pump;
mod request;
mod scrollback;
pub(crate) mod service;
mod spawn;
mod table;

pub(crate) use file_limits::FileLimits;
pub(crate) use output::ProcessEvent;
pub(crate) use spawn::SpawnSpec;
pub(crate) use table::Processes;
