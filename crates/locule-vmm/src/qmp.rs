//! The control channel of QEMU: JSON lines over a Unix socket, descriptors beside them.

use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd as _, BorrowedFd};
use std::path::Path;
use std::time::Duration;

use rustix::net::{SendAncillaryBuffer, SendAncillaryMessage, SendFlags, sendmsg};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, Interest};
use tokio::net::UnixStream;

use crate::machine::VmmError;

/// A VMM that a guest has taken over may send anything: a longer line is an error.
const LINE_BYTES_MAX: usize = 1024 * 1024;
/// What is read at most of a VMM that was asked nothing.
const EVENT_BYTES_MAX: usize = 64 * 1024;

/// A connection to one VMM. One command at a time; an answer that nobody waits for any more is skipped by its number.
#[derive(Debug)]
pub(crate) struct Qmp {
    stream: UnixStream,
    /// Received and not yet a whole line.
    pending: Vec<u8>,
    sent: u64,
    /// It said that it stopped the guest because of a disk.
    disk_failed: bool,
}

/// What one received line is.
#[derive(Debug, PartialEq)]
enum Message {
    Answer {
        id: u64,
        result: Result<Value, String>,
    },
    /// The guest's write to its disk failed, and the guest was stopped in the middle of it.
    DiskFailed,
    Other,
}

impl Qmp {
    fn new(stream: UnixStream) -> Self {
        Self {
            stream,
            pending: Vec::new(),
            sent: 0,
            disk_failed: false,
        }
    }

    /// Connects and agrees on the protocol. The socket listens before the VMM runs, so this waits for its first word.
    pub(crate) async fn connect(path: &Path, timeout: Duration) -> Result<Self, VmmError> {
        let stream = UnixStream::connect(path).await.map_err(VmmError::Control)?;
        let mut qmp = Self::new(stream);
        let greeting = qmp.line();
        tokio::time::timeout(timeout, greeting)
            .await
            .map_err(|_| VmmError::Silent {
                command: "greeting",
            })??;
        qmp.run("qmp_capabilities", json!({}), &[], timeout).await?;
        Ok(qmp)
    }

    /// Runs a command to its answer.
    pub(crate) async fn run(
        &mut self,
        command: &'static str,
        arguments: Value,
        descriptors: &[BorrowedFd<'_>],
        timeout: Duration,
    ) -> Result<Value, VmmError> {
        self.sent += 1;
        let id = self.sent;
        let mut line = json!({ "execute": command, "arguments": arguments, "id": id }).to_string();
        line.push('\n');
        let exchange = async {
            self.send(line.as_bytes(), descriptors).await?;
            loop {
                match parse(&self.line().await?)? {
                    Message::Answer {
                        id: answered,
                        result,
                    } if answered == id => {
                        return result.map_err(|reason| VmmError::Refused { command, reason });
                    }
                    Message::DiskFailed => self.disk_failed = true,
                    // Another event, or the answer to a command whose caller gave up.
                    Message::Answer { .. } | Message::Other => {}
                }
            }
        };
        tokio::time::timeout(timeout, exchange)
            .await
            .map_err(|_| VmmError::Silent { command })?
    }

    /// Whether it stopped the guest because of a disk, since this was asked last. Reads what has come and waits for nothing.
    pub(crate) fn disk_failed(&mut self) -> Result<bool, VmmError> {
        let mut read = 0;
        while read < EVENT_BYTES_MAX {
            self.pending.reserve(4096);
            match self.stream.try_read_buf(&mut self.pending) {
                Ok(0) => return Err(VmmError::Gone),
                Ok(bytes) => read += bytes,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(error) => return Err(gone(error)),
            }
        }
        while let Some(line) = self.whole_line()? {
            self.disk_failed |= parse(&line)? == Message::DiskFailed;
        }
        Ok(std::mem::take(&mut self.disk_failed))
    }

    /// Descriptors travel with the first byte.
    async fn send(
        &mut self,
        mut bytes: &[u8],
        descriptors: &[BorrowedFd<'_>],
    ) -> Result<(), VmmError> {
        let mut descriptors = descriptors;
        while !bytes.is_empty() {
            let sent = self.stream.async_io(Interest::WRITABLE, || {
                let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(4))];
                let mut control = SendAncillaryBuffer::new(&mut space);
                if !descriptors.is_empty()
                    && !control.push(SendAncillaryMessage::ScmRights(descriptors))
                {
                    return Err(io::Error::other("too many descriptors for one message"));
                }
                let part = [io::IoSlice::new(bytes)];
                Ok(sendmsg(
                    self.stream.as_fd(),
                    &part,
                    &mut control,
                    SendFlags::NOSIGNAL,
                )?)
            });
            bytes = &bytes[sent.await.map_err(gone)?..];
            descriptors = &[];
        }
        Ok(())
    }

    /// The next line of what has come, if it has come whole.
    fn whole_line(&mut self) -> Result<Option<Vec<u8>>, VmmError> {
        if let Some(end) = self.pending.iter().position(|byte| *byte == b'\n') {
            let rest = self.pending.split_off(end + 1);
            return Ok(Some(std::mem::replace(&mut self.pending, rest)));
        }
        if self.pending.len() > LINE_BYTES_MAX {
            return Err(VmmError::Control(io::Error::other(
                "a line of the control channel is too long",
            )));
        }
        Ok(None)
    }

    async fn line(&mut self) -> Result<Vec<u8>, VmmError> {
        loop {
            if let Some(line) = self.whole_line()? {
                return Ok(line);
            }
            if self
                .stream
                .read_buf(&mut self.pending)
                .await
                .map_err(gone)?
                == 0
            {
                return Err(VmmError::Gone);
            }
        }
    }
}

/// A broken channel means a dead VMM; anything else is an error of its own.
fn gone(error: io::Error) -> VmmError {
    if matches!(
        error.kind(),
        io::ErrorKind::BrokenPipe | io::ErrorKind::ConnectionReset
    ) {
        VmmError::Gone
    } else {
        VmmError::Control(error)
    }
}

fn parse(line: &[u8]) -> Result<Message, VmmError> {
    let bad = |source: serde_json::Error| VmmError::Control(io::Error::other(source));
    let value: Value = serde_json::from_slice(line).map_err(bad)?;
    let said = |path: &str| value.pointer(path).and_then(Value::as_str);
    if said("/event") == Some("BLOCK_IO_ERROR") && said("/data/action") == Some("stop") {
        return Ok(Message::DiskFailed);
    }
    let Some(id) = value.get("id").and_then(Value::as_u64) else {
        return Ok(Message::Other);
    };
    if let Some(error) = value.get("error") {
        let reason = error
            .get("desc")
            .and_then(Value::as_str)
            .unwrap_or("no reason given");
        return Ok(Message::Answer {
            id,
            result: Err(reason.chars().take(400).collect()),
        });
    }
    Ok(value
        .get("return")
        .map_or(Message::Other, |result| Message::Answer {
            id,
            result: Ok(result.clone()),
        }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_and_foreign_shapes_are_not_answers() {
        let other = [
            r#"{"event":"STOP"}"#,
            r#"{"event":"BLOCK_IO_ERROR","data":{"action":"report"}}"#,
            r#"{"event":"BLOCK_IO_ERROR","data":"stop"}"#,
            r#"{"id":"1","return":{}}"#,
            "[]",
            "3",
            r#"{"id":4}"#,
        ];
        for line in other {
            assert_eq!(parse(line.as_bytes()).unwrap(), Message::Other, "{line}");
        }
        parse(b"{").unwrap_err();
        parse(&[0xff, 0xfe]).unwrap_err();
    }

    #[test]
    fn an_error_keeps_the_reason() {
        let line = br#"{"id":7,"error":{"class":"GenericError","desc":"no such fd"}}"#;
        let expected = Message::Answer {
            id: 7,
            result: Err("no such fd".to_owned()),
        };
        assert_eq!(parse(line).unwrap(), expected);
    }

    const DISK_FAILED: &str = r#"{"timestamp":{"seconds":1,"microseconds":2},"event":"BLOCK_IO_ERROR","data":{"device":"","node-name":"d0","operation":"write","action":"stop","nospace":true,"reason":"No space left on device"}}"#;

    #[tokio::test]
    async fn a_disk_that_failed_is_told_once_whoever_reads_it() {
        let (ours, mut theirs) = UnixStream::pair().unwrap();
        let mut qmp = Qmp::new(ours);
        assert!(!qmp.disk_failed().unwrap(), "nothing was said");
        let said = format!("{DISK_FAILED}\r\n{{\"event\":\"STOP\"}}\r\n");
        let mut say = async |text: &str| {
            tokio::io::AsyncWriteExt::write_all(&mut theirs, text.as_bytes())
                .await
                .unwrap();
        };
        say(&said).await;
        qmp.stream.readable().await.unwrap();
        assert!(qmp.disk_failed().unwrap());
        assert!(!qmp.disk_failed().unwrap());
        // In front of the answer to a command.
        say(&format!("{said}{{\"return\":{{}},\"id\":1}}\r\n")).await;
        let patience = Duration::from_secs(10);
        qmp.run("query-status", json!({}), &[], patience)
            .await
            .unwrap();
        assert!(qmp.disk_failed().unwrap());
        drop(theirs);
        qmp.stream.readable().await.unwrap();
        assert!(matches!(qmp.disk_failed(), Err(VmmError::Gone)));
    }

    proptest::proptest! {
        #[test]
        fn no_line_makes_the_parser_panic(
            line in proptest::collection::vec(proptest::num::u8::ANY, 0..300),
            id in proptest::num::u64::ANY,
            text in ".{0,60}",
        ) {
            let _ = parse(&line);
            let answer = json!({ "id": id, "error": { "desc": text } }).to_string();
            let expected = Message::Answer { id, result: Err(text) };
            proptest::prop_assert_eq!(parse(answer.as_bytes()).unwrap(), expected);
        }
    }

    #[tokio::test]
    async fn an_endless_line_is_refused() {
        let (ours, mut theirs) = UnixStream::pair().unwrap();
        let mut qmp = Qmp::new(ours);
        let garbage = vec![b'x'; 65536];
        let flood = async {
            // Ends when the reader gives up and closes.
            while tokio::io::AsyncWriteExt::write_all(&mut theirs, &garbage)
                .await
                .is_ok()
            {}
        };
        let read = async {
            let error = qmp.line().await.unwrap_err();
            drop(qmp);
            error
        };
        let (error, ()) = tokio::join!(read, flood);
        assert!(matches!(error, VmmError::Control(_)));
    }
}

#[cfg(test)]
mod fuzz {
    use locule_fuzz::fuzz;
    use tokio::io::AsyncWriteExt as _;

    use super::*;

    const LINES: [&str; 5] = [
        r#"{"QMP":{"version":{"qemu":{"micro":0,"minor":2,"major":7}},"capabilities":["oob"]}}"#,
        r#"{"return":{},"id":1}"#,
        r#"{"id":18446744073709551615,"error":{"class":"GenericError","desc":"no such fd"}}"#,
        r#"{"timestamp":{"seconds":1,"microseconds":2},"event":"STOP"}"#,
        r#"{"return":{"status":"running","running":true},"id":2}"#,
    ];

    #[test]
    fn any_line_of_a_vmm_is_an_answer_or_none_or_an_error() {
        fuzz(&LINES, |line| match parse(line) {
            Ok(Message::Answer {
                result: Err(reason),
                ..
            }) => {
                assert!(reason.chars().count() <= 400);
                "refusal".to_owned()
            }
            other => format!("{other:?}"),
        });
    }

    #[test]
    fn a_vmm_that_says_anything_gets_no_further_than_its_lines() {
        let seeds = [
            LINES.join("\n"),
            LINES.join("\r\n") + "\n",
            "\n\n".to_owned(),
        ];
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        fuzz(&seeds, |said| {
            runtime.block_on(async {
                let (ours, mut theirs) = UnixStream::pair().unwrap();
                let mut qmp = Qmp::new(ours);
                let saying = async {
                    theirs.write_all(said).await.unwrap();
                    drop(theirs);
                };
                let listening = async {
                    let mut heard = Vec::new();
                    loop {
                        match qmp.line().await {
                            Ok(line) => heard.extend(line),
                            Err(error) => return (heard, error),
                        }
                    }
                };
                let ((heard, error), ()) = tokio::join!(listening, saying);
                assert!(matches!(error, VmmError::Gone));
                let whole = said.iter().rposition(|byte| *byte == b'\n');
                assert_eq!(heard, said[..whole.map_or(0, |at| at + 1)]);
                heard.len() / 16
            })
        });
    }
}
