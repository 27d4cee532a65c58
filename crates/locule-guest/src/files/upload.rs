//! Receives files from the client.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::{MetadataExt as _, fchown};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

use axum::Json;
use axum::body::Bytes;
use axum::extract::{FromRequest as _, Multipart, Request};
use axum::http::{HeaderMap, HeaderName, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use futures::{Stream, StreamExt as _};
use locule_guest_api::REPLACE_HEADER;
use serde::Serialize;
use tokio::io::AsyncWriteExt as _;

use super::blocking::blocking;
use super::error::{FileError, path_error};
use super::metadata::{self, Metadata};
use super::request::{FileQuery, Owner};
use crate::filesystem::make_dirs::make_dirs;
use crate::paths::{self, open_regular};
use crate::users::User;

/// The size of one write. A small file is written at once, so its watchers get one event.
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
    /// Replaces an existing file instead of overwriting it.
    replace: bool,
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
        replace: request.headers().contains_key(REPLACE_HEADER),
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

/// Writes a stream to a file, which then belongs to the user. An existing file is truncated or replaced; a new one gets mode
/// 0644, and its missing directories are created.
async fn write(
    target: &Path,
    options: &WriteOptions,
    body: impl Stream<Item = io::Result<Bytes>>,
) -> Result<Written, FileError> {
    let refused = |error: io::Error| path_error(&error, target);
    let (path, how) = (target.to_owned(), options.clone());
    let opened = tokio::task::spawn_blocking(move || open_for(&path, &how)).await;
    let (file, unfinished) =
        opened.map_err(|_| refused(io::Error::other("the file operation failed")))??;
    let mut file =
        tokio::io::BufWriter::with_capacity(WRITE_BYTES, tokio::fs::File::from_std(file));
    let mut body = std::pin::pin!(body);
    while let Some(chunk) = body.next().await {
        let chunk = chunk.map_err(|error| bad(format!("the upload was interrupted: {error}")))?;
        file.write_all(&chunk).await.map_err(refused)?;
    }
    file.flush().await.map_err(refused)?;
    blocking(move || unfinished.finish())
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

/// A file that an upload created and has not completed. Dropping the value unfinished removes the file.
#[derive(Debug)]
struct Unfinished(Option<CreatedFile>);

#[derive(Debug)]
struct CreatedFile {
    path: PathBuf,
    inode: u64,
    /// The file that the new one replaces.
    replaces: Option<PathBuf>,
}

impl Unfinished {
    fn new(path: &Path, file: &File, replaces: Option<PathBuf>) -> io::Result<Self> {
        Ok(Self(Some(CreatedFile {
            path: path.to_owned(),
            inode: file.metadata()?.ino(),
            replaces,
        })))
    }

    fn finish(mut self) -> io::Result<()> {
        if let Some(CreatedFile {
            path,
            replaces: Some(old),
            ..
        }) = &self.0
        {
            std::fs::rename(path, old)?;
        }
        self.0 = None;
        Ok(())
    }
}

impl Drop for Unfinished {
    fn drop(&mut self) {
        let Some(CreatedFile { path, inode, .. }) = self.0.take() else {
            return;
        };
        let remove = move || {
            // Another file may have taken the path: only the one that this upload created is removed.
            if path.symlink_metadata().is_ok_and(|now| now.ino() == inode) {
                // Another process may have removed it first.
                let _ = std::fs::remove_file(&path);
            }
        };
        match tokio::runtime::Handle::try_current() {
            Ok(runtime) => drop(runtime.spawn_blocking(remove)),
            Err(_) => remove(),
        }
    }
}

/// Opens the file to write. All checks come before the content of an existing file is changed.
fn open_for(path: &Path, options: &WriteOptions) -> Result<(File, Unfinished), FileError> {
    let (user, set) = (&options.user, &options.metadata);
    let refused = |error: io::Error| path_error(&error, path);
    paths::check(path).map_err(refused)?;
    if path.is_dir() {
        return Err(refused(io::ErrorKind::IsADirectory.into()));
    }
    if let Some(parent) = path.parent() {
        make_dirs(parent, user).map_err(refused)?;
    }
    let (file, unfinished) = create_or_open(path, options.replace).map_err(refused)?;
    let meta = file.metadata().map_err(refused)?;
    if (meta.uid(), meta.gid()) != (user.uid, user.gid) || unfinished.0.is_some() {
        fchown(&file, Some(user.uid), Some(user.gid)).map_err(refused)?;
    }
    metadata::replace(&file, set).map_err(|error| {
        if !set.is_empty() && metadata::cannot_be_stored(&error) {
            return bad(format!(
                "the file system cannot store the metadata: {error}"
            ));
        }
        refused(error)
    })?;
    if meta.len() > 0 {
        file.set_len(0).map_err(refused)?;
    }
    Ok((file, unfinished))
}

fn create_or_open(path: &Path, replace: bool) -> io::Result<(File, Unfinished)> {
    match create(path) {
        Ok(file) => {
            let unfinished = Unfinished::new(path, &file, None)?;
            Ok((file, unfinished))
        }
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            // Creates the target of a dangling link.
            let mut options = OpenOptions::new();
            options.write(true).create(true).truncate(false);
            let old = open_regular(path, &mut options)?;
            if !replace {
                return Ok((old, Unfinished(None)));
            }
            match create_beside(&path.canonicalize()?, &old) {
                // A file of the kernel, as under /proc: its directory accepts no new file.
                Err(error) if accepts_no_new_file(&error) => Ok((old, Unfinished(None))),
                created => created,
            }
        }
        Err(error) => Err(error),
    }
}

fn accepts_no_new_file(error: &io::Error) -> bool {
    use io::ErrorKind::{NotFound, PermissionDenied, ReadOnlyFilesystem};
    matches!(
        error.kind(),
        NotFound | PermissionDenied | ReadOnlyFilesystem
    )
}

fn create(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    open_regular(path, options.write(true).create_new(true))
}

/// Creates a file in the same directory, which replaces `old` once it is complete.
fn create_beside(old: &Path, file: &File) -> io::Result<(File, Unfinished)> {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let mode = file.metadata()?.permissions();
    loop {
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let path = old.with_file_name(format!(".{number:08x}.upload"));
        match create(&path) {
            Ok(new) => {
                let unfinished = Unfinished::new(&path, &new, Some(old.to_owned()))?;
                new.set_permissions(mode)?;
                return Ok((new, unfinished));
            }
            // The name is taken, by an upload that was interrupted or by a file of the user: try the next one.
            Err(_) if path.symlink_metadata().is_ok() => {}
            Err(error) => return Err(error),
        }
    }
}
