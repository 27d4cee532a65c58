//! Host or SDK to guest agent: the wire of `process.Process` and `filesystem.Filesystem`, the host's control calls, and
//! the numbers both sides must agree on.
//!
//! Data only: the guest agent implements it, the host agent and the edge call it. A restored snapshot still holds the
//! guest agent it was taken with, so what is here stays compatible for as long as snapshots are kept.

pub mod control;
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

/// The RPC library, so that its version is chosen in one place.
pub use connectrpc as rpc;

use std::net::Ipv4Addr;
use std::time::Duration;

/// Where the guest agent listens.
pub const GUEST_PORT: u16 = 49983;
/// Every guest has this address in its own network namespace.
pub const GUEST_IP: Ipv4Addr = Ipv4Addr::new(169, 254, 0, 21);
/// The host's end of the same wire: gateway, name server, and the only address that control calls may come from.
pub const HOST_IP: Ipv4Addr = Ipv4Addr::new(169, 254, 0, 22);
pub const GUEST_PREFIX_LENGTH: u8 = 30;
pub const GUEST_MAC: &str = "02:fc:00:00:00:05";

/// Carries the sandbox's access token.
pub const ACCESS_TOKEN_HEADER: &str = "x-access-token";
/// Carries the control key; never passes the proxy.
pub const CONTROL_KEY_HEADER: &str = "locule-control-key";
/// On a `Connect` request: replay from this byte of the process's combined output (stdout and stderr counted together, in
/// the order in which they are streamed). Without it nothing is replayed. Not a number: `invalid_argument`.
///
/// On every answer to `Start` and `Connect`: the offset of the first byte that this stream carries. Each data byte counts one
/// from there, so a follower always knows the offset to come back with. Greater than what was asked for is how a gap is said:
/// the bytes between are no longer kept. Less: the process has not printed that much. The SDKs ignore it.
pub const OFFSET_HEADER: &str = "locule-offset";
/// On `Start` and `Connect`: a keepalive after this many idle seconds.
pub const KEEPALIVE_HEADER: &str = "keepalive-ping-interval";

/// On `POST /files`: an existing file keeps its content until the new one is whole, and is then replaced by it. The SDKs do not
/// send it: their watchers expect a file that is written in place.
pub const REPLACE_HEADER: &str = "locule-replace";

/// Types of the detail, without a value, that says why `Start` refused a program with `invalid_argument`. The SDKs ignore it.
pub const COMMAND_NOT_FOUND: &str = "locule.CommandNotFound";
pub const COMMAND_NOT_EXECUTABLE: &str = "locule.CommandNotExecutable";

/// Version of the guest protocol that the SDKs gate features on.
pub const ENVD_VERSION: &str = "0.6.13";

/// Paths that only the host agent may call; its proxy refuses them.
pub const CONTROL_PATHS: [&str; 4] = ["/init", "/freeze", "/thaw", "/sync"];

/// The user that processes run as unless a caller names one.
pub const DEFAULT_USER: &str = "user";
/// A chunk of piped output on the wire.
pub const OUTPUT_CHUNK_BYTES: usize = 32 * 1024;
/// A chunk of terminal output on the wire.
pub const PTY_CHUNK_BYTES: usize = 16 * 1024;
/// What a process's output keeps for a follower that comes back.
pub const OUTPUT_KEPT_BYTES: usize = 1024 * 1024;
/// What all processes of a guest keep together; beyond it those that print keep less, and the gap is said.
pub const OUTPUT_KEPT_TOTAL_BYTES: usize = 32 * 1024 * 1024;
/// How long freezing user processes may take.
pub const FREEZE_TIMEOUT: Duration = Duration::from_secs(2);
pub const KEEPALIVE_DEFAULT: Duration = Duration::from_secs(90);
