//! How the control plane and the proxy reach this agent.

mod rpc;
mod socket;

pub(crate) use socket::{bind, serve};
