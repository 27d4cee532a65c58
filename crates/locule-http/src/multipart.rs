//! Multipart uploads: a `path` part, and a `file` part that is streamed to the guest agent.

use std::io;

use axum::body::Body;
use axum::extract::multipart::{Field, Multipart};
use bytes::Bytes;
use futures::stream;
use locule_edge::GuestClient;
use tokio::sync::mpsc;

use crate::error::ApiError;

/// The guest agent's limit.
const PATH_BYTES_MAX: usize = 4095;
const CHUNKS_IN_FLIGHT: usize = 4;

/// Action on a `file` part that comes before the `path` part.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum FileFirst {
    /// Buffer the file: the size of the body is limited.
    Buffer,
    /// Refuse the upload: the file may be of any size (W-044).
    Refuse,
}

/// Writes the uploaded file.
pub(crate) async fn upload(
    guest: &GuestClient,
    mut parts: Multipart,
    file_first: FileFirst,
) -> Result<(), ApiError> {
    let mut path = None;
    let mut buffered = None;
    while let Some(mut part) = parts.next_field().await? {
        match part.name() {
            Some("path") => path = Some(read_path(&mut part).await?),
            Some("file") => match (&path, file_first) {
                (Some(path), _) => return stream_to_guest(guest, path, part).await,
                (None, FileFirst::Buffer) => buffered = Some(part.bytes().await?),
                (None, FileFirst::Refuse) => {
                    return Err(ApiError::invalid(
                        "the part `file` came first; send the part `path` before it",
                    ));
                }
            },
            _ => {}
        }
    }
    match (path, buffered) {
        (Some(path), Some(bytes)) => Ok(guest.write_file(&path, bytes.into()).await?),
        (None, _) => Err(ApiError::invalid("the part `path` is missing")),
        (Some(_), None) => Err(ApiError::invalid("the part `file` is missing")),
    }
}

async fn read_path(part: &mut Field<'_>) -> Result<String, ApiError> {
    let mut bytes = Vec::new();
    while let Some(chunk) = part.chunk().await? {
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
) -> Result<(), ApiError> {
    let (chunks, mut received) = mpsc::channel::<io::Result<Bytes>>(CHUNKS_IN_FLIGHT);
    let body = Body::from_stream(stream::poll_fn(move |context| received.poll_recv(context)));
    let read = async move {
        loop {
            match part.chunk().await {
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
                    return Err(ApiError::from(error));
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
                let path = read_path(&mut part).await?;
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
            .build()
            .unwrap();
        locule_fuzz::fuzz(&seeds, |body| {
            runtime
                .block_on(parts(body))
                .map_err(|error| error.message())
        });
    }
}
