//! The root file system of a VMM: a read-only tmpfs with read-only bind mounts of what the program needs, and nothing else.
//!
//! The agent builds it once per start, in a mount namespace that only a descriptor refers to. Every VMM gets a copy of that
//! namespace and mounts its own /proc in it. A start therefore copies a few dozen mounts instead of the host's mount table,
//! a VMM keeps no mount of the host busy, and the host's own namespace never gets a mount that could be left behind.

mod contents;
mod elf;

use std::fs::{self, File};
use std::io;
use std::os::fd::{AsFd as _, OwnedFd};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustix::fs::{CWD, FileType, Mode, mknodat};
use rustix::mount::{MountFlags, MountPropagationFlags, UnmountFlags};
use rustix::thread::LinkNameSpaceType;

use crate::machine::VmmError;
pub(crate) use contents::contents_for;

/// The mount point of the root inside its own namespace: a folder that exists on every host and holds no VMM program.
const BUILD_DIR: &str = "/sys";
/// Limits for the mount points, which are folders and empty files: ample for any VMM program.
const ROOT_OPTIONS: &std::ffi::CStr = c"mode=755,size=64k,nr_inodes=4096";

/// How the jail uses a bound path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Use {
    /// Executable: the program, its loader, its libraries.
    Code,
    Data,
    /// A new device node with mode 0666. The host's node may be accessible to root alone.
    Device,
}

/// A path of the host that the jail contains under the same name. Binding follows symbolic links.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Bind {
    pub(crate) path: PathBuf,
    pub(crate) used_as: Use,
}

/// A mount namespace to copy. Cheap to clone; the namespace ends with the last clone.
#[derive(Debug, Clone)]
pub(crate) struct Jail(Arc<OwnedFd>);

impl Jail {
    /// Builds the root. Blocks for a few milliseconds.
    pub(crate) fn build(binds: Vec<Bind>) -> Result<Self, VmmError> {
        // The thread cannot leave the new namespace, so it serves this one call.
        let thread = std::thread::Builder::new().name("vmm-jail".to_owned());
        let built = thread.spawn(move || build_here(&binds));
        let built = built.map_err(failed("start a thread"))?.join();
        let namespace =
            built.map_err(|_| VmmError::Unusable("the jail builder panicked".into()))?;
        Ok(Self(Arc::new(namespace?)))
    }

    pub(crate) fn namespace(&self) -> Arc<OwnedFd> {
        Arc::clone(&self.0)
    }
}

fn failed<E: Into<io::Error>>(step: impl Into<String>) -> impl FnOnce(E) -> VmmError {
    let step = step.into();
    move |source| VmmError::Jail {
        step,
        source: source.into(),
    }
}

fn build_here(binds: &[Bind]) -> Result<OwnedFd, VmmError> {
    // SAFETY: changes only which mounts this thread sees; the thread ends with its caller.
    #[expect(unsafe_code, reason = "unshare")]
    if unsafe { libc::unshare(libc::CLONE_NEWNS) } != 0 {
        let error = io::Error::last_os_error();
        return Err(failed("create a mount namespace")(error));
    }
    // The unshare gave this thread an umask of its own. The VMM's user must be able to enter the folders.
    rustix::process::umask(Mode::from_raw_mode(0o022));
    let private = MountPropagationFlags::PRIVATE | MountPropagationFlags::REC;
    rustix::mount::mount_change("/", private).map_err(failed("make the mounts private"))?;
    let namespace = File::open("/proc/thread-self/ns/mnt").map_err(failed("open the namespace"))?;
    let root = Path::new(BUILD_DIR);
    let flags = MountFlags::NOSUID | MountFlags::NODEV | MountFlags::NOEXEC;
    rustix::mount::mount("locule-jail", root, "tmpfs", flags, ROOT_OPTIONS)
        .map_err(failed("mount the root"))?;
    fs::create_dir(root.join("proc")).map_err(failed("create /proc"))?;
    for bind in binds {
        attach(root, bind).map_err(failed(format!("bind {}", bind.path.display())))?;
    }
    rustix::mount::mount_remount(root, flags | MountFlags::RDONLY, ROOT_OPTIONS)
        .map_err(failed("make the root read-only"))?;
    change_root(root).map_err(failed("change the root"))?;
    check_entry(&namespace).map_err(failed("enter the jail"))?;
    Ok(namespace.into())
}

/// Enters the namespace as each VMM does. A program that enters a namespace gets the namespace's own root, which `pivot_root` in a
/// chroot does not replace: the VMM would have the file system of the machine.
fn check_entry(namespace: &File) -> io::Result<()> {
    let root = || fs::metadata("/").map(|root| (root.dev(), root.ino()));
    let built = root()?;
    rustix::thread::move_into_link_name_space(namespace.as_fd(), Some(LinkNameSpaceType::Mount))?;
    if root()? == built {
        return Ok(());
    }
    Err(io::Error::other("the host agent runs in a chroot"))
}

/// Binds one path read-only under the same name.
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
            // Bound onto itself: the root is mounted without devices, a separate mount allows this one.
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
    // The umask cleared some of the mode bits.
    Ok(rustix::fs::chmod(path, mode)?)
}

/// Makes `root` the root. The old root is then mounted on top of it and is detached with everything below.
fn change_root(root: &Path) -> io::Result<()> {
    rustix::process::chdir(root)?;
    rustix::process::pivot_root(".", ".")?;
    Ok(rustix::mount::unmount(".", UnmountFlags::DETACH)?)
}
