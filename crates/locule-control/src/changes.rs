//! How a sandbox's row is written: read, decide, write. Whoever was overtaken reads again and decides anew, and what the
//! audit trail says of a change commits with it (D-21).

use locule_domain::{Desired, Sandbox, SandboxEvent as Event, SandboxState};
use locule_ids::SandboxId;
use locule_store::sandboxes;

use crate::audit::{self, Event as Recorded, SandboxEvent};
use crate::caller::Actor;
use crate::error::ControlError;
use crate::sandboxes::Sandboxes;

/// Tries of a write that somebody else overtook.
const WRITES_MAX: usize = 8;

/// What a row becomes, and what the trail says of it.
pub(crate) struct Change {
    pub(crate) next: Sandbox,
    pub(crate) record: Option<(Actor, SandboxEvent)>,
}

impl Change {
    /// Something was learned. What the sandbox or its host did of itself is the platform's doing in the trail (B-084).
    pub(crate) fn learned(seen: &Sandbox, next: Sandbox) -> Self {
        let record = by_itself(seen, &next).map(|event| (Actor::System, event));
        Self { next, record }
    }
}

/// What the trail says of a change that nobody asked for.
fn by_itself(seen: &Sandbox, next: &Sandbox) -> Option<SandboxEvent> {
    let ended = next.state.is_final() && !seen.state.is_final();
    if ended && seen.desired != Desired::Gone {
        return next
            .state
            .reason()
            .map(|reason| SandboxEvent::End { reason });
    }
    let paused = next.state == SandboxState::Paused && seen.state != SandboxState::Paused;
    let has_reason = next.status_reason.is_some();
    (paused && has_reason && seen.desired != Desired::Paused).then_some(SandboxEvent::AutoPause)
}

impl Sandboxes {
    /// Reads, decides, writes. `decide` may be asked several times; none of it is written unless all of it is. Answers the
    /// row as it is now.
    pub(crate) async fn change(
        &self,
        id: SandboxId,
        decide: impl Fn(&Sandbox) -> Result<Option<Change>, ControlError>,
    ) -> Result<Sandbox, ControlError> {
        for _ in 0..WRITES_MAX {
            let (mut tx, now) = (self.core.transaction().await?, self.core.now());
            let seen = sandboxes::get(&mut tx, id)
                .await?
                .ok_or(ControlError::NotFound { what: "sandbox" })?;
            let Some(Change { mut next, record }) = decide(&seen)? else {
                return Ok(seen);
            };
            if let Some(reason) = next.state.reason() {
                next.status_reason = Some(reason.to_owned());
            }
            if next == seen && record.is_none() {
                return Ok(seen);
            }
            let starts = seen.desired == Desired::Paused && next.desired == Desired::Running;
            if starts && next.generation > seen.generation {
                self.reserve(&mut tx, &next).await?;
            }
            if !sandboxes::update(&mut tx, &seen, &next, now).await? {
                continue;
            }
            if let Some((actor, event)) = record {
                let event = Recorded::Sandbox(id, &event);
                audit::write(&mut tx, &actor, seen.team, &event, now).await?;
            }
            self.core.commit(tx).await?;
            next.version += 1;
            next.last_updated = now;
            return Ok(next);
        }
        Err(ControlError::Conflict {
            why: "the sandbox changes too often; try again".to_owned(),
        })
    }

    /// Writes what is wanted from now on, as a new order: hosts refuse every older one.
    pub(crate) async fn want(
        &self,
        id: SandboxId,
        record: Option<(&Actor, SandboxEvent)>,
        wish: impl Fn(&mut Sandbox) -> Result<(), ControlError>,
    ) -> Result<Sandbox, ControlError> {
        self.change(id, |seen| {
            let mut next = seen.clone();
            wish(&mut next)?;
            next.generation += 1;
            let record = record.clone().map(|(actor, event)| (actor.clone(), event));
            Ok(Some(Change { next, record }))
        })
        .await
    }

    /// Applies an event to what is in the database. One that cannot happen in its state changes nothing.
    pub(crate) async fn observe(
        &self,
        id: SandboxId,
        event: Event,
        also: impl Fn(&mut Sandbox),
    ) -> Result<Sandbox, ControlError> {
        self.change(id, |seen| Ok(observed(seen, event, &also)))
            .await
    }

    /// As [`Self::observe`], for what was concluded from this very row: nothing when it changed since.
    pub(crate) async fn conclude(
        &self,
        from: &Sandbox,
        event: Event,
        also: impl Fn(&mut Sandbox),
    ) -> Result<Sandbox, ControlError> {
        self.change(from.id, |seen| {
            let unchanged = seen.version == from.version;
            Ok(unchanged.then(|| observed(seen, event, &also)).flatten())
        })
        .await
    }
}

fn observed(seen: &Sandbox, event: Event, also: impl Fn(&mut Sandbox)) -> Option<Change> {
    let mut next = seen.clone();
    next.state = seen.state.apply(event).ok()?;
    also(&mut next);
    Some(Change::learned(seen, next))
}
