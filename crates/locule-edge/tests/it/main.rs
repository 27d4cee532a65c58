//! The byte paths against a host agent and a guest agent that live in the test.

#![expect(clippy::unwrap_used, reason = "in tests a panic is the report")]

mod exec;
mod fuzz;
mod host;
mod ports;
mod restart;
