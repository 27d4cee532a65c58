//! The network of one slot.

use std::fs;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::os::fd::{AsRawFd as _, OwnedFd};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use locule_base::command::{Command, CommandError, Output};
use locule_base::errors::FileError;
use tokio::net::{TcpListener, TcpSocket, TcpStream, UdpSocket};

use crate::names::Names;
use crate::namespace::{self, inside};
use crate::{GUEST_IP, HOST_IP, NetError, NetOptions, firewall};

const TUNSETIFF: libc::c_ulong = 0x4004_54ca;
const IFF_TAP: i16 = 0x0002;
const IFF_NO_PI: i16 = 0x1000;
const IFF_VNET_HDR: i16 = 0x4000;

/// The network namespace that the agent runs in, which holds the host's ends of all uplinks.
#[derive(Debug)]
pub(crate) struct HostNamespace(fs::File);

impl HostNamespace {
    /// That of the calling thread.
    pub(crate) fn current() -> Result<Self, FileError> {
        let path = "/proc/thread-self/ns/net";
        let file = fs::File::open(path).map_err(FileError::on("open", path))?;
        Ok(Self(file))
    }

    /// A name of the namespace for other programs.
    fn path(&self) -> String {
        format!("/proc/{}/fd/{}", std::process::id(), self.0.as_raw_fd())
    }
}

#[derive(Debug)]
pub struct SandboxNet {
    slot: u16,
    name: String,
    path: PathBuf,
    options: Arc<NetOptions>,
}

impl SandboxNet {
    fn new(names: &Names, slot: u16, options: Arc<NetOptions>) -> Self {
        Self {
            slot,
            name: names.namespace(slot),
            path: names.namespace_path(slot),
            options,
        }
    }

    pub(crate) async fn create(
        names: &Names,
        slot: u16,
        (host, inner): (Ipv4Addr, Ipv4Addr),
        namespace: &HostNamespace,
        options: Arc<NetOptions>,
    ) -> Result<Self, NetError> {
        let net = Self::new(names, slot, options);
        let veth = names.veth(slot);
        // Devices are created from inside the namespace, so that one run of `ip` configures all of it.
        let within = format!(
            "link set lo up\ntuntap add dev tap0 mode tap vnet_hdr\naddr add {HOST_IP}/30 dev tap0\nlink set tap0 up\n\
             link add eth0 type veth peer name {veth} netns {}\naddr add {inner}/31 dev eth0\nlink set eth0 up\n\
             route add default via {host}\n",
            namespace.path()
        );
        let rules = firewall::sandbox_rules(net.options.bandwidth_mbit);
        let furnished = namespace::create(&net.path, move || {
            configure_kernel()?;
            Ok(async move {
                tokio::try_join!(
                    batch(within),
                    Command::new("nft").args(["-f", "-"]).stdin(rules).run()
                )
            })
        });
        furnished
            .await
            .map_err(|source| NetError::CreateNamespace {
                name: net.name.clone(),
                source,
            })??;
        batch(format!(
            "addr add {host}/31 dev {veth}\nlink set {veth} up\n"
        ))
        .await?;
        Ok(net)
    }

    pub(crate) fn open(
        names: &Names,
        slot: u16,
        options: Arc<NetOptions>,
    ) -> Result<Self, NetError> {
        let net = Self::new(names, slot, options);
        net.inside(|| Ok(()))?;
        Ok(net)
    }

    pub(crate) fn options(&self) -> Arc<NetOptions> {
        self.options.clone()
    }

    pub fn slot(&self) -> u16 {
        self.slot
    }

    fn inside<T: Send>(&self, work: impl FnOnce() -> io::Result<T> + Send) -> Result<T, NetError> {
        inside(&self.path, work).map_err(|source| NetError::Namespace {
            name: self.name.clone(),
            source,
        })
    }

    /// Opens the tap for a VMM.
    pub fn open_tap(&self) -> Result<OwnedFd, NetError> {
        let opened = inside(&self.path, || {
            let tun = fs::File::options()
                .read(true)
                .write(true)
                .custom_flags(libc::O_NONBLOCK)
                .open("/dev/net/tun")?;
            let mut request = [0_u8; 40];
            request[..4].copy_from_slice(b"tap0");
            request[16..18].copy_from_slice(&(IFF_TAP | IFF_NO_PI | IFF_VNET_HDR).to_ne_bytes());
            // SAFETY: `request` has the size and layout of ifreq and outlives the call.
            #[expect(unsafe_code, reason = "ioctl")]
            let result = unsafe { libc::ioctl(tun.as_raw_fd(), TUNSETIFF, request.as_ptr()) };
            if result < 0 {
                Err(io::Error::last_os_error())
            } else {
                Ok(OwnedFd::from(tun))
            }
        });
        opened.map_err(|source| NetError::Tap {
            slot: self.slot,
            source,
        })
    }

    /// Connects to a port of the guest. A socket belongs to the namespace that it was created in, so any thread can use it.
    pub async fn connect(&self, port: u16, timeout: Duration) -> io::Result<TcpStream> {
        let socket = inside(&self.path, TcpSocket::new_v4)?;
        socket.set_nodelay(true)?;
        let connecting = socket.connect(SocketAddr::from((GUEST_IP, port)));
        tokio::time::timeout(timeout, connecting)
            .await
            .map_err(|_| io::Error::from(io::ErrorKind::TimedOut))?
    }

    /// Opens the sockets of the sandbox's name server.
    pub(crate) fn name_server_sockets(&self) -> Result<(UdpSocket, TcpListener), NetError> {
        let address = SocketAddr::from((HOST_IP, 53));
        let (udp, tcp) = self.inside(|| {
            let udp = std::net::UdpSocket::bind(address)?;
            let tcp = std::net::TcpListener::bind(address)?;
            udp.set_nonblocking(true)?;
            tcp.set_nonblocking(true)?;
            Ok((udp, tcp))
        })?;
        let registered =
            UdpSocket::from_std(udp).and_then(|udp| Ok((udp, TcpListener::from_std(tcp)?)));
        registered.map_err(|source| NetError::Namespace {
            name: self.name.clone(),
            source,
        })
    }
}

async fn batch(commands: String) -> Result<Output, CommandError> {
    Command::new("ip")
        .args(["-batch", "-"])
        .stdin(commands)
        .run()
        .await
}

/// Disables IPv6, for which no packet rules exist, and enables forwarding in the namespace of the calling thread.
fn configure_kernel() -> io::Result<()> {
    fs::write("/proc/sys/net/ipv6/conf/all/disable_ipv6", "1").or_else(ignore_missing)?;
    fs::write("/proc/sys/net/ipv6/conf/default/disable_ipv6", "1").or_else(ignore_missing)?;
    fs::write("/proc/sys/net/ipv4/ip_forward", "1")
}

/// A kernel without IPv6 does not have the setting.
fn ignore_missing(error: io::Error) -> io::Result<()> {
    if error.kind() == io::ErrorKind::NotFound {
        Ok(())
    } else {
        Err(error)
    }
}
