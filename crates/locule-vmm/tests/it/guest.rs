//! A test guest: a kernel, an initramfs with one program that counts, and the descriptors that a VMM needs.

use std::fs::File;
use std::io;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use locule_testkit::comes_true;
use locule_vmm::{
    AcceleratorKind, Machine, MemorySource, Qemu, Shape, VmSpec, Vmm as _, VmmError, VmmHandle,
};
use tempfile::TempDir;
use tokio::sync::OnceCell;

/// A user that nothing else on the host runs as.
pub(crate) const UID: u32 = 0x7fff_fff0;
const SHAPE: Shape = Shape {
    vcpus: 2,
    memory_mib: 128,
};

/// A started guest. Its VMM is killed at the end of the test, also when the test fails.
pub(crate) struct Guest {
    pub(crate) machine: Box<dyn Machine>,
    pub(crate) folder: TempDir,
    pub(crate) reaper: Reaper,
}

impl Guest {
    pub(crate) async fn start(memory: MemorySource, restore: bool) -> Result<Self, VmmError> {
        let kernel = Arc::new(File::open(images().join("kernel")).unwrap());
        Self::start_with(kernel, "", memory, restore).await
    }

    pub(crate) async fn start_with(
        kernel: Arc<File>,
        cmdline: &str,
        memory: MemorySource,
        restore: bool,
    ) -> Result<Self, VmmError> {
        Self::start_on(&qemu().await, kernel, cmdline, memory, restore).await
    }

    pub(crate) async fn start_on(
        vmm: &Qemu,
        kernel: Arc<File>,
        cmdline: &str,
        memory: MemorySource,
        restore: bool,
    ) -> Result<Self, VmmError> {
        let folder = tempfile::tempdir().unwrap();
        let disk = tempfile::tempfile().unwrap();
        disk.set_len(8 << 20).unwrap();
        let console = File::create(folder.path().join("console")).unwrap();
        let spec = VmSpec {
            machine: None,
            name: format!("locule-test-{}", std::process::id()),
            shape: SHAPE,
            uid: UID,
            memory,
            kernel,
            initramfs: initramfs().await,
            cmdline: format!("console=ttyS0 quiet panic=-1 no_timer_check {cmdline}"),
            disk: disk.into(),
            tap: tap(),
            mac: "02:fc:00:00:00:05".to_owned(),
            console: console.into(),
            control: folder.path().join("control"),
            log: folder.path().join("log"),
            restore,
        };
        let machine = vmm.start(spec).await?;
        let reaper = Reaper(machine.handle().clone());
        Ok(Self {
            machine,
            folder,
            reaper,
        })
    }

    /// Restores a guest and starts its vCPUs.
    pub(crate) async fn resume(memory: MemorySource, devices: &File) -> Self {
        let mut guest = Self::start(memory, true).await.unwrap();
        let devices = reopen(devices, File::options().read(true));
        guest.machine.load_devices(devices).await.unwrap();
        assert!(!guest.machine.is_running().await.unwrap());
        guest.machine.cont().await.unwrap();
        guest
    }

    pub(crate) fn console(&self) -> String {
        let bytes = std::fs::read(self.folder.path().join("console")).unwrap();
        String::from_utf8_lossy(&bytes).into_owned()
    }

    pub(crate) async fn until_it_counts(&self) {
        let counts = async || self.console().matches("count").count() >= 3;
        assert!(comes_true(counts).await, "no count: {}", self.console());
    }

    /// Stops the guest and saves its device state.
    pub(crate) async fn save(&mut self) -> File {
        self.machine.stop().await.unwrap();
        let devices = tempfile::tempfile().unwrap();
        let out = reopen(&devices, File::options().write(true));
        self.machine.save_devices(out).await.unwrap();
        assert!(devices.metadata().unwrap().len() > 1000);
        devices
    }
}

/// Kills and reaps a VMM that a test left running.
pub(crate) struct Reaper(pub(crate) VmmHandle);

impl Drop for Reaper {
    fn drop(&mut self) {
        let ours = std::fs::read(format!("/proc/{}/cmdline", self.0.pid)).unwrap_or_default();
        let name = format!("locule-test-{}", std::process::id());
        if !String::from_utf8_lossy(&ours).contains(&name) {
            return;
        }
        let pid = rustix::process::Pid::from_raw(self.0.pid.cast_signed()).unwrap();
        let _ = rustix::process::kill_process(pid, rustix::process::Signal::KILL);
        let _ = rustix::process::waitpid(Some(pid), rustix::process::WaitOptions::empty());
    }
}

/// The state of a guest that was booted and stopped. Every restore starts from it.
pub(crate) struct TemplateSnapshot {
    pub(crate) image: File,
    pub(crate) sealed: Arc<OwnedFd>,
    pub(crate) devices: File,
    pub(crate) console: String,
}

/// The snapshot that all tests of this process share.
pub(crate) async fn template_snapshot() -> &'static TemplateSnapshot {
    static SNAPSHOT: OnceCell<TemplateSnapshot> = OnceCell::const_new();
    SNAPSHOT.get_or_init(boot).await
}

async fn boot() -> TemplateSnapshot {
    let image = empty_memory_file();
    let memory = MemorySource::Boot(Arc::new(image.try_clone().unwrap()));
    let mut guest = Guest::start(memory, false).await.unwrap();
    guest.until_it_counts().await;
    let devices = guest.save().await;
    guest.machine.end().await.unwrap();
    TemplateSnapshot {
        sealed: Arc::new(locule_vmm::seal_memory(&image).unwrap()),
        image,
        devices,
        console: guest.console(),
    }
}

/// An empty memory file, which the VMM's user may open.
pub(crate) fn empty_memory_file() -> File {
    let image = tempfile::tempfile().unwrap();
    image.set_len(u64::from(SHAPE.memory_mib) << 20).unwrap();
    std::os::unix::fs::fchown(&image, Some(UID), Some(UID)).unwrap();
    image
}

pub(crate) async fn qemu() -> Qemu {
    Qemu::find(AcceleratorKind::Tcg, None).await.unwrap()
}

/// The image bundle: kernel and initramfs. `make images` builds it; without it these tests fail.
pub(crate) fn images() -> PathBuf {
    #[expect(
        clippy::disallowed_methods,
        reason = "the only configuration of this test program"
    )]
    let named = std::env::var_os("LOCULE_IMAGES");
    let built = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/images");
    let folder = named.map_or(built, PathBuf::from);
    assert!(
        folder.join("kernel").exists(),
        "no image bundle in {}: run `make images`",
        folder.display()
    );
    folder
}

/// Opens the same file again, with its own descriptor and the given options.
pub(crate) fn reopen(file: &File, options: &std::fs::OpenOptions) -> File {
    use std::os::fd::AsRawFd as _;
    options
        .open(format!("/proc/self/fd/{}", file.as_raw_fd()))
        .unwrap()
}

/// An initramfs that contains only the counting program, as `/init`.
pub(crate) async fn initramfs() -> Arc<File> {
    static ARCHIVE: OnceCell<Arc<File>> = OnceCell::const_new();
    let make = async || {
        let folder = tempfile::tempdir().unwrap();
        let program = std::fs::read(crate::compile("init", folder.path()).await).unwrap();
        let mut archive = Vec::new();
        push_member(&mut archive, "init", 0o100_755, &program);
        push_member(&mut archive, "TRAILER!!!", 0, &[]);
        let path = folder.path().join("initramfs");
        std::fs::write(&path, &archive).unwrap();
        // The VMM's user reads the file through its descriptor; the folder is removed.
        Arc::new(File::open(&path).unwrap())
    };
    Arc::clone(ARCHIVE.get_or_init(make).await)
}

/// One member in the kernel's "newc" format: thirteen numbers, a name, the bytes, each padded to four.
fn push_member(archive: &mut Vec<u8>, name: &str, mode: usize, bytes: &[u8]) {
    let (links, length, name_length) = (1, bytes.len(), name.len() + 1);
    let header = [0, mode, 0, 0, links, 0, length, 0, 0, 0, 0, name_length, 0];
    archive.extend(b"070701");
    for number in header {
        archive.extend(format!("{number:08x}").bytes());
    }
    archive.extend(name.bytes().chain([0]));
    archive.resize(archive.len().next_multiple_of(4), 0);
    archive.extend(bytes);
    archive.resize(archive.len().next_multiple_of(4), 0);
}

/// A tap in a network namespace that ends when the descriptor is closed.
fn tap() -> OwnedFd {
    let made = std::thread::spawn(|| {
        use std::os::fd::AsRawFd as _;
        // SAFETY: changes only the network namespace of this thread, which ends with this closure.
        #[expect(unsafe_code, reason = "unshare")]
        let unshared = unsafe { libc::unshare(libc::CLONE_NEWNET) };
        assert_eq!(unshared, 0, "{}", io::Error::last_os_error());
        let tap = File::options()
            .read(true)
            .write(true)
            .open("/dev/net/tun")
            .unwrap();
        let mut request = [0_u8; 40];
        request[..4].copy_from_slice(b"tap0");
        let flags = libc::IFF_TAP | libc::IFF_NO_PI | libc::IFF_VNET_HDR;
        request[16..20].copy_from_slice(&flags.to_ne_bytes());
        // SAFETY: TUNSETIFF reads and writes one ifreq of 40 bytes, which outlives the call.
        #[expect(unsafe_code, reason = "ioctl")]
        let set = unsafe { libc::ioctl(tap.as_raw_fd(), libc::TUNSETIFF, request.as_mut_ptr()) };
        assert_eq!(set, 0, "{}", io::Error::last_os_error());
        tap.into()
    });
    made.join().unwrap()
}
