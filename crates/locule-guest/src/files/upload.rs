//! Files on their way in.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::{MetadataExt as _, fchown};
use std::path::{Path, PathBuf};

use axum::Json;
use axum::body::Bytes;
use axum::extract::{FromRequest as _, Multipart, Request};
use axum::http::{HeaderMap, HeaderName, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use futures::{Stream, StreamExt as _};
use serde::Serialize;
use tokio::io::AsyncWriteExt as _;

use super::metadata::{self, Metadata};
use super::{FileQuery, Owner, Refusal, io_refusal};
use crate::filesystem::make_dirs;
use crate::paths::{self, open_regular};
use crate::users::User;

/// Written at a time: a small file arrives in one go, which its watchers see as one write.
const WRITE_BYTES: usize = 256 * 1024;
/// Files of one request.
const PARTS_MAX: usize = 10_000;

#[derive(Debug, Serialize)]
struct Written {
    name: String,
    path: String,
    r#type: &'static str,
    #[serde(skip_serializing_if = "Metadata::is_empty")]
    metadata: Metadata,
}

fn bad(message: impl Into<String>) -> Refusal {
    (StatusCode::BAD_REQUEST, message.into())
}

pub(super) async fn receive(
    request: Request,
    query: &FileQuery,
    owner: &Owner,
) -> Result<Response, Refusal> {
    let kind = text(request.headers(), header::CONTENT_TYPE).unwrap_or_default();
    let encoding = text(request.headers(), header::CONTENT_ENCODING);
    let metadata = metadata::from_headers(request.headers()).map_err(bad)?;
    let written = if kind.starts_with("multipart/form-data") {
        receive_parts(request, query, owner, &metadata).await?
    } else if kind.starts_with("application/octet-stream") {
        let path = query
            .path
            .as_deref()
            .ok_or_else(|| bad("the path query parameter is required"))?;
        let target = owner.path(path)?;
        let written = receive_body(request, encoding, &target, &owner.user, &metadata);
        vec![written.await?]
    } else {
        return Err(bad("send multipart/form-data or application/octet-stream"));
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
    user: &User,
    metadata: &Metadata,
) -> Result<Written, Refusal> {
    let body = request
        .into_body()
        .into_data_stream()
        .map(|chunk| chunk.map_err(io::Error::other));
    match encoding.as_deref() {
        None | Some("" | "identity") => write(target, user, metadata, body).await,
        Some("gzip" | "x-gzip") => {
            let reader =
                tokio::io::BufReader::new(tokio_util::io::StreamReader::new(Box::pin(body)));
            let plain = async_compression::tokio::bufread::GzipDecoder::new(reader);
            let plain = tokio_util::io::ReaderStream::with_capacity(plain, WRITE_BYTES);
            write(target, user, metadata, plain).await
        }
        Some(_) => Err(bad("the content encoding must be gzip or identity")),
    }
}

async fn receive_parts(
    request: Request,
    query: &FileQuery,
    owner: &Owner,
    metadata: &Metadata,
) -> Result<Vec<Written>, Refusal> {
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
        // The part's file name is the whole path, not a basename; the query's path goes before it.
        let path = query.path.as_deref().or_else(|| part.file_name());
        let Some(path) = path else {
            return Err(bad("each part needs a file name, or the request a path"));
        };
        let target = owner.path(path)?;
        if targets.contains(&target) {
            return Err(bad(format!("path '{}' is given twice", target.display())));
        }
        if targets.len() == PARTS_MAX {
            return Err(bad(format!("more than {PARTS_MAX} files in one request")));
        }
        let body = part.map(|chunk| chunk.map_err(|error| io::Error::other(error.body_text())));
        written.push(write(&target, &owner.user, metadata, body).await?);
        targets.push(target);
    }
    if written.is_empty() {
        return Err(bad("there is no file part"));
    }
    Ok(written)
}

/// Writes a stream to a file that is truncated, or made with mode 0644 and its missing folders, and owned by the user.
async fn write(
    target: &Path,
    user: &User,
    metadata: &Metadata,
    body: impl Stream<Item = io::Result<Bytes>>,
) -> Result<Written, Refusal> {
    let refused = |error: io::Error| io_refusal(&error, target);
    let (path, owner, set) = (target.to_owned(), user.clone(), metadata.clone());
    let opened = tokio::task::spawn_blocking(move || open_for(&path, &owner, &set)).await;
    let (file, unfinished) =
        opened.map_err(|_| refused(io::Error::other("the file operation failed")))??;
    let mut file =
        tokio::io::BufWriter::with_capacity(WRITE_BYTES, tokio::fs::File::from_std(file));
    let mut body = std::pin::pin!(body);
    while let Some(chunk) = body.next().await {
        let chunk = chunk.map_err(|error| bad(format!("the upload broke off: {error}")))?;
        file.write_all(&chunk).await.map_err(refused)?;
    }
    file.flush().await.map_err(refused)?;
    unfinished.finish();
    Ok(Written {
        name: target
            .file_name()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned(),
        path: target.to_string_lossy().into_owned(),
        r#type: "file",
        metadata: metadata.clone(),
    })
}

/// A file that an upload made and has not filled yet. Dropped unfinished, whatever the reason, the file goes with it.
#[derive(Debug)]
struct Unfinished(Option<(PathBuf, u64)>);

impl Unfinished {
    fn finish(mut self) {
        self.0 = None;
    }
}

impl Drop for Unfinished {
    fn drop(&mut self) {
        let Some((path, inode)) = self.0.take() else {
            return;
        };
        let remove = move || {
            // Only what this upload made: something else may have taken its place.
            if path.symlink_metadata().is_ok_and(|now| now.ino() == inode) {
                // It may be gone in the meantime.
                let _ = std::fs::remove_file(&path);
            }
        };
        match tokio::runtime::Handle::try_current() {
            Ok(runtime) => drop(runtime.spawn_blocking(remove)),
            Err(_) => remove(),
        }
    }
}

/// Everything that can be refused is refused before the content of an existing file is touched.
fn open_for(path: &Path, user: &User, set: &Metadata) -> Result<(File, Unfinished), Refusal> {
    let refused = |error: io::Error| io_refusal(&error, path);
    paths::check(path).map_err(refused)?;
    if path.is_dir() {
        return Err(refused(io::ErrorKind::IsADirectory.into()));
    }
    if let Some(parent) = path.parent() {
        make_dirs(parent, user).map_err(refused)?;
    }
    let (file, unfinished) = create_or_open(path).map_err(refused)?;
    let meta = file.metadata().map_err(refused)?;
    if (meta.uid(), meta.gid()) != (user.uid, user.gid) || unfinished.0.is_some() {
        fchown(&file, Some(user.uid), Some(user.gid)).map_err(refused)?;
    }
    metadata::replace(&file, set).map_err(|error| {
        if !set.is_empty() && metadata::do_not_fit(&error) {
            return bad(format!("the file cannot carry these metadata: {error}"));
        }
        refused(error)
    })?;
    if meta.len() > 0 {
        file.set_len(0).map_err(refused)?;
    }
    Ok((file, unfinished))
}

fn create_or_open(path: &Path) -> io::Result<(File, Unfinished)> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    match open_regular(path, &mut options) {
        Ok(file) => {
            let made = (path.to_owned(), file.metadata()?.ino());
            Ok((file, Unfinished(Some(made))))
        }
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            // Also where a link leads nowhere yet: then its target is made.
            let mut options = OpenOptions::new();
            options.write(true).create(true).truncate(false);
            Ok((open_regular(path, &mut options)?, Unfinished(None)))
        }
        Err(error) => Err(error),
    }
}
