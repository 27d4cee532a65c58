//! `/files`: whole files in and out, streamed both ways, never held whole. Here: who may, and which file is meant.

mod download;
mod encoding;
pub(crate) mod metadata;
mod rest;
mod upload;

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, Request, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use locule_guest_api::signature::{Operation, sign};
use locule_guest_api::{ACCESS_TOKEN_HEADER, DEFAULT_USER};
use serde::Deserialize;
use subtle::ConstantTimeEq as _;

use crate::agent::Guest;
use crate::identity::Proof;
use crate::paths::{self, resolve};
use crate::server::refuse;
use crate::users::{self, User};

#[derive(Debug, Deserialize)]
pub(crate) struct FileQuery {
    path: Option<String>,
    username: Option<String>,
    signature: Option<String>,
    signature_expiration: Option<i64>,
}

/// A refusal in the making: status and words.
type Refusal = (StatusCode, String);

#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "the library's enum may grow"
)]
fn io_refusal(error: &io::Error, path: &Path) -> Refusal {
    let shown = path.display();
    match error.kind() {
        io::ErrorKind::NotFound => (
            StatusCode::NOT_FOUND,
            format!("path '{shown}' does not exist"),
        ),
        io::ErrorKind::IsADirectory => (
            StatusCode::BAD_REQUEST,
            format!("path '{shown}' is a directory"),
        ),
        io::ErrorKind::NotADirectory => (
            StatusCode::BAD_REQUEST,
            format!("path '{shown}' leads through a file"),
        ),
        io::ErrorKind::InvalidInput | io::ErrorKind::InvalidFilename => (
            StatusCode::BAD_REQUEST,
            format!("path '{shown}' is not that of a regular file"),
        ),
        io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => (
            StatusCode::FORBIDDEN,
            format!("path '{shown}' may not be used so"),
        ),
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded | io::ErrorKind::FileTooLarge => {
            (
                StatusCode::INSUFFICIENT_STORAGE,
                "not enough disk space".to_owned(),
            )
        }
        _ => (
            StatusCode::INTERNAL_SERVER_ERROR,
            format!("path '{shown}': {error}"),
        ),
    }
}

/// The token in the header, or a signature over exactly this request. Signature first, then its age.
fn authorize(
    guest: &Guest,
    headers: &HeaderMap,
    query: &FileQuery,
    operation: Operation,
) -> Result<(), Refusal> {
    let refused = |message: &str| Err((StatusCode::UNAUTHORIZED, message.to_owned()));
    let shown = headers
        .get(ACCESS_TOKEN_HEADER)
        .map(|value| value.to_str().unwrap_or_default());
    let Some(token) = guest.identity.access_token() else {
        return refused("access token is missing or wrong");
    };
    if guest.identity.prove_access_token(shown) == Proof::Valid {
        return Ok(());
    }
    let Some(signature) = &query.signature else {
        return refused(match shown {
            Some(_) => "access token is missing or wrong",
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
        reason = "the guest's own wall clock is what a link's age is measured by"
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

/// Whose files a request means.
#[derive(Debug, Clone)]
struct Owner {
    user: User,
    /// Where an empty path leads.
    default: PathBuf,
}

impl Owner {
    async fn find(guest: &Guest, query: &FileQuery) -> Result<Self, Refusal> {
        let identity = guest.identity.snapshot();
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

    /// The file that a path means, if that can be one.
    fn path(&self, path: &str) -> Result<PathBuf, Refusal> {
        let resolved = resolve(path, &self.user, &self.default);
        match paths::check(&resolved) {
            Ok(()) => Ok(resolved),
            Err(error) => Err(io_refusal(&error, &resolved)),
        }
    }
}

/// File operations block, some for ever: they run beside the async workers.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> io::Result<T> {
    let failed = |_| Err(io::Error::other("the file operation failed"));
    tokio::task::spawn_blocking(work)
        .await
        .unwrap_or_else(failed)
}

type Asked = Result<Query<FileQuery>, QueryRejection>;

fn asked(query: Asked) -> Result<FileQuery, Refusal> {
    query
        .map(|Query(query)| query)
        .map_err(|error| (StatusCode::BAD_REQUEST, error.body_text()))
}

pub(crate) async fn download(
    State(guest): State<Arc<Guest>>,
    query: Asked,
    headers: HeaderMap,
) -> Response {
    let answer = async {
        let query = asked(query)?;
        authorize(&guest, &headers, &query, Operation::Read)?;
        let owner = Owner::find(&guest, &query).await?;
        let path = owner.path(query.path.as_deref().unwrap_or_default())?;
        download::send(&path, &headers).await
    };
    answer
        .await
        .unwrap_or_else(|(status, message)| refuse(status, message))
}

pub(crate) async fn upload(
    State(guest): State<Arc<Guest>>,
    query: Asked,
    request: Request,
) -> Response {
    let answer = async {
        let query = asked(query)?;
        authorize(&guest, request.headers(), &query, Operation::Write)?;
        let owner = Owner::find(&guest, &query).await?;
        let (head, body) = request.into_parts();
        let (body, rest) = rest::split(body);
        let answer = upload::receive(Request::from_parts(head, body), &query, &owner).await;
        if answer.is_err() {
            crate::server::spawn(rest.discard());
        }
        answer
    };
    answer
        .await
        .unwrap_or_else(|(status, message)| refuse(status, message))
}
