//! The client of QEMU's control channel (QMP): commands, their answers, and the one event that matters here.
//!
//! ```text
//! Qmp ── commands, answers, timeouts
//!  ├─ message.rs      what one received line means
//!  ├─ channel.rs      JSON lines over a Unix socket, bounded in length
//!  └─ descriptors.rs  file descriptors sent along with a line
//! ```

mod channel;
mod descriptors;
mod message;

use std::os::fd::BorrowedFd;
use std::path::Path;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::net::UnixStream;

use crate::machine::VmmError;
use channel::Channel;
use message::Message;

/// A connection to one VMM. Runs one command at a time; the late answer to a command that timed out is skipped by its id.
#[derive(Debug)]
pub(crate) struct Qmp {
    channel: Channel,
    /// The id of the last command.
    last_id: u64,
    /// The VMM reported that it stopped the guest because of a failed disk write.
    disk_failed: bool,
}

impl Qmp {
    fn new(stream: UnixStream) -> Self {
        Self {
            channel: Channel::new(stream),
            last_id: 0,
            disk_failed: false,
        }
    }

    /// Connects and negotiates the protocol. The socket listens before the VMM runs, so the greeting is waited for.
    pub(crate) async fn connect(path: &Path, timeout: Duration) -> Result<Self, VmmError> {
        let stream = UnixStream::connect(path).await.map_err(VmmError::Control)?;
        let mut qmp = Self::new(stream);
        let greeting = qmp.channel.line();
        tokio::time::timeout(timeout, greeting)
            .await
            .map_err(|_| VmmError::Timeout {
                command: "greeting",
            })??;
        qmp.run("qmp_capabilities", json!({}), &[], timeout).await?;
        Ok(qmp)
    }

    /// Sends a command and returns its answer.
    pub(crate) async fn run(
        &mut self,
        command: &'static str,
        arguments: Value,
        descriptors: &[BorrowedFd<'_>],
        timeout: Duration,
    ) -> Result<Value, VmmError> {
        self.last_id += 1;
        let id = self.last_id;
        let mut line = json!({ "execute": command, "arguments": arguments, "id": id }).to_string();
        line.push('\n');
        let exchange = async {
            self.channel.send(line.as_bytes(), descriptors).await?;
            loop {
                match message::parse(&self.channel.line().await?)? {
                    Message::Answer {
                        id: answered,
                        result,
                    } if answered == id => {
                        return result
                            .map_err(|reason| VmmError::CommandRefused { command, reason });
                    }
                    Message::DiskFailed => self.disk_failed = true,
                    // Another event, or the answer to a command that timed out.
                    Message::Answer { .. } | Message::Other => {}
                }
            }
        };
        tokio::time::timeout(timeout, exchange)
            .await
            .map_err(|_| VmmError::Timeout { command })?
    }

    /// Whether the VMM stopped the guest because of a failed disk write since the last call. Reads what has arrived and
    /// does not wait.
    pub(crate) fn disk_failed(&mut self) -> Result<bool, VmmError> {
        self.channel.receive_available()?;
        while let Some(line) = self.channel.buffered_line()? {
            self.disk_failed |= message::parse(&line)? == Message::DiskFailed;
        }
        Ok(std::mem::take(&mut self.disk_failed))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DISK_FAILED: &str = r#"{"timestamp":{"seconds":1,"microseconds":2},"event":"BLOCK_IO_ERROR","data":{"device":"","node-name":"d0","operation":"write","action":"stop","nospace":true,"reason":"No space left on device"}}"#;

    #[tokio::test]
    async fn a_disk_failure_is_reported_once_also_when_it_precedes_an_answer() {
        let (ours, mut theirs) = UnixStream::pair().unwrap();
        let mut qmp = Qmp::new(ours);
        assert!(!qmp.disk_failed().unwrap(), "nothing was sent");
        let events = format!("{DISK_FAILED}\r\n{{\"event\":\"STOP\"}}\r\n");
        let mut send = async |text: &str| {
            tokio::io::AsyncWriteExt::write_all(&mut theirs, text.as_bytes())
                .await
                .unwrap();
        };
        send(&events).await;
        qmp.channel.readable().await.unwrap();
        assert!(qmp.disk_failed().unwrap());
        assert!(!qmp.disk_failed().unwrap());
        // In front of the answer to a command.
        send(&format!("{events}{{\"return\":{{}},\"id\":1}}\r\n")).await;
        let patience = Duration::from_secs(10);
        qmp.run("query-status", json!({}), &[], patience)
            .await
            .unwrap();
        assert!(qmp.disk_failed().unwrap());
        drop(theirs);
        qmp.channel.readable().await.unwrap();
        assert!(matches!(qmp.disk_failed(), Err(VmmError::Exited)));
    }
}
