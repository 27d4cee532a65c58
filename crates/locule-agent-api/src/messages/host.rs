//! What a host reports of itself, and its form on the wire.

use super::WriteMark;
use super::wire_values::some;
use crate::proto::hostagent::v1 as wire;
use crate::{AgentError, PROTOCOL_VERSION};

/// The VMs of one template and shape in the host's warm pool.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PoolLevel {
    pub template: String,
    pub vcpus: u32,
    pub memory_mib: u32,
    /// VMs that have run their warm-up and are stopped.
    pub warm: u32,
    /// VMs that are restored from the template snapshot and have run nothing yet.
    pub restored: u32,
    /// Memory that these VMs do not share with the template snapshot.
    pub unique_bytes: u64,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostInfo {
    pub protocol: u32,
    pub agent_version: String,
    pub accelerator: String,
    /// The reason why the accelerator is not KVM; empty for KVM.
    pub accelerator_reason: String,
    pub vmm: String,
    pub cpu_cores: u32,
    pub memory_mib: u64,
    pub pool_free_bytes: u64,
    pub templates: Vec<String>,
    /// The warm pool. Its VMs are in no list and are never billed.
    pub warm: Vec<PoolLevel>,
    /// The memory of all VMs; memory that they share with a template snapshot counts once.
    pub memory_used_bytes: u64,
    /// Above this limit the host pauses the sandbox that is idle longest.
    pub memory_limit_bytes: u64,
    /// Whether the host can create sandboxes.
    pub ready: bool,
    /// The highest write mark that came with an order.
    pub write_mark: Option<WriteMark>,
}

impl HostInfo {
    /// Whether this control plane can work with the host: its protocol is ours or the one before. Versions begin at 1.
    pub fn check_protocol(&self) -> Result<(), AgentError> {
        let own = PROTOCOL_VERSION;
        let oldest = own.saturating_sub(1).max(1);
        if (oldest..=own).contains(&self.protocol) {
            Ok(())
        } else {
            let host = self.protocol;
            Err(AgentError::UnsupportedProtocol { host, own })
        }
    }
}

impl From<HostInfo> for wire::GetHostResponse {
    fn from(host: HostInfo) -> Self {
        let (cluster_id, write_counter) = host
            .write_mark
            .map_or_else(Default::default, |mark| (mark.cluster, mark.counter));
        Self {
            cluster_id,
            write_counter,
            protocol: host.protocol,
            agent_version: host.agent_version,
            accelerator: host.accelerator,
            accelerator_reason: host.accelerator_reason,
            vmm: host.vmm,
            cpu_cores: host.cpu_cores,
            memory_mib: host.memory_mib,
            pool_free_bytes: host.pool_free_bytes,
            templates: host.templates,
            warm: host.warm.into_iter().map(Into::into).collect(),
            memory_used_bytes: host.memory_used_bytes,
            memory_limit_bytes: host.memory_limit_bytes,
            ready: host.ready,
            ..Default::default()
        }
    }
}

impl From<PoolLevel> for wire::WarmStock {
    fn from(level: PoolLevel) -> Self {
        Self {
            template: level.template,
            vcpus: level.vcpus,
            memory_mib: level.memory_mib,
            warm: level.warm,
            started: level.restored,
            unique_bytes: level.unique_bytes,
            ..Default::default()
        }
    }
}

impl From<wire::WarmStock> for PoolLevel {
    fn from(level: wire::WarmStock) -> Self {
        Self {
            template: level.template,
            vcpus: level.vcpus,
            memory_mib: level.memory_mib,
            warm: level.warm,
            restored: level.started,
            unique_bytes: level.unique_bytes,
        }
    }
}

impl From<wire::GetHostResponse> for HostInfo {
    fn from(host: wire::GetHostResponse) -> Self {
        Self {
            protocol: host.protocol,
            agent_version: host.agent_version,
            accelerator: host.accelerator,
            accelerator_reason: host.accelerator_reason,
            vmm: host.vmm,
            cpu_cores: host.cpu_cores,
            memory_mib: host.memory_mib,
            pool_free_bytes: host.pool_free_bytes,
            templates: host.templates,
            warm: host.warm.into_iter().map(Into::into).collect(),
            memory_used_bytes: host.memory_used_bytes,
            memory_limit_bytes: host.memory_limit_bytes,
            ready: host.ready,
            write_mark: some(host.cluster_id).map(|cluster| WriteMark {
                cluster,
                counter: host.write_counter,
            }),
        }
    }
}
