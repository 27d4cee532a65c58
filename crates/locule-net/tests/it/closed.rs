//! The destinations that a guest can reach, and those that it cannot (W-033).

use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use locule_net::NetOptions;
use tokio::time::Instant;

use crate::world::{BEYOND, Guest, Internet, VNET_HEADER, World, echo, inside};

const PORT: u16 = 4711;
const PATIENCE: Duration = Duration::from_secs(5);

#[tokio::test(flavor = "multi_thread")]
async fn a_guest_reaches_the_internet_and_no_private_or_local_address() {
    let (internet, world) = (
        Internet::new().await,
        World::new(NetOptions::default()).await,
    );
    internet.listen(PORT);
    echo(TcpListener::bind(("0.0.0.0", PORT)).unwrap());
    let (net, neighbour) = (
        world.host.create(0).await.unwrap(),
        world.host.create(1).await.unwrap(),
    );
    let (guest, other) = (Guest::new(&net).await, Guest::new(&neighbour).await);
    echo(
        other
            .namespace
            .inside(|| TcpListener::bind(("0.0.0.0", PORT)).unwrap()),
    );
    // Programs of the host inside the sandbox's own namespace, at the address of the name server.
    let namespace = world.namespace(0);
    echo(inside(&namespace, || {
        TcpListener::bind(("0.0.0.0", PORT)).unwrap()
    }));
    let of_host = UdpSocket::bind(("0.0.0.0", PORT)).unwrap();
    let of_namespace = inside(&namespace, || UdpSocket::bind(("0.0.0.0", PORT)).unwrap());
    let beyond = BEYOND.map(|address| address.parse::<Ipv4Addr>().unwrap());
    // The host itself reaches all of them.
    for address in beyond.into_iter().chain([internet.address, internet.host]) {
        TcpStream::connect_timeout(&(address, PORT).into(), PATIENCE).unwrap();
    }
    net.connect(PORT, PATIENCE).await.unwrap_err();
    neighbour.connect(PORT, PATIENCE).await.unwrap();

    let mut stream = guest
        .connect((internet.address, PORT).into(), PATIENCE)
        .unwrap();
    stream.write_all(b"hello").unwrap();
    let mut answer = [0; 5];
    stream.read_exact(&mut answer).unwrap();
    assert_eq!(&answer, b"hello");

    let (host_end, own_end) = world.addresses(0);
    let (next_host_end, next_end) = world.addresses(1);
    let local = [
        internet.host,
        host_end,
        own_end,
        next_host_end,
        next_end,
        Ipv4Addr::new(169, 254, 0, 22),
        Ipv4Addr::new(169, 254, 169, 254),
        Ipv4Addr::new(224, 0, 0, 1),
    ];
    for address in local.into_iter().chain(beyond) {
        assert!(!guest.reaches((address, PORT)), "{address}");
    }
    let server = internet.udp(PORT);
    let sender = guest.udp();
    for address in local.into_iter().chain(beyond).chain([internet.address]) {
        let _ = sender.send_to(b"x", (address, PORT));
    }
    assert_only_the_last_packet_arrived(&server, &[of_host, of_namespace]);
    // Outside of the agent no program reaches a guest.
    let refused = internet.namespace.inside(|| {
        TcpStream::connect_timeout(&(next_end, PORT).into(), Duration::from_millis(300))
    });
    refused.unwrap_err();
    assert!(
        guest.reaches((internet.address, PORT)),
        "the internet stays reachable"
    );
    drop((guest, other));
    world.host.close().await.unwrap();
}

/// The packet that may pass was sent last, to `server`.
fn assert_only_the_last_packet_arrived(server: &UdpSocket, closed: &[UdpSocket]) {
    server.set_read_timeout(Some(PATIENCE)).unwrap();
    server.recv_from(&mut [0; 9]).unwrap();
    for socket in closed.iter().chain([server]) {
        socket.set_nonblocking(true).unwrap();
        let received = socket.recv_from(&mut [0; 9]);
        assert!(received.is_err(), "{socket:?} received {received:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn packets_with_a_forged_address_or_mac_do_not_leave_the_sandbox() {
    let (internet, world) = (
        Internet::new().await,
        World::new(NetOptions::default()).await,
    );
    let server = internet.udp(PORT);
    let net = world.host.create(0).await.unwrap();
    let guest = Guest::new(&net).await;
    let to = SocketAddr::from((internet.address, PORT));
    // The kernel asks for the gateway's address and learns the tap's MAC.
    guest.udp().send_to(b"genuine", to).unwrap();
    let mut buffer = [0; 64];
    server.set_read_timeout(Some(PATIENCE)).unwrap();
    let (length, from) = server.recv_from(&mut buffer).unwrap();
    assert_eq!(&buffer[..length], b"genuine");
    assert_eq!(from.ip(), internet.host, "masqueraded as the host");

    let tap = tap_mac(&world);
    let own = ([2, 0xfc, 0, 0, 0, 5], Ipv4Addr::new(169, 254, 0, 21));
    let neighbour = world.addresses(1).1;
    let forgeries = [
        ([2, 0xfc, 0, 0, 0, 6], own.1),
        (own.0, Ipv4Addr::new(169, 254, 0, 20)),
        (own.0, Ipv4Addr::new(203, 0, 113, 250)),
        (own.0, neighbour),
        (own.0, internet.address),
    ];
    for (mac, address) in forgeries.into_iter().chain([own]) {
        let text: &[u8] = if (mac, address) == own {
            b"own"
        } else {
            b"forged"
        };
        let frame = udp_frame(tap, mac, address, internet.address, text);
        rustix::io::write(&guest.tap, &frame).unwrap();
    }
    let (length, _) = server.recv_from(&mut buffer).unwrap();
    assert_eq!(
        &buffer[..length],
        b"own",
        "the forged packets, which were sent first, did not arrive"
    );
    drop(guest);
    world.host.close().await.unwrap();
}

fn tap_mac(world: &World) -> [u8; 6] {
    let text = inside(&world.namespace(0), || {
        // /sys shows the namespace of the process that mounted it, /proc/thread-self that of the thread.
        let list = std::fs::read_to_string("/proc/thread-self/net/dev").unwrap();
        assert!(list.contains("tap0"));
        mac_of("tap0")
    });
    text.unwrap()
}

/// The MAC address of a device in the calling thread's namespace.
fn mac_of(device: &str) -> Option<[u8; 6]> {
    const SIOCGIFHWADDR: libc::c_ulong = 0x8927;
    let socket = UdpSocket::bind("0.0.0.0:0").ok()?;
    let mut request = [0_u8; 40];
    request[..device.len()].copy_from_slice(device.as_bytes());
    // SAFETY: `request` has the size and layout of ifreq and outlives the call.
    #[expect(unsafe_code, reason = "ioctl")]
    let result = unsafe {
        libc::ioctl(
            std::os::fd::AsRawFd::as_raw_fd(&socket),
            SIOCGIFHWADDR,
            request.as_mut_ptr(),
        )
    };
    (result == 0).then(|| request[18..24].try_into().unwrap())
}

/// An Ethernet frame with a UDP packet, in the format of the tap.
fn udp_frame(
    to_mac: [u8; 6],
    from_mac: [u8; 6],
    from: Ipv4Addr,
    to: Ipv4Addr,
    text: &[u8],
) -> Vec<u8> {
    let length = |extra: usize| u16::try_from(extra + text.len()).unwrap().to_be_bytes();
    let mut packet = vec![0x45, 0];
    packet.extend(length(28));
    packet.extend([0, 0, 0, 0, 64, 17, 0, 0]);
    packet.extend(from.octets());
    packet.extend(to.octets());
    let sum: u32 = packet
        .chunks(2)
        .map(|pair| u32::from(u16::from_be_bytes([pair[0], pair[1]])))
        .sum();
    let sum = !u16::try_from((sum & 0xffff) + (sum >> 16)).unwrap();
    packet[10..12].copy_from_slice(&sum.to_be_bytes());
    packet.extend(4000_u16.to_be_bytes());
    packet.extend(PORT.to_be_bytes());
    packet.extend(length(8));
    packet.extend([0, 0]);
    packet.extend(text);
    let mut frame = vec![0; VNET_HEADER];
    frame.extend(to_mac);
    frame.extend(from_mac);
    frame.extend([8, 0]);
    frame.extend(packet);
    frame
}

#[tokio::test(flavor = "multi_thread")]
async fn one_guest_cannot_fill_the_hosts_connection_table() {
    let (internet, world) = (
        Internet::new().await,
        World::new(NetOptions::default()).await,
    );
    internet.listen(PORT);
    let (net, neighbour) = (
        world.host.create(0).await.unwrap(),
        world.host.create(1).await.unwrap(),
    );
    let (guest, other) = (Guest::new(&net).await, Guest::new(&neighbour).await);
    // One packet to each of many ports, as fast as possible.
    let started = Instant::now();
    let flood = guest.udp();
    let mut sent = 0_u32;
    while sent < 20_000 || started.elapsed() < Duration::from_secs(4) {
        let port = u16::try_from(10_000 + sent % 50_000).unwrap();
        let _ = flood.send_to(b"x", (internet.address, port));
        sent += 1;
    }
    let elapsed = u64::try_from(started.elapsed().as_millis()).unwrap();
    let held = u64::try_from(world.connections(0)).unwrap();
    assert!(
        held >= 300,
        "{held} connections: the flood did not reach the host"
    );
    let allowed = 500 + elapsed * 100 / 1000 + 100;
    assert!(
        held <= allowed.min(2100),
        "{held} connections from {sent} packets in {elapsed} ms"
    );
    // The other sandbox is not affected.
    other
        .connect((internet.address, PORT).into(), PATIENCE)
        .unwrap();
    drop((guest, other));
    world.host.close().await.unwrap();
}

/// Ten sandboxes that opened connections as fast as they may left nothing to the others.
#[tokio::test(flavor = "multi_thread")]
async fn a_sandbox_opens_connections_while_others_use_up_what_all_share() {
    let options = NetOptions {
        shared_connections_per_second: 1,
        ..NetOptions::default()
    };
    let (internet, world) = (Internet::new().await, World::new(options).await);
    internet.listen(PORT);
    let (net, neighbour) = (
        world.host.create(0).await.unwrap(),
        world.host.create(1).await.unwrap(),
    );
    let (guest, other) = (Guest::new(&net).await, Guest::new(&neighbour).await);
    let (flood, to, ended) = (guest.udp(), internet.address, AtomicBool::new(false));
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for port in (10_000..60_000).cycle() {
                if ended.load(Ordering::Relaxed) {
                    return;
                }
                let _ = flood.send_to(b"x", (to, port));
            }
        });
        // All that is shared, and the flooding sandbox's own.
        let deadline = Instant::now() + PATIENCE;
        while world.connections(0) < 60 && Instant::now() < deadline {}
        let used = world.connections(0);
        let opened = (0..30).filter(|_| other.connect((to, PORT).into(), PATIENCE / 10).is_ok());
        let opened = opened.count();
        ended.store(true, Ordering::Relaxed);
        assert!(
            used >= 60,
            "{used} connections: the flood did not reach the host"
        );
        assert_eq!(opened, 30);
    });
    drop((guest, other));
    world.host.close().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sandbox_has_no_ipv6() {
    let world = World::new(NetOptions::default()).await;
    let net = world.host.create(0).await.unwrap();
    let guest = Guest::new(&net).await;
    let addresses = inside(&world.namespace(0), || {
        std::fs::read_to_string("/proc/thread-self/net/if_inet6").unwrap_or_default()
    });
    assert_eq!(addresses, "");
    // The guest's own kernel has IPv6, but nothing on its link answers.
    let (sends, answered) = guest.namespace.inside(|| {
        let cards = || std::fs::read_to_string("/proc/thread-self/net/if_inet6").unwrap();
        let deadline = Instant::now() + PATIENCE;
        // Until the guest's own address is not tentative any more.
        let ready = |line: &str| line.ends_with("eth0") && line.split(' ').nth(4) == Some("80");
        while !cards().lines().any(ready) && Instant::now() < deadline {}
        let socket = UdpSocket::bind("[::]:0").unwrap();
        let card = cards();
        let card = card.lines().find(|line| ready(line)).unwrap();
        let index = u32::from_str_radix(card.split(' ').nth(1).unwrap(), 16).unwrap();
        let all = std::net::SocketAddrV6::new("ff02::1".parse().unwrap(), 9, 0, index);
        socket
            .set_read_timeout(Some(Duration::from_millis(200)))
            .unwrap();
        let sent = socket.send_to(b"x", all);
        (sent.is_ok(), socket.recv_from(&mut [0; 9]).is_ok())
    });
    assert_eq!((sends, answered), (true, false));
    drop(guest);
    world.host.close().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn the_bandwidth_of_a_sandbox_is_limited() {
    let internet = Internet::new().await;
    let options = |bandwidth_mbit| NetOptions {
        bandwidth_mbit,
        ..NetOptions::default()
    };
    internet.listen(PORT);
    let bytes = 6_000_000;
    let mut durations = Vec::new();
    for bandwidth in [1000, 16] {
        let world = World::new(options(bandwidth)).await;
        let net = world.host.create(0).await.unwrap();
        let guest = Guest::new(&net).await;
        durations.push(round_trip(&guest, internet.address, bytes));
        drop(guest);
        world.host.close().await.unwrap();
    }
    // At 16 Mbit/s six million bytes, less those of the first second, take 1.9 s.
    assert!(durations[1] > Duration::from_millis(1500), "{durations:?}");
    assert!(durations[0] < durations[1], "{durations:?}");
}

/// The time until `bytes` bytes are sent and echoed.
fn round_trip(guest: &Guest, to: Ipv4Addr, bytes: usize) -> Duration {
    let mut stream = guest.connect((to, PORT).into(), PATIENCE).unwrap();
    let mut writing = stream.try_clone().unwrap();
    let started = Instant::now();
    std::thread::scope(|scope| {
        scope.spawn(move || writing.write_all(&vec![7; bytes]).unwrap());
        stream.read_exact(&mut vec![0; bytes]).unwrap();
    });
    started.elapsed()
}
