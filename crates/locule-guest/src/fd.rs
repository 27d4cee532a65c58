//! File descriptors that the async runtime waits for.

use std::io;
use std::os::fd::OwnedFd;

use tokio::io::unix::AsyncFd;

/// Makes a descriptor non-blocking and registers it with the runtime.
pub(crate) fn non_blocking(fd: OwnedFd) -> io::Result<AsyncFd<OwnedFd>> {
    rustix::io::ioctl_fionbio(&fd, true)?;
    // SAFETY: the descriptor is owned by the AsyncFd and stays open and the same as long as it is registered.
    #[expect(unsafe_code, reason = "registration with the reactor")]
    let registered = unsafe { AsyncFd::register(fd) }?;
    Ok(registered)
}
