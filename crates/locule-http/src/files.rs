//! Files of a sandbox.

use axum::Json;
use axum::body::Body;
use axum::extract::{Multipart, State};
use axum::response::{IntoResponse as _, Response};
use http::request::Parts;
use http::{HeaderValue, StatusCode, header};
use locule_api::{
    ErrorCode, FileEntry, FileEntryKind, FileList, ListFilesRequest, MadeDirectory, PathRequest,
    schema,
};
use locule_edge::{Entry, EntryKind};

use crate::error::ApiError;
use crate::extract::ApiJson;
use crate::multipart::{FileFirst, upload};
use crate::running::Running;
use crate::state::AppState;

/// Descending further is the client's loop.
const DEPTH_MAX: u32 = 64;

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

fn named(path: &str) -> Result<&str, ApiError> {
    if path.is_empty() {
        return Err(ApiError::invalid("path is required"));
    }
    Ok(path)
}

/// The parts of an upload, for the document.
#[derive(utoipa::ToSchema)]
#[expect(dead_code, reason = "a multipart body is read part by part")]
struct FileUpload {
    #[schema(value_type = schema::FilePath)]
    path: String,
    #[schema(value_type = String, format = Binary)]
    file: Vec<u8>,
}

/// Write a file: multipart, parts `path` and `file`.
#[utoipa::path(post, path = "/v1/sandboxes/{id}/files/write", tag = "files", params(("id" = schema::SandboxId, Path)),
    request_body(content = FileUpload, content_type = "multipart/form-data"),
    responses((status = 204), (status = 413), (status = 507)))]
pub(crate) async fn write_file(
    State(app): State<AppState>,
    running: Running,
    Announced(length): Announced,
    parts: Upload,
) -> Result<StatusCode, ApiError> {
    let most = app.config.file_bytes_max;
    let too_large = || {
        let message = format!("a request has at most {most} bytes; use files/stream/write");
        ApiError::too_large(message)
    };
    // Before a byte of it reaches the guest. What does not say its length is cut off on the way, and the guest drops it.
    if length.is_some_and(|length| length > most) {
        return Err(too_large());
    }
    let written = upload(&running.guest, parts.0, FileFirst::Hold).await;
    match written {
        Err(error) if error.status_and_code().1 == ErrorCode::TooLarge => Err(too_large()),
        Err(error) => Err(error),
        Ok(()) => Ok(StatusCode::NO_CONTENT),
    }
}

/// Write a file of any size: multipart, part `path` before part `file`.
#[utoipa::path(post, path = "/v1/sandboxes/{id}/files/stream/write", tag = "files", params(("id" = schema::SandboxId, Path)),
    request_body(content = FileUpload, content_type = "multipart/form-data"),
    responses((status = 204), (status = 507)))]
pub(crate) async fn write_file_stream(
    running: Running,
    parts: Upload,
) -> Result<StatusCode, ApiError> {
    upload(&running.guest, parts.0, FileFirst::Refuse).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Read a file.
#[utoipa::path(post, path = "/v1/sandboxes/{id}/files/read", tag = "files", params(("id" = schema::SandboxId, Path)),
    request_body = PathRequest,
    responses((status = 200, content_type = "application/octet-stream")))]
pub(crate) async fn read_file(
    running: Running,
    ApiJson(request): ApiJson<PathRequest>,
) -> Result<Response, ApiError> {
    let (length, body) = running.guest.read_file(named(&request.path)?).await?;
    let mut response = bytes_response(body);
    if let Some(length) = length {
        response
            .headers_mut()
            .insert(header::CONTENT_LENGTH, length.into());
    }
    Ok(response)
}

/// Read a file of any size as it comes.
#[utoipa::path(post, path = "/v1/sandboxes/{id}/files/stream/read", tag = "files", params(("id" = schema::SandboxId, Path)),
    request_body = PathRequest,
    responses((status = 200, content_type = "application/octet-stream")))]
pub(crate) async fn read_file_stream(
    running: Running,
    ApiJson(request): ApiJson<PathRequest>,
) -> Result<Response, ApiError> {
    let (_, body) = running.guest.read_file(named(&request.path)?).await?;
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

/// List a directory.
#[utoipa::path(post, path = "/v1/sandboxes/{id}/files/list", tag = "files", params(("id" = schema::SandboxId, Path)),
    request_body = ListFilesRequest,
    responses((status = 200, body = FileList)))]
pub(crate) async fn list_files(
    running: Running,
    ApiJson(request): ApiJson<ListFilesRequest>,
) -> Result<Json<FileList>, ApiError> {
    let depth = request.depth.clamp(1, DEPTH_MAX);
    let entries = running.guest.list_dir(named(&request.path)?, depth).await?;
    Ok(Json(FileList {
        entries: entries.into_iter().map(view).collect(),
    }))
}

/// Make a directory and its parents.
#[utoipa::path(post, path = "/v1/sandboxes/{id}/files/mkdir", tag = "files", params(("id" = schema::SandboxId, Path)),
    request_body = PathRequest,
    responses((status = 200, body = MadeDirectory), (status = 507)))]
pub(crate) async fn make_directory(
    running: Running,
    ApiJson(request): ApiJson<PathRequest>,
) -> Result<Json<MadeDirectory>, ApiError> {
    let entry = running.guest.make_dir(named(&request.path)?).await?;
    Ok(Json(MadeDirectory { entry: view(entry) }))
}

/// Remove a file, or a directory with all that is in it.
#[utoipa::path(post, path = "/v1/sandboxes/{id}/files/remove", tag = "files", params(("id" = schema::SandboxId, Path)),
    request_body = PathRequest,
    responses((status = 204)))]
pub(crate) async fn remove_file(
    running: Running,
    ApiJson(request): ApiJson<PathRequest>,
) -> Result<StatusCode, ApiError> {
    let path = named(&request.path)?;
    // The guest takes a missing path for removed, as the SDKs want it; here it is 404.
    running.guest.stat(path).await?;
    running.guest.remove(path).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// How long the body says that it is.
#[derive(Debug)]
pub(crate) struct Announced(Option<usize>);

impl<S: Send + Sync> axum::extract::FromRequestParts<S> for Announced {
    type Rejection = std::convert::Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Self::Rejection> {
        let length = parts.headers.get(header::CONTENT_LENGTH);
        Ok(Self(
            length.and_then(|text| text.to_str().ok()?.parse().ok()),
        ))
    }
}

/// A multipart body whose refusal is in our envelope.
#[derive(Debug)]
pub(crate) struct Upload(Multipart);

impl<S: Send + Sync> axum::extract::FromRequest<S> for Upload {
    type Rejection = ApiError;

    async fn from_request(request: axum::extract::Request, state: &S) -> Result<Self, ApiError> {
        Ok(Self(Multipart::from_request(request, state).await?))
    }
}
