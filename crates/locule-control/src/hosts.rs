//! The hosts that this control plane gives orders to.

use std::sync::Arc;

use locule_agent_api::{Connector, HostAgent};
use locule_ids::HostId;

/// A host and how to reach it: orders by RPC, bytes through the connector.
#[derive(Clone)]
pub struct HostLink {
    pub id: HostId,
    pub agent: Arc<dyn HostAgent>,
    pub connector: Connector,
}

impl std::fmt::Debug for HostLink {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("HostLink")
            .field("id", &self.id)
            .finish_non_exhaustive()
    }
}
