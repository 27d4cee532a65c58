//! Default reports of a host about itself and its sandboxes.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use locule_agent_api::{
    HostInfo, PROTOCOL_VERSION, ReportedState, SandboxRecord, SandboxReport, SandboxSpec,
};
use locule_domain::Sandbox;

/// A ready host with free capacity.
pub fn host_info() -> HostInfo {
    HostInfo {
        protocol: PROTOCOL_VERSION,
        agent_version: "0".to_owned(),
        accelerator: "none".to_owned(),
        accelerator_reason: String::new(),
        vmm: "none".to_owned(),
        cpu_cores: 8,
        memory_mib: 8192,
        pool_free_bytes: 1 << 40,
        templates: vec!["minimal".to_owned()],
        warm: Vec::new(),
        memory_used_bytes: 0,
        memory_limit_bytes: 0,
        ready: true,
        write_mark: None,
    }
}

/// A sandbox that was just created as requested and runs.
pub fn running(spec: SandboxSpec, now: DateTime<Utc>) -> SandboxReport {
    SandboxReport {
        sandbox: spec.order.sandbox,
        generation: spec.order.generation,
        state: ReportedState::Running,
        reason: None,
        last_error: None,
        team: spec.team,
        template: spec.template,
        template_id: spec.template_id,
        vcpus: spec.vcpus,
        memory_mib: spec.memory_mib,
        disk_size_mb: spec.disk_size_mb,
        timeouts: spec.timeouts,
        guest_ip: "169.254.0.21".to_owned(),
        host_ip: "10.0.0.1".to_owned(),
        metadata: BTreeMap::from([("agent_version".to_owned(), "0".to_owned())]),
        created_at: now,
        started_at: Some(now),
        last_active_at: Some(now),
        unresponsive: false,
        ready_ms: 1,
        stored_bytes: None,
    }
}

/// The record of a sandbox that was created by this order, or that a test has put on the host.
pub fn record(report: SandboxReport, spec: Option<&SandboxSpec>) -> SandboxRecord {
    let spec = spec.cloned();
    SandboxRecord {
        report,
        default_user: spec
            .as_ref()
            .map_or_else(|| "user".to_owned(), |spec| spec.default_user.clone()),
        auto_resume: spec.as_ref().is_some_and(|spec| spec.auto_resume),
        env: spec
            .as_ref()
            .map(|spec| spec.env.clone())
            .unwrap_or_default(),
        labels: spec.map(|spec| spec.labels).unwrap_or_default(),
    }
}

/// The report of a host that has the sandbox of this row in this state.
pub fn of_row(row: &Sandbox, state: ReportedState) -> SandboxReport {
    SandboxReport {
        sandbox: row.id,
        generation: row.generation,
        state,
        reason: None,
        last_error: None,
        team: row.team,
        template: row.template.clone(),
        template_id: row.template_id,
        vcpus: row.vcpus,
        memory_mib: row.memory_mib,
        disk_size_mb: row.disk_size_mb,
        timeouts: row.timeouts,
        guest_ip: row.guest_ip.clone(),
        host_ip: row.host_ip.clone(),
        metadata: row.metadata.clone(),
        created_at: row.created_at,
        started_at: row.started_at,
        last_active_at: row.last_active_at,
        unresponsive: false,
        ready_ms: 1,
        stored_bytes: None,
    }
}
