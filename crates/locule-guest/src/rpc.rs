//! Shared by both RPC services: the user that a request names, keepalives, and work that blocks.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use locule_guest_api::rpc::{ConnectError, RequestContext};
use locule_guest_api::{DEFAULT_USER, KEEPALIVE_DEFAULT, KEEPALIVE_HEADER};

use crate::users::{self, User};

/// The user that a request names by Basic authentication.
pub(crate) fn caller_name(ctx: &RequestContext) -> Option<String> {
    let encoded = ctx
        .header("authorization")?
        .to_str()
        .ok()?
        .strip_prefix("Basic ")?;
    let text = String::from_utf8(STANDARD.decode(encoded.trim()).ok()?).ok()?;
    let name = text.split(':').next().unwrap_or_default();
    (!name.is_empty()).then(|| name.to_owned())
}

/// The named user, or else the sandbox's default user. Blocks: it reads a file.
pub(crate) fn find_user(named: Option<&str>, default: Option<&str>) -> Result<User, ConnectError> {
    let name = named.or(default).unwrap_or(DEFAULT_USER);
    users::find(name)
        .ok_or_else(|| ConnectError::unauthenticated(format!("invalid username: '{name}'")))
}

/// After how much silence a stream sends a keepalive.
pub(crate) fn keepalive_interval(ctx: &RequestContext) -> Duration {
    let requested = ctx
        .header(KEEPALIVE_HEADER)
        .and_then(|value| value.to_str().ok()?.parse().ok());
    requested
        .filter(|seconds| *seconds > 0)
        .map_or(KEEPALIVE_DEFAULT, |seconds: u32| {
            Duration::from_secs(u64::from(seconds))
        })
}

/// Runs a file operation on a blocking thread: it may block for long, even for ever.
pub(crate) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, ConnectError> + Send + 'static,
) -> Result<T, ConnectError> {
    match tokio::task::spawn_blocking(work).await {
        Ok(result) => result,
        Err(_) => Err(ConnectError::internal("the file operation failed")),
    }
}
