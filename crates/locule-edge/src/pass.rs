//! What a request for a port was admitted with, which decides what it carries into the sandbox.

/// What a request was admitted with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pass {
    /// The access token or a signature: the guest agent's own token takes its place.
    AccessToken,
    /// Another credential, or none because the port is public.
    Visitor,
    /// Nothing, on a path that is open: the request is not a use of the sandbox.
    Probe,
}
