//! Whole commands as a user types them, against the real API.

#![expect(clippy::unwrap_used, reason = "in tests a panic is the report")]

mod account;
mod copy;
mod desk;
mod finding;
mod help;
mod host;
mod platform;
mod program;
mod run;
mod sandbox;
mod screen;
mod signals;
mod terminal;
