//! What every refusal looks like, and the closed list of codes.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

macro_rules! codes {
    ($($(#[$doc:meta])* $name:ident = $text:literal;)*) => {
        /// Machine-readable reason of a refusal. Clients key on this and the HTTP status, never on the message.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
        #[serde(rename_all = "snake_case")]
        pub enum ErrorCode { $($(#[$doc])* #[serde(rename = $text)] $name,)* }

        impl ErrorCode {
            /// Every code there is, in the order of the documentation.
            pub const ALL: &[Self] = &[$(Self::$name,)*];

            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$name => $text,)* }
            }
        }
    };
}

codes! {
    /// The request cannot be read, or a value is out of its bounds.
    InvalidRequest = "invalid_request";
    /// The link of a mail is used, too old, or none of ours.
    InvalidToken = "invalid_token";
    /// The account is active already.
    AlreadyActivated = "already_activated";
    /// The account's only way in cannot be taken away.
    LastLoginMethod = "last_login_method";
    /// No credential, or one that is unknown, expired or revoked.
    Unauthorized = "unauthorized";
    /// The password that proves who changes it is wrong.
    WrongPassword = "wrong_password";
    /// The credential does not allow this.
    Forbidden = "forbidden";
    /// The caller acts for no team.
    NoTeam = "no_team";
    /// The account waits for its activation.
    AccountNotActivated = "account_not_activated";
    /// An administrator has shut this account out.
    AccountDisabled = "account_disabled";
    /// The account behind this token is not active any more.
    AccountDeactivated = "account_deactivated";
    /// There is no such thing, or it belongs to another team.
    NotFound = "not_found";
    /// Nobody comes in by way of this provider here.
    ProviderNotFound = "provider_not_found";
    /// The program to start is not in the sandbox.
    CommandNotFound = "command_not_found";
    /// The program to start may not be executed, or is none.
    CommandNotExecutable = "command_not_executable";
    /// The path exists, the method does not.
    MethodNotAllowed = "method_not_allowed";
    /// The sandbox is in a state in which this cannot be done.
    InvalidState = "invalid_state";
    /// Somebody else changed it meanwhile, or it exists already.
    Conflict = "conflict";
    /// Somebody has just signed up with this address.
    SignupCooldown = "signup_cooldown";
    /// Somebody has an account with this e-mail address.
    EmailTaken = "email_taken";
    /// The account owns a team that others are in.
    OwnsTeamWithMembers = "owns_team_with_members";
    /// The idempotency key was used with another request.
    IdempotencyRequestMismatch = "idempotency_request_mismatch";
    /// A request with this idempotency key is still being carried out.
    IdempotencyInProgress = "idempotency_in_progress";
    /// The body is larger than this operation takes.
    TooLarge = "too_large";
    /// The body is not of a media type this operation reads.
    UnsupportedMediaType = "unsupported_media_type";
    /// A limit of the team is used up.
    QuotaExceeded = "quota_exceeded";
    /// Too many requests; see `Retry-After`.
    RateLimited = "rate_limited";
    /// Something broke on our side.
    InternalError = "internal_error";
    /// The host agent or the guest agent failed or answered nonsense.
    AgentError = "agent_error";
    /// The disk of the sandbox is full.
    DiskFull = "disk_full";
    /// The host of the sandbox cannot be reached.
    HostUnavailable = "host_unavailable";
    /// No host has room.
    NoHostsAvailable = "no_hosts_available";
    /// The control plane cannot serve yet.
    NotReady = "not_ready";
}

impl std::fmt::Display for ErrorCode {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Body of every refusal in the native dialect.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ErrorBody {
    pub error: ErrorDetail,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ErrorDetail {
    /// One of the documented codes. Text, so that an old client can read a code that is newer than itself.
    #[schema(value_type = ErrorCode)]
    pub code: String,
    /// For people.
    pub message: String,
}

impl ErrorBody {
    pub fn new(code: ErrorCode, message: impl Into<String>) -> Self {
        Self {
            error: ErrorDetail {
                code: code.as_str().to_owned(),
                message: message.into(),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::ErrorCode;

    #[test]
    fn the_documented_codes_are_the_codes() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/ERRORS.md");
        let page = std::fs::read_to_string(path).unwrap();
        let documented: Vec<&str> = page
            .lines()
            .filter_map(|line| line.strip_prefix("| `")?.split('`').next())
            .collect();
        let codes: Vec<&str> = ErrorCode::ALL.iter().map(|code| code.as_str()).collect();
        assert_eq!(documented, codes);
    }

    #[test]
    fn a_code_reads_as_it_is_written() {
        for code in ErrorCode::ALL {
            let text = serde_json::to_string(code).unwrap();
            assert_eq!(text, format!("\"{code}\""));
        }
    }
}
