//! What the control plane does.
//!
//! Use cases, one a file; the reconciler that brings what was seen to what is wanted; the watch and the sweep that keep
//! learning what hosts hold. Knows no route and no status code; decides *where* and *whether*, never *how*.

mod accounts;
mod admin;
mod api_keys;
mod audit;
mod authenticate;
mod background;
mod bootstrap;
mod caller;
mod changes;
mod control_plane;
mod core;
mod cursor;
mod database;
mod error;
mod github;
mod hosts;
mod jobs;
mod letters;
mod locks;
mod mail;
mod passwords;
mod quota;
mod rate;
mod reconcile;
mod reports;
mod retention;
mod route;
mod sandboxes;
mod secrets;
mod settle;
mod sweep;
mod teams;
mod trail;
mod watch;

pub use accounts::limit::{Limited, Rates};
pub use accounts::me::Me;
pub use accounts::oauth::state::STATE_SECONDS;
pub use accounts::oauth::{Finished, OauthRefusal, Returned, SentAway};
pub use accounts::sign_up::SignedUp;
pub use accounts::{Accounts, AccountsConfig};
pub use admin::{ListedTeam, ListedUser, OwnLimits, PER_PAGE};
pub use api_keys::{ApiKey, NewApiKey};
pub use authenticate::{Credential, Session};
pub use bootstrap::{bootstrap, new_password};
pub use caller::{Actor, Caller, Identity, Membership, Person};
pub use control_plane::{ControlConfig, ControlPlane};
pub use database::{database_mark, went_back_in_time};
pub use error::ControlError;
pub use github::{GITHUB, GITHUB_TIMEOUT, Github, GithubConfig, GithubSetupError};
pub use hosts::HostLink;
pub use locule_domain::{Need, NewSandbox, Role, Scope};
pub use mail::{MailConfig, MailSetupError, Mailer};
pub use rate::Rate;
pub use route::Route;
pub use sandboxes::list::{ListFilter, Page};
pub use sandboxes::{NotReady, Sandboxes, SandboxesConfig};
pub use teams::{Member, Team};
pub use trail::{AuditEntry, TrailFilter, TrailPage};
