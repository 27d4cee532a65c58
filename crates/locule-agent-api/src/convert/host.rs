//! What a host reports of itself, to and from the wire.

use super::some;
use crate::messages::{HostInfo, PoolLevel, WriteMark};
use crate::proto::hostagent::v1 as wire;

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
