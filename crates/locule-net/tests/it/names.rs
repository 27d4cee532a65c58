//! The agent resolves names for every guest, at the same address in every sandbox.

use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use locule_net::{NetOptions, SandboxNet, dns};
use tokio::time::Instant;

use crate::world::{Guest, World};

const NAME_SERVER: (Ipv4Addr, u16) = (Ipv4Addr::new(169, 254, 0, 22), 53);
const PATIENCE: Duration = Duration::from_secs(10);

/// Answers every query with the query itself and the name of its transport.
struct Resolver {
    address: SocketAddr,
    queries: Arc<AtomicUsize>,
}

impl Resolver {
    fn start() -> Self {
        // The same port for both: another one is tried where a program uses it for the second.
        let both = || {
            let udp = UdpSocket::bind("127.0.0.1:0").ok()?;
            let tcp = TcpListener::bind(udp.local_addr().ok()?).ok()?;
            Some((udp, tcp))
        };
        let (udp, tcp) = (0..100).find_map(|_| both()).unwrap();
        let address = udp.local_addr().unwrap();
        let queries = Arc::new(AtomicUsize::new(0));
        let counted = queries.clone();
        std::thread::spawn(move || {
            let mut buffer = [0; 4096];
            while let Ok((length, from)) = udp.recv_from(&mut buffer) {
                counted.fetch_add(1, Ordering::Relaxed);
                let _ = udp.send_to(&answer(&buffer[..length], b"udp"), from);
            }
        });
        std::thread::spawn(move || {
            for stream in tcp.incoming() {
                let mut stream = stream.unwrap();
                let Ok(query) = read(&mut stream) else {
                    continue;
                };
                write(&mut stream, &answer(&query, b"tcp"));
            }
        });
        Self { address, queries }
    }
}

fn query(id: u16) -> Vec<u8> {
    let mut message = id.to_be_bytes().to_vec();
    message.extend([1, 0, 0, 1, 0, 0, 0, 0, 0, 0, 1, b'a', 0, 0, 1, 0, 1]);
    message
}

fn answer(query: &[u8], transport: &[u8]) -> Vec<u8> {
    let mut message = query.to_vec();
    message[2] |= 0x80;
    message.extend(transport);
    message
}

fn read(stream: &mut std::net::TcpStream) -> std::io::Result<Vec<u8>> {
    let mut length = [0; 2];
    stream.read_exact(&mut length)?;
    let mut message = vec![0; usize::from(u16::from_be_bytes(length))];
    stream.read_exact(&mut message)?;
    Ok(message)
}

fn write(stream: &mut std::net::TcpStream, message: &[u8]) {
    let length = u16::try_from(message.len()).unwrap().to_be_bytes();
    stream.write_all(&[&length, message].concat()).unwrap();
}

async fn served(resolver: SocketAddr) -> (World, Arc<SandboxNet>, Guest) {
    let options = NetOptions {
        resolvers: vec![resolver],
        ..NetOptions::default()
    };
    let world = World::new(options).await;
    let net = Arc::new(world.host.create(0).await.unwrap());
    let guest = Guest::new(&net).await;
    (world, net, guest)
}

async fn with_names<T>(net: &SandboxNet, work: impl FnOnce() -> T + Send + 'static) -> T
where
    T: Send + 'static,
{
    let done = async { tokio::task::spawn_blocking(work).await.unwrap() };
    // In this order: the name server opens its sockets before the guest sends its first query.
    tokio::select! {
        biased;
        served = dns::serve(net) => panic!("the name server ended: {served:?}"),
        done = done => done,
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_guest_resolves_names_over_udp_and_tcp() {
    let resolver = Resolver::start();
    let (world, net, guest) = served(resolver.address).await;
    let guest = with_names(&net, move || {
        let socket = guest.udp();
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        let mut buffer = [0; 512];
        // Responses and fragments are not queries and get no answer.
        socket
            .send_to(&answer(&query(6), b""), NAME_SERVER)
            .unwrap();
        socket.send_to(&[0; 5], NAME_SERVER).unwrap();
        socket.send_to(&query(7), NAME_SERVER).unwrap();
        let (length, from) = socket.recv_from(&mut buffer).unwrap();
        assert_eq!(from, NAME_SERVER.into());
        assert_eq!(buffer[..length], answer(&query(7), b"udp"));

        let mut stream = guest.connect(NAME_SERVER.into(), PATIENCE).unwrap();
        write(&mut stream, &query(8));
        assert_eq!(read(&mut stream).unwrap(), answer(&query(8), b"tcp"));
        guest
    })
    .await;
    drop(guest);
    world.host.close().await.unwrap();
}

/// Messages that are no question, or no whole one: an answer, if there is one, is an answer to that message, and the next
/// question is answered.
#[tokio::test(flavor = "multi_thread")]
async fn malformed_messages_are_dropped_or_refused_and_the_next_question_is_answered() {
    let resolver = Resolver::start();
    let (world, net, guest) = served(resolver.address).await;
    let guest = with_names(&net, move || {
        let socket = guest.udp();
        socket
            .set_read_timeout(Some(Duration::from_millis(50)))
            .unwrap();
        let changed = |at: usize, byte: u8| {
            let mut message = query(20);
            message[at] = byte;
            message
        };
        let header = |rest: &[u8]| [&[0, 20, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0][..], rest].concat();
        let messages = [
            Vec::new(),
            vec![0],
            query(20)[..11].to_vec(),
            // No question; a response; another kind of operation; all counts at their most.
            changed(5, 0)[..12].to_vec(),
            changed(2, 0x81),
            changed(2, 0x78),
            [&[0, 20, 1, 0][..], &[0xff; 8]].concat(),
            // A label that ends after the message, a pointer to itself, no end of the name.
            header(&[63, b'a']),
            header(&[0xc0, 12, 0, 1, 0, 1]),
            header(&[1; 400]),
            [query(20), vec![0; 4084]].concat(),
            [query(20), vec![0xff; 9000]].concat(),
            vec![0xff; 4096],
        ];
        let mut buffer = [0; 16_384];
        for message in &messages {
            socket.send_to(message, NAME_SERVER).unwrap();
            if let Ok((length, _)) = socket.recv_from(&mut buffer) {
                let answer = &buffer[..length];
                assert!((12..=4096).contains(&length), "{length} bytes");
                assert_eq!((&answer[..2], answer[2] & 0x80), (&[0, 20][..], 0x80));
            }
        }
        for message in &messages {
            let mut stream = guest.connect(NAME_SERVER.into(), PATIENCE).unwrap();
            // The message ends before the length that it states.
            let length = u16::try_from(message.len() + 1).unwrap().to_be_bytes();
            let _ = stream.write_all(&[&length, message.as_slice()].concat());
        }
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        socket.send_to(&query(21), NAME_SERVER).unwrap();
        while buffer[..2] != [0, 21] {
            socket.recv_from(&mut buffer).unwrap();
        }
        let mut stream = guest.connect(NAME_SERVER.into(), PATIENCE).unwrap();
        write(&mut stream, &query(22));
        assert_eq!(read(&mut stream).unwrap(), answer(&query(22), b"tcp"));
        guest
    })
    .await;
    drop(guest);
    world.host.close().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_resolver_the_guest_gets_a_server_failure() {
    let silent = UdpSocket::bind("127.0.0.1:0").unwrap();
    let (world, net, guest) = served(silent.local_addr().unwrap()).await;
    let guest = with_names(&net, move || {
        let socket = guest.udp();
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        socket.send_to(&query(7), NAME_SERVER).unwrap();
        let mut buffer = [0; 512];
        let (length, _) = socket.recv_from(&mut buffer).unwrap();
        assert_eq!(buffer[..length], [0, 7, 0x81, 0x82, 0, 0, 0, 0, 0, 0, 0, 0]);
        guest
    })
    .await;
    drop(guest);
    world.host.close().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flood_of_queries_is_not_passed_on_to_the_resolver() {
    let resolver = Resolver::start();
    let (world, net, guest) = served(resolver.address).await;
    let (guest, elapsed) = with_names(&net, move || {
        let started = Instant::now();
        let socket = guest.udp();
        let mut sent = 0_u16;
        while sent < 20_000 || started.elapsed() < Duration::from_secs(2) {
            let _ = socket.send_to(&query(sent), NAME_SERVER);
            sent = sent.saturating_add(1);
        }
        // Idle connections: only some are accepted, and those are closed.
        let silent: Vec<_> = (0..200)
            .filter_map(|_| {
                guest
                    .connect(NAME_SERVER.into(), Duration::from_millis(10))
                    .ok()
            })
            .collect();
        assert!(silent.len() < 120, "{} connections", silent.len());
        (guest, started.elapsed())
    })
    .await;
    let passed_on = resolver.queries.load(Ordering::Relaxed);
    let allowed = 300 + usize::try_from(elapsed.as_millis()).unwrap() / 10;
    assert!(
        (10..allowed).contains(&passed_on),
        "{passed_on} queries in {elapsed:?}"
    );
    // After the flood the guest is served again.
    let guest = with_names(&net, move || {
        let socket = guest.udp();
        socket
            .set_read_timeout(Some(Duration::from_millis(200)))
            .unwrap();
        let started = Instant::now();
        let mut buffer = [0; 512];
        while started.elapsed() < PATIENCE {
            socket.send_to(&query(9), NAME_SERVER).unwrap();
            if socket.recv_from(&mut buffer).is_ok() {
                return guest;
            }
        }
        panic!("no answer after the flood");
    })
    .await;
    drop(guest);
    world.host.close().await.unwrap();
}
