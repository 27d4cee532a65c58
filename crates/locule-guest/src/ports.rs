//! `GET /ports`: the TCP ports on which programs of the guest listen, and the processes that have them open.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use axum::Json;
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use locule_guest_api::ports::{Listener, Listeners, PORTS_MAX};

use crate::answer::refuse;

/// The kernel's tables of sockets, of this network namespace.
const TABLES: [&str; 2] = ["/proc/net/tcp", "/proc/net/tcp6"];
/// The state of a socket that listens.
const LISTEN: &str = "0A";

pub(crate) async fn list() -> Response {
    match tokio::task::spawn_blocking(listeners).await {
        Ok(ports) => Json(Listeners { ports }).into_response(),
        Err(_) => refuse(
            StatusCode::INTERNAL_SERVER_ERROR,
            "cannot read the ports from the kernel",
        ),
    }
}

fn listeners() -> Vec<Listener> {
    let texts = TABLES.map(|table| fs::read_to_string(table).unwrap_or_default());
    let sockets: BTreeSet<Socket> = texts
        .iter()
        .flat_map(|text| text.lines().filter_map(Socket::listening))
        .take(PORTS_MAX)
        .collect();
    let owners = owners(&sockets.iter().map(|socket| socket.inode).collect());
    let listener = |socket: &Socket| {
        let owner = owners.get(&socket.inode);
        Listener {
            port: socket.port,
            address: socket.address,
            pid: owner.map(|(pid, _)| *pid),
            process: owner.and_then(|(_, name)| name.clone()),
        }
    };
    // Several processes may listen on one port, each with a socket of its own.
    let ports: BTreeSet<Listener> = sockets.iter().map(listener).collect();
    ports.into_iter().collect()
}

/// A socket that listens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Socket {
    port: u16,
    address: IpAddr,
    inode: u64,
}

impl Socket {
    /// Reads a line of a table. `None`: the socket does not listen.
    fn listening(line: &str) -> Option<Self> {
        let mut fields = line.split_ascii_whitespace().skip(1);
        let (address, port) = fields.next()?.split_once(':')?;
        let state = fields.nth(1)?;
        let inode = fields.nth(5)?.parse().ok()?;
        (state == LISTEN).then_some(Self {
            port: u16::from_str_radix(port, 16).ok()?,
            address: address_of(address)?,
            inode,
        })
    }
}

/// The kernel prints an address as words of 32 bits, each in the order of the machine.
fn address_of(text: &str) -> Option<IpAddr> {
    let word = |at: usize| {
        let word = u32::from_str_radix(text.get(at..at + 8)?, 16).ok()?;
        Some(word.to_ne_bytes())
    };
    match text.len() {
        8 => Some(Ipv4Addr::from(word(0)?).into()),
        32 => {
            let words = [word(0)?, word(8)?, word(16)?, word(24)?];
            let octets: [u8; 16] = words.concat().try_into().ok()?;
            Some(Ipv6Addr::from(octets).into())
        }
        _ => None,
    }
}

/// The process with the lowest id that has a socket open, by the inode of the socket, and its name.
fn owners(inodes: &BTreeSet<u64>) -> BTreeMap<u64, (u32, Option<String>)> {
    let mut owners: BTreeMap<u64, (u32, Option<String>)> = BTreeMap::new();
    let processes = fs::read_dir("/proc").into_iter().flatten().flatten();
    let pids: BTreeSet<u32> = processes
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
        .collect();
    for pid in pids {
        // The process may end at any time.
        let Ok(open) = fs::read_dir(format!("/proc/{pid}/fd")) else {
            continue;
        };
        for inode in open.flatten().filter_map(|fd| socket_inode(&fd.path())) {
            if inodes.contains(&inode) {
                owners.entry(inode).or_insert_with(|| (pid, name_of(pid)));
            }
        }
        if owners.len() == inodes.len() {
            break;
        }
    }
    owners
}

fn socket_inode(descriptor: &std::path::Path) -> Option<u64> {
    let target = fs::read_link(descriptor).ok()?;
    let inode = target.to_str()?.strip_prefix("socket:[")?;
    inode.strip_suffix(']')?.parse().ok()
}

fn name_of(pid: u32) -> Option<String> {
    let name = fs::read(format!("/proc/{pid}/comm")).ok()?;
    let name = String::from_utf8_lossy(&name);
    Some(name.trim_end_matches('\n').to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_the_kernel_become_listening_sockets_and_others_are_left_out() {
        let tail = "00000000:00000000 00:00000000 00000000     0        0";
        for (local, state, expected) in [
            ("0100007F:1F90", "0A", Some(("127.0.0.1", 8080))),
            ("00000000:0050", "0A", Some(("0.0.0.0", 80))),
            ("0100007F:1F90", "01", None),
            (
                "00000000000000000000000001000000:0BB8",
                "0A",
                Some(("::1", 3000)),
            ),
            ("0000:1F90", "0A", None),
            ("0100007F", "0A", None),
        ] {
            let line = format!("   0: {local} 00000000:0000 {state} {tail} 4242 1 0 100 0 0 10 0");
            let socket = Socket::listening(&line);
            let seen = socket.map(|socket| (socket.address.to_string(), socket.port));
            let expected = expected.map(|(address, port)| (address.to_owned(), port));
            assert_eq!(seen, expected, "{line}");
            assert!(socket.is_none_or(|socket| socket.inode == 4242));
        }
        let head = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode";
        assert_eq!(Socket::listening(head), None);
        assert_eq!(Socket::listening(""), None);
    }

    #[test]
    fn a_port_is_listed_with_the_process_that_listens_until_it_is_closed() {
        let socket = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let port = socket.local_addr().unwrap().port();
        let found = listeners().into_iter().find(|one| one.port == port);
        let found = found.unwrap();
        assert_eq!(found.address, IpAddr::V4(Ipv4Addr::LOCALHOST));
        assert_eq!(found.pid, Some(std::process::id()));
        assert!(found.process.is_some_and(|name| !name.is_empty()));
    }
}
