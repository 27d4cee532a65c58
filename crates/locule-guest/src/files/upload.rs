//! Receives files from the client.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use axum::Json;
use axum::body::Bytes;
use axum::extract::{FromRequest as _, Multipart, Request};
use axum::http::{HeaderMap, HeaderName, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use futures::{Stream, StreamExt as _};
use serde::Serialize;
use tokio::io::AsyncWriteExt as _;

use super::blocking::blocking;
use super::error::{FileError, path_error};
use super::metadata::{self, Metadata};
use super::place::{self, Place};
use super::request::{FileQuery, Owner};
use crate::users::User;

/// The size of one write.
const WRITE_BYTES: usize = 256 * 1024;
/// Limit of files in one request.
const PARTS_MAX: usize = 10_000;

#[derive(Debug, Serialize)]
struct Written {
    name: String,
    path: String,
    r#type: &'static str,
    #[serde(skip_serializing_if = "Metadata::is_empty")]
    metadata: Metadata,
}

/// How to write the files of a request.
#[derive(Debug, Clone)]
struct WriteOptions {
    user: User,
    metadata: Metadata,
}

fn bad(message: impl Into<String>) -> FileError {
    (StatusCode::BAD_REQUEST, message.into())
}

pub(super) async fn receive(
    request: Request,
    query: &FileQuery,
    owner: &Owner,
) -> Result<Response, FileError> {
    let kind = text(request.headers(), header::CONTENT_TYPE).unwrap_or_default();
    let encoding = text(request.headers(), header::CONTENT_ENCODING);
    let options = WriteOptions {
        user: owner.user.clone(),
        metadata: metadata::from_headers(request.headers()).map_err(bad)?,
    };
    let written = if kind.starts_with("multipart/form-data") {
        receive_parts(request, query, owner, &options).await?
    } else if kind.starts_with("application/octet-stream") {
        let path = query
            .path
            .as_deref()
            .ok_or_else(|| bad("the path query parameter is required"))?;
        let target = owner.path(path)?;
        vec![receive_body(request, encoding, &target, &options).await?]
    } else {
        return Err(bad(
            "the content type must be multipart/form-data or application/octet-stream",
        ));
    };
    Ok(Json(written).into_response())
}

fn text(headers: &HeaderMap, name: HeaderName) -> Option<String> {
    let value = headers.get(name)?;
    Some(value.to_str().unwrap_or("?").to_ascii_lowercase())
}

async fn receive_body(
    request: Request,
    encoding: Option<String>,
    target: &Path,
    options: &WriteOptions,
) -> Result<Written, FileError> {
    let body = request
        .into_body()
        .into_data_stream()
        .map(|chunk| chunk.map_err(io::Error::other));
    match encoding.as_deref() {
        None | Some("" | "identity") => write(target, options, body).await,
        Some("gzip" | "x-gzip") => {
            let reader =
                tokio::io::BufReader::new(tokio_util::io::StreamReader::new(Box::pin(body)));
            let plain = async_compression::tokio::bufread::GzipDecoder::new(reader);
            let plain = tokio_util::io::ReaderStream::with_capacity(plain, WRITE_BYTES);
            write(target, options, plain).await
        }
        Some(_) => Err(bad("the content encoding must be gzip or identity")),
    }
}

async fn receive_parts(
    request: Request,
    query: &FileQuery,
    owner: &Owner,
    options: &WriteOptions,
) -> Result<Vec<Written>, FileError> {
    let mut parts = Multipart::from_request(request, &())
        .await
        .map_err(|error| bad(error.body_text()))?;
    let mut written: Vec<Written> = Vec::new();
    let mut targets: Vec<PathBuf> = Vec::new();
    while let Some(part) = parts
        .next_field()
        .await
        .map_err(|error| bad(error.body_text()))?
    {
        if part.name() != Some("file") {
            continue;
        }
        // The file name of a part is a whole path. The path in the query takes precedence.
        let path = query.path.as_deref().or_else(|| part.file_name());
        let Some(path) = path else {
            return Err(bad(
                "a part has no file name: add one, or the path query parameter",
            ));
        };
        let target = owner.path(path)?;
        if targets.contains(&target) {
            return Err(bad(format!("path '{}' is given twice", target.display())));
        }
        if targets.len() == PARTS_MAX {
            return Err(bad(format!("more than {PARTS_MAX} files in one request")));
        }
        let body = part.map(|chunk| chunk.map_err(|error| io::Error::other(error.body_text())));
        written.push(write(&target, options, body).await?);
        targets.push(target);
    }
    if written.is_empty() {
        return Err(bad("the request has no part named 'file'"));
    }
    Ok(written)
}

/// Writes a stream to a file. An existing file is replaced when the stream has ended, and keeps its owner and mode; a new one
/// belongs to the user and has mode 0644, and its missing directories are created.
async fn write(
    target: &Path,
    options: &WriteOptions,
    body: impl Stream<Item = io::Result<Bytes>>,
) -> Result<Written, FileError> {
    let refused = |error: io::Error| path_error(&error, target);
    let (path, how) = (target.to_owned(), options.clone());
    let opened = tokio::task::spawn_blocking(move || open_for(&path, &how)).await;
    let (file, place) =
        opened.map_err(|_| refused(io::Error::other("the file operation failed")))??;
    let mut file =
        tokio::io::BufWriter::with_capacity(WRITE_BYTES, tokio::fs::File::from_std(file));
    let mut body = std::pin::pin!(body);
    while let Some(chunk) = body.next().await {
        let chunk = chunk.map_err(|error| bad(format!("the upload was interrupted: {error}")))?;
        file.write_all(&chunk).await.map_err(refused)?;
    }
    file.flush().await.map_err(refused)?;
    let file = file.into_inner().into_std().await;
    blocking(move || place.finish(&file))
        .await
        .map_err(refused)?;
    Ok(Written {
        name: target
            .file_name()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned(),
        path: target.to_string_lossy().into_owned(),
        r#type: "file",
        metadata: options.metadata.clone(),
    })
}

/// Opens the file to write. All checks come before anything is changed.
fn open_for(path: &Path, options: &WriteOptions) -> Result<(File, Place), FileError> {
    let set = &options.metadata;
    let refused = |error: io::Error| path_error(&error, path);
    let (file, place) = place::open(path, &options.user).map_err(refused)?;
    metadata::replace(&file, set).map_err(|error| {
        if !set.is_empty() && metadata::cannot_be_stored(&error) {
            return bad(format!(
                "the file system cannot store the metadata: {error}"
            ));
        }
        refused(error)
    })?;
    place.empty(&file).map_err(refused)?;
    Ok((file, place))
}
