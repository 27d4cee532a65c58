//! How the control plane and the proxy reach this agent: through a Unix socket on the same machine, through TLS from another one.
//! Both serve the same router with the same limits on requests.

mod connection;
mod rpc;
mod socket;
mod tls;

pub(crate) use connection::router;
pub(crate) use socket::{bind, serve};
pub(crate) use tls::serve_tls;
