//! The ledger: one file per sandbox, written whole or not at all, that says everything a restarted agent must know.
//!
//! ```text
//! sandboxes/<uuid>/manifest.json   disk   disk.N memory.N devices.N   console.log vmm.log
//! tombstones/<uuid>                what is left of a sandbox that is gone, for seven days
//! ```
//!
//! The renamed manifest is the commit of every operation. A tombstone is what keeps a late or repeated order from bringing
//! a sandbox back.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use chrono::{DateTime, Utc};
use locule_agent_api::{OnTimeout, ReportedState, SandboxReport, SandboxSpec};
use locule_disk::write_durably;
use locule_ids::{SandboxId, TeamId, TemplateId};
use locule_vmm::{Shape, VmmHandle};
use serde::{Deserialize, Serialize};

/// Where a sandbox is in its life on this host.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "is")]
pub(crate) enum Held {
    /// Being created: nothing of it was promised to anybody.
    Creating,
    Running {
        slot: u16,
        vmm: VmmHandle,
        image: Option<u32>,
    },
    /// Being resumed from an image that is still good.
    Resuming {
        slot: u16,
        image: u32,
    },
    Paused {
        image: u32,
    },
    Stopped,
}

#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct Manifest {
    pub(crate) sandbox: SandboxId,
    /// The highest order carried out.
    pub(crate) generation: i64,
    pub(crate) held: Held,
    pub(crate) reason: Option<String>,
    pub(crate) last_error: Option<String>,
    pub(crate) unresponsive: bool,
    pub(crate) team: TeamId,
    pub(crate) template: String,
    pub(crate) template_id: TemplateId,
    pub(crate) vcpus: u32,
    pub(crate) memory_mb: u32,
    pub(crate) disk_size_mb: u32,
    pub(crate) timeout_sec: u32,
    pub(crate) expires_at: Option<DateTime<Utc>>,
    pub(crate) on_timeout: OnTimeout,
    pub(crate) auto_resume: bool,
    pub(crate) default_user: String,
    pub(crate) env: BTreeMap<String, String>,
    pub(crate) labels: BTreeMap<String, String>,
    pub(crate) access_token: String,
    /// What the host proves itself to the guest with.
    pub(crate) control_key: String,
    /// The golden image this sandbox descends from.
    pub(crate) golden: String,
    pub(crate) metadata: BTreeMap<String, String>,
    pub(crate) created_at: DateTime<Utc>,
    pub(crate) started_at: Option<DateTime<Utc>>,
    pub(crate) stopped_at: Option<DateTime<Utc>>,
    pub(crate) ready_ms: u32,
}

impl std::fmt::Debug for Manifest {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Manifest")
            .field("sandbox", &self.sandbox)
            .field("held", &self.held)
            .finish_non_exhaustive()
    }
}

impl Manifest {
    pub(crate) fn new(spec: SandboxSpec, control_key: String, now: DateTime<Utc>) -> Self {
        Self {
            sandbox: spec.sandbox,
            generation: spec.generation,
            held: Held::Creating,
            reason: None,
            last_error: None,
            unresponsive: false,
            team: spec.team,
            template: spec.template,
            template_id: spec.template_id,
            vcpus: spec.vcpus,
            memory_mb: spec.memory_mb,
            disk_size_mb: spec.disk_size_mb,
            timeout_sec: spec.timeout_sec,
            expires_at: spec.expires_at,
            on_timeout: spec.on_timeout,
            auto_resume: spec.auto_resume,
            default_user: spec.default_user,
            env: spec.env,
            labels: spec.labels,
            access_token: spec.access_token,
            control_key,
            golden: String::new(),
            metadata: BTreeMap::new(),
            created_at: now,
            started_at: None,
            stopped_at: None,
            ready_ms: 0,
        }
    }

    pub(crate) fn shape(&self) -> Shape {
        Shape {
            vcpus: self.vcpus,
            memory_mib: self.memory_mb,
        }
    }

    /// What is told to the control plane.
    pub(crate) fn report(&self, last_active_at: Option<DateTime<Utc>>) -> SandboxReport {
        let state = match self.held {
            Held::Creating | Held::Running { .. } => ReportedState::Running,
            Held::Paused { .. } | Held::Resuming { .. } => ReportedState::Paused,
            Held::Stopped => ReportedState::Stopped,
        };
        SandboxReport {
            sandbox: self.sandbox,
            generation: self.generation,
            state,
            reason: self.reason.clone(),
            last_error: self.last_error.clone(),
            team: self.team,
            template: self.template.clone(),
            template_id: self.template_id,
            vcpus: self.vcpus,
            memory_mb: self.memory_mb,
            disk_size_mb: self.disk_size_mb,
            timeout_sec: self.timeout_sec,
            expires_at: self.expires_at,
            on_timeout: self.on_timeout,
            guest_ip: locule_net::GUEST_IP.to_string(),
            host_ip: String::new(),
            metadata: self.metadata.clone(),
            created_at: self.created_at,
            started_at: self.started_at,
            last_active_at,
            unresponsive: self.unresponsive,
            ready_ms: self.ready_ms,
        }
    }
}

/// What stays of a sandbox that is gone, or that was ordered gone before it came.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Tombstone {
    pub(crate) sandbox: SandboxId,
    /// Of the order that ended it.
    pub(crate) generation: i64,
    pub(crate) at: DateTime<Utc>,
    /// Absent when the host never held it.
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
    }

    /// Why it ended, as far as is known.
    pub(crate) fn reason(&self) -> &str {
        let reason = self.last.as_ref().and_then(|last| last.reason.as_deref());
        reason.unwrap_or("destroyed")
    }
}

/// The ledger of one host: two folders of the pool.
#[derive(Debug, Clone)]
pub(crate) struct Ledger {
    sandboxes: PathBuf,
    tombstones: PathBuf,
}

const TOMBSTONE_DAYS: i64 = 7;

impl Ledger {
    pub(crate) fn open(pool: &Path) -> io::Result<Self> {
        let ledger = Self {
            sandboxes: pool.join("sandboxes"),
            tombstones: pool.join("tombstones"),
        };
        fs::create_dir_all(&ledger.sandboxes)?;
        fs::create_dir_all(&ledger.tombstones)?;
        Ok(ledger)
    }

    /// Where a sandbox's files are.
    pub(crate) fn folder(&self, sandbox: SandboxId) -> PathBuf {
        self.sandboxes.join(sandbox.as_uuid().to_string())
    }

    fn tombstone(&self, sandbox: SandboxId) -> PathBuf {
        self.tombstones.join(sandbox.as_uuid().to_string())
    }

    /// Commits a manifest. Blocks for the disk.
    pub(crate) fn commit(&self, manifest: &Manifest) -> io::Result<()> {
        let folder = self.folder(manifest.sandbox);
        if !folder.exists() {
            fs::create_dir(&folder)?;
            locule_disk::sync_dir(&self.sandboxes)?;
        }
        write_durably(
            &folder.join("manifest.json"),
            &serde_json::to_vec_pretty(manifest)?,
        )
    }

    /// Commits the end of a sandbox: from here on it is gone, whatever of it is still to be cleaned up.
    pub(crate) fn bury(&self, stone: &Tombstone) -> io::Result<()> {
        write_durably(
            &self.tombstone(stone.sandbox),
            &serde_json::to_vec_pretty(stone)?,
        )
    }

    pub(crate) fn buried(&self, sandbox: SandboxId) -> Option<Tombstone> {
        serde_json::from_slice(&fs::read(self.tombstone(sandbox)).ok()?).ok()
    }

    /// One that cannot be read counts all the same: it was only ever written for a sandbox that is gone.
    pub(crate) fn is_buried(&self, sandbox: SandboxId) -> bool {
        self.tombstone(sandbox).exists()
    }

    /// Removes a sandbox's files. Its tombstone (or the absence of a promise) was written before.
    pub(crate) fn remove(&self, sandbox: SandboxId) -> io::Result<()> {
        locule_disk::remove_tree(&self.folder(sandbox))
    }

    /// Every sandbox folder with its manifest; `None` for one without a readable manifest: its creation never got that far.
    pub(crate) fn read_all(&self) -> io::Result<Vec<(PathBuf, Option<Manifest>)>> {
        let folders = fs::read_dir(&self.sandboxes)?.map(|entry| entry.map(|entry| entry.path()));
        folders
            .map(|folder| {
                let folder = folder?;
                let text = fs::read(folder.join("manifest.json")).unwrap_or_default();
                Ok((folder, serde_json::from_slice(&text).ok()))
            })
            .collect()
    }

    /// The recently ended, for those who missed the news. Older tombstones are removed.
    pub(crate) fn recently_buried(&self, now: DateTime<Utc>) -> Vec<Manifest> {
        let files = fs::read_dir(&self.tombstones)
            .into_iter()
            .flatten()
            .flatten();
        let mut recent = Vec::new();
        for path in files.map(|entry| entry.path()) {
            let Some(stone) = fs::read(&path)
                .ok()
                .and_then(|text| serde_json::from_slice::<Tombstone>(&text).ok())
            else {
                continue;
            };
            if now - stone.at > chrono::Duration::days(TOMBSTONE_DAYS) {
                // It can be removed as well the next time.
                let _ = fs::remove_file(&path);
            } else {
                recent.extend(stone.last);
            }
        }
        recent
    }
}
