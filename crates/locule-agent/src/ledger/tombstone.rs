//! What stays of a sandbox that ended.

use chrono::{DateTime, Utc};
use locule_ids::SandboxId;
use serde::{Deserialize, Serialize};

use crate::manifest::Manifest;

/// Longer than any retry of an order.
const KEPT_DAYS: i64 = 7;

/// The record of a sandbox that ended, or whose destroy order arrived before its create order.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Tombstone {
    pub(crate) sandbox: SandboxId,
    /// Of the order that ended the sandbox.
    pub(crate) generation: i64,
    pub(crate) at: DateTime<Utc>,
    /// What a report needs. Absent when the host never held the sandbox.
    pub(crate) last: Option<Manifest>,
}

impl Tombstone {
    pub(crate) fn of(ended: &Manifest) -> Self {
        Self {
            sandbox: ended.sandbox,
            generation: ended.generation,
            at: ended.stopped_at.unwrap_or(ended.created_at),
            last: Some(ended.clone()),
        }
        .for_reports()
    }

    /// Without what no report has: variables, labels, token and key. Earlier agents wrote whole manifests.
    pub(super) fn for_reports(mut self) -> Self {
        if let Some(last) = &mut self.last {
            last.env.clear();
            last.labels.clear();
            last.access_token.clear();
            last.control_key.clear();
        }
        self
    }

    /// Whether the tombstone is still reported and kept.
    pub(crate) fn is_recent(&self, now: DateTime<Utc>) -> bool {
        now - self.at <= chrono::Duration::days(KEPT_DAYS)
    }

    /// Why the sandbox ended, as far as the host knows.
    pub(crate) fn reason(&self) -> &str {
        let reason = self.last.as_ref().and_then(|last| last.reason.as_deref());
        reason.unwrap_or("destroyed")
    }
}
