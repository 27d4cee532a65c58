//! Operations on the files of a sandbox.

pub(crate) mod sign;

use axum::Json;
use axum::body::Body;
use axum::extract::{Multipart, State};
use axum::response::{IntoResponse as _, Response};
use http::request::Parts;
use http::{HeaderValue, StatusCode, header};
use locule_api::{
    ErrorCode, FileEntry, FileEntryKind, FileEntryResponse, FileList, ListFilesRequest,
    MoveFileRequest, PathRequest, schema,
};
use locule_edge::{Entry, EntryKind};

use crate::caller::{Read, Use};
use crate::error::ApiError;
use crate::extract::ApiJson;
use crate::memory::Held;
use crate::multipart::{FileFirst, upload};
use crate::need::Parameter;
use crate::running::Running;
use crate::state::AppState;

/// Deeper levels are listed by further requests.
const DEPTH_MAX: u32 = 64;
/// A list counts as so much memory while it is read.
const LIST_BYTES: usize = 4 * 1024 * 1024;

fn view(entry: Entry) -> FileEntry {
    FileEntry {
        name: entry.name,
        path: entry.path,
        kind: match entry.kind {
            EntryKind::File => FileEntryKind::File,
            EntryKind::Directory => FileEntryKind::Directory,
            EntryKind::Symlink => FileEntryKind::Symlink,
            EntryKind::Unknown => FileEntryKind::Unknown,
        },
        size: entry.size,
        mode: entry.mode,
        permissions: entry.permissions,
        owner: entry.owner,
        group: entry.group,
        modified_at: entry.modified_unix,
        symlink_target: entry.symlink_target,
    }
}

fn required(path: &str) -> Result<&str, ApiError> {
    if path.is_empty() {
        return Err(ApiError::invalid("path is required"));
    }
    Ok(path)
}

/// The parts of an upload.
#[derive(utoipa::ToSchema)]
#[expect(dead_code, reason = "a multipart body is read part by part")]
struct FileUpload {
    #[schema(value_type = schema::FilePath)]
    path: String,
    #[schema(value_type = String, format = Binary)]
    file: Vec<u8>,
}

/// Write a file
///
/// The body has the parts `path` and `file`.
#[utoipa::path(post, path = "/v1/sandboxes/{id}/files/write", tag = "files", params(("id" = schema::SandboxId, Path)),
    request_body(content = FileUpload, content_type = "multipart/form-data"),
    responses((status = 204), (status = 413), (status = 507)))]
pub(crate) async fn write_file(
    State(app): State<AppState>,
    running: Running<Use>,
    held: Held,
    ContentLength(length): ContentLength,
    parts: Upload,
) -> Result<StatusCode, ApiError> {
    let most = app.config.file_bytes_max;
    let too_large = || {
        let message =
            format!("the body is larger than {most} bytes; use files/stream/write for such a file");
        ApiError::too_large(message)
    };
    // Refused before a byte reaches the guest agent. A body without a length is cut off at the limit, and the guest agent
    // discards the file.
    if length.is_some_and(|length| length > most) {
        return Err(too_large());
    }
    let written = upload(&running.guest, parts.0, held, FileFirst::Hold).await;
    match written {
        Err(error) if error.status_and_code().1 == ErrorCode::TooLarge => Err(too_large()),
        Err(error) => Err(error),
        Ok(()) => Ok(StatusCode::NO_CONTENT),
    }
}

/// Write a file of any size
///
/// The body has the part `path` before the part `file`.
#[utoipa::path(post, path = "/v1/sandboxes/{id}/files/stream/write", tag = "files", params(("id" = schema::SandboxId, Path)),
    request_body(content = FileUpload, content_type = "multipart/form-data"),
    responses((status = 204), (status = 507)))]
pub(crate) async fn write_file_stream(
    running: Running<Use>,
    held: Held,
    parts: Upload,
) -> Result<StatusCode, ApiError> {
    upload(&running.guest, parts.0, held, FileFirst::Refuse).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Read a file
#[utoipa::path(post, path = "/v1/sandboxes/{id}/files/read", tag = "files", params(("id" = schema::SandboxId, Path)),
    request_body = PathRequest,
    responses((status = 200, content_type = "application/octet-stream")))]
pub(crate) async fn read_file(
    running: Running<Read>,
    ApiJson(request): ApiJson<PathRequest>,
) -> Result<Response, ApiError> {
    let (length, body) = running.guest.read_file(required(&request.path)?).await?;
    let mut response = bytes_response(body);
    if let Some(length) = length {
        response
            .headers_mut()
            .insert(header::CONTENT_LENGTH, length.into());
    }
    Ok(response)
}

/// Read a file as a stream
#[utoipa::path(post, path = "/v1/sandboxes/{id}/files/stream/read", tag = "files", params(("id" = schema::SandboxId, Path)),
    request_body = PathRequest,
    responses((status = 200, content_type = "application/octet-stream")))]
pub(crate) async fn read_file_stream(
    running: Running<Read>,
    ApiJson(request): ApiJson<PathRequest>,
) -> Result<Response, ApiError> {
    let (_, body) = running.guest.read_file(required(&request.path)?).await?;
    Ok(bytes_response(body))
}

fn bytes_response<B>(body: B) -> Response
where
    B: axum::body::HttpBody<Data = bytes::Bytes> + Send + 'static,
    B::Error: Into<axum::BoxError>,
{
    let mut response = Body::new(body).into_response();
    response.headers_mut().insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static("application/octet-stream"),
    );
    response
}

/// List a directory
#[utoipa::path(post, path = "/v1/sandboxes/{id}/files/list", tag = "files", params(("id" = schema::SandboxId, Path)),
    request_body = ListFilesRequest,
    responses((status = 200, body = FileList)))]
pub(crate) async fn list_files(
    running: Running<Read>,
    mut held: Held,
    ApiJson(request): ApiJson<ListFilesRequest>,
) -> Result<Json<FileList>, ApiError> {
    held.add(LIST_BYTES)?;
    let depth = request.depth.clamp(1, DEPTH_MAX);
    let entries = running
        .guest
        .list_dir(required(&request.path)?, depth)
        .await?;
    Ok(Json(FileList {
        entries: entries.into_iter().map(view).collect(),
    }))
}

/// Create a directory
///
/// Also creates the parent directories that do not exist.
#[utoipa::path(post, path = "/v1/sandboxes/{id}/files/mkdir", tag = "files", params(("id" = schema::SandboxId, Path)),
    request_body = PathRequest,
    responses((status = 200, body = FileEntryResponse), (status = 507)))]
pub(crate) async fn make_directory(
    running: Running<Use>,
    ApiJson(request): ApiJson<PathRequest>,
) -> Result<Json<FileEntryResponse>, ApiError> {
    let entry = running.guest.make_dir(required(&request.path)?).await?;
    Ok(Json(FileEntryResponse { entry: view(entry) }))
}

/// Move a file or directory
///
/// Also creates the parent directories of `to` that do not exist. Responds with 409 when `to` exists, unless `overwrite` is set.
#[utoipa::path(post, path = "/v1/sandboxes/{id}/files/move", tag = "files", params(("id" = schema::SandboxId, Path)),
    request_body = MoveFileRequest,
    responses((status = 200, body = FileEntryResponse), (status = 507)))]
pub(crate) async fn move_file(
    running: Running<Use>,
    ApiJson(request): ApiJson<MoveFileRequest>,
) -> Result<Json<FileEntryResponse>, ApiError> {
    let (from, to) = (required(&request.from)?, required(&request.to)?);
    let entry = running
        .guest
        .move_entry(from, to, request.overwrite)
        .await?;
    Ok(Json(FileEntryResponse { entry: view(entry) }))
}

/// Get a file or directory
///
/// Returns what a list has about it, without its contents.
#[utoipa::path(post, path = "/v1/sandboxes/{id}/files/stat", tag = "files", params(("id" = schema::SandboxId, Path)),
    request_body = PathRequest,
    responses((status = 200, body = FileEntryResponse)))]
pub(crate) async fn stat_file(
    running: Running<Read>,
    ApiJson(request): ApiJson<PathRequest>,
) -> Result<Json<FileEntryResponse>, ApiError> {
    let entry = running.guest.stat(required(&request.path)?).await?;
    Ok(Json(FileEntryResponse { entry: view(entry) }))
}

/// Remove a file or directory
///
/// Removes a directory with everything in it.
#[utoipa::path(post, path = "/v1/sandboxes/{id}/files/remove", tag = "files", params(("id" = schema::SandboxId, Path)),
    request_body = PathRequest,
    responses((status = 204)))]
pub(crate) async fn remove_file(
    running: Running<Use>,
    ApiJson(request): ApiJson<PathRequest>,
) -> Result<StatusCode, ApiError> {
    let path = required(&request.path)?;
    // The guest agent reports a missing path as removed, which the SDKs require. This operation responds with 404.
    running.guest.stat(path).await?;
    running.guest.remove(path).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// The header `Content-Length`.
#[derive(Debug)]
pub(crate) struct ContentLength(Option<usize>);

impl Parameter for ContentLength {}

impl<S: Send + Sync> axum::extract::FromRequestParts<S> for ContentLength {
    type Rejection = std::convert::Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Self::Rejection> {
        let length = parts.headers.get(header::CONTENT_LENGTH);
        Ok(Self(
            length.and_then(|text| text.to_str().ok()?.parse().ok()),
        ))
    }
}

/// A multipart body that is rejected with an [`ApiError`].
#[derive(Debug)]
pub(crate) struct Upload(Multipart);

impl Parameter for Upload {}

impl<S: Send + Sync> axum::extract::FromRequest<S> for Upload {
    type Rejection = ApiError;

    async fn from_request(request: axum::extract::Request, state: &S) -> Result<Self, ApiError> {
        Ok(Self(Multipart::from_request(request, state).await?))
    }
}
