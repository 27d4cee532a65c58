//! The ledger: one file per sandbox, written whole or not at all, with everything that a restarted agent must know.
//!
//! ```text
//! sandboxes/<uuid>/manifest.json   disk   disk.N memory.N devices.N   console.log vmm.log
//! sandboxes/<uuid>/ended-<reason>  the manifest of a sandbox that ended when the disk was full: renamed, which needs no block
//! tombstones/<uuid>                what is left of a sandbox that ended, for seven days
//! ```
//!
//! The renamed manifest is the commit of every operation. A tombstone keeps a late or repeated order from bringing a sandbox
//! back. Every method that uses the disk runs beside the async workers.

mod examine;
mod files;
mod tombstone;

use std::io;
use std::path::{Path, PathBuf};

use chrono::{DateTime, Utc};
use locule_ids::SandboxId;

use self::files::Files;
use crate::blocking::blocking;
use crate::error::HostError;
use crate::manifest::{Manifest, ManifestState};

pub use examine::{Finding, Findings, examine};
pub(crate) use files::{Availability, Entry};
pub(crate) use tombstone::Tombstone;

#[derive(Debug, Clone)]
pub(crate) struct Ledger(Files);

impl Ledger {
    /// Opens the ledger of a pool while the agent starts. Blocks.
    pub(crate) fn open(pool: &Path) -> io::Result<Self> {
        Files::open(pool).map(Self)
    }

    /// Where the files of a sandbox are.
    pub(crate) fn folder(&self, sandbox: SandboxId) -> PathBuf {
        self.0.folder(sandbox)
    }

    /// Commits a manifest. On success the manifest is durable.
    pub(crate) async fn commit(&self, manifest: &Manifest) -> Result<(), HostError> {
        let manifest = manifest.clone();
        self.run("commit the manifest", move |files| files.commit(&manifest))
            .await
    }

    /// Commits the end of a sandbox: from here on the sandbox is gone, whatever of its files is still to be removed.
    pub(crate) async fn write_tombstone(&self, tombstone: Tombstone) -> Result<(), HostError> {
        self.run("write the tombstone", move |files| {
            files.write_tombstone(&tombstone)
        })
        .await
    }

    /// As [`Self::write_tombstone`]. A sandbox that has ended keeps its tombstone.
    pub(crate) async fn write_first_tombstone(
        &self,
        tombstone: Tombstone,
    ) -> Result<(), HostError> {
        self.run("write the tombstone", move |files| {
            if files.has_ended(tombstone.sandbox) {
                return Ok(());
            }
            files.write_tombstone(&tombstone)
        })
        .await
    }

    /// Removes the files of a sandbox that ended, or whose creation was never acknowledged.
    pub(crate) async fn remove(&self, manifest: &Manifest) -> Result<(), HostError> {
        let manifest = manifest.clone();
        self.run("remove the files of a sandbox", move |files| {
            files.remove(&manifest)
        })
        .await
    }

    /// Whether a new sandbox can have this id.
    pub(crate) async fn availability(&self, sandbox: SandboxId) -> Result<Availability, HostError> {
        self.run("look for a tombstone", move |files| {
            Ok(files.availability(sandbox))
        })
        .await
    }

    pub(crate) async fn read_tombstone(
        &self,
        sandbox: SandboxId,
    ) -> Result<Option<Tombstone>, HostError> {
        self.run("read a tombstone", move |files| {
            Ok(files.read_tombstone(sandbox))
        })
        .await
    }

    /// Every sandbox folder, with what the folder holds.
    pub(crate) async fn read_all(&self) -> Result<Vec<(PathBuf, Entry)>, HostError> {
        self.run("read the ledger", Files::read_all).await
    }

    /// The memory of all sandboxes that run or are being created, without the given one.
    pub(crate) async fn promised_mib(&self, but: SandboxId) -> Result<u64, HostError> {
        let entries = self.read_all().await?;
        let manifests = entries.iter().filter_map(|(_, entry)| match entry {
            Entry::Active(manifest) | Entry::Destroyed(manifest) => Some(manifest),
            Entry::Ended(_) | Entry::Leftover | Entry::Unreadable(_) => None,
        });
        Ok(manifests
            .filter(|manifest| {
                let holds_memory = matches!(
                    manifest.state,
                    ManifestState::Running { .. } | ManifestState::Creating
                );
                holds_memory && manifest.sandbox != but
            })
            .map(|manifest| u64::from(manifest.memory_mib))
            .sum())
    }

    /// The last manifests of sandboxes that ended lately, for control planes that missed the event.
    pub(crate) async fn recently_ended(
        &self,
        now: DateTime<Utc>,
    ) -> Result<Vec<Manifest>, HostError> {
        self.run("read the tombstones", move |files| {
            Ok(files.recently_ended(now))
        })
        .await
    }

    async fn run<T: Send + 'static>(
        &self,
        action: &'static str,
        work: impl FnOnce(&Files) -> io::Result<T> + Send + 'static,
    ) -> Result<T, HostError> {
        let files = self.0.clone();
        blocking(move || work(&files).map_err(HostError::io(action))).await
    }
}
