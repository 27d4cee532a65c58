//! What the control plane does.
//!
//! Use cases, one a file; the reconciler that brings what was seen to what is wanted; the watch and the sweep that keep
//! learning what hosts hold. Knows no route and no status code; decides *where* and *whether*, never *how*.

mod audit;
mod bootstrap;
mod caller;
mod changes;
mod control;
mod database;
mod error;
mod login;
mod reconcile;
mod reports;
mod route;
mod sandboxes;
mod settle;
mod sweep;
mod watch;

pub use bootstrap::{Bootstrap, Secrets, bootstrap, is_bootstrapped};
pub use caller::{Actor, Caller, Scope};
pub use control::{Control, ControlConfig, HostLink, NotReady};
pub use database::{database_mark, went_back_in_time};
pub use error::ControlError;
pub use locule_domain::NewSandbox;
pub use login::Session;
pub use route::Route;
pub use sandboxes::{ListFilter, Page};
