//! Requests, responses and error codes of the public API: data only.
//!
//! The native dialect (`/v1/…`, snake case) is at the top level; the E2B dialect (camel case) is in [`e2b`]. This crate
//! validates nothing: the control plane has the rules, the HTTP layer the statuses. Unknown fields are ignored on both sides,
//! so that old and new programs can exchange messages.

pub mod admin;
pub mod audit;
pub mod auth;
pub mod e2b;
pub mod error;
pub mod events;
pub mod exec;
pub mod files;
pub mod hosts;
pub mod info;
mod object;
pub mod ports;
pub mod processes;
pub mod sandboxes;
pub mod schema;
pub mod stream;
pub mod teams;
pub mod terminal;

pub use admin::{
    AdminSandbox, AdminTask, AdminTaskList, AdminTeam, AdminTeamPage, AdminUser, AdminUserPage,
    SandboxTeam, SetActiveRequest, SetByocRequest, SetQuotaRequest, TeamQuota,
};
pub use audit::{AuditEntry, AuditPage};
pub use auth::{
    ActivateRequest, AddedApiKey, AddedProvider, AuthResponse, ChangePasswordRequest,
    ConnectProviderResponse, DeleteMeRequest, ForgotPasswordRequest, FoundUser, LoginRequest,
    LoginSession, LoginSessionList, Me, PasswordResponse, RenameMeRequest, ResetPasswordRequest,
    SignupRequest, SignupResponse, SwitchTeamRequest,
};
pub use error::{ErrorBody, ErrorCode, ErrorDetail};
pub use events::{AuditEvent, NoData, SandboxEvent, TeamEvent};
pub use exec::{Encoding, ExecRequest, ExecResult, ExecStarted};
pub use files::{
    FileEntry, FileEntryKind, FileEntryResponse, FileList, FileOperation, ListFilesRequest,
    MoveFileRequest, PathRequest, SignFileRequest, SignedAddress,
};
pub use hosts::{
    AddHostTagRequest, CreateHostRequest, CreatedHost, DrainHostRequest, DrainedHost,
    HOST_TOKEN_HEADER, Host, HostCredentials, HostDeletePreview, HostDrain, HostHeartbeat,
    HostImage, HostImageKind, HostSandbox, HostStatus, HostTemplate, HostType,
    ImportSandboxRequest, QuarantinedSandbox, RefreshHostRequest, RegisterHostRequest,
    UpdateHostRequest,
};
pub use info::{PlatformInfo, SignUp};
pub use object::Object;
pub use ports::{ListeningPort, PortLink, PortList};
pub use processes::{Process, ProcessList};
pub use sandboxes::{
    Actor, ActorKind, CreateSandboxRequest, DesiredStatus, Holder, HolderKind, IdleClock, LimitUse,
    NewExpiry, OnTimeout, Sandbox, SandboxClock, SandboxLimits, SandboxOrigin, SandboxStatus,
    TeamLimits, UpdateSandboxRequest,
};
pub use stream::{ClientMessage, OnDisconnect, ServerMessage, SignalName, StartMessage};
pub use teams::{
    AddMemberRequest, ApiKey, CreateApiKeyRequest, CreatedSandbox, CreatedSandboxes, KeyScope,
    Member, MemberStatus, Role, SetRoleRequest, Team, TeamDetail, TeamNameRequest, TeamWithRole,
};
pub use terminal::{PtyClientMessage, PtyConnect, PtyServerMessage, PtyStart};

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Response of `GET /health` when sandboxes can be created.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct Health {
    /// Always `ok`.
    pub status: String,
    pub version: String,
}
