//! Update a sandbox: labels, timeouts, and how its ports are reached.

use locule_domain::{Desired, Expiry, Sandbox, SandboxState, SandboxUpdate, UpdateRefused};
use locule_ids::SandboxId;
use serde_json::{Value, json};

use crate::audit::SandboxAuditEvent;
use crate::caller::Caller;
use crate::reconcile::reported::Change;
use crate::sandboxes::Sandboxes;
use crate::sandboxes::error::SandboxError;

impl Sandboxes {
    /// Changes what the update names. New timeouts of a running sandbox are sent to its host, where they count as activity; if the
    /// host cannot be reached, the sweep sends them later. An update that changes nothing writes nothing.
    pub async fn update_sandbox(
        &self,
        caller: &Caller,
        id: SandboxId,
        update: &SandboxUpdate,
    ) -> Result<Sandbox, SandboxError> {
        let _order = self.lock(id).await;
        let now = self.core.now();
        let event = SandboxAuditEvent::Update {
            changes: changes(update),
        };
        let updated = self.change_by(caller, id, |seen| {
            let mut next = update.apply(seen, self.limits(), now)?;
            if next == *seen {
                return Ok(None);
            }
            if is_sent(seen, &next) {
                next.generation += 1;
            }
            let record = Some((caller.actor.clone(), event.clone()));
            Ok(Some(Change { next, record }))
        });
        let sandbox = updated.await?;
        if !sandbox.public_traffic {
            self.end_visits(sandbox.team, id);
        }
        if update.has_timeouts() && runs(&sandbox) {
            self.send_timeouts(&sandbox).await?;
            return self.get_sandbox(sandbox.team, id).await;
        }
        Ok(sandbox)
    }
}

fn runs(sandbox: &Sandbox) -> bool {
    sandbox.state == SandboxState::Running && sandbox.desired == Desired::Running
}

/// Whether the host must learn of the change.
fn is_sent(seen: &Sandbox, next: &Sandbox) -> bool {
    runs(seen) && seen.timeouts != next.timeouts
}

/// What the audit log keeps of an update: the names of labels, and every other value.
fn changes(update: &SandboxUpdate) -> Value {
    let mut changes = serde_json::Map::new();
    let mut add = |name: &str, value: Option<Value>| {
        if let Some(value) = value {
            changes.insert(name.to_owned(), value);
        }
    };
    let labels: Vec<&String> = update.labels.keys().collect();
    add("labels", (!labels.is_empty()).then(|| json!(labels)));
    add("timeout_sec", update.timeout_sec.map(Value::from));
    let expiry = update.expiry.map(|expiry| match expiry {
        Expiry::Never => Value::Null,
        Expiry::After(seconds) => seconds.into(),
    });
    add("expires_in_sec", expiry);
    let action = update.on_timeout.map(|action| action.as_str().into());
    add("on_timeout", action);
    add("auto_resume", update.auto_resume.map(Value::from));
    add("public_traffic", update.public_traffic.map(Value::from));
    Value::Object(changes)
}

impl From<UpdateRefused> for SandboxError {
    fn from(refused: UpdateRefused) -> Self {
        match refused {
            UpdateRefused::Invalid(invalid) => invalid.into(),
            UpdateRefused::State(why) => Self::InvalidState { why },
        }
    }
}
