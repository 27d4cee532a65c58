//! What the host agent is told of a call to the guest agent, so that the host can say what holds a sandbox awake.

use locule_agent_api::{HolderKind, PROXY_USE_HEADER, Purpose};
use locule_guest_api::rpc::client::CallOptions;

use super::header_name;
use super::processes::Selector;

impl Selector {
    /// The purpose of a stream of the process.
    pub(super) fn purpose(&self, kind: HolderKind) -> Purpose {
        let (pid, tag) = match self {
            Self::Pid(pid) => (Some(*pid), None),
            Self::Tag(tag) => (None, Some(tag.clone())),
        };
        Purpose {
            pid,
            tag,
            ..Purpose::new(kind)
        }
    }
}

/// Tells the host what the call is for.
pub(super) fn noted(options: CallOptions, purpose: &Purpose) -> CallOptions {
    options.with_header(header_name(PROXY_USE_HEADER), purpose.header())
}
