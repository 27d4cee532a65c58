//! A simulated internet and a simulated guest, each in a network namespace with the kernel's whole network stack.

use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::os::fd::{AsFd as _, AsRawFd as _, OwnedFd};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use locule_base::command::Command;
use locule_net::{GUEST_MAC, HostNet, NetOptions, SandboxNet};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};

/// The length of the header in front of each frame of the tap.
pub(crate) const VNET_HEADER: usize = 10;

pub(crate) fn instance() -> String {
    format!("{:08x}", rand::random::<u32>())
}

async fn ip(commands: &str) {
    let command = Command::new("ip").args(["-batch", "-"]).stdin(commands);
    command.run().await.unwrap();
}

/// A namespace that is removed at the end of the test.
pub(crate) struct Namespace {
    pub(crate) name: String,
}

impl Namespace {
    pub(crate) async fn new(name: String) -> Self {
        ip(&format!("netns add {name}\n")).await;
        Self { name }
    }

    pub(crate) async fn ip(&self, commands: &str) {
        let command = Command::new("ip").args(["-n", &self.name, "-batch", "-"]);
        command.stdin(commands).run().await.unwrap();
    }

    /// Runs `work` on a thread inside the namespace.
    pub(crate) fn inside<T: Send>(&self, work: impl FnOnce() -> T + Send) -> T {
        inside(&Path::new("/run/netns").join(&self.name), work)
    }
}

impl Drop for Namespace {
    fn drop(&mut self) {
        let path = Path::new("/run/netns").join(&self.name);
        let _ = rustix::mount::unmount(&path, rustix::mount::UnmountFlags::DETACH);
        let _ = std::fs::remove_file(path);
    }
}

pub(crate) fn inside<T: Send>(namespace: &Path, work: impl FnOnce() -> T + Send) -> T {
    let namespace = std::fs::File::open(namespace).unwrap();
    std::thread::scope(|scope| {
        let thread = scope.spawn(move || {
            let kind = Some(LinkNameSpaceType::Network);
            move_into_link_name_space(namespace.as_fd(), kind).unwrap();
            work()
        });
        thread.join().unwrap()
    })
}

/// A network device of the host. Dropping it removes the device at once; the kernel removes a namespace with a delay.
struct Link(String);

impl Drop for Link {
    fn drop(&mut self) {
        #[expect(
            clippy::disallowed_methods,
            reason = "a destructor cannot await the command runner"
        )]
        let _ = std::process::Command::new("ip")
            .args(["link", "delete", &self.0])
            .status();
    }
}

/// Addresses that a sandbox may reach, and others that only the host may reach.
pub(crate) struct Internet {
    pub(crate) namespace: Namespace,
    /// The host's address on this link. It is in a public range.
    pub(crate) host: Ipv4Addr,
    pub(crate) address: Ipv4Addr,
    _link: Link,
    /// Held so that only one test of this machine has an internet at a time.
    _lock: std::fs::File,
}

/// Addresses behind the host that no sandbox may reach.
pub(crate) const BEYOND: [&str; 5] = [
    "10.93.7.1",
    "172.20.93.1",
    "192.168.93.1",
    "100.64.93.1",
    "168.63.129.16",
];

impl Internet {
    pub(crate) async fn new() -> Self {
        let lock = tokio::task::spawn_blocking(|| {
            let file = std::env::temp_dir().join("locule-net-internet.lock");
            let file = std::fs::File::create(file).unwrap();
            rustix::fs::flock(&file, rustix::fs::FlockOperation::LockExclusive).unwrap();
            file
        });
        let lock = lock.await.unwrap();
        let id = instance();
        let (host, address) = (Ipv4Addr::new(203, 0, 113, 1), Ipv4Addr::new(203, 0, 113, 2));
        let namespace = Namespace::new(format!("lt{id}")).await;
        let link = format!("lt{id}");
        ip(&format!(
            "link add {link} type veth peer name eth0 netns {}\naddr add {host}/30 dev {link}\nlink set {link} up\n",
            namespace.name
        ))
        .await;
        let within = format!("link set lo up\naddr add {address}/30 dev eth0\nlink set eth0 up\n");
        let beyond = BEYOND.map(|beyond| format!("addr add {beyond}/32 dev eth0\n"));
        namespace.ip(&(within + &beyond.concat())).await;
        let routes = BEYOND.map(|beyond| format!("route replace {beyond}/32 via {address}\n"));
        ip(&routes.concat()).await;
        Self {
            namespace,
            host,
            address,
            _link: Link(link),
            _lock: lock,
        }
    }

    /// Accepts connections on every address and echoes all bytes.
    pub(crate) fn listen(&self, port: u16) {
        let listener = self
            .namespace
            .inside(|| TcpListener::bind(("0.0.0.0", port)).unwrap());
        echo(listener);
    }

    pub(crate) fn udp(&self, port: u16) -> UdpSocket {
        self.namespace
            .inside(|| UdpSocket::bind(("0.0.0.0", port)).unwrap())
    }
}

/// Echoes all bytes of every connection. The thread ends with the test.
pub(crate) fn echo(listener: TcpListener) {
    std::thread::spawn(move || {
        while let Ok((mut stream, _)) = listener.accept() {
            std::thread::spawn(move || {
                let mut copy = stream.try_clone().unwrap();
                let _ = io::copy(&mut copy, &mut stream);
            });
        }
    });
}

/// Carries frames between the tap of a sandbox and the network device of a namespace.
struct FrameCarrier {
    stop: Arc<AtomicBool>,
    pumps: Vec<JoinHandle<()>>,
}

fn pump(from: &OwnedFd, to: &OwnedFd, stop: &Arc<AtomicBool>) -> JoinHandle<()> {
    let (from, to, stop) = (
        from.try_clone().unwrap(),
        to.try_clone().unwrap(),
        stop.clone(),
    );
    let tick = Timespec {
        tv_sec: 0,
        tv_nsec: 20_000_000,
    };
    std::thread::spawn(move || {
        let mut frame = vec![0; 70_000];
        while !stop.load(Ordering::Relaxed) {
            if let Ok(length) = rustix::io::read(&from, &mut frame) {
                // A full queue drops the frame, as a network may.
                let _ = rustix::io::write(&to, &frame[..length]);
            } else {
                let _ = poll(&mut [PollFd::new(&from, PollFlags::IN)], Some(&tick));
            }
        }
    })
}

impl Drop for FrameCarrier {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        for pump in self.pumps.drain(..) {
            let _ = pump.join();
        }
    }
}

/// A guest that uses the kernel of the host.
pub(crate) struct Guest {
    pub(crate) namespace: Namespace,
    /// The other end of the tap, for frames that no kernel would send.
    pub(crate) tap: OwnedFd,
    _carrier: FrameCarrier,
}

impl Guest {
    pub(crate) async fn new(net: &SandboxNet) -> Self {
        let namespace = Namespace::new(format!("lg{}", instance())).await;
        namespace
            .ip(&format!(
                "link set lo up\ntuntap add dev eth0 mode tap vnet_hdr\nlink set eth0 address {GUEST_MAC}\n"
            ))
            .await;
        let card = namespace.inside(open_card);
        namespace
            .ip(
                "addr add 169.254.0.21/30 dev eth0\nlink set eth0 up\nroute add default via 169.254.0.22\n",
            )
            .await;
        let tap = net.open_tap().unwrap();
        let stop = Arc::new(AtomicBool::new(false));
        let pumps = vec![pump(&tap, &card, &stop), pump(&card, &tap, &stop)];
        Self {
            namespace,
            tap,
            _carrier: FrameCarrier { stop, pumps },
        }
    }

    pub(crate) fn reaches(&self, to: impl Into<SocketAddr>) -> bool {
        let to = to.into();
        self.connect(to, Duration::from_millis(400)).is_ok()
    }

    pub(crate) fn connect(&self, to: SocketAddr, timeout: Duration) -> io::Result<TcpStream> {
        self.namespace
            .inside(|| TcpStream::connect_timeout(&to, timeout))
    }

    pub(crate) fn udp(&self) -> UdpSocket {
        self.namespace
            .inside(|| UdpSocket::bind("0.0.0.0:0").unwrap())
    }
}

fn open_card() -> OwnedFd {
    const TUNSETIFF: libc::c_ulong = 0x4004_54ca;
    let tun = std::fs::File::options()
        .read(true)
        .write(true)
        .custom_flags(libc::O_NONBLOCK)
        .open("/dev/net/tun")
        .unwrap();
    let mut request = [0_u8; 40];
    request[..4].copy_from_slice(b"eth0");
    request[16..18].copy_from_slice(&0x5002_i16.to_ne_bytes());
    // SAFETY: `request` has the size and layout of ifreq and outlives the call.
    #[expect(unsafe_code, reason = "ioctl")]
    let result = unsafe { libc::ioctl(tun.as_raw_fd(), TUNSETIFF, request.as_ptr()) };
    assert_eq!(result, 0, "{}", io::Error::last_os_error());
    tun.into()
}

/// One instance with its data directory.
pub(crate) struct World {
    pub(crate) host: HostNet,
    pub(crate) instance: String,
    folder: tempfile::TempDir,
}

impl World {
    pub(crate) async fn new(options: NetOptions) -> Self {
        let (folder, instance) = (tempfile::tempdir().unwrap(), instance());
        let host = HostNet::open(&instance, folder.path(), options)
            .await
            .unwrap();
        Self {
            host,
            instance,
            folder,
        }
    }

    /// The same instance once more, as after a crash of the agent.
    pub(crate) async fn open_again(&self) -> HostNet {
        let opened = HostNet::open(&self.instance, self.folder.path(), NetOptions::default());
        opened.await.unwrap()
    }

    pub(crate) fn namespace(&self, slot: u16) -> PathBuf {
        Path::new("/run/netns").join(format!("locule-{}-{slot}", self.instance))
    }

    /// The addresses of a sandbox's uplink: the host's end, and the end in the namespace.
    pub(crate) fn addresses(&self, slot: u16) -> (Ipv4Addr, Ipv4Addr) {
        let block = (self.host.first_uid() - 0x7000_0000) / 65_536;
        let first = u32::from(Ipv4Addr::new(198, 18, 0, 0)) + block * 2048 + u32::from(slot) * 2;
        (Ipv4Addr::from(first), Ipv4Addr::from(first + 1))
    }

    /// The number of entries of a sandbox in the host's connection table.
    pub(crate) fn connections(&self, slot: u16) -> usize {
        let source = format!("src={} ", self.addresses(slot).1);
        let table = std::fs::read_to_string("/proc/net/nf_conntrack").unwrap();
        table.lines().filter(|line| line.contains(&source)).count()
    }
}
