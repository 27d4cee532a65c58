//! The DNS forwarder of a sandbox: it passes queries to the host's resolvers and their answers back.
//!
//! The guest is configured to ask it. A program in the guest may also ask a public resolver, by DNS or by HTTPS, so that a rule
//! about names would not hold here. The forwarder bounds queries in size, number and time, and leaves their content to the
//! resolvers.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream, UdpSocket};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use crate::{NetError, NetOptions, SandboxNet};

const IN_FLIGHT_MAX: usize = 64;
const MESSAGE_BYTES_MAX: usize = 4096;
const HEADER_BYTES: usize = 12;
/// Bits of a header's third byte.
const RESPONSE: u8 = 0x80;
const TRUNCATED: u8 = 0x02;
const TIMEOUT: Duration = Duration::from_secs(4);
/// The wait after a failure of the host (no descriptor left), which would repeat at once.
const WAIT_AFTER_FAILURE: Duration = Duration::from_millis(100);

/// Serves the sandbox until the future is dropped.
pub async fn serve(net: &SandboxNet) -> Result<(), NetError> {
    let (udp, tcp) = net.name_server_sockets()?;
    let permits = Arc::new(Semaphore::new(IN_FLIGHT_MAX));
    let options = net.options();
    tokio::join!(
        serve_udp(Arc::new(udp), permits.clone(), options.clone()),
        serve_tcp(tcp, permits, options)
    );
    Ok(())
}

async fn serve_udp(socket: Arc<UdpSocket>, permits: Arc<Semaphore>, options: Arc<NetOptions>) {
    let mut queries = JoinSet::new();
    let mut buffer = [0; MESSAGE_BYTES_MAX];
    loop {
        while queries.try_join_next().is_some() {}
        let Ok((length, from)) = socket.recv_from(&mut buffer).await else {
            tokio::time::sleep(WAIT_AFTER_FAILURE).await;
            continue;
        };
        // Beyond the limit a query is dropped, as a busy network would do: the guest retries.
        let Ok(permit) = permits.clone().try_acquire_owned() else {
            continue;
        };
        let (query, socket) = (buffer[..length].to_vec(), socket.clone());
        let options = options.clone();
        queries.spawn(async move {
            let _permit = permit;
            if let Some(answer) = answer(&query, forward_udp(&query, &options)).await {
                // The guest may have been stopped.
                let _ = socket.send_to(&answer, from).await;
            }
        });
    }
}

async fn serve_tcp(listener: TcpListener, permits: Arc<Semaphore>, options: Arc<NetOptions>) {
    let mut connections = JoinSet::new();
    loop {
        while connections.try_join_next().is_some() {}
        let Ok((mut stream, _)) = listener.accept().await else {
            tokio::time::sleep(WAIT_AFTER_FAILURE).await;
            continue;
        };
        let Ok(permit) = permits.clone().try_acquire_owned() else {
            continue;
        };
        let options = options.clone();
        connections.spawn(async move {
            let _permit = permit;
            // One query per connection. The connection of a guest that stalls is closed.
            let exchange = async {
                let query = read_message(&mut stream).await?;
                let answer = answer(&query, forward_tcp(&query, &options)).await?;
                write_message(&mut stream, &answer).await
            };
            let _ = tokio::time::timeout(TIMEOUT * 2, exchange).await;
        });
    }
}

/// The answer of a resolver, or SERVFAIL without one. `None` for a message that is not a query.
async fn answer(query: &[u8], forwarded: impl Future<Output = Option<Vec<u8>>>) -> Option<Vec<u8>> {
    let is_query = query.len() >= HEADER_BYTES && query[2] & RESPONSE == 0;
    is_query.then_some(())?;
    let answer = tokio::time::timeout(TIMEOUT, forwarded)
        .await
        .ok()
        .flatten();
    Some(answer.unwrap_or_else(|| failure(query)))
}

/// Whether a message is the answer to this query. An answer to another query is an attempt at cache poisoning.
fn answers(message: &[u8], query: &[u8]) -> bool {
    message.len() >= HEADER_BYTES && message[2] & RESPONSE != 0 && message[..2] == query[..2]
}

/// The header of the query as a response without records: recursion available, SERVFAIL.
fn failure(query: &[u8]) -> Vec<u8> {
    let mut header = query[..HEADER_BYTES].to_vec();
    header[2] |= RESPONSE;
    header[3] = 0x82;
    header[4..].fill(0);
    header
}

async fn forward_udp(query: &[u8], options: &NetOptions) -> Option<Vec<u8>> {
    let mut buffer = vec![0; MESSAGE_BYTES_MAX];
    for resolver in options.resolvers() {
        let local: SocketAddr = if resolver.is_ipv4() {
            ([0, 0, 0, 0], 0).into()
        } else {
            ([0_u16; 8], 0).into()
        };
        let Ok(socket) = UdpSocket::bind(local).await else {
            continue;
        };
        if socket.connect(resolver).await.is_err() || socket.send(query).await.is_err() {
            continue;
        }
        let waited = tokio::time::timeout(TIMEOUT / 2, socket.recv(&mut buffer)).await;
        if let Ok(Ok(length)) = waited
            && answers(&buffer[..length], query)
        {
            if length == MESSAGE_BYTES_MAX {
                // The answer may have been longer: the guest must retry over TCP.
                buffer[2] |= TRUNCATED;
            }
            buffer.truncate(length);
            return Some(buffer);
        }
    }
    None
}

async fn forward_tcp(query: &[u8], options: &NetOptions) -> Option<Vec<u8>> {
    for resolver in options.resolvers() {
        let Ok(mut stream) = TcpStream::connect(resolver).await else {
            continue;
        };
        if write_message(&mut stream, query).await.is_none() {
            continue;
        }
        match read_message(&mut stream).await {
            Some(answer) if answers(&answer, query) => return Some(answer),
            _ => {}
        }
    }
    None
}

async fn read_message(stream: &mut TcpStream) -> Option<Vec<u8>> {
    let length = stream.read_u16().await.ok()?;
    let mut message = vec![0; usize::from(length)];
    stream.read_exact(&mut message).await.ok()?;
    Some(message)
}

async fn write_message(stream: &mut TcpStream, message: &[u8]) -> Option<()> {
    let mut framed = u16::try_from(message.len()).ok()?.to_be_bytes().to_vec();
    framed.extend_from_slice(message);
    stream.write_all(&framed).await.ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_query_without_an_answer_is_a_server_failure() {
        let query = [
            0x12, 0x34, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0, 1, b'a', 0, 0, 1, 0, 1,
        ];
        let answer = answer(&query, async { None }).await.unwrap();
        assert_eq!(answer, [0x12, 0x34, 0x81, 0x82, 0, 0, 0, 0, 0, 0, 0, 0]);
    }

    #[tokio::test]
    async fn responses_and_fragments_are_not_queries() {
        let response = [0, 1, 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0];
        assert_eq!(answer(&response, async { Some(vec![1]) }).await, None);
        assert_eq!(answer(&[0; 11], async { Some(vec![1]) }).await, None);
    }
}

#[cfg(test)]
mod fuzz {
    use locule_fuzz::fuzz;

    use super::*;

    const QUERY: &[u8] = b"\x12\x34\x01\x00\x00\x01\x00\x00\x00\x00\x00\x01\x07example\x03com\x00\x00\x01\x00\x01\x00\x00\x29\x10\x00\x00\x00\x00\x00\x00\x00";
    const ANSWER: &[u8] = b"\x12\x34\x81\x80\x00\x01\x00\x01\x00\x00\x00\x00\x07example\x03com\x00\x00\x01\x00\x01\xc0\x0c\x00\x01\x00\x01\x00\x00\x00\x3c\x00\x04\x5d\xb8\xd8\x22";

    #[test]
    fn every_message_of_a_guest_is_a_query_or_dropped() {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .build()
            .unwrap();
        fuzz(&[QUERY, ANSWER, &QUERY[..12]], |message| {
            let unanswered = runtime.block_on(answer(message, async { None }));
            let is_query = message.len() >= HEADER_BYTES && message[2] & RESPONSE == 0;
            assert_eq!(unanswered.is_some(), is_query);
            if let Some(failure) = &unanswered {
                assert_eq!(failure.len(), HEADER_BYTES);
                assert!(answers(failure, message), "the failure answers its query");
            }
            // The message of a resolver is passed on only as an answer to that query.
            let passed = answers(message, QUERY);
            assert!(!passed || message[..2] == QUERY[..2] && message[2] & RESPONSE != 0);
            (unanswered.is_some(), passed, message.len() / 4)
        });
    }
}
