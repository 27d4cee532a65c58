//! The input of a process: a pipe or a terminal.

use std::io;
use std::os::fd::{AsRawFd as _, OwnedFd};
use std::sync::Arc;

use nix::libc;
use nix::pty::Winsize;
use tokio::io::unix::AsyncFd;

/// The size of a terminal's window.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Terminal {
    pub(crate) columns: u16,
    pub(crate) rows: u16,
}

impl From<Terminal> for Winsize {
    fn from(terminal: Terminal) -> Self {
        Self {
            ws_row: terminal.rows,
            ws_col: terminal.columns,
            ws_xpixel: 0,
            ws_ypixel: 0,
        }
    }
}

#[derive(Debug)]
pub(crate) enum Input {
    Terminal(Arc<AsyncFd<OwnedFd>>),
    /// `None` once the pipe is closed.
    Pipe(tokio::sync::Mutex<Option<AsyncFd<OwnedFd>>>),
}

impl Input {
    /// Writes all bytes, and waits while the process does not read. `false`: the input is closed.
    pub(crate) async fn write(&self, bytes: &[u8]) -> bool {
        match self {
            Self::Terminal(master) => write_all(master, bytes).await.is_ok(),
            Self::Pipe(pipe) => match &*pipe.lock().await {
                Some(pipe) => write_all(pipe, bytes).await.is_ok(),
                None => false,
            },
        }
    }

    /// Closes a pipe. `false`: the input is a terminal, whose end is the end-of-file character.
    pub(crate) async fn close(&self) -> bool {
        let Self::Pipe(pipe) = self else {
            return false;
        };
        pipe.lock().await.take();
        true
    }

    /// Resizes a terminal. `false`: the input is a pipe.
    pub(crate) fn resize(&self, terminal: Terminal) -> bool {
        let Self::Terminal(master) = self else {
            return false;
        };
        let size = Winsize::from(terminal);
        // SAFETY: `size` is the structure that TIOCSWINSZ takes, and it outlives the call.
        #[expect(unsafe_code, reason = "ioctl")]
        let result = unsafe { libc::ioctl(master.as_raw_fd(), libc::TIOCSWINSZ, &raw const size) };
        result == 0
    }
}

async fn write_all(fd: &AsyncFd<OwnedFd>, mut bytes: &[u8]) -> io::Result<()> {
    while !bytes.is_empty() {
        let mut ready = fd.writable().await?;
        match rustix::io::write(fd, bytes) {
            Ok(count) => bytes = &bytes[count..],
            Err(rustix::io::Errno::AGAIN) => ready.clear_ready(),
            Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}
