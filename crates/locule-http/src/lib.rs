//! How the control plane is reached: routes, credentials, error mapping and the OpenAPI document.
//!
//! ```text
//! listener ── gateway ──► sandbox port   (E2b-Sandbox-Id, or Host <port>-<id>.…)
//!                └──────► router ──► /v1/…        native dialect
//!                                └─► /sandboxes…  E2B dialect
//! ```
//!
//! A handler extracts, calls one use case of `locule-control` or one byte path of `locule-edge`, and answers. Rules about
//! sandboxes are not here, and no SQL. The only places that know a status code are [`error`] and the success codes beside
//! their handlers.

mod admin;
mod api_keys;
mod audit;
mod auth;
mod caller;
mod cookies;
mod docs;
mod e2b;
pub mod error;
mod exec;
mod extract;
mod files;
mod gateway;
mod health;
mod me;
mod multipart;
mod oauth;
mod processes;
mod router;
mod running;
mod sandboxes;
mod serve;
mod spec;
mod state;
mod teams;
mod views;

pub use router::router;
pub use serve::{ListenerLimits, serve, serve_within};
pub use spec::document;
pub use state::{AppState, HttpConfig};
