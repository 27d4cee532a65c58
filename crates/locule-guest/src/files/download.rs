//! A file on its way out.

use std::fs::{File, OpenOptions};
use std::io::{self, Read as _, Seek as _};
use std::path::{Path, PathBuf};

use async_compression::tokio::bufread::GzipEncoder;
use axum::body::{Body, Bytes};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use tokio::io::{AsyncRead, AsyncReadExt, BufReader};
use tokio_util::io::ReaderStream;

use super::encoding::{self, Encoding};
use super::{Refusal, blocking, io_refusal};
use crate::paths::open_regular;

/// Read at a time, and the size up to which a file is read before it is answered for.
const CHUNK_BYTES: usize = 64 * 1024;
/// Of a file that claims to be small: the kernel's own claim any length.
const CLAIMED_SMALL_BYTES_MAX: u64 = 1024 * 1024;

/// What is to be sent: a file, or all of one that is small.
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
                // Both were measured by the same bytes.
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
    // The length of a file under /proc or /sys is not what is in it.
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

pub(super) async fn send(path: &Path, asked: &HeaderMap) -> Result<Response, Refusal> {
    let refused = |error: io::Error| io_refusal(&error, path);
    let Some(encoding) = encoding::choose(asked) else {
        return Err((
            StatusCode::NOT_ACCEPTABLE,
            "a file is sent plain or with gzip: accept one of them".to_owned(),
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
    // Nothing is not made smaller, and clients look at its length.
    let refuses_plain = encoding::refuses_identity(asked);
    let wanted = byte_range(
        asked
            .get(header::RANGE)
            .and_then(|range| range.to_str().ok()),
        length,
    );
    let compress =
        encoding == Encoding::Gzip && (refuses_plain || (length > 0 && wanted == Wanted::Whole));
    if compress {
        headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static("gzip"));
        let plain = content.from(0, length).await.map_err(refused)?;
        let packed = GzipEncoder::new(BufReader::with_capacity(CHUNK_BYTES, plain));
        let body = Body::from_stream(ReaderStream::with_capacity(packed, CHUNK_BYTES));
        return Ok((StatusCode::OK, headers, body).into_response());
    }
    headers.insert(header::ACCEPT_RANGES, HeaderValue::from_static("bytes"));
    let mut say = |text: String| {
        let value = HeaderValue::try_from(text).ok();
        headers.extend(value.map(|value| (header::CONTENT_RANGE, value)));
    };
    let (status, start, count) = match wanted {
        Wanted::Whole => (StatusCode::OK, 0, length),
        Wanted::Part(start, end) => {
            say(format!("bytes {start}-{}/{length}", end - 1));
            (StatusCode::PARTIAL_CONTENT, start, end - start)
        }
        Wanted::Outside => {
            say(format!("bytes */{length}"));
            return Ok((StatusCode::RANGE_NOT_SATISFIABLE, headers).into_response());
        }
    };
    headers.insert(header::CONTENT_LENGTH, HeaderValue::from(count));
    let plain = content.from(start, count).await.map_err(refused)?;
    let body = Body::from_stream(ReaderStream::with_capacity(plain, CHUNK_BYTES));
    Ok((status, headers, body).into_response())
}

/// What of a file is asked for.
#[derive(Debug, PartialEq, Eq)]
enum Wanted {
    /// Everything; also where the range is not understood.
    Whole,
    /// From the first number up to, not including, the second.
    Part(u64, u64),
    Outside,
}

fn byte_range(header: Option<&str>, length: u64) -> Wanted {
    let asked = header.and_then(|text| text.strip_prefix("bytes=")?.split_once('-'));
    let Some((first, last)) = asked else {
        return Wanted::Whole;
    };
    let (start, end) = match (first.parse::<u64>(), last.parse::<u64>()) {
        (Ok(first), Ok(last)) if first <= last => (first, last.saturating_add(1).min(length)),
        (Ok(first), Err(_)) if last.is_empty() => (first, length),
        (Err(_), Ok(suffix)) if first.is_empty() => (length.saturating_sub(suffix), length),
        _ => return Wanted::Whole,
    };
    if start < end {
        Wanted::Part(start, end)
    } else {
        Wanted::Outside
    }
}

#[cfg(test)]
mod tests {
    use super::{Wanted, byte_range};

    #[test]
    fn ranges_are_clamped_to_the_file() {
        let cases = [
            ("bytes=0-3", Wanted::Part(0, 4)),
            ("bytes=5-", Wanted::Part(5, 10)),
            ("bytes=-4", Wanted::Part(6, 10)),
            ("bytes=8-99", Wanted::Part(8, 10)),
            ("bytes=10-", Wanted::Outside),
            ("bytes=3-1", Wanted::Whole),
            ("lines=1-2", Wanted::Whole),
        ];
        for (header, wanted) in cases {
            assert_eq!(byte_range(Some(header), 10), wanted, "{header}");
        }
        assert_eq!(byte_range(None, 10), Wanted::Whole);
    }
}
