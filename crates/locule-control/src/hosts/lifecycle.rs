//! Cordon, drain and delete of a host.
//!
//! | | new sandboxes | resumes | running sandboxes | paused sandboxes |
//! |---|---|---|---|---|
//! | cordoned | on other hosts | yes | stay | stay |
//! | drained with `pause` | on other hosts | no | are paused | stay |
//! | drained with `wait` | on other hosts | no | stay until they end or are paused | stay |
//! | deleted | on other hosts | no | end, if the caller forces the delete | end, if the caller forces the delete |

use std::time::Duration;

use locule_agent_api::Order;
use locule_domain::{Desired, Drain, SandboxEvent, StopReason};
use locule_ids::{HostId, SandboxId, TeamId};
use locule_store::hosts::{self, Host};
use locule_store::sandboxes::{self, HostSandbox};
use locule_store::{PgConnection, cluster};

use crate::audit::{self, AuditEvent, HostAuditEvent};
use crate::caller::Person;
use crate::hosts::Hosts;
use crate::hosts::error::HostError;
use crate::hosts::manage::ListedHost;
use crate::reconcile::database::mark;
use crate::reconcile::reported::Change;

/// How long a forced delete waits for the host agent to end its sandboxes. The delete goes on without the agent (B-121).
const TERMINATE_WAIT_MAX: Duration = Duration::from_secs(30);
/// Rounds in which a forced delete ends the sandboxes that it finds. Nothing is placed on the host meanwhile.
const ROUNDS_MAX: usize = 8;

/// A host and the sandboxes that it holds.
#[derive(Debug, Clone)]
pub struct HeldSandboxes {
    pub host: ListedHost,
    pub sandboxes: Vec<HostSandbox>,
}

/// What a forced delete ends.
pub type DeletePreview = HeldSandboxes;

impl Hosts {
    /// The sandboxes that a host holds: those that start, run, are paused or are missing.
    pub async fn host_sandboxes(
        &self,
        person: &Person,
        id: HostId,
    ) -> Result<HeldSandboxes, HostError> {
        let mut conn = self.core.connection().await?;
        let host = self.seen_host(&mut conn, person, id).await?;
        let sandboxes = sandboxes::on_host(&mut conn, id).await?;
        Ok(HeldSandboxes { host, sandboxes })
    }

    /// What a forced delete of the host ends, for a person that may delete the host.
    pub async fn preview_delete(
        &self,
        person: &Person,
        id: HostId,
    ) -> Result<DeletePreview, HostError> {
        let mut tx = self.core.transaction().await?;
        self.changeable(&mut tx, person, id).await?;
        drop(tx);
        self.host_sandboxes(person, id).await
    }

    /// Sets whether sandboxes are placed on the host. Uncordoning ends a drain.
    pub async fn cordon_host(
        &self,
        person: &Person,
        id: HostId,
        cordoned: bool,
    ) -> Result<ListedHost, HostError> {
        let mut tx = self.core.transaction().await?;
        let host = self.changeable(&mut tx, person, id).await?;
        let drain = host.drain.filter(|_| cordoned);
        if (host.cordoned, host.drain) != (cordoned, drain) {
            let event = if cordoned {
                HostAuditEvent::Cordon
            } else {
                HostAuditEvent::Uncordon
            };
            self.set_cordon(&mut tx, person, &host, (cordoned, drain), event)
                .await?;
        }
        // Ends also without a change: the next call takes a connection of its own.
        self.core.commit(tx).await?;
        self.get_host(person, id).await
    }

    /// Cordons the host, and pauses its running sandboxes or leaves them until they end. The pauses go on after this call.
    pub async fn drain_host(
        &self,
        person: &Person,
        id: HostId,
        drain: Drain,
    ) -> Result<HeldSandboxes, HostError> {
        let mut tx = self.core.transaction().await?;
        let host = self.changeable(&mut tx, person, id).await?;
        if host.drain != Some(drain) {
            let event = HostAuditEvent::Drain(drain);
            self.set_cordon(&mut tx, person, &host, (true, Some(drain)), event)
                .await?;
        }
        self.core.commit(tx).await?;
        if drain == Drain::Pause {
            let sandboxes = self.sandboxes.clone();
            // The host monitor pauses what this process does not get to.
            self.core.tasks.spawn("host drain", move |stop| async move {
                tokio::select! {
                    () = stop.cancelled() => {}
                    paused = sandboxes.pause_drained(id) => {
                        if let Err(error) = paused {
                            tracing::warn!(host.id = %id, error = locule_base::errors::chain(&error), "a host could not be drained; the host monitor tries again");
                        }
                    }
                }
                Ok(())
            });
        }
        self.host_sandboxes(person, id).await
    }

    /// Deletes a host. Refused while the host holds sandboxes, unless `force`: then they end with the host (B-120, B-121, W-011).
    pub async fn delete_host(
        &self,
        person: &Person,
        id: HostId,
        force: bool,
    ) -> Result<(), HostError> {
        let mut ended = Vec::new();
        for _ in 0..ROUNDS_MAX {
            let mut tx = self.core.transaction().await?;
            let host = self.changeable(&mut tx, person, id).await?;
            let held = sandboxes::on_host(&mut tx, id).await?;
            let held: Vec<SandboxId> = held.iter().map(|sandbox| sandbox.id).collect();
            if held.is_empty() {
                let sandboxes = ended.len();
                let waiting = sandboxes::waiting_for_cleanup(&mut tx, id).await?;
                if !ended.is_empty() || !waiting.is_empty() {
                    // While the row exists, the agent is told nothing else: it destroys these and keeps what it has besides.
                    drop(tx);
                    for (sandbox, generation) in waiting {
                        ended.push(self.order(sandbox, generation).await?);
                    }
                    self.terminate(id, std::mem::take(&mut ended)).await;
                    tx = self.core.transaction().await?;
                    self.changeable(&mut tx, person, id).await?;
                }
                hosts::delete(&mut tx, id).await?;
                let event = HostAuditEvent::Delete { sandboxes };
                self.write_audit(&mut tx, person, &host, event).await?;
                self.core.commit(tx).await?;
                self.links.drop_link(id);
                tracing::info!(host.id = %id, address = host.address, sandboxes, "a host was deleted");
                return Ok(());
            }
            if !force {
                return Err(HostError::HasSandboxes(held));
            }
            if !host.cordoned {
                let event = HostAuditEvent::Cordon;
                self.set_cordon(&mut tx, person, &host, (true, host.drain), event)
                    .await?;
            }
            self.core.commit(tx).await?;
            for sandbox in held {
                ended.extend(self.end_with_host(id, sandbox).await?);
            }
        }
        Err(HostError::busy())
    }

    /// Writes that a sandbox ends with its host. Returns the order that ends the sandbox there.
    async fn end_with_host(&self, host: HostId, id: SandboxId) -> Result<Option<Order>, HostError> {
        let event = SandboxEvent::Stop(StopReason::HostDeleted);
        let change = self.sandboxes.change(id, |seen| {
            let state = seen.state.apply(event).ok();
            let state = state.filter(|_| seen.host == Some(host) && !seen.state.is_final());
            Ok(state.map(|state| {
                let mut next = seen.clone();
                (next.state, next.cleanup_pending) = (state, false);
                next.generation += 1;
                let change = Change::observed(seen, next);
                let mut next = change.next;
                next.desired = Desired::Gone;
                Change {
                    next,
                    record: change.record,
                }
            }))
        });
        let changed = change.await?;
        if changed.host != Some(host) || !changed.state.is_final() {
            return Ok(None);
        }
        self.order(id, changed.generation).await.map(Some)
    }

    /// The order that ends a sandbox on its host.
    async fn order(&self, sandbox: SandboxId, generation: i64) -> Result<Order, HostError> {
        let mut conn = self.core.connection().await?;
        let written = cluster::next_write(&mut conn).await?;
        Ok(Order {
            sandbox,
            generation,
            write_mark: Some(mark(written)),
        })
    }

    /// Orders the host agent to destroy these sandboxes and to leave the platform. An agent that cannot be reached learns at its next
    /// heartbeat that its host was deleted, and keeps its files.
    async fn terminate(&self, id: HostId, orders: Vec<Order>) {
        let Some(link) = self.links.kept(id) else {
            return;
        };
        let terminated = link.agent.terminate(orders);
        match tokio::time::timeout(TERMINATE_WAIT_MAX, terminated).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => {
                tracing::warn!(host.id = %id, error = locule_base::errors::chain(&error), "the agent of a deleted host did not destroy its sandboxes");
            }
            Err(_) => {
                tracing::warn!(host.id = %id, "the agent of a deleted host takes longer than 30 s to destroy its sandboxes");
            }
        }
    }

    /// A host, locked, that the person may change.
    pub(super) async fn changeable(
        &self,
        conn: &mut PgConnection,
        person: &Person,
        id: HostId,
    ) -> Result<Host, HostError> {
        let seen = hosts::get(conn, id).await?;
        let seen = seen.ok_or_else(HostError::not_found)?;
        self.confirm(conn, person, &seen).await?;
        let locked = hosts::lock(conn, id).await?;
        locked.ok_or_else(HostError::not_found)
    }

    async fn set_cordon(
        &self,
        conn: &mut PgConnection,
        person: &Person,
        host: &Host,
        (cordoned, drain): (bool, Option<Drain>),
        event: HostAuditEvent,
    ) -> Result<(), HostError> {
        hosts::set_cordon(conn, host.id, cordoned, drain, self.core.now()).await?;
        self.write_audit(conn, person, host, event).await
    }

    pub(super) async fn write_audit(
        &self,
        conn: &mut PgConnection,
        person: &Person,
        host: &Host,
        event: HostAuditEvent,
    ) -> Result<(), HostError> {
        let (log, now) = (host.team.unwrap_or(TeamId::PLATFORM), self.core.now());
        let event = AuditEvent::Host(host.id, event);
        Ok(audit::write(conn, &person.actor(), log, &event, now).await?)
    }
}
