//! `/files`: whole files in and out, streamed both ways, never held whole.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use axum::Json;
use axum::body::{Body, Bytes};
use axum::extract::{FromRequest as _, Multipart, Query, Request, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use futures::{Stream, StreamExt as _};
use locule_guest_api::signature::{Operation, sign};
use locule_guest_api::{ACCESS_TOKEN_HEADER, DEFAULT_USER};
use serde::{Deserialize, Serialize};
use subtle::ConstantTimeEq as _;
use tokio::io::{AsyncReadExt as _, AsyncSeekExt as _, AsyncWriteExt as _};

use crate::agent::Guest;
use crate::filesystem::make_dirs;
use crate::identity::Proof;
use crate::processes::resolve;
use crate::server::refuse;
use crate::users::{self, User};

#[derive(Debug, Deserialize)]
pub(crate) struct FileQuery {
    path: Option<String>,
    username: Option<String>,
    signature: Option<String>,
    signature_expiration: Option<i64>,
}

#[derive(Debug, Serialize)]
struct Written {
    name: String,
    path: String,
    r#type: &'static str,
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
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => (
            StatusCode::INSUFFICIENT_STORAGE,
            "not enough disk space".to_owned(),
        ),
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
    if let Some(shown) = shown {
        return match guest.identity.prove_access_token(Some(shown)) {
            Proof::Valid => Ok(()),
            Proof::Invalid | Proof::Unset => refused("access token is missing or wrong"),
        };
    }
    let Some(signature) = &query.signature else {
        return refused("missing signature query parameter");
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

fn user(guest: &Guest, query: &FileQuery) -> Result<User, Refusal> {
    let identity = guest.identity.snapshot();
    let named = query.username.as_deref().filter(|name| !name.is_empty());
    let name = named
        .or(identity.default_user.as_deref())
        .unwrap_or(DEFAULT_USER);
    users::find(name).ok_or_else(|| {
        (
            StatusCode::UNAUTHORIZED,
            format!("invalid username: '{name}'"),
        )
    })
}

pub(crate) async fn download(
    State(guest): State<Arc<Guest>>,
    Query(query): Query<FileQuery>,
    headers: HeaderMap,
) -> Response {
    let answer = async {
        authorize(&guest, &headers, &query, Operation::Read)?;
        let user = user(&guest, &query)?;
        let path = resolve(query.path.as_deref().unwrap_or_default(), &user, &user.home);
        send(&path, headers.get(header::RANGE)).await
    };
    answer
        .await
        .unwrap_or_else(|(status, message)| refuse(status, message))
}

async fn send(path: &Path, range: Option<&HeaderValue>) -> Result<Response, Refusal> {
    let meta = tokio::fs::metadata(path)
        .await
        .map_err(|error| io_refusal(&error, path))?;
    if meta.is_dir() {
        return Err(io_refusal(&io::ErrorKind::IsADirectory.into(), path));
    }
    if !meta.is_file() {
        return Err((
            StatusCode::BAD_REQUEST,
            format!("path '{}' is not a regular file", path.display()),
        ));
    }
    let mut file = tokio::fs::File::open(path)
        .await
        .map_err(|error| io_refusal(&error, path))?;
    let length = meta.len();
    let mut headers = HeaderMap::new();
    headers.insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static("application/octet-stream"),
    );
    headers.insert(header::ACCEPT_RANGES, HeaderValue::from_static("bytes"));
    let (status, start, count) =
        match byte_range(range.and_then(|range| range.to_str().ok()), length) {
            Wanted::Whole => (StatusCode::OK, 0, length),
            Wanted::Outside => {
                headers.insert(
                    header::CONTENT_RANGE,
                    HeaderValue::try_from(format!("bytes */{length}"))
                        .unwrap_or(HeaderValue::from_static("")),
                );
                return Ok((StatusCode::RANGE_NOT_SATISFIABLE, headers).into_response());
            }
            Wanted::Part(start, end) => {
                let text = format!("bytes {start}-{}/{length}", end - 1);
                headers.extend(
                    HeaderValue::try_from(text)
                        .ok()
                        .map(|value| (header::CONTENT_RANGE, value)),
                );
                (StatusCode::PARTIAL_CONTENT, start, end - start)
            }
        };
    headers.insert(header::CONTENT_LENGTH, HeaderValue::from(count));
    file.seek(io::SeekFrom::Start(start))
        .await
        .map_err(|error| io_refusal(&error, path))?;
    let body = Body::from_stream(tokio_util::io::ReaderStream::with_capacity(
        file.take(count),
        64 * 1024,
    ));
    Ok((status, headers, body).into_response())
}

/// What of a file is asked for.
#[derive(Debug, PartialEq, Eq)]
enum Wanted {
    /// Everything; also where the range is not understood.
    Whole,
    /// From the first number up to, not including, the second.
    Part(u64, u64),
    Outside,
}

fn byte_range(header: Option<&str>, length: u64) -> Wanted {
    let asked = header.and_then(|text| text.strip_prefix("bytes=")?.split_once('-'));
    let Some((first, last)) = asked else {
        return Wanted::Whole;
    };
    let (start, end) = match (first.parse::<u64>(), last.parse::<u64>()) {
        (Ok(first), Ok(last)) if first <= last => (first, last.saturating_add(1).min(length)),
        (Ok(first), Err(_)) if last.is_empty() => (first, length),
        (Err(_), Ok(suffix)) if first.is_empty() => (length.saturating_sub(suffix), length),
        _ => return Wanted::Whole,
    };
    if start < end {
        Wanted::Part(start, end)
    } else {
        Wanted::Outside
    }
}

pub(crate) async fn upload(
    State(guest): State<Arc<Guest>>,
    Query(query): Query<FileQuery>,
    request: Request,
) -> Response {
    let answer = async {
        authorize(&guest, request.headers(), &query, Operation::Write)?;
        let user = user(&guest, &query)?;
        let kind = request
            .headers()
            .get(header::CONTENT_TYPE)
            .and_then(|value| value.to_str().ok())
            .unwrap_or("");
        if kind.starts_with("multipart/form-data") {
            receive_parts(request, &query, &user).await
        } else if kind.starts_with("application/octet-stream") {
            let Some(path) = query.path.as_deref() else {
                return Err((
                    StatusCode::BAD_REQUEST,
                    "the path query parameter is required".to_owned(),
                ));
            };
            let target = resolve(path, &user, &user.home);
            receive_body(request, &target, &user)
                .await
                .map(|written| vec![written])
        } else {
            Err((
                StatusCode::BAD_REQUEST,
                "send multipart/form-data or application/octet-stream".to_owned(),
            ))
        }
    };
    match answer.await {
        Ok(written) => Json(written).into_response(),
        Err((status, message)) => refuse(status, message),
    }
}

async fn receive_body(request: Request, target: &Path, user: &User) -> Result<Written, Refusal> {
    let encoding = request
        .headers()
        .get(header::CONTENT_ENCODING)
        .and_then(|value| value.to_str().ok())
        .map(str::to_owned);
    let body = request
        .into_body()
        .into_data_stream()
        .map(|chunk| chunk.map_err(io::Error::other));
    match encoding.as_deref() {
        None | Some("" | "identity") => write(target, user, body).await,
        Some("gzip") => {
            let reader =
                tokio::io::BufReader::new(tokio_util::io::StreamReader::new(Box::pin(body)));
            let plain = async_compression::tokio::bufread::GzipDecoder::new(reader);
            write(
                target,
                user,
                tokio_util::io::ReaderStream::with_capacity(plain, 64 * 1024),
            )
            .await
        }
        Some(_) => Err((
            StatusCode::BAD_REQUEST,
            "the content encoding must be gzip or identity".to_owned(),
        )),
    }
}

async fn receive_parts(
    request: Request,
    query: &FileQuery,
    user: &User,
) -> Result<Vec<Written>, Refusal> {
    let bad = |error: String| (StatusCode::BAD_REQUEST, error);
    let mut parts = Multipart::from_request(request, &())
        .await
        .map_err(|error| bad(error.body_text()))?;
    let mut written: Vec<Written> = Vec::new();
    while let Some(part) = parts
        .next_field()
        .await
        .map_err(|error| bad(error.body_text()))?
    {
        if part.name() != Some("file") {
            continue;
        }
        // The part's file name is the whole path, not a basename; the query's path goes before it.
        let Some(path) = query
            .path
            .clone()
            .or_else(|| part.file_name().map(str::to_owned))
        else {
            return Err(bad(
                "each part needs a file name, or the request a path".to_owned()
            ));
        };
        let target = resolve(&path, user, &user.home);
        if written.iter().any(|other| Path::new(&other.path) == target) {
            return Err(bad(format!("path '{}' is given twice", target.display())));
        }
        let body = part.map(|chunk| chunk.map_err(|error| io::Error::other(error.body_text())));
        written.push(write(&target, user, body).await?);
    }
    if written.is_empty() {
        return Err(bad("there is no file part".to_owned()));
    }
    Ok(written)
}

/// Writes a stream to a file that is truncated, or made with mode 0644 and its missing folders, and owned by the user.
async fn write(
    target: &Path,
    user: &User,
    body: impl Stream<Item = io::Result<Bytes>>,
) -> Result<Written, Refusal> {
    let refused = |error: io::Error| io_refusal(&error, target);
    let (path, owner) = (target.to_owned(), user.clone());
    let opened = tokio::task::spawn_blocking(move || open_for(&path, &owner)).await;
    let file = opened
        .map_err(|_| refused(io::Error::other("the file operation failed")))?
        .map_err(refused)?;
    let mut file = tokio::fs::File::from_std(file);
    let mut body = std::pin::pin!(body);
    while let Some(chunk) = body.next().await {
        let chunk = chunk.map_err(|error| {
            (
                StatusCode::BAD_REQUEST,
                format!("the upload broke off: {error}"),
            )
        })?;
        file.write_all(&chunk).await.map_err(refused)?;
    }
    file.flush().await.map_err(refused)?;
    Ok(Written {
        name: target
            .file_name()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned(),
        path: target.to_string_lossy().into_owned(),
        r#type: "file",
    })
}

fn open_for(path: &PathBuf, user: &User) -> io::Result<std::fs::File> {
    if path.is_dir() {
        return Err(io::ErrorKind::IsADirectory.into());
    }
    if let Some(parent) = path.parent() {
        make_dirs(parent, user)?;
    }
    let file = std::fs::OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .open(path)?;
    std::os::unix::fs::fchown(&file, Some(user.uid), Some(user.gid))?;
    Ok(file)
}

#[cfg(test)]
mod tests {
    use super::{Wanted, byte_range};

    #[test]
    fn ranges_are_clamped_to_the_file() {
        let cases = [
            ("bytes=0-3", Wanted::Part(0, 4)),
            ("bytes=5-", Wanted::Part(5, 10)),
            ("bytes=-4", Wanted::Part(6, 10)),
            ("bytes=8-99", Wanted::Part(8, 10)),
            ("bytes=10-", Wanted::Outside),
            ("bytes=3-1", Wanted::Whole),
            ("lines=1-2", Wanted::Whole),
        ];
        for (header, wanted) in cases {
            assert_eq!(byte_range(Some(header), 10), wanted, "{header}");
        }
        assert_eq!(byte_range(None, 10), Wanted::Whole);
    }
}
