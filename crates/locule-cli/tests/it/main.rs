//! Whole commands as a person types them, against a server that speaks the API's shapes and runs the commands on this machine.

#![expect(clippy::unwrap_used, reason = "in tests a panic is the report")]

mod account;
mod copy;
mod finding;
mod help;
mod program;
mod run;
mod sandbox;
mod signals;
mod stub;
