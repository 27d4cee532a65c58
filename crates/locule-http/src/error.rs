//! The one place that maps errors to statuses, and the one place that logs a failed request.

use std::error::Error;

use axum::Json;
use axum::extract::multipart::{MultipartError, MultipartRejection};
use axum::extract::rejection::{BytesRejection, JsonRejection, PathRejection, QueryRejection};
use axum::response::{IntoResponse, Response};
use http::{HeaderName, HeaderValue, StatusCode, header};
use locule_api::{ErrorBody, ErrorCode};
use locule_base::errors::chain;
use locule_control::{AccountError, CommonError, HostError, SandboxError};
use locule_edge::GuestError;

/// Header that asks the SDKs not to send the same request again.
pub(crate) const SHOULD_RETRY: HeaderName = HeaderName::from_static("should-retry");

/// When a request that met a limit of what is in progress may succeed.
const BUSY_RETRY_SEC: u64 = 5;

/// The error of a handler.
#[derive(Debug)]
pub(crate) enum ApiError {
    Common(CommonError),
    Sandbox(SandboxError),
    Account(AccountError),
    Host(HostError),
    Guest(GuestError),
    /// A limit of what is in progress at a time is reached.
    Busy {
        code: ErrorCode,
        message: &'static str,
    },
    /// The request itself is at fault.
    Request {
        status: StatusCode,
        code: ErrorCode,
        message: String,
    },
}

/// The code and message of an error response, from which `e2b::error` builds the response of the E2B dialect.
#[derive(Debug, Clone)]
pub(crate) struct ErrorReply {
    pub(crate) code: ErrorCode,
    pub(crate) message: String,
}

impl ApiError {
    pub(crate) fn invalid(message: impl Into<String>) -> Self {
        Self::Request {
            status: StatusCode::BAD_REQUEST,
            code: ErrorCode::InvalidRequest,
            message: message.into(),
        }
    }

    pub(crate) fn too_slow() -> Self {
        Self::Request {
            status: StatusCode::REQUEST_TIMEOUT,
            code: ErrorCode::InvalidRequest,
            message: "the body took longer than 30 seconds to arrive; send the request again"
                .to_owned(),
        }
    }

    pub(crate) fn too_slow_upload() -> Self {
        Self::Request {
            status: StatusCode::REQUEST_TIMEOUT,
            code: ErrorCode::InvalidRequest,
            message: "the upload brought less than 10 KiB in 10 seconds; send it again".to_owned(),
        }
    }

    pub(crate) fn too_many_requests() -> Self {
        Self::Busy {
            code: ErrorCode::RateLimited,
            message: "too many requests are in progress; wait until one of them has ended",
        }
    }

    pub(crate) fn too_large(message: impl Into<String>) -> Self {
        Self::Request {
            status: StatusCode::PAYLOAD_TOO_LARGE,
            code: ErrorCode::TooLarge,
            message: message.into(),
        }
    }

    pub(crate) fn unauthorized() -> Self {
        Self::Request {
            status: StatusCode::UNAUTHORIZED,
            code: ErrorCode::Unauthorized,
            message: "the request has no valid credential; send an API key in X-API-Key, or a token in Authorization: Bearer".to_owned(),
        }
    }

    pub(crate) fn unauthorized_host() -> Self {
        Self::Host(HostError::BadToken)
    }

    /// The caller lost its right while the request was under way.
    pub(crate) fn revoked() -> Self {
        Self::Guest(GuestError::Revoked)
    }

    pub(crate) fn internal(cause: impl Error + Send + Sync + 'static) -> Self {
        Self::Common(CommonError::Internal(Box::new(cause)))
    }

    pub(crate) fn not_found(what: &str) -> Self {
        Self::Request {
            status: StatusCode::NOT_FOUND,
            code: ErrorCode::NotFound,
            message: format!("{what} not found"),
        }
    }

    /// A rejection of axum, with its text.
    fn rejected(status: StatusCode, text: String) -> Self {
        let (status, code) = match status {
            StatusCode::PAYLOAD_TOO_LARGE => (status, ErrorCode::TooLarge),
            StatusCode::UNSUPPORTED_MEDIA_TYPE => (status, ErrorCode::UnsupportedMediaType),
            // A JSON body of the wrong shape has the same status as a body that is not JSON.
            _ => (StatusCode::BAD_REQUEST, ErrorCode::InvalidRequest),
        };
        Self::Request {
            status,
            code,
            message: text,
        }
    }

    pub(crate) fn status_and_code(&self) -> (StatusCode, ErrorCode) {
        match self {
            Self::Common(error) => common_status(error),
            Self::Sandbox(error) => sandbox_status(error),
            Self::Account(error) => account_status(error),
            Self::Host(error) => host_status(error),
            Self::Guest(error) => guest_status(error),
            Self::Busy { code, .. } => (busy_status(*code), *code),
            Self::Request { status, code, .. } => (*status, *code),
        }
    }

    /// The message for the client. The causes of internal errors are logged, never sent.
    pub(crate) fn message(&self) -> String {
        match self {
            Self::Common(error) => error.to_string(),
            Self::Sandbox(error) => error.to_string(),
            Self::Account(error) => error.to_string(),
            Self::Host(error) => error.to_string(),
            Self::Guest(error) => error.to_string(),
            Self::Busy { message, .. } => (*message).to_owned(),
            Self::Request { message, .. } => message.clone(),
        }
    }

    /// Logs server errors. The level `error` is for what an operator must look at: an unreachable host or a full disk of a
    /// sandbox is a warning.
    fn log(&self, status: StatusCode, code: ErrorCode) {
        let Some(cause) = self.cause().filter(|_| status.is_server_error()) else {
            return;
        };
        let error = chain(cause);
        if status == StatusCode::INTERNAL_SERVER_ERROR {
            tracing::error!(error, code = code.as_str(), "an HTTP request failed");
        } else {
            tracing::warn!(error, code = code.as_str(), "an HTTP request failed");
        }
    }

    /// The seconds of the `Retry-After` header.
    fn retry_after(&self) -> Option<u64> {
        match self {
            Self::Common(error)
            | Self::Sandbox(SandboxError::Common(error))
            | Self::Account(AccountError::Common(error))
            | Self::Host(
                HostError::Common(error) | HostError::Denied(AccountError::Common(error)),
            ) => match error {
                CommonError::RateLimited { retry_after_sec } => Some(*retry_after_sec),
                CommonError::Invalid(_)
                | CommonError::NotFound { .. }
                | CommonError::Conflict { .. }
                | CommonError::NoTeam
                | CommonError::Unavailable(_)
                | CommonError::Internal(_) => None,
            },
            Self::Busy { .. } => Some(BUSY_RETRY_SEC),
            Self::Sandbox(_)
            | Self::Account(_)
            | Self::Host(_)
            | Self::Guest(_)
            | Self::Request { .. } => None,
        }
    }

    fn cause(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Common(error) => Some(error),
            Self::Sandbox(error) => Some(error),
            Self::Account(error) => Some(error),
            Self::Host(error) => Some(error),
            Self::Guest(error) => Some(error),
            Self::Busy { .. } | Self::Request { .. } => None,
        }
    }
}

/// A limit of one team or address is the client's; a limit of all is the server's.
fn busy_status(code: ErrorCode) -> StatusCode {
    if code == ErrorCode::RateLimited {
        StatusCode::TOO_MANY_REQUESTS
    } else {
        StatusCode::SERVICE_UNAVAILABLE
    }
}

fn common_status(error: &CommonError) -> (StatusCode, ErrorCode) {
    match error {
        CommonError::Invalid(_) => (StatusCode::BAD_REQUEST, ErrorCode::InvalidRequest),
        CommonError::NotFound { .. } => (StatusCode::NOT_FOUND, ErrorCode::NotFound),
        CommonError::Conflict { .. } => (StatusCode::CONFLICT, ErrorCode::Conflict),
        CommonError::NoTeam => (StatusCode::FORBIDDEN, ErrorCode::NoTeam),
        CommonError::RateLimited { .. } => (StatusCode::TOO_MANY_REQUESTS, ErrorCode::RateLimited),
        CommonError::Unavailable(_) => (StatusCode::SERVICE_UNAVAILABLE, ErrorCode::NotReady),
        CommonError::Internal(_) => (StatusCode::INTERNAL_SERVER_ERROR, ErrorCode::InternalError),
    }
}

fn sandbox_status(error: &SandboxError) -> (StatusCode, ErrorCode) {
    match error {
        SandboxError::Common(error) => common_status(error),
        SandboxError::Denied(error) => account_status(error),
        SandboxError::QuotaExceeded(_) => (StatusCode::TOO_MANY_REQUESTS, ErrorCode::QuotaExceeded),
        SandboxError::InvalidState { .. } => (StatusCode::CONFLICT, ErrorCode::InvalidState),
        SandboxError::IdempotencyMismatch => (
            StatusCode::UNPROCESSABLE_ENTITY,
            ErrorCode::IdempotencyRequestMismatch,
        ),
        SandboxError::IdempotencyInProgress => {
            (StatusCode::CONFLICT, ErrorCode::IdempotencyInProgress)
        }
        SandboxError::NoCapacity | SandboxError::HostDrained => {
            (StatusCode::SERVICE_UNAVAILABLE, ErrorCode::NoHostsAvailable)
        }
        SandboxError::HostUnavailable(_) => {
            (StatusCode::SERVICE_UNAVAILABLE, ErrorCode::HostUnavailable)
        }
        SandboxError::AgentFailed(_) => (StatusCode::BAD_GATEWAY, ErrorCode::AgentError),
    }
}

fn account_status(error: &AccountError) -> (StatusCode, ErrorCode) {
    match error {
        AccountError::Common(error) => common_status(error),
        AccountError::Unauthorized => (StatusCode::UNAUTHORIZED, ErrorCode::Unauthorized),
        AccountError::WrongPassword => (StatusCode::UNAUTHORIZED, ErrorCode::WrongPassword),
        AccountError::RecentLoginRequired => {
            (StatusCode::FORBIDDEN, ErrorCode::RecentLoginRequired)
        }
        AccountError::LimitReached { .. } => {
            (StatusCode::TOO_MANY_REQUESTS, ErrorCode::QuotaExceeded)
        }
        AccountError::AccountNotActivated => {
            (StatusCode::FORBIDDEN, ErrorCode::AccountNotActivated)
        }
        AccountError::AccountDisabled => (StatusCode::FORBIDDEN, ErrorCode::AccountDisabled),
        AccountError::AccountDeactivated => (StatusCode::FORBIDDEN, ErrorCode::AccountDeactivated),
        AccountError::InvalidToken => (StatusCode::BAD_REQUEST, ErrorCode::InvalidToken),
        AccountError::AlreadyActivated => (StatusCode::BAD_REQUEST, ErrorCode::AlreadyActivated),
        AccountError::LastLoginMethod => (StatusCode::BAD_REQUEST, ErrorCode::LastLoginMethod),
        AccountError::SignupCooldown => (StatusCode::CONFLICT, ErrorCode::SignupCooldown),
        AccountError::EmailTaken => (StatusCode::CONFLICT, ErrorCode::EmailTaken),
        AccountError::SignupClosed => (StatusCode::FORBIDDEN, ErrorCode::SignupClosed),
        AccountError::InvitationRequired => (StatusCode::FORBIDDEN, ErrorCode::InvitationRequired),
        AccountError::LastAdministrator => (StatusCode::CONFLICT, ErrorCode::LastAdministrator),
        AccountError::OwnsTeamWithMembers => (StatusCode::CONFLICT, ErrorCode::OwnsTeamWithMembers),
        AccountError::Forbidden { .. } => (StatusCode::FORBIDDEN, ErrorCode::Forbidden),
        AccountError::ProviderNotFound => (StatusCode::NOT_FOUND, ErrorCode::ProviderNotFound),
    }
}

fn host_status(error: &HostError) -> (StatusCode, ErrorCode) {
    match error {
        HostError::Common(error) => common_status(error),
        HostError::Denied(error) => account_status(error),
        HostError::Sandbox(error) => sandbox_status(error),
        HostError::BadToken => (StatusCode::UNAUTHORIZED, ErrorCode::Unauthorized),
        HostError::WrongHost => (StatusCode::FORBIDDEN, ErrorCode::Forbidden),
        HostError::Deleted(_) => (StatusCode::NOT_FOUND, ErrorCode::HostDeleted),
        HostError::HasSandboxes(_) => (StatusCode::CONFLICT, ErrorCode::HasActiveSandboxes),
        HostError::NotPending(_) => (StatusCode::CONFLICT, ErrorCode::InvalidState),
        HostError::Unreachable { .. } => (StatusCode::CONFLICT, ErrorCode::HostUnreachable),
    }
}

fn guest_status(error: &GuestError) -> (StatusCode, ErrorCode) {
    match error {
        GuestError::NotFound(_) => (StatusCode::NOT_FOUND, ErrorCode::NotFound),
        GuestError::Invalid(_) => (StatusCode::BAD_REQUEST, ErrorCode::InvalidRequest),
        GuestError::CommandNotFound(_) => (StatusCode::BAD_REQUEST, ErrorCode::CommandNotFound),
        GuestError::CommandNotExecutable(_) => {
            (StatusCode::BAD_REQUEST, ErrorCode::CommandNotExecutable)
        }
        GuestError::Conflict(_) => (StatusCode::CONFLICT, ErrorCode::Conflict),
        GuestError::Forbidden(_) => (StatusCode::FORBIDDEN, ErrorCode::Forbidden),
        GuestError::Gone => (StatusCode::CONFLICT, ErrorCode::InvalidState),
        GuestError::Revoked => (StatusCode::UNAUTHORIZED, ErrorCode::Unauthorized),
        GuestError::HostUnavailable(_) => {
            (StatusCode::SERVICE_UNAVAILABLE, ErrorCode::HostUnavailable)
        }
        GuestError::DiskFull => (StatusCode::INSUFFICIENT_STORAGE, ErrorCode::DiskFull),
        GuestError::Exhausted(_) | GuestError::TimedOut | GuestError::Failed(_) => {
            (StatusCode::BAD_GATEWAY, ErrorCode::AgentError)
        }
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let (status, code) = self.status_and_code();
        let message = self.message();
        self.log(status, code);
        let retry_after = self.retry_after();
        let mut body = ErrorBody::new(code, message.clone());
        if let Self::Host(HostError::HasSandboxes(sandboxes)) = &self {
            body = body.with_sandboxes(sandboxes.clone());
        }
        if let Self::Host(HostError::Deleted(host)) = &self {
            body = body.with_host(*host);
        }
        let mut response = (status, Json(body)).into_response();
        if code == ErrorCode::QuotaExceeded {
            let never = HeaderValue::from_static("false");
            response.headers_mut().insert(SHOULD_RETRY, never);
        }
        if let Some(seconds) = retry_after {
            response
                .headers_mut()
                .insert(header::RETRY_AFTER, seconds.into());
        }
        response
            .extensions_mut()
            .insert(ErrorReply { code, message });
        response
    }
}

impl From<CommonError> for ApiError {
    fn from(error: CommonError) -> Self {
        Self::Common(error)
    }
}

impl From<SandboxError> for ApiError {
    fn from(error: SandboxError) -> Self {
        Self::Sandbox(error)
    }
}

impl From<AccountError> for ApiError {
    fn from(error: AccountError) -> Self {
        Self::Account(error)
    }
}

impl From<HostError> for ApiError {
    fn from(error: HostError) -> Self {
        Self::Host(error)
    }
}

impl From<GuestError> for ApiError {
    fn from(error: GuestError) -> Self {
        Self::Guest(error)
    }
}

macro_rules! from_rejections {
    ($($rejection:ty),*) => { $(
        impl From<$rejection> for ApiError {
            fn from(rejection: $rejection) -> Self {
                Self::rejected(rejection.status(), rejection.body_text())
            }
        }
    )* };
}

from_rejections!(
    BytesRejection,
    JsonRejection,
    PathRejection,
    QueryRejection,
    MultipartRejection,
    MultipartError
);
