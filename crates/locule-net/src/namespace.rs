//! Creates and enters network namespaces on threads of their own, never on an async worker.

use std::fs::{self, File};
use std::io;
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use rustix::mount::{
    MountPropagationFlags, UnmountFlags, mount_bind, mount_bind_recursive, mount_change, unmount,
};
use rustix::thread::{LinkNameSpaceType, UnshareFlags, move_into_link_name_space, unshare_unsafe};
use tokio::sync::oneshot;

/// Runs `work` on a separate thread inside the namespace at the path `namespace`. Sockets that `work` opens stay in the
/// namespace when the thread ends.
pub(crate) fn inside<T: Send>(
    namespace: &Path,
    work: impl FnOnce() -> io::Result<T> + Send,
) -> io::Result<T> {
    let namespace = File::open(namespace)?;
    std::thread::scope(|scope| {
        let thread = scope.spawn(move || {
            let kind = Some(LinkNameSpaceType::Network);
            move_into_link_name_space(std::os::fd::AsFd::as_fd(&namespace), kind)?;
            work()
        });
        thread
            .join()
            .unwrap_or_else(|_| Err(io::Error::other("the namespace thread panicked")))
    })
}

/// Creates a namespace with a name at `path`, and runs the future of `furnish` inside it: programs that the future starts run
/// in the namespace.
pub(crate) async fn create<T, F>(
    path: &Path,
    furnish: impl FnOnce() -> io::Result<F> + Send + 'static,
) -> io::Result<T>
where
    T: Send + 'static,
    F: Future<Output = T>,
{
    let (path, runtime) = (path.to_owned(), tokio::runtime::Handle::current());
    let (sender, created) = oneshot::channel();
    // A separate thread, because it cannot return to its old namespace.
    std::thread::Builder::new()
        .name("namespace".to_owned())
        .spawn(move || {
            let created = enter_new(&path)
                .and_then(|()| furnish())
                .map(|work| runtime.block_on(work));
            // The caller may have been cancelled.
            let _ = sender.send(created);
        })?;
    created
        .await
        .unwrap_or_else(|_| Err(io::Error::other("the namespace thread panicked")))
}

/// Makes the folder a shared mount of its own, as `ip netns` does before its first name. That program and others otherwise mount
/// the folder over itself, and a name that was there before can never be removed.
pub(crate) fn share(folder: &Path) -> io::Result<()> {
    /// Two mounts of the folder over itself would hide the names that are there.
    static TURN: Mutex<()> = Mutex::new(());
    let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    fs::create_dir_all(folder)?;
    let shared = MountPropagationFlags::SHARED | MountPropagationFlags::REC;
    match mount_change(folder, shared) {
        // It is no mount.
        Err(rustix::io::Errno::INVAL) => {
            mount_bind_recursive(folder, folder)?;
            Ok(mount_change(folder, shared)?)
        }
        changed => Ok(changed?),
    }
}

/// Moves the calling thread into a new namespace and names the namespace.
fn enter_new(path: &Path) -> io::Result<()> {
    File::create_new(path)?;
    #[expect(unsafe_code, reason = "unshare")]
    // SAFETY: changes only the network namespace of this thread; descriptors and memory stay shared.
    unsafe {
        unshare_unsafe(UnshareFlags::NEWNET)?;
    }
    Ok(mount_bind("/proc/thread-self/ns/net", path)?)
}

/// Removes the name of a namespace, which ends with its last process or socket. A missing name is no error.
pub(crate) fn remove(path: &Path) -> io::Result<()> {
    match unmount(path, UnmountFlags::DETACH) {
        // A name without a namespace: the agent crashed after it created the name.
        Ok(()) | Err(rustix::io::Errno::INVAL) => {}
        Err(rustix::io::Errno::NOENT) => return Ok(()),
        Err(error) => return Err(error.into()),
    }
    fs::remove_file(path)
}
