//! The ports of a sandbox.

use locule_api::{PortLink, PortList};
use locule_ids::SandboxId;

use crate::{Client, ClientError, json};

impl Client {
    /// Lists the ports on which programs of a sandbox listen.
    pub async fn list_ports(&self, id: SandboxId) -> Result<PortList, ClientError> {
        let request = self.read_request(&format!("/v1/sandboxes/{id}/ports"));
        json(self.send_with_retries(request).await?).await
    }

    /// Makes an address that opens a port of a private sandbox in a browser, once.
    pub async fn link_port(&self, id: SandboxId, port: u16) -> Result<PortLink, ClientError> {
        let request = self.work_request(&format!("/v1/sandboxes/{id}/ports/{port}/link"));
        json(self.send(request).await?).await
    }
}
