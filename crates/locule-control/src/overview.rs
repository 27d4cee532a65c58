//! What an operator sees of the cluster in the database alone, also while no process of the control plane runs.

use locule_store::hosts::{self, Host};
use locule_store::{PgPool, StoreError};

use crate::background::passes;
use crate::background::periodic::PeriodicTask;
use crate::error::CommonError;

/// The hosts of the cluster, and the latest passes of its jobs.
#[derive(Debug, Clone)]
pub struct Overview {
    /// Oldest first.
    pub hosts: Vec<Host>,
    pub jobs: Vec<PeriodicTask>,
}

/// Reads the overview of a database.
pub async fn overview(pool: &PgPool) -> Result<Overview, CommonError> {
    let mut conn = pool.acquire().await.map_err(StoreError::from)?;
    Ok(Overview {
        hosts: hosts::list(&mut conn, None).await?,
        jobs: passes::of_cluster(&mut conn).await?,
    })
}
