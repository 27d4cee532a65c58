//! Ends connections whose caller lost the right that they were opened with.
//!
//! ```text
//! request ── checked ──► guard(grant) ──► a token that every connection of the grant holds
//!                            │                                          ▲
//! every PERIOD: which grants are still valid? (one statement) ── cancel ┘ those that are not
//! ```
//! A connection is open for one [`Grant`]: a key, a login, a sandbox's token or the openness of a public sandbox, and the team. All connections of a grant share
//! one cancellation token, so other callers' connections go on. The edge cancels the requests, bodies and tunnels that hold it.

use std::time::Duration;

use locule_ids::{SandboxId, TeamId};
use locule_store::sandbox_callers::{self, Grant, Granted};
use tokio_util::sync::CancellationToken;

use crate::caller::Caller;
use crate::error::CommonError;
use crate::guarded::{Cut, grant_of};
use crate::sandboxes::Sandboxes;

/// A pass that takes longer has failed.
const PASS_TIMEOUT: Duration = Duration::from_secs(5);
/// Connections outlive a database that does not answer for this long, and are then closed.
const UNCHECKED_MAX: Duration = Duration::from_mins(1);
/// Grants in one statement.
const BATCH: usize = 1000;

const fn visit(team: TeamId, sandbox: SandboxId) -> Grant {
    Grant {
        team,
        caller: Granted::Visitor { sandbox },
    }
}

impl Sandboxes {
    /// A token that is cancelled when the caller loses its right to the team's sandboxes.
    pub fn guard_caller(&self, caller: &Caller, uses: bool) -> Cut {
        grant_of(caller, uses).map_or_else(Cut::default, |grant| self.guard(grant))
    }

    /// A token that is cancelled when the grant is no longer valid.
    pub fn guard(&self, grant: Grant) -> Cut {
        self.inner.guarded.guard(grant)
    }

    /// A token that is cancelled when the ports of a public sandbox need a credential.
    pub fn guard_visit(&self, team: TeamId, sandbox: SandboxId) -> Cut {
        self.guard(visit(team, sandbox))
    }

    /// Ends the connections of this process to a sandbox that is not public any more.
    pub(crate) fn end_visits(&self, team: TeamId, sandbox: SandboxId) {
        self.inner.guarded.cut(&visit(team, sandbox));
    }

    /// Ends the connections whose grant is not valid any more.
    async fn end_revoked(&self) -> Result<(), CommonError> {
        for grants in self.inner.guarded.grants().chunks(BATCH) {
            let mut conn = self.core.connection().await?;
            let valid = sandbox_callers::still_valid(&mut conn, grants, self.core.now()).await?;
            drop(conn);
            let mut revoked = vec![true; grants.len()];
            for place in valid {
                if let Some(revoked) = revoked.get_mut(place) {
                    *revoked = false;
                }
            }
            for (grant, _) in grants.iter().zip(revoked).filter(|(_, revoked)| *revoked) {
                if self.inner.guarded.cut(grant) {
                    tracing::info!(team.id = %grant.team, caller = ?grant.caller, "the connections of a caller that lost its right were closed");
                }
            }
        }
        Ok(())
    }

    /// One pass: ends the connections of callers that lost their right, or of all callers when none could be checked for too long.
    pub(crate) async fn check_grants(&self) {
        let (clock, guarded) = (&self.core.clock, &self.inner.guarded);
        let begun = clock.monotonic();
        let (name, period) = ("revocation", self.inner.config.recheck);
        self.core.periodic.add(name, period);
        self.core.periodic.begin(name, self.core.now());
        let passed = tokio::time::timeout(PASS_TIMEOUT, self.end_revoked()).await;
        let late = || "the database did not answer in time".to_owned();
        let shown = match &passed {
            Ok(passed) => passed.as_ref().err().map(ToString::to_string),
            Err(_) => Some(late()),
        };
        self.core.periodic.end(name, shown, self.core.now());
        let why = match passed {
            Ok(Ok(())) => return guarded.set_checked(begun),
            Ok(Err(error)) => locule_base::errors::chain(&error),
            Err(_) => late(),
        };
        tracing::warn!(
            error = why,
            "checking the callers of open connections failed"
        );
        if guarded.unchecked(begun) >= UNCHECKED_MAX {
            for grant in guarded.grants() {
                guarded.cut(&grant);
            }
        }
    }

    /// Ends revoked connections until `stop`.
    pub(crate) async fn watch_revocations(self, stop: CancellationToken) -> anyhow::Result<()> {
        loop {
            self.check_grants().await;
            tokio::select! {
                () = stop.cancelled() => return Ok(()),
                () = tokio::time::sleep(self.inner.config.recheck) => {}
            }
        }
    }
}
