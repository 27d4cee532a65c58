//! What the control plane does: the use cases, the reconciler and the background tasks. It knows no route and no status code; it
//! decides *where* and *whether*, never *how*.
//!
//! | folder | holds |
//! |---|---|
//! | `sandboxes/` | [`Sandboxes`]: one use case a file, quota, routes |
//! | `reconcile/` | how a sandbox's row and its host come to agree: `reconcile`, the sweep, reports of hosts |
//! | `accounts/` | [`Accounts`]: sign-up, login, OAuth, one's own account, administration, e-mail |
//! | `teams/` | teams, members, invitations and API keys |
//! | `hosts/` | [`Hosts`]: registration, credentials and heartbeats of hosts, and the links to them |
//! | `audit/` | the audit log |
//! | `background/` | periodic jobs, and the jobs that a change leaves behind |
//! | `events` | tells the streams of a team what changes in it |
//! | `host_certificates` | the CA of the hosts, and the certificates of the control plane towards hosts |
//! | `revocation` | ends the connections of callers that lost their right |

mod accounts;
mod audit;
mod authority;
mod background;
mod bootstrap;
mod caller;
mod control_plane;
mod core;
mod cursor;
mod error;
mod events;
mod guarded;
mod host_certificates;
mod hosts;
mod overview;
mod rate;
mod reconcile;
mod revocation;
mod sandboxes;
mod secrets;
mod teams;
mod tokens;
mod turns;
mod uses;

pub use accounts::added::{Added, AddedProvider};
pub use accounts::admin::{ListedTeam, ListedUser, OwnLimits, PER_PAGE};
pub use accounts::attempts::LoginOrigin;
pub use accounts::authenticate::{Credential, Session};
pub use accounts::error::AccountError;
pub use accounts::github::{GITHUB, GITHUB_TIMEOUT, Github, GithubConfig, GithubSetupError};
pub use accounts::limit::{Limited, PeopleLimits, Rates};
pub use accounts::mail::{MailConfig, MailSetupError, Mailer};
pub use accounts::me::Me;
pub use accounts::oauth::state::STATE_SECONDS;
pub use accounts::oauth::{OauthCallback, OauthOutcome, OauthRefusal, OauthStart};
pub use accounts::search::FoundUser;
pub use accounts::sessions::{ListedSession, OwnSession};
pub use accounts::sign_in_options::SignInOptions;
pub use accounts::sign_up::SignedUp;
pub use accounts::{Accounts, AccountsConfig};
pub use audit::list::{AuditEntries, AuditEntry, AuditFilter};
pub use background::periodic::{Pass, PeriodicTask};
pub use bootstrap::{LocalHost, bootstrap, new_password, prepare};
pub use caller::{Actor, Caller, Identity, Membership, Person};
pub use control_plane::{ControlConfig, ControlPlane};
pub use error::CommonError;
pub use events::{Events, Following, TeamEvent};
pub use guarded::Cut;
pub use host_certificates::{
    BadCsr, HostCa, HostCaError, HostCertificates, HostCertificatesError, IssueError,
    IssuedHostCertificate,
};
pub use hosts::error::HostError;
pub use hosts::links::{Dial, HostLink, HostLinks};
pub use hosts::quarantine::QuarantinedSandbox;
pub use hosts::{
    CertifiedHost, DeletePreview, Heartbeat, HeldSandboxes, HostCredentials, HostIdentity,
    HostImage, HostImages, HostTemplate, HostWithToken, Hosts, HostsConfig, ListedHost, NewHost,
    NewRegistration,
};
pub use locule_agent_api::{Holder, HolderKind, Purpose};
pub use locule_domain::{
    Drain, HostAddress, HostKind, HostState, Invalid, Need, NewSandbox, Role, SchedulerKind, Scope,
    SignupPolicy,
};
pub use locule_images::{BadBundle, Image, ImageKind};
pub use locule_store::hosts::{Host, Load, Machine};
pub use locule_store::sandbox_callers::Grant;
pub use locule_store::sandboxes::{Author, AuthorId, AuthorKind, HostSandbox};
pub use overview::{Overview, overview};
pub use rate::Rate;
pub use reconcile::database::{database_mark, is_older_than_host};
pub use reconcile::quarantine::quarantined;
pub use sandboxes::access::{Route, SandboxAccess};
pub use sandboxes::clock::{Clock, Idle};
pub use sandboxes::describe::Described;
pub use sandboxes::error::SandboxError;
pub use sandboxes::limits::TeamLimits;
pub use sandboxes::list::{DescribedPage, ListFilter, Page};
pub use sandboxes::port_links::{PortCookie, PortLink};
pub use sandboxes::route::RouteError;
pub use sandboxes::tokens::ClientTokens;
pub use sandboxes::{NotReady, Sandboxes, SandboxesConfig, require_state};
pub use teams::api_keys::{ApiKey, NewApiKey};
pub use teams::created::{Created, CreatedSandboxes};
pub use teams::invitations::Invited;
pub use teams::{Invitation, Member, Members, Team};
