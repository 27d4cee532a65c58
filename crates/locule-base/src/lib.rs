//! Building blocks that every program of the platform uses: time, tasks, retries, counts, error texts, logs, ends of files, host
//! programs, addresses of clients, listeners with handshakes, the machine's processes, memory and file descriptors.
//!
//! The crate knows no sandbox and no other term of the product.

pub mod address;
pub mod backoff;
pub mod clock;
pub mod command;
pub mod counts;
pub mod descriptors;
pub mod errors;
pub mod failpoint;
pub mod handshakes;
pub mod memory;
pub mod processes;
pub mod tail;
pub mod tasks;
pub mod telemetry;
