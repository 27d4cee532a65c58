//! The guest's one network card, by the old ioctls: no netlink library in PID 1.

use std::io;
use std::net::Ipv4Addr;
use std::os::fd::{AsRawFd as _, OwnedFd};

use anyhow::{Context as _, Result};
use locule_guest_api::{GUEST_IP, GUEST_PREFIX_LENGTH, HOST_IP};
use nix::libc;
use nix::sys::socket::{AddressFamily, SockFlag, SockType, socket};

#[expect(
    clippy::cast_possible_truncation,
    reason = "the kernel's constants fit their fields"
)]
const INET: libc::sa_family_t = libc::AF_INET as libc::sa_family_t;
#[expect(
    clippy::cast_possible_truncation,
    reason = "the kernel's constants fit their fields"
)]
const UP_AND_RUNNING: libc::c_short = (libc::IFF_UP | libc::IFF_RUNNING) as libc::c_short;

/// Sets up loopback, eth0 with the address that every guest has, and the default route through the host.
pub(crate) fn up() -> Result<()> {
    let socket = socket(
        AddressFamily::Inet,
        SockType::Datagram,
        SockFlag::SOCK_CLOEXEC,
        None,
    )?;
    set_up(&socket, "lo").context("lo")?;
    let mask = Ipv4Addr::from(u32::MAX << (32 - GUEST_PREFIX_LENGTH));
    set_address(&socket, "eth0", libc::SIOCSIFADDR, GUEST_IP).context("eth0 address")?;
    set_address(&socket, "eth0", libc::SIOCSIFNETMASK, mask).context("eth0 netmask")?;
    set_up(&socket, "eth0").context("eth0")?;
    add_default_route(&socket, HOST_IP).context("default route")
}

fn request(name: &str) -> libc::ifreq {
    // SAFETY: ifreq is plain data; all zeros is a valid value.
    #[expect(unsafe_code, reason = "zeroed C structure")]
    let mut request: libc::ifreq = unsafe { std::mem::zeroed() };
    for (to, from) in request
        .ifr_name
        .iter_mut()
        .zip(name.bytes().take(libc::IFNAMSIZ - 1))
    {
        *to = from.cast_signed();
    }
    request
}

fn address(ip: Ipv4Addr) -> libc::sockaddr {
    let mut data = [0; 14];
    for (to, from) in data[2..6].iter_mut().zip(ip.octets()) {
        *to = from.cast_signed();
    }
    libc::sockaddr {
        sa_family: INET,
        sa_data: data,
    }
}

fn call<T>(socket: &OwnedFd, number: libc::c_ulong, argument: &mut T) -> io::Result<()> {
    // SAFETY: each caller passes the structure that this ioctl number is defined for, and it outlives the call.
    #[expect(unsafe_code, reason = "ioctl")]
    let result = unsafe { libc::ioctl(socket.as_raw_fd(), number, std::ptr::from_mut(argument)) };
    if result < 0 {
        Err(io::Error::last_os_error())
    } else {
        Ok(())
    }
}

fn set_up(socket: &OwnedFd, name: &str) -> io::Result<()> {
    let mut request = request(name);
    request.ifr_ifru.ifru_flags = UP_AND_RUNNING;
    call(socket, libc::SIOCSIFFLAGS, &mut request)
}

fn set_address(
    socket: &OwnedFd,
    name: &str,
    number: libc::c_ulong,
    ip: Ipv4Addr,
) -> io::Result<()> {
    let mut request = request(name);
    request.ifr_ifru.ifru_addr = address(ip);
    call(socket, number, &mut request)
}

fn add_default_route(socket: &OwnedFd, gateway: Ipv4Addr) -> io::Result<()> {
    // SAFETY: rtentry is plain data; all zeros is a valid value.
    #[expect(unsafe_code, reason = "zeroed C structure")]
    let mut route: libc::rtentry = unsafe { std::mem::zeroed() };
    route.rt_dst = address(Ipv4Addr::UNSPECIFIED);
    route.rt_genmask = address(Ipv4Addr::UNSPECIFIED);
    route.rt_gateway = address(gateway);
    route.rt_flags = (libc::RTF_UP | libc::RTF_GATEWAY) as libc::c_ushort;
    call(socket, libc::SIOCADDRT, &mut route)
}
