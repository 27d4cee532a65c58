//! The contract of the guest agent.
pub mod proto {
    connectrpc::include_generated!();
}
