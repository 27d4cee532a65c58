//! `POST /tunnel`: a connection of the host to a port that a program opened on a loopback address only.
//!
//! ```text
//! host agent ── 169.254.0.21:8000 refused ──► POST /tunnel ──► this agent ──► 127.0.0.1:8000, else [::1]:8000
//! ```
//! Nothing listens on the program's behalf, so no port is taken and no table of listeners goes out of date.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use axum::extract::{Request, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use hyper_util::rt::TokioIo;
use locule_guest_api::{TUNNEL_PORT_HEADER, TUNNEL_PROTOCOL};
use tokio::net::TcpStream;

use crate::answer::refuse;
use crate::state::GuestState;
use crate::tasks::spawn;

/// `127.0.1.1` is the address of the host name in `/etc/hosts`: a program that listens on its own name listens there.
const ADDRESSES: [IpAddr; 3] = [
    IpAddr::V4(Ipv4Addr::LOCALHOST),
    IpAddr::V6(Ipv6Addr::LOCALHOST),
    IpAddr::V4(Ipv4Addr::new(127, 0, 1, 1)),
];
/// A loopback connection is accepted or refused at once, unless the listener's queue is full.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

pub(crate) async fn open(State(state): State<GuestState>, mut request: Request) -> Response {
    let port = request.headers().get(TUNNEL_PORT_HEADER);
    let port = port.and_then(|port| port.to_str().ok()?.parse::<u16>().ok());
    let Some(port) = port else {
        return refuse(StatusCode::BAD_REQUEST, "a port is required");
    };
    let Ok(slot) = state.tunnels.clone().try_acquire_owned() else {
        return refuse(StatusCode::SERVICE_UNAVAILABLE, "too many tunnels are open");
    };
    let Ok(mut program) = connect(port).await else {
        let message = format!("no program listens on port {port}");
        return refuse(StatusCode::NOT_FOUND, message);
    };
    let upgrade = hyper::upgrade::on(&mut request);
    // The host's end of a tunnel from before a capture no longer exists.
    let mut resets = state.session_reset.subscribe();
    spawn(async move {
        let _slot = slot;
        let pass_on = async {
            if let Ok(host) = upgrade.await {
                // Either side may break off at any time.
                let mut host = TokioIo::new(host);
                let _ = tokio::io::copy_bidirectional(&mut host, &mut program).await;
            }
        };
        tokio::select! {
            () = pass_on => {}
            _ = resets.recv() => {}
        }
    });
    (
        StatusCode::SWITCHING_PROTOCOLS,
        [
            (header::CONNECTION, HeaderValue::from_static("upgrade")),
            (header::UPGRADE, HeaderValue::from_static(TUNNEL_PROTOCOL)),
        ],
    )
        .into_response()
}

/// Connects to the first loopback address on which a program listens.
async fn connect(port: u16) -> io::Result<TcpStream> {
    let addresses = ADDRESSES.map(|ip| SocketAddr::from((ip, port)));
    let stream = tokio::time::timeout(CONNECT_TIMEOUT, TcpStream::connect(&addresses[..])).await;
    let stream = stream.map_err(|_| io::Error::from(io::ErrorKind::TimedOut))??;
    stream.set_nodelay(true)?;
    Ok(stream)
}
