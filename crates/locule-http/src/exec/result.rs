//! The answer of a command that ran in the foreground. A large output is encoded while the client reads it, so that it occupies
//! its own size in memory and no more.

use axum::Json;
use axum::body::Body;
use axum::response::{IntoResponse as _, Response};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use futures::stream;
use http::{HeaderValue, header};
use locule_api::{Encoding, ExecResult};

use crate::connection::Connection;
use crate::error::ApiError;
use crate::memory::Held;
use crate::segments::Segments;

use super::text::unfinished;

/// Outputs up to this size are encoded at once, into at most six times as much JSON, which no team is charged for.
const SMALL_BYTES: usize = 8 * 1024;
/// The listener holds a few encoded pieces of each answer whose client does not read.
const PIECE_BYTES: usize = 12 * 1024;

/// What a command printed, and the memory that it occupies.
#[derive(Debug)]
pub(super) struct Output {
    pub(super) stdout: Segments,
    pub(super) stderr: Segments,
    pub(super) held: Held,
}

impl Output {
    pub(super) fn new(held: Held) -> Self {
        Self {
            stdout: Segments::default(),
            stderr: Segments::default(),
            held,
        }
    }

    pub(super) fn len(&self) -> usize {
        self.stdout.len() + self.stderr.len()
    }

    /// The answer. The output of `result` is empty and comes from here: both streams as text when both are UTF-8, else both as
    /// base64.
    pub(super) fn answer(
        self,
        mut result: ExecResult,
        connection: &Connection,
    ) -> Result<Response, ApiError> {
        // The output of a killed command may end inside of a character.
        let killed = result.timed_out || result.truncated;
        let is_text = [&self.stdout, &self.stderr]
            .iter()
            .all(|output| output.is_utf8(killed));
        result.encoding = if is_text {
            Encoding::Utf8
        } else {
            Encoding::Base64
        };
        if self.len() <= SMALL_BYTES {
            result.stdout = encoded(&self.stdout, is_text);
            result.stderr = encoded(&self.stderr, is_text);
            return Ok(Json(result).into_response());
        }
        connection.answer_is_held();
        let rest = rest(&result).map_err(ApiError::internal)?;
        let mut response = Body::from_stream(self.pieces(is_text, &rest)).into_response();
        let json = HeaderValue::from_static("application/json");
        response.headers_mut().insert(header::CONTENT_TYPE, json);
        Ok(response)
    }

    /// The pieces of the JSON object.
    fn pieces(
        self,
        is_text: bool,
        rest: &str,
    ) -> impl futures::Stream<Item = Result<Bytes, serde_json::Error>> + use<> {
        let Self {
            stdout,
            stderr,
            held,
        } = self;
        let pieces = std::iter::once(Ok(r#"{"stdout":""#.into()))
            .chain(encoded_pieces(stdout, is_text))
            .chain([Ok(r#"","stderr":""#.into())])
            .chain(encoded_pieces(stderr, is_text))
            .chain([Ok(format!("\",{rest}").into())])
            .inspect(move |_| {
                // The memory is the team's until the last piece is gone.
                let _held = &held;
            });
        stream::iter(pieces)
    }
}

fn encoded(output: &Segments, is_text: bool) -> String {
    let bytes = output.iter().collect::<Vec<_>>().concat();
    if is_text {
        String::from_utf8_lossy(&bytes).into_owned()
    } else {
        STANDARD.encode(bytes)
    }
}

/// The fields of the result without the output, as the end of a JSON object.
fn rest(result: &ExecResult) -> Result<String, serde_json::Error> {
    let mut fields = serde_json::to_value(result)?;
    if let Some(fields) = fields.as_object_mut() {
        fields.remove("stdout");
        fields.remove("stderr");
    }
    let object = fields.to_string();
    Ok(object.trim_start_matches('{').to_owned())
}

/// The inside of a JSON string, in several parts. A segment is freed when it has been encoded.
fn encoded_pieces(
    output: Segments,
    is_text: bool,
) -> impl Iterator<Item = Result<Bytes, serde_json::Error>> {
    let mut segments = output.into_iter();
    let mut segment = Bytes::new();
    // Of a character or of three bytes, the part that is in the last piece.
    let mut begun = Vec::new();
    std::iter::from_fn(move || {
        while segment.is_empty() {
            let Some(next) = segments.next() else {
                break;
            };
            segment = next.into();
        }
        if segment.is_empty() && begun.is_empty() {
            return None;
        }
        let is_last = segment.is_empty();
        let mut piece = std::mem::take(&mut begun);
        piece.extend_from_slice(&segment.split_to(PIECE_BYTES.min(segment.len())));
        let keep = match (is_last, is_text) {
            (true, _) => 0,
            (false, true) => unfinished(&piece),
            (false, false) => piece.len() % 3,
        };
        begun = piece.split_off(piece.len() - keep);
        Some(encoded_piece(&piece, is_text))
    })
}

fn encoded_piece(piece: &[u8], is_text: bool) -> Result<Bytes, serde_json::Error> {
    if !is_text {
        return Ok(STANDARD.encode(piece).into());
    }
    let mut quoted = Vec::with_capacity(piece.len() + 2);
    serde_json::to_writer(&mut quoted, &String::from_utf8_lossy(piece))?;
    let quoted = Bytes::from(quoted);
    Ok(quoted.slice(1..quoted.len() - 1))
}

#[cfg(test)]
mod tests {
    use futures::StreamExt as _;
    use locule_ids::{SandboxId, TeamId};
    use serde_json::Value;

    use super::*;
    use crate::memory::MemoryBudget;

    async fn answered(stdout: &[u8], stderr: &[u8]) -> Value {
        answered_after(stdout, stderr, false).await
    }

    async fn answered_after(stdout: &[u8], stderr: &[u8], timed_out: bool) -> Value {
        let budget = MemoryBudget::new(64 << 20, 64 << 20);
        let mut output = Output::new(budget.held_by(TeamId::random()));
        output.stdout.push(stdout, &mut output.held).unwrap();
        output.stderr.push(stderr, &mut output.held).unwrap();
        let result = ExecResult {
            sandbox_id: SandboxId::random(),
            cmd: "}\"{ \"stdout\":".to_owned(),
            stdout: String::new(),
            stderr: String::new(),
            exit_code: 3,
            duration_ms: 7,
            encoding: Encoding::Utf8,
            timed_out,
            truncated: false,
        };
        let response = output.answer(result, &Connection::default()).unwrap();
        assert_eq!(response.headers()["content-type"], "application/json");
        let mut body = response.into_body().into_data_stream();
        let mut whole = Vec::new();
        while let Some(piece) = body.next().await {
            whole.extend_from_slice(&piece.unwrap());
        }
        serde_json::from_slice(&whole).unwrap()
    }

    #[tokio::test]
    async fn a_large_output_is_the_same_json_as_a_small_one() {
        for length in [10, 400_000] {
            let text = "a\u{20ac}\u{0}\"\\\u{1d11e}".repeat(length / 10);
            let answer = answered(text.as_bytes(), b"no\n").await;
            assert_eq!(answer["stdout"], text.as_str());
            assert_eq!(
                (&answer["stderr"], &answer["encoding"], &answer["exit_code"]),
                (&"no\n".into(), &"utf-8".into(), &3.into())
            );
            assert_eq!(answer["cmd"], "}\"{ \"stdout\":");
        }
    }

    #[tokio::test]
    async fn the_text_of_a_killed_command_may_end_inside_of_a_character() {
        for length in [2, 200_000] {
            let begun = [&vec![b'a'; length], &b"\xe2\x82"[..]].concat();
            let answer = answered_after(&begun, b"", true).await;
            assert_eq!(answer["stdout"], "a".repeat(length) + "\u{fffd}");
            assert_eq!(answered(&begun, b"").await["encoding"], "base64");
        }
    }

    #[tokio::test]
    async fn both_streams_are_base64_when_one_is_not_utf_8() {
        for length in [2, 200_000] {
            let bytes: Vec<u8> = (0..=255).cycle().take(length).collect();
            let answer = answered(b"ok", &[bytes.as_slice(), &[0xff]].concat()).await;
            assert_eq!(
                (&answer["stdout"], &answer["encoding"]),
                (&"b2s=".into(), &"base64".into())
            );
            let stderr = STANDARD.decode(answer["stderr"].as_str().unwrap()).unwrap();
            assert_eq!(stderr, [bytes.as_slice(), &[0xff]].concat());
        }
    }
}
