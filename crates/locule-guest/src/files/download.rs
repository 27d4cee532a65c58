//! Sends a file to the client.

use std::fs::{File, OpenOptions};
use std::io::{self, Read as _, Seek as _};
use std::path::{Path, PathBuf};

use async_compression::tokio::bufread::GzipEncoder;
use axum::body::{Body, Bytes};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use tokio::io::{AsyncRead, AsyncReadExt, BufReader};
use tokio_util::io::ReaderStream;

use super::blocking::blocking;
use super::encoding::{self, Encoding};
use super::error::{FileError, path_error};
use crate::paths::open_regular;

/// The size of one read, and the size up to which a file is read before the answer starts.
const CHUNK_BYTES: usize = 64 * 1024;
/// Limit of a read from a file that reports a small length: files of the kernel report arbitrary lengths.
const CLAIMED_SMALL_BYTES_MAX: u64 = 1024 * 1024;

/// The content to send: an open file, or the bytes of a small one.
enum Content {
    File(File, u64),
    Read(Bytes),
}

impl Content {
    fn length(&self) -> u64 {
        match self {
            Self::File(_, length) => *length,
            Self::Read(bytes) => bytes.len() as u64,
        }
    }

    async fn from(self, start: u64, count: u64) -> io::Result<Box<dyn AsyncRead + Send + Unpin>> {
        Ok(match self {
            Self::File(mut file, _) => {
                let file = blocking(move || file.seek(io::SeekFrom::Start(start)).map(|_| file));
                Box::new(tokio::fs::File::from_std(file.await?).take(count))
            }
            Self::Read(bytes) => {
                // `start` was checked against the length of `bytes`.
                let start = usize::try_from(start).unwrap_or(bytes.len());
                let rest = io::Cursor::new(bytes.slice(start..));
                Box::new(AsyncReadExt::take(rest, count))
            }
        })
    }
}

fn open(path: &Path) -> io::Result<Content> {
    let file = open_regular(path, OpenOptions::new().read(true))?;
    let length = file.metadata()?.len();
    if length > CHUNK_BYTES as u64 {
        return Ok(Content::File(file, length));
    }
    // A file under /proc or /sys reports a length that differs from its content.
    let mut bytes = Vec::new();
    let mut start = file.take(CLAIMED_SMALL_BYTES_MAX);
    start.read_to_end(&mut bytes)?;
    let grown = bytes.len() as u64 == CLAIMED_SMALL_BYTES_MAX;
    Ok(match start.into_inner() {
        file if grown => {
            let length = file.metadata()?.len();
            Content::File(file, length)
        }
        _ => Content::Read(bytes.into()),
    })
}

pub(super) async fn send(path: &Path, request: &HeaderMap) -> Result<Response, FileError> {
    let refused = |error: io::Error| path_error(&error, path);
    let Some(encoding) = encoding::choose(request) else {
        return Err((
            StatusCode::NOT_ACCEPTABLE,
            "a file is sent as it is or compressed with gzip: accept one of the two encodings"
                .to_owned(),
        ));
    };
    let opened: PathBuf = path.to_owned();
    let content = blocking(move || open(&opened)).await.map_err(refused)?;
    let length = content.length();
    let mut headers = HeaderMap::from_iter([
        (
            header::CONTENT_TYPE,
            HeaderValue::from_static("application/octet-stream"),
        ),
        (
            header::VARY,
            HeaderValue::from_static("accept-encoding, range"),
        ),
    ]);
    // An empty file is not compressed: clients look at its length.
    let refuses_plain = encoding::refuses_identity(request);
    let range = byte_range(
        request
            .get(header::RANGE)
            .and_then(|range| range.to_str().ok()),
        length,
    );
    let compress =
        encoding == Encoding::Gzip && (refuses_plain || (length > 0 && range == ByteRange::Whole));
    if compress {
        headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static("gzip"));
        let plain = content.from(0, length).await.map_err(refused)?;
        let packed = GzipEncoder::new(BufReader::with_capacity(CHUNK_BYTES, plain));
        let body = Body::from_stream(ReaderStream::with_capacity(packed, CHUNK_BYTES));
        return Ok((StatusCode::OK, headers, body).into_response());
    }
    headers.insert(header::ACCEPT_RANGES, HeaderValue::from_static("bytes"));
    let mut set_range = |text: String| {
        let value = HeaderValue::try_from(text).ok();
        headers.extend(value.map(|value| (header::CONTENT_RANGE, value)));
    };
    let (status, start, count) = match range {
        ByteRange::Whole => (StatusCode::OK, 0, length),
        ByteRange::Part(start, end) => {
            set_range(format!("bytes {start}-{}/{length}", end - 1));
            (StatusCode::PARTIAL_CONTENT, start, end - start)
        }
        ByteRange::Outside => {
            set_range(format!("bytes */{length}"));
            return Ok((StatusCode::RANGE_NOT_SATISFIABLE, headers).into_response());
        }
    };
    headers.insert(header::CONTENT_LENGTH, HeaderValue::from(count));
    let plain = content.from(start, count).await.map_err(refused)?;
    let body = Body::from_stream(ReaderStream::with_capacity(plain, CHUNK_BYTES));
    Ok((status, headers, body).into_response())
}

/// The part of a file that a request asks for.
#[derive(Debug, PartialEq, Eq)]
enum ByteRange {
    /// The whole file: there is no range, or one that cannot be parsed.
    Whole,
    /// From the first offset up to, and not including, the second.
    Part(u64, u64),
    Outside,
}

fn byte_range(header: Option<&str>, length: u64) -> ByteRange {
    let bounds = header.and_then(|text| text.strip_prefix("bytes=")?.split_once('-'));
    let Some((first, last)) = bounds else {
        return ByteRange::Whole;
    };
    let (start, end) = match (first.parse::<u64>(), last.parse::<u64>()) {
        (Ok(first), Ok(last)) if first <= last => (first, last.saturating_add(1).min(length)),
        (Ok(first), Err(_)) if last.is_empty() => (first, length),
        (Err(_), Ok(suffix)) if first.is_empty() => (length.saturating_sub(suffix), length),
        _ => return ByteRange::Whole,
    };
    if start < end {
        ByteRange::Part(start, end)
    } else {
        ByteRange::Outside
    }
}

#[cfg(test)]
mod tests {
    use super::{ByteRange, byte_range};

    #[test]
    fn ranges_are_clamped_to_the_file() {
        let cases = [
            ("bytes=0-3", ByteRange::Part(0, 4)),
            ("bytes=5-", ByteRange::Part(5, 10)),
            ("bytes=-4", ByteRange::Part(6, 10)),
            ("bytes=8-99", ByteRange::Part(8, 10)),
            ("bytes=10-", ByteRange::Outside),
            ("bytes=3-1", ByteRange::Whole),
            ("lines=1-2", ByteRange::Whole),
        ];
        for (header, range) in cases {
            assert_eq!(byte_range(Some(header), 10), range, "{header}");
        }
        assert_eq!(byte_range(None, 10), ByteRange::Whole);
    }
}
