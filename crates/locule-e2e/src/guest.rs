//! The guest agent of one sandbox, called over TCP from inside its network namespace, past the platform.

use std::fs::File;
use std::io::{self, BufReader, Read, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::os::fd::AsFd as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};
use serde_json::{Value, json};

use crate::http::{self, Answer, Framing};
use crate::{clock, host};

const ADDRESS: [u8; 4] = [169, 254, 0, 21];
/// The address of every guest agent.
pub const PORT: u16 = 49983;
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
const ANSWER_TIMEOUT: Duration = Duration::from_mins(10);
/// Length of an envelope: one flag byte and four bytes of length.
const ENVELOPE: usize = 5;

/// Connects to a port of the guest in a namespace. A socket belongs to the namespace that it was created in.
pub fn connect(namespace: &Path, port: u16) -> io::Result<TcpStream> {
    let namespace = File::open(namespace)?;
    let thread = std::thread::spawn(move || {
        move_into_link_name_space(namespace.as_fd(), Some(LinkNameSpaceType::Network))?;
        TcpStream::connect_timeout(&SocketAddr::from((ADDRESS, port)), CONNECT_TIMEOUT)
    });
    let stream = thread
        .join()
        .map_err(|_| io::Error::other("the connecting thread panicked"))??;
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(ANSWER_TIMEOUT))?;
    Ok(stream)
}

/// The address and the access token of a guest agent.
#[derive(Debug, Clone)]
pub struct Guest {
    pub namespace: PathBuf,
    pub access_token: String,
}

/// The result of a command.
#[derive(Debug, Clone)]
pub struct Ran {
    /// From the connection's first packet to the first byte of the end event.
    pub took: Duration,
    pub exit_code: i64,
    pub output: String,
}

impl Guest {
    /// The guest agent of a running sandbox.
    pub fn of(pool: &Path, instance: &str, id: &str) -> Result<Self> {
        let held =
            host::manifest_state(pool, id).context("the host has no manifest of the sandbox")?;
        let slot = held.slot.context("the sandbox is not running")?;
        Ok(Self {
            namespace: host::namespace(instance, slot),
            access_token: held.access_token,
        })
    }

    /// Makes a unary call.
    pub fn call(&self, path: &str, headers: &[(&str, &str)], body: &Value) -> Result<Answer> {
        let mut stream = BufReader::new(connect(&self.namespace, PORT)?);
        let mut all = vec![("x-access-token", self.access_token.as_str())];
        all.extend_from_slice(headers);
        let body = body.to_string();
        let head = http::head("POST", path, &all, "application/json", body.len());
        Ok(http::exchange(&mut stream, &head, body.as_bytes())?)
    }

    /// Runs a command to its end.
    pub fn run(&self, cmd: &str, args: &[&str]) -> Result<Ran> {
        let begun = clock::now();
        let stream = connect(&self.namespace, PORT)?;
        let (end, exit_code, output) = follow(stream, &self.access_token, cmd, args)?;
        Ok(Ran {
            took: end.saturating_sub(begun),
            exit_code,
            output,
        })
    }
}

/// Starts a command and reads its events; returns the end event and the time of its arrival.
fn follow(
    stream: TcpStream,
    token: &str,
    cmd: &str,
    args: &[&str],
) -> Result<(Duration, i64, String)> {
    let message = json!({ "process": { "cmd": cmd, "args": args }, "stdin": false }).to_string();
    let length = u32::try_from(message.len())?.to_be_bytes();
    let body = [&[0], length.as_slice(), message.as_bytes()].concat();
    let headers = [("x-access-token", token), ("connect-protocol-version", "1")];
    let path = "/process.Process/Start";
    let head = http::head(
        "POST",
        path,
        &headers,
        "application/connect+json",
        body.len(),
    );
    let mut stream = BufReader::new(stream);
    stream
        .get_mut()
        .write_all(&[head.as_bytes(), &body].concat())?;
    let (status, framing, _) = http::read_head(&mut stream)?;
    ensure!(status == 200, "the guest agent answered {status}");
    let mut events = Events {
        stream,
        framing,
        bytes: Vec::new(),
    };
    let mut output = String::new();
    loop {
        let (came, event) = events.next()?;
        if let Some(code) = event.get("error") {
            bail!("the guest agent failed: {code}");
        }
        let event = &event["event"];
        for stream in ["stdout", "stderr"] {
            let bytes = event["data"][stream].as_str().unwrap_or_default();
            output += &String::from_utf8_lossy(&STANDARD.decode(bytes).unwrap_or_default());
        }
        if let Some(end) = event.get("end") {
            return Ok((came, end["exitCode"].as_i64().unwrap_or(0), output));
        }
    }
}

/// The messages of a streamed response.
struct Events<S> {
    stream: BufReader<S>,
    framing: Framing,
    bytes: Vec<u8>,
}

impl<S: Read> Events<S> {
    fn more(&mut self) -> Result<()> {
        if self.framing == Framing::Chunked {
            let chunk = http::read_chunk(&mut self.stream)?;
            self.bytes
                .extend(chunk.context("the stream ended before the command")?);
            return Ok(());
        }
        let mut came = vec![0; 64 * 1024];
        let length = loop {
            match self.stream.read(&mut came) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                read => break read?,
            }
        };
        came.truncate(length);
        ensure!(!came.is_empty(), "the stream ended before the command");
        self.bytes.extend(came);
        Ok(())
    }

    /// The next message, and the time of its first byte.
    fn next(&mut self) -> Result<(Duration, Value)> {
        let mut came = None;
        loop {
            if !self.bytes.is_empty() {
                came.get_or_insert_with(clock::now);
            }
            if let Some(length) = self.bytes.get(1..ENVELOPE) {
                let length = length
                    .iter()
                    .fold(0, |sum, byte| sum * 256 + usize::from(*byte));
                if self.bytes.len() >= ENVELOPE + length {
                    let message = self.bytes[ENVELOPE..ENVELOPE + length].to_vec();
                    self.bytes.drain(..ENVELOPE + length);
                    let value = serde_json::from_slice(&message).context("a message")?;
                    return Ok((came.unwrap_or_default(), value));
                }
            }
            self.more()?;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_are_found_across_chunk_boundaries() {
        let chunks = b"3\r\n\x00\x00\x00\r\n5\r\n\x00\x02{}\x00\r\n8\r\n\x00\x00\x00\x03{ }x\r\n";
        let mut events = Events {
            stream: BufReader::new(chunks.as_slice()),
            framing: Framing::Chunked,
            bytes: Vec::new(),
        };
        assert_eq!(events.next().unwrap().1, json!({}));
        assert_eq!(events.next().unwrap().1, json!({}));
        assert!(events.next().is_err(), "the stream breaks off");
    }
}
