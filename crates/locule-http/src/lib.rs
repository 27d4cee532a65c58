//! The HTTP interface of the control plane: routes, credentials, error mapping and the OpenAPI document.
//!
//! ```text
//! listener ── host check ── gateway ──► sandbox port   (E2b-Sandbox-Id, or Host <port>-<id>.<domain>)
//!             (names)          └──────► router ──► /v1/…        native dialect
//!                                              └─► /sandboxes…  E2B dialect
//! ```
//!
//! A handler extracts its parameters, calls one use case of `locule-control` or one byte path of `locule-edge`, and responds.
//! This crate has no rules about sandboxes and no SQL. Status codes are in [`error`], and success codes beside their handlers.

mod address;
mod admin;
mod api_keys;
mod audit;
mod auth;
mod body;
mod caller;
mod connection;
mod cookies;
mod cross_origin;
mod dashboard;
mod destination;
mod dialect;
mod docs;
mod e2b;
pub mod error;
mod events;
mod exec;
mod extract;
mod files;
mod gateway;
mod health;
mod hosts;
mod info;
mod me;
mod memory;
mod multipart;
mod names;
mod need;
mod oauth;
mod ports;
mod processes;
mod pty;
mod router;
mod running;
mod sandboxes;
mod segments;
mod serve;
mod sessions;
mod spec;
mod state;
mod teams;
mod times;

pub use hosts::listener::serve_hosts;
pub use names::{NameError, Names, Origin, SandboxDomain};
pub use need::Need;
pub use router::router;
pub use serve::{ListenerLimits, serve, serve_within};
pub use spec::{document, needs};
pub use state::{AppState, HttpConfig};
