//! Files on their way in.

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

use super::metadata::{self, Metadata};
use super::{FileQuery, Owner, Refusal, blocking, io_refusal};
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

/// How files are to be written.
#[derive(Debug, Clone)]
struct Wanted {
    user: User,
    metadata: Metadata,
    /// A file that is there is replaced, not written over.
    replace: bool,
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
    let wanted = Wanted {
        user: owner.user.clone(),
        metadata: metadata::from_headers(request.headers()).map_err(bad)?,
        replace: request.headers().contains_key(REPLACE_HEADER),
    };
    let written = if kind.starts_with("multipart/form-data") {
        receive_parts(request, query, owner, &wanted).await?
    } else if kind.starts_with("application/octet-stream") {
        let path = query
            .path
            .as_deref()
            .ok_or_else(|| bad("the path query parameter is required"))?;
        let target = owner.path(path)?;
        vec![receive_body(request, encoding, &target, &wanted).await?]
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
    wanted: &Wanted,
) -> Result<Written, Refusal> {
    let body = request
        .into_body()
        .into_data_stream()
        .map(|chunk| chunk.map_err(io::Error::other));
    match encoding.as_deref() {
        None | Some("" | "identity") => write(target, wanted, body).await,
        Some("gzip" | "x-gzip") => {
            let reader =
                tokio::io::BufReader::new(tokio_util::io::StreamReader::new(Box::pin(body)));
            let plain = async_compression::tokio::bufread::GzipDecoder::new(reader);
            let plain = tokio_util::io::ReaderStream::with_capacity(plain, WRITE_BYTES);
            write(target, wanted, plain).await
        }
        Some(_) => Err(bad("the content encoding must be gzip or identity")),
    }
}

async fn receive_parts(
    request: Request,
    query: &FileQuery,
    owner: &Owner,
    wanted: &Wanted,
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
        written.push(write(&target, wanted, body).await?);
        targets.push(target);
    }
    if written.is_empty() {
        return Err(bad("there is no file part"));
    }
    Ok(written)
}

/// Writes a stream to a file that is truncated or replaced, or made with mode 0644 and its missing folders, and owned by the
/// user.
async fn write(
    target: &Path,
    wanted: &Wanted,
    body: impl Stream<Item = io::Result<Bytes>>,
) -> Result<Written, Refusal> {
    let refused = |error: io::Error| io_refusal(&error, target);
    let (path, how) = (target.to_owned(), wanted.clone());
    let opened = tokio::task::spawn_blocking(move || open_for(&path, &how)).await;
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
        metadata: wanted.metadata.clone(),
    })
}

/// A file that an upload made and has not filled yet. Dropped unfinished, whatever the reason, the file goes with it.
#[derive(Debug)]
struct Unfinished(Option<Made>);

#[derive(Debug)]
struct Made {
    path: PathBuf,
    inode: u64,
    /// The file whose place it takes.
    replaces: Option<PathBuf>,
}

impl Unfinished {
    fn new(path: &Path, file: &File, replaces: Option<PathBuf>) -> io::Result<Self> {
        Ok(Self(Some(Made {
            path: path.to_owned(),
            inode: file.metadata()?.ino(),
            replaces,
        })))
    }

    fn finish(mut self) -> io::Result<()> {
        if let Some(Made {
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
        let Some(Made { path, inode, .. }) = self.0.take() else {
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
fn open_for(path: &Path, wanted: &Wanted) -> Result<(File, Unfinished), Refusal> {
    let (user, set) = (&wanted.user, &wanted.metadata);
    let refused = |error: io::Error| io_refusal(&error, path);
    paths::check(path).map_err(refused)?;
    if path.is_dir() {
        return Err(refused(io::ErrorKind::IsADirectory.into()));
    }
    if let Some(parent) = path.parent() {
        make_dirs(parent, user).map_err(refused)?;
    }
    let (file, unfinished) = create_or_open(path, wanted.replace).map_err(refused)?;
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

fn create_or_open(path: &Path, replace: bool) -> io::Result<(File, Unfinished)> {
    match create(path) {
        Ok(file) => {
            let unfinished = Unfinished::new(path, &file, None)?;
            Ok((file, unfinished))
        }
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            // Also where a link leads nowhere yet: then its target is made.
            let mut options = OpenOptions::new();
            options.write(true).create(true).truncate(false);
            let old = open_regular(path, &mut options)?;
            if !replace {
                return Ok((old, Unfinished(None)));
            }
            match beside(&path.canonicalize()?, &old) {
                // The kernel's own, as under /proc: nothing can stand beside it.
                Err(error) if no_place(&error) => Ok((old, Unfinished(None))),
                made => made,
            }
        }
        Err(error) => Err(error),
    }
}

fn no_place(error: &io::Error) -> bool {
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

/// A file that takes the place of `old` once it is whole.
fn beside(old: &Path, file: &File) -> io::Result<(File, Unfinished)> {
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
            // Left by a machine that broke off, or somebody's own: another name then.
            Err(_) if path.symlink_metadata().is_ok() => {}
            Err(error) => return Err(error),
        }
    }
}
