//! A request for a file: its query, its authorization, and the user whose file it is.

use std::path::PathBuf;
use std::time::{SystemTime, UNIX_EPOCH};

use axum::http::{HeaderMap, StatusCode};
use locule_guest_api::signature::{Operation, sign};
use locule_guest_api::{ACCESS_TOKEN_HEADER, DEFAULT_USER};
use serde::Deserialize;
use subtle::ConstantTimeEq as _;

use super::blocking::blocking;
use super::error::{FileError, path_error};
use crate::identity::{Proof, SharedIdentity};
use crate::paths::{self, resolve};
use crate::users::{self, User};

#[derive(Debug, Deserialize)]
pub(crate) struct FileQuery {
    pub(super) path: Option<String>,
    username: Option<String>,
    signature: Option<String>,
    signature_expiration: Option<i64>,
}

/// Checks the token in the header, or else a signature over exactly this request: first the signature, then its age.
pub(super) fn authorize(
    identity: &SharedIdentity,
    headers: &HeaderMap,
    query: &FileQuery,
    operation: Operation,
) -> Result<(), FileError> {
    let refused = |message: &str| Err((StatusCode::UNAUTHORIZED, message.to_owned()));
    let presented = headers
        .get(ACCESS_TOKEN_HEADER)
        .map(|value| value.to_str().unwrap_or_default());
    let Some(token) = identity.access_token() else {
        return refused("the access token is missing or wrong");
    };
    if identity.prove_access_token(presented) == Proof::Valid {
        return Ok(());
    }
    let Some(signature) = &query.signature else {
        return refused(match presented {
            Some(_) => "the access token is missing or wrong",
            None => "missing signature query parameter",
        });
    };
    let (path, user) = (
        query.path.as_deref().unwrap_or_default(),
        query.username.as_deref().unwrap_or_default(),
    );
    let expected = sign(path, operation, user, &token, query.signature_expiration);
    if !bool::from(expected.as_bytes().ct_eq(signature.as_bytes())) {
        return refused("invalid signature");
    }
    #[expect(
        clippy::disallowed_methods,
        reason = "a link expires by the guest's own wall clock"
    )]
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |since| since.as_secs());
    match query.signature_expiration {
        Some(expiration) if expiration < now.cast_signed() => {
            refused("signature is already expired")
        }
        _ => Ok(()),
    }
}

/// The user whose files a request reads or writes.
#[derive(Debug, Clone)]
pub(super) struct Owner {
    pub(super) user: User,
    /// The directory that an empty path stands for.
    default: PathBuf,
}

impl Owner {
    pub(super) async fn find(
        identity: &SharedIdentity,
        query: &FileQuery,
    ) -> Result<Self, FileError> {
        let identity = identity.snapshot();
        let named = query.username.clone().filter(|name| !name.is_empty());
        let name = named
            .or(identity.default_user)
            .unwrap_or_else(|| DEFAULT_USER.to_owned());
        let unknown = (
            StatusCode::UNAUTHORIZED,
            format!("invalid username: '{name}'"),
        );
        let found = blocking(move || Ok(users::find(&name))).await;
        let user = found.ok().flatten().ok_or(unknown)?;
        let default = identity
            .default_workdir
            .unwrap_or_else(|| user.home.clone());
        Ok(Self { user, default })
    }

    /// Resolves and checks a path.
    pub(super) fn path(&self, path: &str) -> Result<PathBuf, FileError> {
        let resolved = resolve(path, &self.user.home, &self.default);
        match paths::check(&resolved) {
            Ok(()) => Ok(resolved),
            Err(error) => Err(path_error(&error, &resolved)),
        }
    }
}
