//! A connection that stays open: an answer without an end, or another protocol after an upgrade.

use std::io::{self, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use crate::clock;

/// An open connection.
#[derive(Debug)]
pub struct Held {
    stream: TcpStream,
    ended: bool,
}

/// What came of opening one.
#[derive(Debug)]
pub enum Opened {
    Held(Held),
    /// The connection ended, or has another answer: the beginning of it.
    Refused(String),
}

impl Held {
    /// Sends the bytes of a request and waits until the answer contains `ready`.
    pub fn open(
        address: SocketAddr,
        request: &[u8],
        ready: &str,
        timeout: Duration,
    ) -> io::Result<Opened> {
        let stream = TcpStream::connect_timeout(&address, timeout)?;
        stream.set_nodelay(true)?;
        let mut held = Self {
            stream,
            ended: false,
        };
        held.stream.write_all(request)?;
        let said = held.read_until(ready, timeout)?;
        let good = said.starts_with("HTTP/1.1 200 ") || said.starts_with("HTTP/1.1 101 ");
        if good && said.contains(ready) {
            return Ok(Opened::Held(held));
        }
        Ok(Opened::Refused(said.chars().take(300).collect()))
    }

    /// What arrives until it contains `text`, an answer is complete that is none of an open connection, or the time is over.
    fn read_until(&mut self, text: &str, timeout: Duration) -> io::Result<String> {
        let deadline = clock::now() + timeout;
        let (mut said, mut buffer) = (Vec::new(), [0; 4096]);
        loop {
            let seen = String::from_utf8_lossy(&said).into_owned();
            let refused = seen.contains("\r\n\r\n")
                && !seen.starts_with("HTTP/1.1 200 ")
                && !seen.starts_with("HTTP/1.1 101 ")
                && seen.starts_with("HTTP/1.1 ");
            let left = deadline.saturating_sub(clock::now());
            if seen.contains(text) || refused || self.ended || left.is_zero() {
                return Ok(seen);
            }
            self.stream.set_read_timeout(Some(left))?;
            match self.stream.read(&mut buffer) {
                Ok(0) => self.ended = true,
                Ok(read) => said.extend_from_slice(&buffer[..read]),
                Err(error) if is_timeout(&error) => return Ok(seen),
                Err(error) => return Err(error),
            }
        }
    }

    /// Whether the other end has closed it, or broken it off.
    pub fn has_ended(&mut self) -> bool {
        let mut buffer = [0; 4096];
        if !self.ended && self.stream.set_nonblocking(true).is_ok() {
            loop {
                match self.stream.read(&mut buffer) {
                    Ok(0) => self.ended = true,
                    Ok(_) => continue,
                    Err(error) if is_timeout(&error) => {}
                    Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                    Err(_) => self.ended = true,
                }
                break;
            }
            self.ended |= self.stream.set_nonblocking(false).is_err();
        }
        self.ended
    }

    /// Whether what is sent comes back.
    pub fn echoes(&mut self, text: &str, timeout: Duration) -> bool {
        let sent = self.stream.write_all(text.as_bytes());
        sent.is_ok()
            && self
                .read_until(text, timeout)
                .is_ok_and(|said| said.contains(text))
    }
}

fn is_timeout(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut
    )
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;

    const PATIENCE: Duration = Duration::from_secs(10);

    fn opened(answer: &'static str) -> (Opened, TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let server = std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            stream.write_all(answer.as_bytes()).unwrap();
            stream
        });
        let opened = Held::open(address, b"GET / HTTP/1.1\r\n\r\n", "begun", PATIENCE);
        (opened.unwrap(), server.join().unwrap())
    }

    #[test]
    fn a_held_connection_ends_with_its_other_end() {
        let (opened, server) = opened("HTTP/1.1 200 OK\r\n\r\nbegun");
        let Opened::Held(mut held) = opened else {
            panic!("{opened:?}");
        };
        assert!(!held.has_ended());
        server.shutdown(std::net::Shutdown::Both).unwrap();
        assert!(clock::until(PATIENCE, || held.has_ended().then_some(())).is_some());
    }

    #[test]
    fn another_answer_is_a_refusal() {
        let (opened, _server) = opened("HTTP/1.1 401 Unauthorized\r\n\r\n");
        assert!(matches!(opened, Opened::Refused(said) if said.contains("401")));
    }
}
