//! The rules of adoption, applied to a pool that no agent uses.

use std::io;
use std::path::{Path, PathBuf};

use locule_agent_api::ReportedState;
use locule_ids::SandboxId;

use super::files::{Entry, Files, sandbox_of};
use crate::manifest::{Manifest, ManifestState};

/// How an agent that starts on a pool would classify its sandboxes.
#[derive(Debug, Default)]
pub struct Findings {
    /// Sandboxes that the agent would hold, or end because their VM is gone.
    pub active: Vec<Finding>,
    /// Sandboxes that no order brings back.
    pub ended: Vec<SandboxId>,
    /// Ended sandboxes that the agent would report.
    pub reported: Vec<SandboxId>,
    /// Folders that the agent would leave as they are.
    pub unreadable: Vec<PathBuf>,
}

/// One sandbox, as its manifest describes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    pub sandbox: SandboxId,
    /// Of the last order that was carried out.
    pub generation: i64,
    /// `None`: the creation was not finished.
    pub state: Option<ReportedState>,
    /// The snapshot that the manifest names.
    pub snapshot: Option<u32>,
    pub folder: PathBuf,
}

/// Examines a pool and changes nothing.
pub fn examine(pool: &Path) -> io::Result<Findings> {
    let files = Files::of(pool);
    let mut findings = Findings::default();
    for (folder, entry) in files.read_all()? {
        match entry {
            Entry::Active(manifest) => findings.active.push(finding(&manifest, folder)),
            Entry::Ended(manifest) => findings.ended.push(manifest.sandbox),
            // The tombstone is counted below.
            Entry::Destroyed(_) | Entry::Leftover => {}
            Entry::Unreadable(_) => findings.unreadable.push(folder),
        }
    }
    let tombstones = files.tombstone_paths();
    findings
        .ended
        .extend(tombstones.filter_map(|path| sandbox_of(&path)));
    let reported = files
        .read_tombstones()
        .filter_map(|tombstone| tombstone.last);
    findings.reported = reported.map(|manifest| manifest.sandbox).collect();
    Ok(findings)
}

fn finding(manifest: &Manifest, folder: PathBuf) -> Finding {
    let (state, snapshot) = match manifest.state {
        ManifestState::Creating => (None, None),
        ManifestState::Running { snapshot, .. } => (Some(ReportedState::Running), snapshot),
        ManifestState::Resuming { snapshot, .. } | ManifestState::Paused { snapshot } => {
            (Some(ReportedState::Paused), Some(snapshot))
        }
        ManifestState::Stopped => (Some(ReportedState::Stopped), None),
    };
    Finding {
        sandbox: manifest.sandbox,
        generation: manifest.generation,
        state,
        snapshot,
        folder,
    }
}
