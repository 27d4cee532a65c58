//! The name server of a sandbox: questions go on to the host's resolvers, answers come back.
//!
//! The only resolver a guest can reach, so the one place where rules about names can stand later. Questions are bounded in
//! size, number and time; what is in them is the resolvers' business.

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
/// After a failure of the host (no descriptor left) the next try waits: it would fail at once, again and again.
const AFTER_FAILURE: Duration = Duration::from_millis(100);

/// Serves until it is dropped.
pub async fn serve(net: &SandboxNet) -> Result<(), NetError> {
    let (udp, tcp) = net.name_server_sockets()?;
    let room = Arc::new(Semaphore::new(IN_FLIGHT_MAX));
    let options = net.options();
    tokio::join!(
        serve_udp(Arc::new(udp), room.clone(), options.clone()),
        serve_tcp(tcp, room, options)
    );
    Ok(())
}

async fn serve_udp(socket: Arc<UdpSocket>, room: Arc<Semaphore>, options: Arc<NetOptions>) {
    let mut asked = JoinSet::new();
    let mut buffer = [0; MESSAGE_BYTES_MAX];
    loop {
        while asked.try_join_next().is_some() {}
        let Ok((length, from)) = socket.recv_from(&mut buffer).await else {
            tokio::time::sleep(AFTER_FAILURE).await;
            continue;
        };
        // Without room a question is dropped, as a busy network would: the guest asks again.
        let Ok(permit) = room.clone().try_acquire_owned() else {
            continue;
        };
        let (question, socket) = (buffer[..length].to_vec(), socket.clone());
        let options = options.clone();
        asked.spawn(async move {
            let _permit = permit;
            if let Some(answer) = answer(&question, forward_udp(&question, &options)).await {
                // The guest may be gone.
                let _ = socket.send_to(&answer, from).await;
            }
        });
    }
}

async fn serve_tcp(listener: TcpListener, room: Arc<Semaphore>, options: Arc<NetOptions>) {
    let mut open = JoinSet::new();
    loop {
        while open.try_join_next().is_some() {}
        let Ok((mut stream, _)) = listener.accept().await else {
            tokio::time::sleep(AFTER_FAILURE).await;
            continue;
        };
        let Ok(permit) = room.clone().try_acquire_owned() else {
            continue;
        };
        let options = options.clone();
        open.spawn(async move {
            let _permit = permit;
            // One question per connection; a guest that stalls is cut.
            let exchange = async {
                let question = read_message(&mut stream).await?;
                let answer = answer(&question, forward_tcp(&question, &options)).await?;
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
    let is_question = question.len() >= HEADER_BYTES && question[2] & RESPONSE == 0;
    is_question.then_some(())?;
    let answer = tokio::time::timeout(TIMEOUT, forwarded)
        .await
        .ok()
        .flatten();
    Some(answer.unwrap_or_else(|| failure(question)))
}

/// The answer to another question is somebody's attempt to slip one in.
fn answers(message: &[u8], question: &[u8]) -> bool {
    message.len() >= HEADER_BYTES && message[2] & RESPONSE != 0 && message[..2] == question[..2]
}

/// The question's header and nothing else: response, recursion available, SERVFAIL, no records.
fn failure(question: &[u8]) -> Vec<u8> {
    let mut header = question[..HEADER_BYTES].to_vec();
    header[2] |= RESPONSE;
    header[3] = 0x82;
    header[4..].fill(0);
    header
}

async fn forward_udp(question: &[u8], options: &NetOptions) -> Option<Vec<u8>> {
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
        if socket.connect(resolver).await.is_err() || socket.send(question).await.is_err() {
            continue;
        }
        let waited = tokio::time::timeout(TIMEOUT / 2, socket.recv(&mut buffer)).await;
        if let Ok(Ok(length)) = waited
            && answers(&buffer[..length], question)
        {
            if length == MESSAGE_BYTES_MAX {
                // There may have been more of it: the guest is to ask again over TCP.
                buffer[2] |= TRUNCATED;
            }
            buffer.truncate(length);
            return Some(buffer);
        }
    }
    None
}

async fn forward_tcp(question: &[u8], options: &NetOptions) -> Option<Vec<u8>> {
    for resolver in options.resolvers() {
        let Ok(mut stream) = TcpStream::connect(resolver).await else {
            continue;
        };
        if write_message(&mut stream, question).await.is_none() {
            continue;
        }
        match read_message(&mut stream).await {
            Some(answer) if answers(&answer, question) => return Some(answer),
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

#[cfg(test)]
mod fuzz {
    use locule_fuzz::fuzz;

    use super::*;

    const QUESTION: &[u8] = b"\x12\x34\x01\x00\x00\x01\x00\x00\x00\x00\x00\x01\x07example\x03com\x00\x00\x01\x00\x01\x00\x00\x29\x10\x00\x00\x00\x00\x00\x00\x00";
    const ANSWER: &[u8] = b"\x12\x34\x81\x80\x00\x01\x00\x01\x00\x00\x00\x00\x07example\x03com\x00\x00\x01\x00\x01\xc0\x0c\x00\x01\x00\x01\x00\x00\x00\x3c\x00\x04\x5d\xb8\xd8\x22";

    #[test]
    fn every_message_of_a_guest_is_a_question_or_dropped() {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .build()
            .unwrap();
        fuzz(&[QUESTION, ANSWER, &QUESTION[..12]], |message| {
            let unanswered = runtime.block_on(answer(message, async { None }));
            let is_question = message.len() >= HEADER_BYTES && message[2] & RESPONSE == 0;
            assert_eq!(unanswered.is_some(), is_question);
            if let Some(failure) = &unanswered {
                assert_eq!(failure.len(), HEADER_BYTES);
                assert!(
                    answers(failure, message),
                    "it is the answer to its question"
                );
            }
            // And what a resolver says is passed on only as an answer to that question.
            let passed = answers(message, QUESTION);
            assert!(!passed || message[..2] == QUESTION[..2] && message[2] & RESPONSE != 0);
            (unanswered.is_some(), passed, message.len() / 4)
        });
    }
}
