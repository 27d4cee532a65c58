//! Control plane to host agent: messages, protocol version, the HostAgent trait.
