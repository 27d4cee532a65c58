//! The answer to `GET /ports`: on which ports programs of the guest listen.

use std::net::IpAddr;

use serde::{Deserialize, Serialize};

/// Ports that one answer has at most.
pub const PORTS_MAX: usize = 1024;

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Listener {
    pub port: u16,
    pub address: IpAddr,
    /// A process that has the socket open.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pid: Option<u32>,
    /// The name of the process.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub process: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Listeners {
    pub ports: Vec<Listener>,
}
