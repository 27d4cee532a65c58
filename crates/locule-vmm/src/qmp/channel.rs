//! The framing of the control channel: lines of bounded length over a Unix socket.

use std::io;
use std::os::fd::BorrowedFd;

use tokio::io::AsyncReadExt as _;
use tokio::net::UnixStream;

use super::descriptors;
use crate::machine::VmmError;

/// A VMM that a guest has compromised may send anything: a longer line is an error.
const LINE_BYTES_MAX: usize = 1024 * 1024;
/// The most that one call of [`Channel::receive_available`] reads.
const EVENT_BYTES_MAX: usize = 64 * 1024;

#[derive(Debug)]
pub(super) struct Channel {
    stream: UnixStream,
    /// Received bytes that are not a whole line yet.
    pending: Vec<u8>,
}

impl Channel {
    pub(super) fn new(stream: UnixStream) -> Self {
        Self {
            stream,
            pending: Vec::new(),
        }
    }

    /// Sends bytes; the descriptors travel with the first of them.
    pub(super) async fn send(
        &mut self,
        mut bytes: &[u8],
        mut descriptors: &[BorrowedFd<'_>],
    ) -> Result<(), VmmError> {
        while !bytes.is_empty() {
            let sent = descriptors::send(&self.stream, bytes, descriptors);
            bytes = &bytes[sent.await.map_err(channel_error)?..];
            descriptors = &[];
        }
        Ok(())
    }

    /// Waits for the next line.
    pub(super) async fn line(&mut self) -> Result<Vec<u8>, VmmError> {
        loop {
            if let Some(line) = self.buffered_line()? {
                return Ok(line);
            }
            if self
                .stream
                .read_buf(&mut self.pending)
                .await
                .map_err(channel_error)?
                == 0
            {
                return Err(VmmError::Exited);
            }
        }
    }

    /// The next complete line that was received, if any.
    pub(super) fn buffered_line(&mut self) -> Result<Option<Vec<u8>>, VmmError> {
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

    /// Reads what has arrived, up to a limit, without waiting for more.
    pub(super) fn receive_available(&mut self) -> Result<(), VmmError> {
        let mut read = 0;
        while read < EVENT_BYTES_MAX {
            self.pending.reserve(4096);
            match self.stream.try_read_buf(&mut self.pending) {
                Ok(0) => return Err(VmmError::Exited),
                Ok(bytes) => read += bytes,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(error) => return Err(channel_error(error)),
            }
        }
        Ok(())
    }

    #[cfg(test)]
    pub(super) async fn readable(&self) -> io::Result<()> {
        self.stream.readable().await
    }
}

/// A broken channel means that the VMM has exited; any other failure is an error of its own.
fn channel_error(error: io::Error) -> VmmError {
    if matches!(
        error.kind(),
        io::ErrorKind::BrokenPipe | io::ErrorKind::ConnectionReset
    ) {
        VmmError::Exited
    } else {
        VmmError::Control(error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn an_endless_line_is_refused() {
        let (ours, mut theirs) = UnixStream::pair().unwrap();
        let mut channel = Channel::new(ours);
        let garbage = vec![b'x'; 65536];
        let flood = async {
            // Ends when the reader gives up and closes.
            while tokio::io::AsyncWriteExt::write_all(&mut theirs, &garbage)
                .await
                .is_ok()
            {}
        };
        let read = async {
            let error = channel.line().await.unwrap_err();
            drop(channel);
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

    use super::super::message::LINES;
    use super::*;

    #[test]
    fn any_bytes_of_a_vmm_are_read_as_whole_lines_until_the_channel_closes() {
        let seeds = [
            LINES.join("\n"),
            LINES.join("\r\n") + "\n",
            "\n\n".to_owned(),
        ];
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        fuzz(&seeds, |sent| {
            runtime.block_on(async {
                let (ours, mut theirs) = UnixStream::pair().unwrap();
                let mut channel = Channel::new(ours);
                let sending = async {
                    theirs.write_all(sent).await.unwrap();
                    drop(theirs);
                };
                let receiving = async {
                    let mut received = Vec::new();
                    loop {
                        match channel.line().await {
                            Ok(line) => received.extend(line),
                            Err(error) => return (received, error),
                        }
                    }
                };
                let ((received, error), ()) = tokio::join!(receiving, sending);
                assert!(matches!(error, VmmError::Exited));
                let whole = sent.iter().rposition(|byte| *byte == b'\n');
                assert_eq!(received, sent[..whole.map_or(0, |at| at + 1)]);
                received.len() / 16
            })
        });
    }
}
