//! The rows of hosts that the control plane has reached.

use std::path::Path;

use chrono::{DateTime, Utc};
use locule_control::{HostAddress, LocalHost, bootstrap};
use locule_domain::{HostKind, HostState};
use locule_ids::{HostId, TeamId};
use locule_store::hosts::{self, Machine, NewHost};
use locule_store::{PgConnection, PgPool};
use serde_json::{Value, json};

/// A machine with capacity for whatever a test creates.
pub fn roomy() -> Machine {
    Machine {
        arch: "x86_64".to_owned(),
        cpu_cores: 64,
        memory_mib: 256 << 10,
        disk_gb: 1000,
    }
}

/// What the latest heartbeat of a host said that has the template of all tests.
pub fn with_minimal() -> Value {
    json!({ "templates": [{ "name": "minimal", "sha256": "0".repeat(64) }] })
}

/// Prepares a database as `locule up` does, and makes the host of a socket online without a host agent that registers.
pub async fn online_host(pool: &PgPool, socket: &Path, now: DateTime<Utc>) -> HostId {
    let address = HostAddress::unix(socket).expect("the path of a socket");
    let local = LocalHost {
        address: address.clone(),
        credentials: None,
    };
    bootstrap(pool, &local, now).await.expect("bootstrap");
    let mut conn = pool.acquire().await.expect("a connection");
    let id = hosts::at(&mut conn, &address.to_string()).await;
    let id = id.expect("read the host").expect("the host's row");
    make_online(&mut conn, id, &address.to_string(), &roomy(), now).await;
    id
}

async fn make_online(
    conn: &mut PgConnection,
    id: HostId,
    address: &str,
    machine: &Machine,
    now: DateTime<Utc>,
) {
    let written = hosts::register(conn, id, address, machine, now).await;
    written.expect("write the host's machine");
    let written = hosts::set_state(conn, id, HostState::Online, now).await;
    written.expect("write the host's state");
    // A heartbeat would also say when it came, and the host would be silent some time later.
    let report = sqlx::query("UPDATE hosts SET report = $2 WHERE id = $1");
    let report = report.bind(id.as_uuid()).bind(with_minimal());
    report.execute(conn).await.expect("write the host's report");
}

/// Adds a host that is online: of a team, or of the platform.
pub async fn another_host(
    conn: &mut PgConnection,
    team: Option<TeamId>,
    machine: &Machine,
    now: DateTime<Utc>,
) -> HostId {
    let id = HostId::random();
    let host = NewHost {
        id,
        kind: if team.is_some() {
            HostKind::Byoc
        } else {
            HostKind::Regular
        },
        team,
        provider: "",
        availability_zone: "",
        address: "",
        created_by: None,
    };
    let inserted = hosts::insert(conn, host, now).await;
    inserted.expect("insert a host");
    // Nothing listens there.
    let address = format!("unix:/nowhere/{id}.sock");
    make_online(conn, id, &address, machine, now).await;
    id
}
