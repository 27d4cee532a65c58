//! Files of a sandbox: metadata over `filesystem.Filesystem`, contents streamed over `/files`.

use axum::body::Body;
use bytes::Bytes;
use http::{HeaderValue, Method, Request, Response, header};
use http_body_util::{BodyExt as _, Limited};
use locule_agent_api::http1::ExchangeBody;
use locule_guest_api::proto::filesystem as wire;
use locule_guest_api::rpc::{ConnectError, ErrorCode};
use locule_guest_api::{ACCESS_TOKEN_HEADER, GUEST_PORT};
use serde::Deserialize;

use super::{GuestClient, GuestError, header_name, http_error, unary, unary_list};
use crate::query::encode;
use crate::{CutBody, TransportError};

/// The body of an error response is read up to this size.
const ERROR_BODY_BYTES_MAX: usize = 64 * 1024;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EntryKind {
    File,
    Directory,
    Symlink,
    Unknown,
}

/// A file or directory of a sandbox.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    pub name: String,
    pub path: String,
    pub kind: EntryKind,
    pub size: i64,
    pub mode: u32,
    pub permissions: String,
    pub owner: String,
    pub group: String,
    pub modified_unix: i64,
    pub symlink_target: Option<String>,
}

impl From<wire::EntryInfo> for Entry {
    fn from(entry: wire::EntryInfo) -> Self {
        let kind = match entry.r#type.as_known() {
            Some(wire::FileType::FILE_TYPE_FILE) => EntryKind::File,
            Some(wire::FileType::FILE_TYPE_DIRECTORY) => EntryKind::Directory,
            Some(wire::FileType::FILE_TYPE_SYMLINK) => EntryKind::Symlink,
            Some(wire::FileType::FILE_TYPE_UNSPECIFIED) | None => EntryKind::Unknown,
        };
        Self {
            kind: if entry.is_symlink {
                EntryKind::Symlink
            } else {
                kind
            },
            modified_unix: entry
                .modified_time
                .as_option()
                .map_or(0, |time| time.seconds),
            name: entry.name,
            path: entry.path,
            size: entry.size,
            mode: entry.mode,
            permissions: entry.permissions,
            owner: entry.owner,
            group: entry.group,
            symlink_target: entry.symlink_target,
        }
    }
}

fn entry(entry: Option<wire::EntryInfo>) -> Result<Entry, GuestError> {
    entry
        .map(Entry::from)
        .ok_or_else(|| GuestError::Failed("the response has no entry".into()))
}

/// The disk is the only resource that a new entry of a directory can exhaust.
fn disk_full(error: ConnectError) -> GuestError {
    if error.code == ErrorCode::ResourceExhausted {
        GuestError::DiskFull
    } else {
        error.into()
    }
}

/// The body of an error response of `/files`.
#[derive(Deserialize)]
struct ErrorBody {
    message: String,
}

impl GuestClient {
    pub async fn list_dir(&self, path: &str, depth: u32) -> Result<Vec<Entry>, GuestError> {
        let request = wire::ListDirRequest {
            path: path.to_owned(),
            depth,
            ..Default::default()
        };
        let answer = self
            .filesystem
            .list_dir_with_options(request, unary_list())
            .await?;
        Ok(answer
            .into_owned()
            .entries
            .into_iter()
            .map(Entry::from)
            .collect())
    }

    pub async fn stat(&self, path: &str) -> Result<Entry, GuestError> {
        let request = wire::StatRequest {
            path: path.to_owned(),
            ..Default::default()
        };
        let answer = self.filesystem.stat_with_options(request, unary()).await?;
        entry(answer.into_owned().entry.into_option())
    }

    pub async fn make_dir(&self, path: &str) -> Result<Entry, GuestError> {
        let request = wire::MakeDirRequest {
            path: path.to_owned(),
            ..Default::default()
        };
        let answer = self.filesystem.make_dir_with_options(request, unary());
        let answer = answer.await.map_err(disk_full)?;
        entry(answer.into_owned().entry.into_option())
    }

    /// Moves a file or directory. Missing parent directories of the destination are created. Without `overwrite` a destination
    /// that exists is a conflict.
    pub async fn move_entry(
        &self,
        from: &str,
        to: &str,
        overwrite: bool,
    ) -> Result<Entry, GuestError> {
        let request = wire::MoveRequest {
            source: from.to_owned(),
            destination: to.to_owned(),
            no_overwrite: !overwrite,
            ..Default::default()
        };
        let answer = self.filesystem.r#move_with_options(request, unary());
        let answer = answer.await.map_err(disk_full)?;
        entry(answer.into_owned().entry.into_option())
    }

    /// Removes a file, or a directory with its contents. Succeeds when the path does not exist.
    pub async fn remove(&self, path: &str) -> Result<(), GuestError> {
        let request = wire::RemoveRequest {
            path: path.to_owned(),
            ..Default::default()
        };
        self.filesystem
            .remove_with_options(request, unary())
            .await?;
        Ok(())
    }

    /// Streams the contents of a file. The length is `None` when the guest did not send it.
    pub async fn read_file(
        &self,
        path: &str,
    ) -> Result<(Option<u64>, CutBody<ExchangeBody>), GuestError> {
        let request = self.files_request(Method::GET, path, Body::empty())?;
        let response = require_success(self.transport.send(GUEST_PORT, request).await?).await?;
        let length = response
            .headers()
            .get(header::CONTENT_LENGTH)
            .and_then(|length| length.to_str().ok()?.parse().ok());
        Ok((length, response.into_body()))
    }

    /// Writes a file from a stream. Missing parent directories are created; an existing file is replaced when the whole body
    /// has arrived.
    pub async fn write_file(&self, path: &str, body: Body) -> Result<(), GuestError> {
        let mut request = self.files_request(Method::POST, path, body)?;
        let headers = request.headers_mut();
        let bytes = HeaderValue::from_static("application/octet-stream");
        headers.insert(header::CONTENT_TYPE, bytes);
        require_success(self.transport.send(GUEST_PORT, request).await?).await?;
        Ok(())
    }

    fn files_request(
        &self,
        method: Method,
        path: &str,
        body: Body,
    ) -> Result<Request<Body>, GuestError> {
        let query = encode(path);
        let request = Request::builder()
            .method(method)
            .uri(format!("/files?path={query}"))
            .header(
                header_name(ACCESS_TOKEN_HEADER),
                &self.transport.target().access_token,
            )
            .header(header::ACCEPT_ENCODING, "identity")
            .body(body)
            .map_err(TransportError::from)?;
        Ok(request)
    }
}

pub(super) async fn require_success(
    response: Response<CutBody<ExchangeBody>>,
) -> Result<Response<CutBody<ExchangeBody>>, GuestError> {
    let status = response.status();
    if status.is_success() {
        return Ok(response);
    }
    let body = Limited::new(response.into_body(), ERROR_BODY_BYTES_MAX)
        .collect()
        .await;
    let body = body.map_or_else(|_| Bytes::new(), http_body_util::Collected::to_bytes);
    let message = serde_json::from_slice::<ErrorBody>(&body).map_or_else(
        |_| format!("the guest agent answered with status {}", status.as_u16()),
        |body| body.message,
    );
    Err(http_error(status, message))
}
