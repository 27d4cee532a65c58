//! The guest images, which host agents fetch by the hash of their content.

use std::io;
use std::ops::Range;
use std::sync::Arc;

use axum::Json;
use axum::body::Body;
use axum::extract::State;
use axum::response::{IntoResponse as _, Response};
use bytes::Bytes;
use futures::stream::{self, Stream};
use http::{HeaderMap, HeaderValue, StatusCode, header};
use locule_api::{ErrorCode, HostImage, HostImageKind, schema};
use locule_control::{Image, ImageKind};

use crate::caller::HostCaller;
use crate::error::ApiError;
use crate::extract::ApiPath;
use crate::state::AppState;

/// Each download holds so much in memory.
const CHUNK_BYTES: u64 = 128 * 1024;

fn view(image: locule_control::HostImage) -> HostImage {
    HostImage {
        kind: match image.kind {
            ImageKind::Kernel => HostImageKind::Kernel,
            ImageKind::Initramfs => HostImageKind::Initramfs,
            ImageKind::Template => HostImageKind::Template,
        },
        name: image.name,
        version: image.version,
        sha256: image.sha256,
        size_bytes: image.size_bytes,
    }
}

/// List the guest images
///
/// For host agents. A host needs every listed image: the kernel, the initramfs, and the root filesystem of each template. The list is
/// empty if the control plane has no images.
#[utoipa::path(get, path = "/v1/hosts/images", tag = "hosts", security(("host_token" = [])),
    responses((status = 200, body = Vec<HostImage>), (status = 404)))]
pub(crate) async fn list_host_images(
    State(app): State<AppState>,
    HostCaller(agent): HostCaller,
) -> Result<Json<Vec<HostImage>>, ApiError> {
    let images = app.hosts.list_images(agent).await?;
    Ok(Json(images.into_iter().map(view).collect()))
}

/// Read a guest image
///
/// For host agents. The SHA-256 hash of the response is the one in the path. The root filesystem of a template is sent packed: each
/// block of 64 KiB that is not zero, after its offset, and at the end the size of the filesystem; the numbers have 8 bytes and are
/// little-endian. The header `Range` asks for a part, such as the rest after a connection broke.
#[utoipa::path(get, path = "/v1/hosts/images/{sha256}", tag = "hosts", security(("host_token" = [])),
    params(("sha256" = schema::Sha256, Path)),
    responses((status = 200, content_type = "application/octet-stream"),
        (status = 206, content_type = "application/octet-stream"), (status = 404), (status = 416)))]
pub(crate) async fn read_host_image(
    State(app): State<AppState>,
    HostCaller(agent): HostCaller,
    ApiPath(sha256): ApiPath<String>,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let image = app.hosts.image(agent, &sha256).await?;
    let length = image.size_bytes();
    let asked = headers.get(header::RANGE);
    let asked = asked.and_then(|range| byte_range(range.to_str().ok()?));
    let Some((first, last)) = asked else {
        return Ok(answer(StatusCode::OK, image, 0..length));
    };
    let end = last.map_or(length, |last| last.saturating_add(1).min(length));
    if first >= length {
        return Err(ApiError::Request {
            status: StatusCode::RANGE_NOT_SATISFIABLE,
            code: ErrorCode::InvalidRange,
            message: format!("the image has {length} bytes"),
        });
    }
    let mut response = answer(StatusCode::PARTIAL_CONTENT, image, first..end);
    let range = format!("bytes {first}-{}/{length}", end - 1);
    let range = HeaderValue::try_from(range).map_err(ApiError::internal)?;
    response.headers_mut().insert(header::CONTENT_RANGE, range);
    Ok(response)
}

fn answer(status: StatusCode, image: Arc<Image>, range: Range<u64>) -> Response {
    let length = range.end - range.start;
    let body = Body::from_stream(chunks(image, range));
    let mut response = (status, body).into_response();
    let headers = response.headers_mut();
    let bytes = HeaderValue::from_static("application/octet-stream");
    headers.insert(header::CONTENT_TYPE, bytes);
    headers.insert(header::CONTENT_LENGTH, HeaderValue::from(length));
    headers.insert(header::ACCEPT_RANGES, HeaderValue::from_static("bytes"));
    response
}

/// The bytes of an image in this range.
fn chunks(image: Arc<Image>, range: Range<u64>) -> impl Stream<Item = io::Result<Bytes>> {
    stream::try_unfold(range.start, move |position| {
        let (image, end) = (image.clone(), range.end);
        async move {
            if position >= end {
                return Ok(None);
            }
            let count = usize::try_from(CHUNK_BYTES.min(end - position)).unwrap_or(0);
            let reading = tokio::task::spawn_blocking(move || {
                let mut chunk = vec![0; count];
                let read = image.read_at(&mut chunk, position)?;
                if read < count {
                    return Err(io::Error::from(io::ErrorKind::UnexpectedEof));
                }
                Ok(Bytes::from(chunk))
            });
            let chunk = reading.await.map_err(io::Error::other)??;
            Ok(Some((chunk, position + count as u64)))
        }
    })
}

/// The first and the last byte of a request for one range from the beginning. A range of another form is ignored, as HTTP allows.
fn byte_range(text: &str) -> Option<(u64, Option<u64>)> {
    let (first, last) = text.strip_prefix("bytes=")?.split_once('-')?;
    let number = |digits: &str| {
        let is_number = digits.bytes().all(|byte| byte.is_ascii_digit());
        is_number.then(|| digits.parse::<u64>().ok()).flatten()
    };
    let first = number(first)?;
    match last {
        "" => Some((first, None)),
        last => number(last)
            .filter(|last| *last >= first)
            .map(|last| (first, Some(last))),
    }
}

#[cfg(test)]
mod tests {
    use super::byte_range;

    #[test]
    fn a_range_is_read_if_it_is_one_range_from_the_beginning() {
        for (text, expected) in [
            ("bytes=0-", Some((0, None))),
            ("bytes=5-9", Some((5, Some(9)))),
            ("bytes=7-7", Some((7, Some(7)))),
            ("bytes=9-5", None),
            ("bytes=-5", None),
            ("bytes=+5-", None),
            ("bytes=0-1,4-5", None),
            ("bytes=99999999999999999999-", None),
            ("lines=0-", None),
            ("", None),
        ] {
            assert_eq!(byte_range(text), expected, "{text}");
        }
    }
}
