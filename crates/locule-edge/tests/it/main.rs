//! The byte paths against a simulated host agent and a simulated guest agent.

#![expect(clippy::unwrap_used, reason = "in tests a panic is the report")]

mod exec;
mod fuzz;
mod host;
mod ports;
mod repeat;
mod responses;
mod restart;
