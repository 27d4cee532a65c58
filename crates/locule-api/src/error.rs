//! The body of an error response, and the closed list of error codes.

use locule_ids::{HostId, SandboxId};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::schema;

macro_rules! codes {
    ($(#[doc = $doc:literal] $name:ident = $text:literal;)*) => {
        /// Machine-readable reason of an error. Clients depend on the code and the HTTP status, never on the message.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
        #[serde(rename_all = "snake_case")]
        pub enum ErrorCode { $(#[doc = $doc] #[serde(rename = $text)] $name,)* }

        impl ErrorCode {
            /// Every code, in the order of `docs/ERRORS.md`.
            pub const ALL: &[Self] = &[$(Self::$name,)*];

            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$name => $text,)* }
            }

            #[cfg(test)]
            const DOCS: &[&str] = &[$($doc,)*];
        }
    };
}

codes! {
    /// The request cannot be read, or a value is out of its bounds.
    InvalidRequest = "invalid_request";
    /// The token from an e-mail or an invitation is unknown, expired or already used.
    InvalidToken = "invalid_token";
    /// The account is already active.
    AlreadyActivated = "already_activated";
    /// The account's last sign-in method cannot be removed.
    LastLoginMethod = "last_login_method";
    /// The credential is missing, unknown, expired or revoked.
    Unauthorized = "unauthorized";
    /// The current password, which confirms the change, is wrong.
    WrongPassword = "wrong_password";
    /// The credential does not allow the operation.
    Forbidden = "forbidden";
    /// The credential acts for no team.
    NoTeam = "no_team";
    /// The login is too old for the operation.
    RecentLoginRequired = "recent_login_required";
    /// The account is not activated yet.
    AccountNotActivated = "account_not_activated";
    /// An administrator has disabled the account.
    AccountDisabled = "account_disabled";
    /// The account that the token belongs to is no longer active.
    AccountDeactivated = "account_deactivated";
    /// Sign-up is closed on this platform.
    SignupClosed = "signup_closed";
    /// Sign-up needs an open invitation for the e-mail address.
    InvitationRequired = "invitation_required";
    /// The resource does not exist, or belongs to another team.
    NotFound = "not_found";
    /// The host was deleted. Its agent pauses the sandboxes, keeps their files and exits.
    HostDeleted = "host_deleted";
    /// The sign-in provider is not configured on this platform.
    ProviderNotFound = "provider_not_found";
    /// The program to start is not in the sandbox.
    CommandNotFound = "command_not_found";
    /// The file to start is not executable.
    CommandNotExecutable = "command_not_executable";
    /// The path exists but does not support the method.
    MethodNotAllowed = "method_not_allowed";
    /// The state of the sandbox does not allow the operation.
    InvalidState = "invalid_state";
    /// Another request changed the resource at the same time, or the resource already exists.
    Conflict = "conflict";
    /// The control plane cannot reach the host agent at its address.
    HostUnreachable = "host_unreachable";
    /// The host holds sandboxes.
    HasActiveSandboxes = "has_active_sandboxes";
    /// The e-mail address was used in another sign-up a moment ago.
    SignupCooldown = "signup_cooldown";
    /// Another account has the e-mail address.
    EmailTaken = "email_taken";
    /// The account owns a team that has other members.
    OwnsTeamWithMembers = "owns_team_with_members";
    /// The account is the last one that administers the platform.
    LastAdministrator = "last_administrator";
    /// The platform does not answer to the host name of the request.
    MisdirectedRequest = "misdirected_request";
    /// The idempotency key was used with a different request.
    IdempotencyRequestMismatch = "idempotency_request_mismatch";
    /// A request with the same idempotency key is still in progress.
    IdempotencyInProgress = "idempotency_in_progress";
    /// The body is larger than the operation accepts.
    TooLarge = "too_large";
    /// The range begins after the end of the resource.
    InvalidRange = "invalid_range";
    /// The operation does not accept the media type of the body.
    UnsupportedMediaType = "unsupported_media_type";
    /// A limit of the team or of the account is reached.
    QuotaExceeded = "quota_exceeded";
    /// Too many requests were sent. `Retry-After` says when to send the next.
    RateLimited = "rate_limited";
    /// An internal error occurred.
    InternalError = "internal_error";
    /// The platform does not have the operation yet.
    NotImplemented = "not_implemented";
    /// The host agent or the guest agent failed, or sent an invalid response.
    AgentError = "agent_error";
    /// The disk of the sandbox is full.
    DiskFull = "disk_full";
    /// The host of the sandbox cannot be reached.
    HostUnavailable = "host_unavailable";
    /// No host has enough free capacity.
    NoHostsAvailable = "no_hosts_available";
    /// The control plane is not ready.
    NotReady = "not_ready";
}

impl std::fmt::Display for ErrorCode {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Body of every error response.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ErrorBody {
    pub error: ErrorDetail,
    /// As `error.sandbox_ids`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schema(value_type = Vec<schema::SandboxId>)]
    pub sandbox_ids: Vec<SandboxId>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ErrorDetail {
    /// A documented error code. Older clients may receive a code that is newer than the client.
    #[schema(value_type = ErrorCode)]
    pub code: String,
    /// Human-readable message, which may change.
    pub message: String,
    /// With the code `has_active_sandboxes`: the sandboxes on the host.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schema(value_type = Vec<schema::SandboxId>)]
    pub sandbox_ids: Vec<SandboxId>,
    /// With the code `host_deleted`: the host.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<schema::HostId>)]
    pub host_id: Option<HostId>,
}

impl ErrorBody {
    pub fn new(code: ErrorCode, message: impl Into<String>) -> Self {
        Self {
            error: ErrorDetail {
                code: code.as_str().to_owned(),
                message: message.into(),
                sandbox_ids: Vec::new(),
                host_id: None,
            },
            sandbox_ids: Vec::new(),
        }
    }

    /// Names the sandboxes that the error is about.
    #[must_use]
    pub fn with_sandboxes(mut self, sandboxes: Vec<SandboxId>) -> Self {
        self.error.sandbox_ids.clone_from(&sandboxes);
        self.sandbox_ids = sandboxes;
        self
    }

    /// Names the host that the error is about.
    #[must_use]
    pub fn with_host(mut self, host: HostId) -> Self {
        self.error.host_id = Some(host);
        self
    }
}

#[cfg(test)]
mod tests {
    use super::ErrorCode;

    #[test]
    fn errors_md_lists_every_code_in_order_with_its_meaning() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/ERRORS.md");
        let page = std::fs::read_to_string(path).unwrap();
        let rows = || page.lines().filter_map(|line| line.strip_prefix("| `"));
        let documented: Vec<&str> = rows().filter_map(|row| row.split('`').next()).collect();
        let codes: Vec<&str> = ErrorCode::ALL.iter().map(|code| code.as_str()).collect();
        assert_eq!(documented, codes);
        for (row, doc) in rows().zip(ErrorCode::DOCS) {
            let when = row.split('|').nth(2).unwrap().trim();
            let same = doc.trim().trim_end_matches('.');
            assert!(when.starts_with(same), "{when:?} is not: {same:?}");
        }
    }

    #[test]
    fn a_code_is_serialized_as_its_text() {
        for code in ErrorCode::ALL {
            let text = serde_json::to_string(code).unwrap();
            assert_eq!(text, format!("\"{code}\""));
        }
    }
}
