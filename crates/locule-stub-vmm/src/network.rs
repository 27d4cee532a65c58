//! The guest's network card: TCP over the tap, so that the host reaches this guest exactly as it reaches a real one.

use std::os::fd::{BorrowedFd, RawFd};
use std::time::Duration;

use anyhow::{Context as _, Result};
use locule_guest_api::{GUEST_IP, GUEST_PORT, GUEST_PREFIX_LENGTH, HOST_IP};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use smoltcp::iface::{Config, Interface, SocketHandle, SocketSet};
use smoltcp::phy::{Device, DeviceCapabilities, Medium};
use smoltcp::socket::tcp::{Socket, SocketBuffer};
use smoltcp::time::Instant;
use smoltcp::wire::{EthernetAddress, IpAddress, IpCidr};

use crate::guest::{Misbehaviour, StubGuest};
use crate::http::{Answer, Request, Then};

/// The port of the guest's web server.
const WEB_PORT: u16 = 7000;
/// Limit of open connections, and the size of their buffers, for each port.
const SOCKETS: [(u16, usize, usize); 2] = [(GUEST_PORT, 16, BUFFER_BYTES), (WEB_PORT, 16, 2048)];
const BUFFER_BYTES: usize = 64 * 1024;
const FRAME_BYTES_MAX: usize = 65_550;
/// The length of the header that the tap puts before each frame, and that this device ignores.
const VNET_HEADER: usize = 10;
/// A connection to a peer that does not answer is closed after this time.
const TCP_TIMEOUT: smoltcp::time::Duration = smoltcp::time::Duration::from_secs(10);

/// Sends and receives frames through the tap's descriptor.
#[derive(Debug)]
struct Tap(RawFd);

impl Tap {
    fn fd(&self) -> BorrowedFd<'static> {
        // SAFETY: the driver passed the descriptor, and this process never closes it.
        #[expect(unsafe_code, reason = "a descriptor by number")]
        unsafe {
            BorrowedFd::borrow_raw(self.0)
        }
    }
}

struct Received(Vec<u8>);
struct ToSend(BorrowedFd<'static>);

impl smoltcp::phy::RxToken for Received {
    fn consume<R, F: FnOnce(&[u8]) -> R>(self, read: F) -> R {
        read(&self.0[VNET_HEADER..])
    }
}

impl smoltcp::phy::TxToken for ToSend {
    fn consume<R, F: FnOnce(&mut [u8]) -> R>(self, length: usize, fill: F) -> R {
        let mut frame = vec![0; VNET_HEADER + length];
        let result = fill(&mut frame[VNET_HEADER..]);
        // A full queue drops the frame, as a network may: TCP retransmits it.
        let _ = rustix::io::write(self.0, &frame);
        result
    }
}

impl Device for Tap {
    type RxToken<'a> = Received;
    type TxToken<'a> = ToSend;

    fn receive(&mut self, _: Instant) -> Option<(Received, ToSend)> {
        let mut frame = vec![0; FRAME_BYTES_MAX];
        let length = rustix::io::read(self.fd(), &mut frame).ok()?;
        frame.truncate(length);
        (length > VNET_HEADER).then(|| (Received(frame), ToSend(self.fd())))
    }

    fn transmit(&mut self, _: Instant) -> Option<ToSend> {
        Some(ToSend(self.fd()))
    }

    fn capabilities(&self) -> DeviceCapabilities {
        let mut capabilities = DeviceCapabilities::default();
        capabilities.medium = Medium::Ethernet;
        capabilities.max_transmission_unit = 1514;
        capabilities
    }
}

/// A connection: the bytes received, and the bytes still to send.
struct Connection {
    port: u16,
    handle: SocketHandle,
    request: Vec<u8>,
    answer: Vec<u8>,
    /// Set when the request was answered.
    then: Option<Then>,
}

pub(crate) struct Network {
    tap: Tap,
    interface: Interface,
    sockets: SocketSet<'static>,
    connections: Vec<Connection>,
}

impl Network {
    pub(crate) fn new(tap: RawFd, mac: [u8; 6]) -> Result<Self> {
        let mut tap = Tap(tap);
        rustix::io::ioctl_fionbio(tap.fd(), true).context("make the tap non-blocking")?;
        let config = Config::new(EthernetAddress(mac).into());
        let mut interface = Interface::new(config, &mut tap, Instant::now());
        interface.update_ip_addrs(|addresses| {
            let own = IpCidr::new(IpAddress::Ipv4(GUEST_IP), GUEST_PREFIX_LENGTH);
            // The list is empty and holds at least one address.
            let _ = addresses.push(own);
        });
        interface
            .routes_mut()
            .add_default_ipv4_route(HOST_IP)
            .ok()
            .context("add the default route")?;
        let mut sockets = SocketSet::new(Vec::new());
        let each = |(port, count, bytes)| std::iter::repeat_n((port, bytes), count);
        let connections = SOCKETS
            .into_iter()
            .flat_map(each)
            .map(|(port, bytes)| {
                let buffer = || SocketBuffer::new(vec![0; bytes]);
                Connection {
                    port,
                    handle: sockets.add(Socket::new(buffer(), buffer())),
                    request: Vec::new(),
                    answer: Vec::new(),
                    then: None,
                }
            })
            .collect();
        Ok(Self {
            tap,
            interface,
            sockets,
            connections,
        })
    }

    /// Waits until a frame arrives, or until the timeout.
    pub(crate) fn wait(&self, timeout: Duration) {
        let fd = self.tap.fd();
        let timeout = Timespec {
            tv_sec: 0,
            tv_nsec: i64::from(timeout.subsec_nanos()),
        };
        // An interrupted wait ends early, which is fine.
        let _ = poll(&mut [PollFd::new(&fd, PollFlags::IN)], Some(&timeout));
    }

    /// Receives frames, lets the guest answer, and sends frames.
    pub(crate) fn poll(&mut self, guest: &mut StubGuest) {
        // Closed sockets listen again before frames are processed: a connection without a listening socket is refused.
        self.serve(guest);
        self.exchange();
        self.serve(guest);
        self.exchange();
    }

    fn exchange(&mut self) {
        self.interface
            .poll(Instant::now(), &mut self.tap, &mut self.sockets);
    }

    fn serve(&mut self, guest: &mut StubGuest) {
        for connection in &mut self.connections {
            let socket = self.sockets.get_mut::<Socket<'_>>(connection.handle);
            connection.serve(socket, guest);
        }
    }
}

impl Connection {
    fn serve(&mut self, socket: &mut Socket<'_>, guest: &mut StubGuest) {
        if !socket.is_open() {
            self.request.clear();
            self.answer.clear();
            self.then = None;
            socket.set_timeout(Some(TCP_TIMEOUT));
            // A closed socket can always listen.
            let _ = socket.listen(self.port);
        }
        while socket.can_recv() {
            let received = socket.recv(|bytes| (bytes.len(), bytes.to_vec()));
            let received = received.unwrap_or_default();
            if self.then == Some(Then::Echo) {
                self.answer.extend(received);
            } else {
                self.request.extend(received);
            }
        }
        if self.then.is_none() {
            self.answer(socket, guest);
        }
        if self.then.is_some() && socket.can_send() {
            let sent = socket.send_slice(&self.answer).unwrap_or(0);
            self.answer.drain(..sent);
            self.refill(guest.misbehaviour());
            if self.answer.is_empty() && self.then == Some(Then::Close) {
                socket.close();
            }
        }
        if self.then.is_some() && !socket.may_recv() && self.answer.is_empty() {
            socket.close();
        }
    }

    fn answer(&mut self, socket: &mut Socket<'_>, guest: &mut StubGuest) {
        match Request::parse(&self.request) {
            Ok(Some(request)) => {
                let answer = match guest.misbehaviour() {
                    _ if self.port == WEB_PORT => StubGuest::web(&request),
                    _ if request.path == "/misbehave" => guest.answer(&request),
                    Misbehaviour::None | Misbehaviour::RefuseSave => guest.answer(&request),
                    Misbehaviour::Silent => return,
                    wrong @ (Misbehaviour::EndlessHeaders
                    | Misbehaviour::EndlessBody
                    | Misbehaviour::Drip
                    | Misbehaviour::Garbage
                    | Misbehaviour::WrongTypes
                    | Misbehaviour::HalfAnswer) => {
                        (self.answer, self.then) = (nonsense(wrong), Some(Then::Close));
                        return;
                    }
                };
                (self.answer, self.then) = (answer.bytes(), Some(answer.then));
            }
            Ok(None) => {}
            Err(()) => socket.abort(),
        }
    }

    /// Adds more bytes to an answer that never ends.
    fn refill(&mut self, misbehaviour: Misbehaviour) {
        if !self.answer.is_empty() {
            return;
        }
        match misbehaviour {
            Misbehaviour::EndlessHeaders => self.answer = b"x-more: and more\r\n".repeat(1000),
            Misbehaviour::EndlessBody => self.answer = vec![b'x'; BUFFER_BYTES],
            Misbehaviour::None
            | Misbehaviour::Silent
            | Misbehaviour::Drip
            | Misbehaviour::Garbage
            | Misbehaviour::WrongTypes
            | Misbehaviour::HalfAnswer
            | Misbehaviour::RefuseSave => {}
        }
    }
}

/// What a misbehaving guest sends instead of an answer.
fn nonsense(misbehaviour: Misbehaviour) -> Vec<u8> {
    match misbehaviour {
        Misbehaviour::None | Misbehaviour::RefuseSave | Misbehaviour::Silent => Vec::new(),
        Misbehaviour::EndlessHeaders => b"HTTP/1.1 200 OK\r\n".to_vec(),
        Misbehaviour::EndlessBody => {
            b"HTTP/1.1 200 OK\r\ncontent-length: 9000000000\r\n\r\n".to_vec()
        }
        Misbehaviour::Drip => b"H".to_vec(),
        Misbehaviour::Garbage => vec![0xfe; 4096],
        Misbehaviour::WrongTypes => {
            Answer::json(&serde_json::json!({ "frozen": "perhaps", "guestVersion": [] })).bytes()
        }
        Misbehaviour::HalfAnswer => {
            b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n{\"fro".to_vec()
        }
    }
}
