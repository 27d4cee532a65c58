//! Making and entering network namespaces without taking an async worker there.

use std::fs::{self, File};
use std::io;
use std::path::Path;

use rustix::mount::{UnmountFlags, mount_bind, unmount};
use rustix::thread::{LinkNameSpaceType, UnshareFlags, move_into_link_name_space, unshare_unsafe};
use tokio::sync::oneshot;

/// Runs `work` on a thread of its own inside the namespace that `namespace` names. What it opens stays inside; the
/// thread ends.
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

/// Makes a namespace, names it at `path`, and drives what `furnish` answers inside it: programs that it starts run there.
pub(crate) async fn make<T, F>(
    path: &Path,
    furnish: impl FnOnce() -> io::Result<F> + Send + 'static,
) -> io::Result<T>
where
    T: Send + 'static,
    F: Future<Output = T>,
{
    let (path, runtime) = (path.to_owned(), tokio::runtime::Handle::current());
    let (sender, made) = oneshot::channel();
    // A thread of its own: it cannot come back from where it goes.
    std::thread::Builder::new()
        .name("namespace".to_owned())
        .spawn(move || {
            let made = settle(&path)
                .and_then(|()| furnish())
                .map(|work| runtime.block_on(work));
            // Whoever asked may have left.
            let _ = sender.send(made);
        })?;
    made.await
        .unwrap_or_else(|_| Err(io::Error::other("the namespace thread panicked")))
}

/// The calling thread moves into a new namespace, which from now on has a name.
fn settle(path: &Path) -> io::Result<()> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    File::create_new(path)?;
    #[expect(unsafe_code, reason = "unshare")]
    // SAFETY: only the network of this thread changes; no descriptor table or memory is taken from anybody.
    unsafe {
        unshare_unsafe(UnshareFlags::NEWNET)?;
    }
    Ok(mount_bind("/proc/thread-self/ns/net", path)?)
}

/// Takes a namespace's name away; it ends with the last process or socket in it. Absent is success.
pub(crate) fn forget(path: &Path) -> io::Result<()> {
    match unmount(path, UnmountFlags::DETACH) {
        // A name without a namespace: a crash came between the two.
        Ok(()) | Err(rustix::io::Errno::INVAL) => {}
        Err(rustix::io::Errno::NOENT) => return Ok(()),
        Err(error) => return Err(error.into()),
    }
    fs::remove_file(path)
}
