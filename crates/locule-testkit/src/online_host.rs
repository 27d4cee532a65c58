//! The row of a host that the control plane has reached.

use std::path::Path;

use chrono::{DateTime, Utc};
use locule_control::{HostAddress, LocalHost, bootstrap};
use locule_domain::HostState;
use locule_ids::HostId;
use locule_store::{PgPool, hosts};

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
    let written = hosts::set_state(&mut conn, id, HostState::Online, now).await;
    written.expect("write the host's state");
    id
}
