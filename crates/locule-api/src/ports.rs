//! Ports of a sandbox on which programs listen.

use std::net::IpAddr;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// A port on which a program of the sandbox listens.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ListeningPort {
    #[schema(minimum = 1)]
    pub port: u16,
    /// The address that the program listens on: `0.0.0.0` and `::` stand for every address.
    #[schema(value_type = String)]
    pub address: IpAddr,
    /// The process that listens. Absent when the guest agent cannot tell.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pid: Option<u32>,
    /// The name of the process.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub process: Option<String>,
    /// The address of the port from outside. Absent when `url_pattern` is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
}

/// Response of `GET /v1/sandboxes/{id}/ports`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct PortList {
    /// The address of any port, with `{port}` in place of its number. Absent when the sandbox has no host names: the platform
    /// has no domain for sandboxes, and the request did not reach it at a loopback name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url_pattern: Option<String>,
    pub ports: Vec<ListeningPort>,
}

/// Response of `POST /v1/sandboxes/{id}/ports/{port}/link`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct PortLink {
    /// Opens the port in a browser, once.
    pub url: String,
    /// The address is not accepted from then on.
    pub expires_at: DateTime<Utc>,
}
