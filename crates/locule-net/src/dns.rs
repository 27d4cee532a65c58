//! The name server of a sandbox: questions go on to the host's resolvers, answers come back.
//!
//! The only resolver a guest can reach, so the one place where rules about names can stand later. Questions are bounded in
//! size, number and time; what is in them is the resolvers' business.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream, UdpSocket};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use crate::{NetError, SandboxNet};

const IN_FLIGHT_MAX: usize = 64;
const MESSAGE_BYTES_MAX: usize = 4096;
const HEADER_BYTES: usize = 12;
const TIMEOUT: Duration = Duration::from_secs(4);

/// Serves until it is dropped.
pub async fn serve(net: &SandboxNet) -> Result<(), NetError> {
    let (udp, tcp) = net.name_server_sockets()?;
    let room = Arc::new(Semaphore::new(IN_FLIGHT_MAX));
    tokio::join!(serve_udp(Arc::new(udp), room.clone()), serve_tcp(tcp, room));
    Ok(())
}

async fn serve_udp(socket: Arc<UdpSocket>, room: Arc<Semaphore>) {
    let mut asked = JoinSet::new();
    let mut buffer = [0; MESSAGE_BYTES_MAX];
    loop {
        while asked.try_join_next().is_some() {}
        let Ok((length, from)) = socket.recv_from(&mut buffer).await else {
            continue;
        };
        // Without room a question is dropped, as a busy network would: the guest asks again.
        let Ok(permit) = room.clone().try_acquire_owned() else {
            continue;
        };
        let (question, socket) = (buffer[..length].to_vec(), socket.clone());
        asked.spawn(async move {
            let _permit = permit;
            if let Some(answer) = answer(&question, forward_udp(&question)).await {
                // The guest may be gone.
                let _ = socket.send_to(&answer, from).await;
            }
        });
    }
}

async fn serve_tcp(listener: TcpListener, room: Arc<Semaphore>) {
    let mut open = JoinSet::new();
    loop {
        while open.try_join_next().is_some() {}
        let Ok((mut stream, _)) = listener.accept().await else {
            continue;
        };
        let Ok(permit) = room.clone().try_acquire_owned() else {
            continue;
        };
        open.spawn(async move {
            let _permit = permit;
            // One question per connection; a guest that stalls is cut.
            let exchange = async {
                let question = read_message(&mut stream).await?;
                let answer = answer(&question, forward_tcp(&question)).await?;
                write_message(&mut stream, &answer).await
            };
            let _ = tokio::time::timeout(TIMEOUT * 2, exchange).await;
        });
    }
}

/// The resolver's answer, or a "server failure" of our own. `None`: this was no question.
async fn answer(
    question: &[u8],
    forwarded: impl Future<Output = Option<Vec<u8>>>,
) -> Option<Vec<u8>> {
    let is_question = question.len() >= HEADER_BYTES && question[2] & 0x80 == 0;
    is_question.then_some(())?;
    let answer = tokio::time::timeout(TIMEOUT, forwarded)
        .await
        .ok()
        .flatten();
    Some(answer.unwrap_or_else(|| failure(question)))
}

/// The question's header and nothing else: response, recursion available, SERVFAIL, no records.
fn failure(question: &[u8]) -> Vec<u8> {
    let mut header = question[..HEADER_BYTES].to_vec();
    header[2] |= 0x80;
    header[3] = 0x82;
    header[4..].fill(0);
    header
}

/// The host's resolvers, read anew each time: they change with the host's network.
fn resolvers() -> Vec<SocketAddr> {
    let text = std::fs::read_to_string("/etc/resolv.conf").unwrap_or_default();
    let lines = text
        .lines()
        .filter_map(|line| line.trim().strip_prefix("nameserver"));
    lines
        .filter_map(|rest| rest.trim().parse::<IpAddr>().ok())
        .map(|ip| SocketAddr::new(ip, 53))
        .take(3)
        .collect()
}

async fn forward_udp(question: &[u8]) -> Option<Vec<u8>> {
    let mut buffer = vec![0; MESSAGE_BYTES_MAX];
    for resolver in resolvers() {
        let local: SocketAddr = if resolver.is_ipv4() {
            ([0, 0, 0, 0], 0).into()
        } else {
            ([0_u16; 8], 0).into()
        };
        let Ok(socket) = UdpSocket::bind(local).await else {
            continue;
        };
        if socket.connect(resolver).await.is_err() || socket.send(question).await.is_err() {
            continue;
        }
        let waited = tokio::time::timeout(TIMEOUT / 2, socket.recv(&mut buffer)).await;
        // The answer to another question is somebody's attempt to slip one in.
        if let Ok(Ok(length)) = waited
            && length >= HEADER_BYTES
            && buffer[..2] == question[..2]
        {
            buffer.truncate(length);
            return Some(buffer);
        }
    }
    None
}

async fn forward_tcp(question: &[u8]) -> Option<Vec<u8>> {
    for resolver in resolvers() {
        let Ok(mut stream) = TcpStream::connect(resolver).await else {
            continue;
        };
        if write_message(&mut stream, question).await.is_none() {
            continue;
        }
        match read_message(&mut stream).await {
            Some(answer) if answer.len() >= HEADER_BYTES && answer[..2] == question[..2] => {
                return Some(answer);
            }
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
    async fn a_question_nobody_answers_is_a_server_failure() {
        let question = [
            0x12, 0x34, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0, 1, b'a', 0, 0, 1, 0, 1,
        ];
        let answer = answer(&question, async { None }).await.unwrap();
        assert_eq!(answer, [0x12, 0x34, 0x81, 0x82, 0, 0, 0, 0, 0, 0, 0, 0]);
    }

    #[tokio::test]
    async fn answers_and_fragments_are_not_questions() {
        let response = [0, 1, 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0];
        assert_eq!(answer(&response, async { Some(vec![1]) }).await, None);
        assert_eq!(answer(&[0; 11], async { Some(vec![1]) }).await, None);
    }
}
