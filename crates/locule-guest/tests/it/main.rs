//! The real guest agent as a process on this machine, spoken to as the public SDKs speak to it.

#![expect(clippy::unwrap_used, reason = "a test program: a failure is a panic")]

mod agent;
mod files;
mod fuzz;
mod processes;
mod transfers;
mod watch;
