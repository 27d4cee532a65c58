//! The root that a VMM sees: a read-only tmpfs with read-only binds of what its program needs, and nothing else.
//!
//! Made once per start of the agent, in a mount namespace of its own that only a descriptor keeps alive. Every VMM gets a
//! copy of that namespace and mounts its own /proc in it. So a start copies a few dozen mounts, not the host's table; no
//! VMM keeps a mount of the host busy; and nothing is ever mounted on the host, so nothing can be left there.

mod contents;
mod elf;

use std::fs::{self, File};
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustix::fs::{CWD, FileType, Mode, mknodat};
use rustix::mount::{MountFlags, MountPropagationFlags, UnmountFlags};

use crate::machine::VmmError;
pub(crate) use contents::contents_for;

/// Where the root is put together, inside its own namespace: a folder that every host has and no VMM's program is in.
const WORKPLACE: &str = "/sys";
/// Folders and empty files to bind over: more than enough, and no more than that.
const ROOT_OPTIONS: &std::ffi::CStr = c"mode=755,size=64k,nr_inodes=4096";

/// What a bound path is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Use {
    /// May be executed: the program, its loader, its libraries.
    Code,
    Data,
    /// Made anew, open to all who are in the jail: the host's own may be root's alone.
    Device,
}

/// One path of the host that the jail has too, under the same name. Links are followed when it is bound.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Bind {
    pub(crate) path: PathBuf,
    pub(crate) used_as: Use,
}

/// A mount namespace to copy. Cheap to clone; goes with its last clone.
#[derive(Debug, Clone)]
pub(crate) struct Jail(Arc<OwnedFd>);

impl Jail {
    /// Makes the root. Blocks for a few milliseconds.
    pub(crate) fn build(binds: Vec<Bind>) -> Result<Self, VmmError> {
        // The thread enters the new namespace for good, so it is used once.
        let thread = std::thread::Builder::new().name("vmm-jail".to_owned());
        let built = thread.spawn(move || build_here(&binds));
        let built = built.map_err(failed("start a thread"))?.join();
        let namespace = built.map_err(|_| VmmError::Unusable("making the jail panicked".into()))?;
        Ok(Self(Arc::new(namespace?)))
    }

    pub(crate) fn namespace(&self) -> Arc<OwnedFd> {
        Arc::clone(&self.0)
    }
}

fn failed<E: Into<io::Error>>(what: impl Into<String>) -> impl FnOnce(E) -> VmmError {
    let what = what.into();
    move |source| VmmError::Jail {
        what,
        source: source.into(),
    }
}

fn build_here(binds: &[Bind]) -> Result<OwnedFd, VmmError> {
    // SAFETY: changes which mounts this thread sees, and nothing else; the thread ends with its caller.
    #[expect(unsafe_code, reason = "unshare")]
    if unsafe { libc::unshare(libc::CLONE_NEWNS) } != 0 {
        let error = io::Error::last_os_error();
        return Err(failed("make a mount namespace")(error));
    }
    // This thread's alone since it has its own namespace: folders must be open to the VMM's user.
    rustix::process::umask(Mode::from_raw_mode(0o022));
    let private = MountPropagationFlags::PRIVATE | MountPropagationFlags::REC;
    rustix::mount::mount_change("/", private).map_err(failed("part from the host's mounts"))?;
    let namespace = File::open("/proc/thread-self/ns/mnt").map_err(failed("keep the namespace"))?;
    let root = Path::new(WORKPLACE);
    let flags = MountFlags::NOSUID | MountFlags::NODEV | MountFlags::NOEXEC;
    rustix::mount::mount("locule-jail", root, "tmpfs", flags, ROOT_OPTIONS)
        .map_err(failed("mount the root"))?;
    fs::create_dir(root.join("proc")).map_err(failed("make /proc"))?;
    for bind in binds {
        attach(root, bind).map_err(failed(format!("bind {}", bind.path.display())))?;
    }
    rustix::mount::mount_remount(root, flags | MountFlags::RDONLY, ROOT_OPTIONS)
        .map_err(failed("make the root read-only"))?;
    change_root(root).map_err(failed("change the root"))?;
    Ok(namespace.into())
}

/// Binds one path under the same name, read-only.
fn attach(root: &Path, bind: &Bind) -> io::Result<()> {
    let target = root.join(bind.path.strip_prefix("/").unwrap_or(&bind.path));
    let source = fs::metadata(&bind.path)?;
    let mut from = bind.path.as_path();
    if source.is_dir() {
        fs::create_dir_all(&target)?;
    } else {
        target.parent().map(fs::create_dir_all).transpose()?;
        if bind.used_as == Use::Device {
            make_device(&target, source.rdev())?;
            // Onto itself: a mount of its own is what may hold a device, while the root may not.
            from = &target;
        } else {
            File::create_new(&target)?;
        }
    }
    rustix::mount::mount_bind(from, &target)?;
    let mut flags = MountFlags::BIND | MountFlags::RDONLY | MountFlags::NOSUID;
    flags |= match bind.used_as {
        Use::Code => MountFlags::NODEV,
        Use::Data => MountFlags::NODEV | MountFlags::NOEXEC,
        Use::Device => MountFlags::NOEXEC,
    };
    Ok(rustix::mount::mount_remount(&target, flags, c"")?)
}

fn make_device(path: &Path, device: u64) -> io::Result<()> {
    let mode = Mode::from_raw_mode(0o666);
    mknodat(CWD, path, FileType::CharacterDevice, mode, device)?;
    // The mask took some of it away.
    Ok(rustix::fs::chmod(path, mode)?)
}

/// The old root lands on top of the new one, and is taken off with everything below it.
fn change_root(root: &Path) -> io::Result<()> {
    rustix::process::chdir(root)?;
    rustix::process::pivot_root(".", ".")?;
    Ok(rustix::mount::unmount(".", UnmountFlags::DETACH)?)
}
