//! The sandboxes that a removed member, a disabled person or a revoked key created and that still exist. A removal ends no
//! program that was left running inside: the team restarts or destroys the sandboxes.

use locule_store::sandboxes::{self, CreatedFilter};
use locule_store::{PgConnection, StoreError};

pub use locule_store::sandboxes::Created;

const LISTED_MAX: i64 = 100;

/// Newest first, 100 at most.
#[derive(Debug, Clone, Default)]
pub struct CreatedSandboxes {
    pub sandboxes: Vec<Created>,
    /// Whether there are more than are listed.
    pub has_more: bool,
}

/// Lists sandboxes in the transaction that takes their creator's rights away, after it has locked them: a create that committed
/// before is listed, and one that did not is refused.
pub(crate) async fn list(
    conn: &mut PgConnection,
    filter: CreatedFilter,
) -> Result<CreatedSandboxes, StoreError> {
    // One row more than is listed shows whether there are more.
    let limit = LISTED_MAX + 1;
    let mut sandboxes = sandboxes::created_by(conn, &CreatedFilter { limit, ..filter }).await?;
    let listed = usize::try_from(LISTED_MAX).unwrap_or(usize::MAX);
    let has_more = sandboxes.len() > listed;
    sandboxes.truncate(listed);
    Ok(CreatedSandboxes {
        sandboxes,
        has_more,
    })
}
