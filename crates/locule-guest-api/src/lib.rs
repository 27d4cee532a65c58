//! The contract of the guest agent: the RPC services `process.Process` and `filesystem.Filesystem`, the host's control calls,
//! and the constants that both sides must agree on.
//!
//! The crate contains data only. The guest agent implements the contract; the host agent, the edge and the SDKs call it. A
//! restored snapshot contains the guest agent that it was taken with, so the contract stays compatible for as long as
//! snapshots are kept.

pub mod control;
pub mod ports;
pub mod signature;

/// The generated messages and services.
pub mod proto {
    #![expect(
        missing_debug_implementations,
        clippy::pedantic,
        clippy::allow_attributes,
        clippy::allow_attributes_without_reason,
        clippy::str_to_string,
        reason = "generated code"
    )]
    connectrpc::include_generated!();
}

/// The alternatives of the `oneof` fields in [`proto`], by message and field. The generator puts them into a module that is
/// internal to it.
pub mod oneof {
    pub use crate::proto::filesystem::__buffa::oneof::watch_dir_response::Event as WatchEventKind;
    pub use crate::proto::process::__buffa::oneof::process_event::Event as ProcessEventKind;
    pub use crate::proto::process::__buffa::oneof::stream_input_request::Event as StreamInputKind;
    pub use crate::proto::process::__buffa::oneof::{
        process_event, process_input, process_selector,
    };
}

/// The RPC library, re-exported so that this crate alone chooses its version.
pub use connectrpc as rpc;

use std::net::Ipv4Addr;
use std::time::Duration;

/// The port that the guest agent listens on.
pub const GUEST_PORT: u16 = 49983;
/// The address of every guest, in its own network namespace.
pub const GUEST_IP: Ipv4Addr = Ipv4Addr::new(169, 254, 0, 21);
/// The host's address in that namespace: gateway, name server, and the only address that may make control calls.
pub const HOST_IP: Ipv4Addr = Ipv4Addr::new(169, 254, 0, 22);
pub const GUEST_PREFIX_LENGTH: u8 = 30;
pub const GUEST_MAC: &str = "02:fc:00:00:00:05";

/// Header with the sandbox's access token.
pub const ACCESS_TOKEN_HEADER: &str = "x-access-token";
/// Header with the control key. It never passes the proxy.
pub const CONTROL_KEY_HEADER: &str = "locule-control-key";
/// On a `Connect` request: the byte of the process's output to replay from, with stdout and stderr counted together in the
/// order in which they are streamed. Without the header nothing is replayed. A value that is not a number is refused with
/// `invalid_argument`.
///
/// On every answer to `Start` and `Connect`: the offset of the first byte of this stream. Each data byte counts one from there,
/// so a follower always knows the offset to reconnect with. An offset greater than the requested one reports a gap: the bytes
/// in between were dropped. A smaller one means that the process has not printed that much. The SDKs ignore the header.
pub const OFFSET_HEADER: &str = "locule-offset";
/// On `Start` and `Connect`: the number of idle seconds after which the stream sends a keepalive.
pub const KEEPALIVE_HEADER: &str = "keepalive-ping-interval";

/// Types of the error detail with which `Start` explains an `invalid_argument`. The detail has no value, and the SDKs ignore it.
pub const COMMAND_NOT_FOUND: &str = "locule.CommandNotFound";
pub const COMMAND_NOT_EXECUTABLE: &str = "locule.CommandNotExecutable";

/// The version of the guest protocol. The SDKs enable features by it.
pub const ENVD_VERSION: &str = "0.6.13";

/// On `POST /tunnel`: the port of the guest to connect to.
pub const TUNNEL_PORT_HEADER: &str = "locule-tunnel-port";
/// The protocol that `POST /tunnel` switches to: the bytes of the connection, both ways.
pub const TUNNEL_PROTOCOL: &str = "locule-tunnel";

/// Paths that only the host agent may call. Its proxy refuses them.
pub const CONTROL_PATHS: [&str; 5] = ["/init", "/freeze", "/thaw", "/sync", TUNNEL_PATH];
/// Connects to a port of the guest that listens on a loopback address only.
pub const TUNNEL_PATH: &str = "/tunnel";

/// Lists the ports on which programs of the guest listen. Needs the access token.
pub const PORTS_PATH: &str = "/ports";

/// The user that processes run as, unless a request names another user.
pub const DEFAULT_USER: &str = "user";
/// Limit of a chunk of piped output on the wire.
pub const OUTPUT_CHUNK_BYTES: usize = 32 * 1024;
/// Limit of a chunk of terminal output on the wire.
pub const PTY_CHUNK_BYTES: usize = 16 * 1024;
/// Limit of the output that is kept of a process for a follower that reconnects.
pub const SCROLLBACK_BYTES: usize = 1024 * 1024;
/// Limit of the output that is kept of all processes together. Above it less is kept of each process that prints.
pub const SCROLLBACK_TOTAL_BYTES: usize = 32 * 1024 * 1024;
/// Time limit for freezing the user's processes.
pub const FREEZE_TIMEOUT: Duration = Duration::from_secs(2);
/// After how much silence a stream sends a keepalive, unless the request says otherwise.
pub const KEEPALIVE_DEFAULT: Duration = Duration::from_secs(90);
