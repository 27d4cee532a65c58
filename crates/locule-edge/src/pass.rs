//! What a request for a port was admitted with, which decides what it carries into the sandbox.

use std::net::IpAddr;

/// What a request was admitted with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pass {
    /// The access token or a signature: the guest agent's own token takes its place.
    AccessToken,
    /// Another credential.
    Credential,
    /// None, because the port is public. The address of the client, where it is known, has a share of the port.
    Visitor(Option<IpAddr>),
    /// Nothing, on a path that is open: the request is not a use of the sandbox.
    Probe(Option<IpAddr>),
}

impl Pass {
    pub(crate) const fn visitor(self) -> Option<IpAddr> {
        match self {
            Self::Visitor(address) | Self::Probe(address) => address,
            Self::AccessToken | Self::Credential => None,
        }
    }
}
