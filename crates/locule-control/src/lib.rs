//! What the control plane does.
//!
//! Use cases, one a file; the reconciler that brings what was seen to what is wanted; the watch and the sweep that keep
//! learning what hosts hold. Knows no route and no status code; decides *where* and *whether*, never *how*.

mod accounts;
mod admin;
mod api_keys;
mod audit;
mod authenticate;
mod bootstrap;
mod caller;
mod changes;
mod control;
mod cursor;
mod database;
mod error;
mod github;
mod jobs;
mod mail;
mod passwords;
mod quota;
mod rate;
mod reconcile;
mod reports;
mod retention;
mod route;
mod sandboxes;
mod settle;
mod sweep;
mod teams;
mod trail;
mod watch;

pub use accounts::{Finished, Me, OauthRefusal, Returned, STATE_SECONDS, SentAway, SignedUp};
pub use admin::{ListedTeam, ListedUser, OwnLimits, PER_PAGE};
pub use api_keys::{ApiKey, NewApiKey};
pub use authenticate::{Credential, Session};
pub use bootstrap::{bootstrap, new_password};
pub use caller::{Actor, Caller, Identity, Membership, Person};
pub use control::{Control, ControlConfig, HostLink, NotReady};
pub use database::{database_mark, went_back_in_time};
pub use error::ControlError;
pub use github::{GITHUB, GITHUB_TIMEOUT, Github, GithubConfig, GithubSetupError};
pub use locule_domain::{Need, NewSandbox, Role, Scope};
pub use mail::{MailConfig, MailSetupError, Mailer};
pub use rate::{Limited, Rate, Rates};
pub use route::Route;
pub use sandboxes::{ListFilter, Page};
pub use teams::{Member, Team};
pub use trail::{AuditEntry, TrailFilter, TrailPage};
