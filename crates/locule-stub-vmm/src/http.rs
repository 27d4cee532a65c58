//! The part of HTTP/1.1 that the host's calls need: one request with a length and one answer per connection.

use serde::Serialize;
use serde_json::json;

/// More than any call of the host.
const REQUEST_BYTES_MAX: usize = 256 * 1024;

#[derive(Debug)]
pub(crate) struct Request {
    pub(crate) path: String,
    headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

impl Request {
    /// `None`: the request is incomplete. `Err`: the bytes are not a request.
    pub(crate) fn parse(bytes: &[u8]) -> Result<Option<Self>, ()> {
        let Some(end) = bytes.windows(4).position(|four| four == b"\r\n\r\n") else {
            return if bytes.len() > REQUEST_BYTES_MAX {
                Err(())
            } else {
                Ok(None)
            };
        };
        let head = std::str::from_utf8(&bytes[..end]).map_err(drop)?;
        let mut lines = head.split("\r\n");
        let target = lines
            .next()
            .and_then(|line| line.split(' ').nth(1))
            .ok_or(())?;
        let headers: Vec<_> = lines
            .filter_map(|line| line.split_once(':'))
            .map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned()))
            .collect();
        let length = headers.iter().find(|(name, _)| name == "content-length");
        let length = length
            .map_or(Ok(0), |(_, value)| value.parse())
            .map_err(drop)?;
        let body = &bytes[end + 4..];
        if length > REQUEST_BYTES_MAX {
            return Err(());
        }
        Ok((body.len() >= length).then(|| Self {
            path: target.split('?').next().unwrap_or_default().to_owned(),
            headers,
            body: body[..length].to_vec(),
        }))
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(known, _)| known == name);
        found.map(|(_, value)| value.as_str())
    }
}

/// What follows the bytes of an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Then {
    Close,
    /// Nothing, until the client closes the connection.
    Hold,
    /// Whatever the client sends, sent back.
    Echo,
}

#[derive(Debug)]
pub(crate) struct Answer {
    status: u16,
    content_type: &'static str,
    body: Vec<u8>,
    pub(crate) then: Then,
}

const JSON: &str = "application/json";

impl Answer {
    pub(crate) fn empty(status: u16) -> Self {
        Self {
            status,
            content_type: JSON,
            body: Vec::new(),
            then: Then::Close,
        }
    }

    pub(crate) fn json(value: &impl Serialize) -> Self {
        let body = serde_json::to_vec(value).unwrap_or_default();
        Self {
            status: 200,
            content_type: JSON,
            body,
            then: Then::Close,
        }
    }

    /// A stream of messages, which ends without an error or is held open.
    pub(crate) fn stream(messages: &[&[u8]], then: Then) -> Self {
        let envelope = |flags: u8, message: &[u8]| {
            let length = u32::try_from(message.len()).unwrap_or(0).to_be_bytes();
            [&[flags], length.as_slice(), message].concat()
        };
        let mut body: Vec<u8> = messages
            .iter()
            .flat_map(|message| envelope(0, message))
            .collect();
        if then == Then::Close {
            body.extend(envelope(2, b"{}"));
        }
        Self {
            status: 200,
            content_type: "application/connect+proto",
            body,
            then,
        }
    }

    /// The beginning of a text, which never ends.
    pub(crate) fn begun() -> Self {
        Self {
            status: 200,
            content_type: "text/plain",
            body: b"begun".to_vec(),
            then: Then::Hold,
        }
    }

    /// The switch to a protocol in which the client's bytes are sent back.
    pub(crate) fn switched() -> Self {
        Self {
            then: Then::Echo,
            ..Self::empty(101)
        }
    }

    pub(crate) fn error(status: u16, message: &str) -> Self {
        let body = json!({ "code": status, "message": message })
            .to_string()
            .into_bytes();
        Self {
            status,
            content_type: JSON,
            body,
            then: Then::Close,
        }
    }

    pub(crate) fn bytes(&self) -> Vec<u8> {
        let kind = self.content_type;
        let headers = match (self.status, self.then) {
            (204, _) => "connection: close".to_owned(),
            (_, Then::Echo) => "connection: upgrade\r\nupgrade: websocket".to_owned(),
            (_, Then::Hold) => format!("content-type: {kind}\r\nconnection: close"),
            (_, Then::Close) => format!(
                "content-type: {kind}\r\ncontent-length: {}\r\nconnection: close",
                self.body.len()
            ),
        };
        let head = format!("HTTP/1.1 {} -\r\n{headers}\r\n\r\n", self.status);
        [head.as_bytes(), &self.body].concat()
    }
}
