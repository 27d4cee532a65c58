//! The ledger: one file per sandbox, written whole or not at all, with everything that a restarted agent must know.
//!
//! ```text
//! sandboxes/<uuid>/manifest.json   disk   disk.N memory.N devices.N   console.log vmm.log
//! sandboxes/<uuid>/ended-<reason>  the manifest of a sandbox that ended when the disk was full: renamed, which needs no block
//! tombstones/<uuid>                what is left of a sandbox that ended, for seven days
//! ```
//!
//! The renamed manifest is the commit of every operation. A tombstone keeps a late or repeated order from bringing a sandbox
//! back; it has no secret of the sandbox. Tombstones are read once, and are then a list in memory. Every method that uses the disk runs beside the async workers.

mod examine;
mod files;
mod tombstone;

use std::collections::HashMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use chrono::{DateTime, Utc};
use locule_ids::SandboxId;

use self::files::Files;
use crate::blocking::blocking;
use crate::error::HostError;
use crate::manifest::Manifest;

pub use examine::{Finding, Findings, examine};
pub(crate) use files::{Availability, Entry};
pub(crate) use tombstone::Tombstone;

#[derive(Debug, Clone)]
pub(crate) struct Ledger {
    files: Files,
    tombstones: Arc<Mutex<HashMap<SandboxId, Tombstone>>>,
}

impl Ledger {
    /// Opens the ledger of a pool while the agent starts. Blocks.
    pub(crate) fn open(pool: &Path) -> io::Result<Self> {
        let files = Files::open(pool)?;
        let tombstones = files.read_tombstones();
        let tombstones = tombstones.map(|tombstone| (tombstone.sandbox, tombstone));
        let tombstones = Arc::new(Mutex::new(tombstones.collect()));
        Ok(Self { files, tombstones })
    }

    fn tombstones(&self) -> MutexGuard<'_, HashMap<SandboxId, Tombstone>> {
        self.tombstones
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    fn list(&self, tombstone: Tombstone) {
        self.tombstones().insert(tombstone.sandbox, tombstone);
    }

    /// Where the files of a sandbox are.
    pub(crate) fn folder(&self, sandbox: SandboxId) -> PathBuf {
        self.files.folder(sandbox)
    }

    /// Commits a manifest. On success the manifest is durable.
    pub(crate) async fn commit(&self, manifest: &Manifest) -> Result<(), HostError> {
        let manifest = manifest.clone();
        self.run("commit the manifest", move |files| files.commit(&manifest))
            .await
    }

    /// Commits the end of a sandbox: from here on the sandbox is gone, whatever of its files is still to be removed.
    pub(crate) async fn write_tombstone(&self, tombstone: Tombstone) -> Result<(), HostError> {
        let written = tombstone.clone();
        self.run("write the tombstone", move |files| {
            files.write_tombstone(&written)
        })
        .await?;
        self.list(tombstone);
        Ok(())
    }

    /// As [`Self::write_tombstone`]. A sandbox that has ended keeps its tombstone.
    pub(crate) async fn write_first_tombstone(
        &self,
        tombstone: Tombstone,
    ) -> Result<(), HostError> {
        let written = tombstone.clone();
        let is_first = self.run("write the tombstone", move |files| {
            if files.has_ended(written.sandbox) {
                return Ok(false);
            }
            files.write_tombstone(&written).map(|()| true)
        });
        if is_first.await? {
            self.list(tombstone);
        }
        Ok(())
    }

    /// Removes the files of a sandbox that ended, or whose creation was never acknowledged.
    pub(crate) async fn remove(&self, manifest: &Manifest) -> Result<(), HostError> {
        let manifest = manifest.clone();
        let removed = self.run("remove the files of a sandbox", move |files| {
            files.remove(&manifest)
        });
        if let Some(tombstone) = removed.await? {
            self.list(tombstone);
        }
        Ok(())
    }

    /// Whether a new sandbox can have this id.
    pub(crate) async fn availability(&self, sandbox: SandboxId) -> Result<Availability, HostError> {
        self.run("look for a tombstone", move |files| {
            Ok(files.availability(sandbox))
        })
        .await
    }

    /// The tombstone of a sandbox that ended.
    pub(crate) fn tombstone(&self, sandbox: SandboxId) -> Option<Tombstone> {
        self.tombstones().get(&sandbox).cloned()
    }

    /// Every sandbox folder, with what the folder holds.
    pub(crate) async fn read_all(&self) -> Result<Vec<(PathBuf, Entry)>, HostError> {
        self.run("read the ledger", Files::read_all).await
    }

    /// The last manifests of sandboxes that ended lately, for control planes that missed the event. Older tombstones are
    /// removed.
    pub(crate) async fn recently_ended(
        &self,
        now: DateTime<Utc>,
    ) -> Result<Vec<Manifest>, HostError> {
        let (recent, old) = {
            let mut tombstones = self.tombstones();
            let old = tombstones.extract_if(|_, tombstone| !tombstone.is_recent(now));
            let old: Vec<_> = old.map(|(sandbox, _)| sandbox).collect();
            let recent = tombstones
                .values()
                .filter_map(|tombstone| tombstone.last.clone());
            (recent.collect(), old)
        };
        if !old.is_empty() {
            self.run("remove old tombstones", move |files| {
                files.remove_tombstones(&old);
                Ok(())
            })
            .await?;
        }
        Ok(recent)
    }

    async fn run<T: Send + 'static>(
        &self,
        action: &'static str,
        work: impl FnOnce(&Files) -> io::Result<T> + Send + 'static,
    ) -> Result<T, HostError> {
        let files = self.files.clone();
        blocking(move || work(&files).map_err(HostError::io(action))).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use chrono::Duration;

    const SECRETS: [&str; 4] = ["hunter2", "a-label", "the-token", "the-key"];

    fn manifest() -> Manifest {
        let [env, label, access_token, control_key] = SECRETS;
        let manifest = serde_json::json!({
            "sandbox": SandboxId::random(), "generation": 3, "held": { "is": "stopped" },
            "reason": "destroyed", "last_error": null, "unresponsive": false,
            "team": locule_ids::TeamId::random(), "template": "minimal",
            "template_id": locule_ids::TemplateId::MINIMAL, "vcpus": 1, "memory_mb": 512, "disk_size_mb": 5120,
            "timeout_sec": 0, "expires_at": null, "on_timeout": "kill", "auto_resume": false,
            "default_user": "user", "env": { "DB_PASSWORD": env }, "labels": { "for": label },
            "access_token": access_token, "control_key": control_key, "golden": "", "metadata": {},
            "created_at": DateTime::<Utc>::UNIX_EPOCH, "started_at": null,
            "stopped_at": DateTime::<Utc>::UNIX_EPOCH, "ready_ms": 1,
        });
        serde_json::from_value(manifest).unwrap()
    }

    fn file_of(pool: &Path, sandbox: SandboxId) -> PathBuf {
        pool.join("tombstones").join(sandbox.as_uuid().to_string())
    }

    /// A tombstone had the whole manifest, with passwords, for seven days.
    #[tokio::test]
    async fn a_tombstone_has_what_a_report_needs_and_no_secret() {
        let pool = tempfile::tempdir().unwrap();
        let (ledger, ended) = (Ledger::open(pool.path()).unwrap(), manifest());
        ledger.write_tombstone(Tombstone::of(&ended)).await.unwrap();
        let text = std::fs::read_to_string(file_of(pool.path(), ended.sandbox)).unwrap();
        for secret in SECRETS {
            assert!(!text.contains(secret), "{text}");
        }
        let reopened = Ledger::open(pool.path()).unwrap();
        for ledger in [ledger, reopened] {
            let last = ledger.tombstone(ended.sandbox).unwrap().last.unwrap();
            assert_eq!(last.report(None), ended.report(None));
        }
    }

    /// An earlier agent wrote whole manifests.
    #[tokio::test]
    async fn a_tombstone_with_a_whole_manifest_is_read_without_its_secrets() {
        let pool = tempfile::tempdir().unwrap();
        let ended = manifest();
        Ledger::open(pool.path()).unwrap();
        let whole = Tombstone {
            last: Some(ended.clone()),
            ..Tombstone::of(&ended)
        };
        let text = serde_json::to_vec(&whole).unwrap();
        std::fs::write(file_of(pool.path(), ended.sandbox), text).unwrap();
        let ledger = Ledger::open(pool.path()).unwrap();
        let listed = ledger.recently_ended(DateTime::UNIX_EPOCH).await.unwrap();
        assert_eq!(listed[0].report(None), ended.report(None));
        assert!(listed[0].env.is_empty() && listed[0].control_key.is_empty());
    }

    /// All tombstones were read every fifteen seconds.
    #[tokio::test]
    async fn tombstones_are_listed_without_reading_them_and_removed_after_seven_days() {
        let pool = tempfile::tempdir().unwrap();
        let (ledger, ended) = (Ledger::open(pool.path()).unwrap(), manifest());
        ledger.write_tombstone(Tombstone::of(&ended)).await.unwrap();
        let file = file_of(pool.path(), ended.sandbox);
        std::fs::write(&file, "not read").unwrap();
        let later = DateTime::UNIX_EPOCH + Duration::days(7);
        assert_eq!(ledger.recently_ended(later).await.unwrap().len(), 1);
        let later = later + Duration::seconds(1);
        assert!(ledger.recently_ended(later).await.unwrap().is_empty());
        assert!(!file.exists() && ledger.tombstone(ended.sandbox).is_none());
    }
}
