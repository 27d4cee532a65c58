//! A minimal HTTP/1.1 client that measures the time to the first byte of the response.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::time::Duration;

use crate::clock;

/// Limit of the length of a response.
const BODY_BYTES_MAX: usize = 256 * 1024 * 1024;
const LINE_BYTES_MAX: u64 = 64 * 1024;

/// A response with its times.
#[derive(Debug, Clone)]
pub struct Answer {
    pub status: u16,
    pub body: Vec<u8>,
    /// From the first byte of the request to the first byte of the response.
    pub first_byte: Duration,
    /// From the first byte of the request to the last byte of the response.
    pub took: Duration,
    /// Whether the server closes the connection.
    pub last: bool,
}

impl Answer {
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap_or_default()
    }

    pub fn is_success(&self) -> bool {
        (200..300).contains(&self.status)
    }

    /// The beginning of the body, for error messages.
    pub fn text(&self) -> String {
        let text = String::from_utf8_lossy(&self.body).into_owned();
        text.chars().take(300).collect()
    }
}

/// The head of a request.
pub fn head(
    method: &str,
    path: &str,
    headers: &[(&str, &str)],
    content_type: &str,
    length: usize,
) -> String {
    let mut head = format!(
        "{method} {path} HTTP/1.1\r\nhost: localhost\r\ncontent-type: {content_type}\r\ncontent-length: {length}\r\n"
    );
    for (name, value) in headers {
        head.extend([name, ": ", value, "\r\n"]);
    }
    head + "\r\n"
}

/// Sends a request and reads the whole response.
pub fn exchange<S: Read + Write>(
    stream: &mut BufReader<S>,
    head: &str,
    body: &[u8],
) -> io::Result<Answer> {
    let begun = clock::now();
    // A small request is one write: a second write would add a system call to the measurement.
    if body.len() < 16 * 1024 {
        stream
            .get_mut()
            .write_all(&[head.as_bytes(), body].concat())?;
    } else {
        stream.get_mut().write_all(head.as_bytes())?;
        stream.get_mut().write_all(body)?;
    }
    while let Err(error) = stream.fill_buf() {
        if error.kind() != io::ErrorKind::Interrupted {
            return Err(error);
        }
    }
    if stream.buffer().is_empty() {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    let first_byte = clock::since(begun);
    let (status, framing, last) = read_head(stream)?;
    let mut content = Vec::new();
    match framing {
        _ if status == 204 || status == 304 => {}
        Framing::Length(length) => {
            content.resize(bounded(length)?, 0);
            stream.read_exact(&mut content)?;
        }
        Framing::Chunked => {
            while let Some(chunk) = read_chunk(stream)? {
                content.extend_from_slice(&chunk);
                bounded(content.len())?;
            }
        }
        Framing::End => {
            stream
                .by_ref()
                .take(u64::try_from(BODY_BYTES_MAX).unwrap_or(u64::MAX))
                .read_to_end(&mut content)?;
        }
    }
    Ok(Answer {
        status,
        body: content,
        first_byte,
        took: clock::since(begun),
        last,
    })
}

/// How the end of a body is found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Framing {
    Length(usize),
    Chunked,
    End,
}

fn bounded(length: usize) -> io::Result<usize> {
    if length > BODY_BYTES_MAX {
        return Err(io::Error::other("the answer is too long"));
    }
    Ok(length)
}

fn line(stream: &mut impl BufRead) -> io::Result<String> {
    let mut text = String::new();
    stream.take(LINE_BYTES_MAX).read_line(&mut text)?;
    if !text.ends_with('\n') {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    Ok(text.trim_end().to_owned())
}

/// Status, framing of the body, and whether the connection ends after it.
pub fn read_head(stream: &mut impl BufRead) -> io::Result<(u16, Framing, bool)> {
    let nonsense = || io::Error::other("the answer is no HTTP");
    let first = line(stream)?;
    let status = first
        .split(' ')
        .nth(1)
        .and_then(|status| status.parse().ok())
        .ok_or_else(nonsense)?;
    let (mut framing, mut last) = (Framing::End, false);
    loop {
        let text = line(stream)?;
        if text.is_empty() {
            return Ok((status, framing, last));
        }
        let (name, value) = text.split_once(':').ok_or_else(nonsense)?;
        match (name.to_ascii_lowercase().as_str(), value.trim()) {
            ("content-length", length) => {
                framing = Framing::Length(length.parse().map_err(|_| nonsense())?);
            }
            ("transfer-encoding", _) => framing = Framing::Chunked,
            ("connection", "close") => last = true,
            _ => {}
        }
    }
}

/// The next chunk of a chunked body; `None` after the last.
pub fn read_chunk(stream: &mut impl BufRead) -> io::Result<Option<Vec<u8>>> {
    let size = line(stream)?;
    let size = size.split(';').next().unwrap_or_default();
    let size = usize::from_str_radix(size, 16).map_err(|_| io::Error::other("a bad chunk"))?;
    let mut chunk = vec![0; bounded(size)?];
    stream.read_exact(&mut chunk)?;
    line(stream)?;
    Ok((size > 0).then_some(chunk))
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use super::*;

    struct Canned(Cursor<&'static [u8]>);

    impl Read for Canned {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            self.0.read(buffer)
        }
    }

    impl Write for Canned {
        fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
            Ok(buffer.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn answer(text: &'static str) -> io::Result<Answer> {
        let stream = Canned(Cursor::new(text.as_bytes()));
        exchange(&mut BufReader::new(stream), "", b"")
    }

    #[test]
    fn every_framing_yields_the_body() {
        let length = answer("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi").unwrap();
        let chunked = answer(
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nh\r\n1\r\ni\r\n0\r\n\r\n",
        )
        .unwrap();
        let to_the_end = answer("HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nhi").unwrap();
        assert_eq!(
            answer("HTTP/1.1 204 No Content\r\n\r\n").unwrap().status,
            204
        );
        assert_eq!(
            (&length.body, &chunked.body),
            (&b"hi".to_vec(), &b"hi".to_vec())
        );
        assert!(to_the_end.last && !length.last);
    }

    #[test]
    fn a_broken_connection_is_an_error() {
        answer("").unwrap_err();
        answer("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhi").unwrap_err();
        answer("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhi").unwrap_err();
    }
}
