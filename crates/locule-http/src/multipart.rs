//! Multipart uploads: a `path` part, and a `file` part that is streamed to the guest agent.

use std::io;
use std::time::Duration;

use axum::body::Body;
use axum::extract::multipart::{Field, Multipart};
use bytes::Bytes;
use futures::stream;
use locule_edge::{GuestClient, GuestError};
use tokio::sync::mpsc;

use crate::body::Pace;
use crate::error::ApiError;
use crate::memory::Held;
use crate::segments::Segments;

/// The guest agent's limit.
const PATH_BYTES_MAX: usize = 4095;
const CHUNKS_IN_FLIGHT: usize = 2;
/// An upload that is streamed counts as so much memory: its buffers are full while the guest agent does not read.
const STREAM_BYTES: usize = 256 * 1024;

/// Time in which the guest agent must take a file that is held in memory.
const HELD_WRITE_TIMEOUT: Duration = Duration::from_mins(2);

/// Action on a `file` part that comes before the `path` part.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum FileFirst {
    /// Hold the file in memory: the size of the body is limited.
    Hold,
    /// Refuse the upload: the file may be of any size (W-044).
    Refuse,
}

/// Writes the uploaded file.
pub(crate) async fn upload(
    guest: &GuestClient,
    mut parts: Multipart,
    mut held: Held,
    file_first: FileFirst,
) -> Result<(), ApiError> {
    let mut path = None;
    let mut file = None;
    let mut pace = Pace::default();
    while let Some(mut part) = pace.wait(parts.next_field()).await? {
        match part.name() {
            Some("path") => path = Some(read_path(&mut part, &mut pace).await?),
            Some("file") => match (&path, file_first) {
                (Some(path), _) => {
                    held.add(STREAM_BYTES)?;
                    return stream_to_guest(guest, path, part, pace).await;
                }
                (None, FileFirst::Hold) => {
                    held.clear();
                    file = Some(hold(&mut part, &mut pace, &mut held).await?);
                }
                (None, FileFirst::Refuse) => {
                    return Err(ApiError::invalid(
                        "the part `file` came first; send the part `path` before it",
                    ));
                }
            },
            _ => while next_chunk(&mut part, &mut pace).await?.is_some() {},
        }
    }
    let (path, file) = match (path, file) {
        (Some(path), Some(file)) => (path, file),
        (None, _) => return Err(ApiError::invalid("the part `path` is missing")),
        (Some(_), None) => return Err(ApiError::invalid("the part `file` is missing")),
    };
    let body = Body::from_stream(stream::iter(
        file.into_iter()
            .map(|segment| Ok::<_, io::Error>(Bytes::from(segment))),
    ));
    let written = tokio::time::timeout(HELD_WRITE_TIMEOUT, guest.write_file(&path, body)).await;
    Ok(written
        .unwrap_or_else(|_| Err(GuestError::Failed("it did not take a file in time".into())))?)
}

async fn next_chunk(part: &mut Field<'_>, pace: &mut Pace) -> Result<Option<Bytes>, ApiError> {
    let chunk = pace.wait(part.chunk()).await?;
    pace.received(chunk.as_ref().map_or(0, Bytes::len));
    Ok(chunk)
}

async fn hold(
    part: &mut Field<'_>,
    pace: &mut Pace,
    held: &mut Held,
) -> Result<Segments, ApiError> {
    let mut file = Segments::default();
    while let Some(chunk) = next_chunk(part, pace).await? {
        file.push(&chunk, held)?;
    }
    Ok(file)
}

async fn read_path(part: &mut Field<'_>, pace: &mut Pace) -> Result<String, ApiError> {
    let mut bytes = Vec::new();
    while let Some(chunk) = next_chunk(part, pace).await? {
        bytes.extend_from_slice(&chunk);
        if bytes.len() > PATH_BYTES_MAX {
            return Err(ApiError::invalid(format!(
                "the path is longer than {PATH_BYTES_MAX} bytes"
            )));
        }
    }
    let path = String::from_utf8(bytes).map_err(|_| ApiError::invalid("the path is not UTF-8"))?;
    if path.is_empty() {
        return Err(ApiError::invalid("path is required"));
    }
    Ok(path)
}

/// Streams the part to the guest agent. The request to the guest agent is aborted when the client's body breaks off.
async fn stream_to_guest(
    guest: &GuestClient,
    path: &str,
    mut part: Field<'_>,
    mut pace: Pace,
) -> Result<(), ApiError> {
    let (chunks, mut received) = mpsc::channel::<io::Result<Bytes>>(CHUNKS_IN_FLIGHT);
    let body = Body::from_stream(stream::poll_fn(move |context| received.poll_recv(context)));
    let read = async move {
        loop {
            match next_chunk(&mut part, &mut pace).await {
                Ok(None) => return Ok(()),
                Ok(Some(chunk)) => {
                    // The guest agent responded early; its response has the reason.
                    if chunks.send(Ok(chunk)).await.is_err() {
                        return Ok(());
                    }
                }
                Err(error) => {
                    chunks
                        .send(Err(io::ErrorKind::ConnectionAborted.into()))
                        .await
                        .ok();
                    return Err(error);
                }
            }
        }
    };
    let (read, written) = tokio::join!(read, guest.write_file(path, body));
    read?;
    Ok(written?)
}

#[cfg(test)]
mod fuzz {
    use axum::extract::FromRequest as _;

    use super::*;

    /// The names of an upload's parts, read as the handler reads the parts.
    async fn parts(body: &[u8]) -> Result<Vec<Option<String>>, ApiError> {
        let request = http::Request::post("/")
            .header("content-type", "multipart/form-data; boundary=XX")
            .body(Body::from(body.to_vec()))
            .map_err(|_| ApiError::invalid("no request"))?;
        let parts = Multipart::from_request(request, &()).await;
        let mut parts = parts.map_err(|_| ApiError::invalid("no multipart"))?;
        let mut names = Vec::new();
        while let Some(mut part) = parts.next_field().await? {
            names.push(part.name().map(str::to_owned));
            if part.name() == Some("path") {
                let path = read_path(&mut part, &mut Pace::default()).await?;
                assert!((1..=PATH_BYTES_MAX).contains(&path.len()));
            } else {
                while part.chunk().await?.is_some() {}
            }
        }
        Ok(names)
    }

    #[test]
    fn any_upload_is_read_into_parts_or_refused() {
        let seeds = [
            "--XX\r\nContent-Disposition: form-data; name=\"path\"\r\n\r\n/a b\r\n--XX\r\n\
             Content-Disposition: form-data; name=\"file\"; filename=\"x\"\r\nContent-Type: text/plain\r\n\r\nbytes\r\n--XX--\r\n",
            "--XX\r\ncontent-disposition: form-data; name=path; filename*=utf-8''%c3%bc\r\n\r\n../../etc\r\n--XX--",
        ];
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .build()
            .unwrap();
        locule_fuzz::fuzz(&seeds, |body| {
            runtime
                .block_on(parts(body))
                .map_err(|error| error.message())
        });
    }
}
