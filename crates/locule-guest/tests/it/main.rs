//! Tests of the real guest agent, run as a process on this machine and called as the public SDKs call it.

#![expect(clippy::unwrap_used, reason = "a test program: a failure is a panic")]

mod agent;
mod files;
mod fuzz;
mod places;
mod processes;
mod restart;
mod streams;
mod transfers;
mod tunnel;
mod watch;
