//! The files of the ledger. Everything here blocks for the disk.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use chrono::DateTime;
use locule_disk::{is_full, sync_dir, write_durably};
use locule_ids::SandboxId;

use super::tombstone::Tombstone;
use crate::manifest::{Manifest, ManifestState};

const MANIFEST: &str = "manifest.json";
const ENDED: &str = "ended-";

/// What the folder of a sandbox holds.
#[derive(Debug)]
pub(crate) enum Entry {
    /// A sandbox of this host.
    Active(Box<Manifest>),
    /// A sandbox that has a tombstone; its files are still to be removed.
    Destroyed(Box<Manifest>),
    /// A sandbox that ended when the disk was full; its tombstone is still to be written.
    Ended(Box<Manifest>),
    /// No manifest: the creation of the sandbox was not acknowledged. Or a tombstone, and a manifest that is of no use.
    Leftover,
    /// A sandbox whose manifest this agent cannot read: of another version, or broken. The agent leaves the files as they are.
    Unreadable(io::Error),
}

/// Whether a new sandbox can have an id.
#[derive(Debug)]
pub(crate) enum Availability {
    Free,
    /// A sandbox with this id ended before, for this reason.
    Ended(String),
    /// Files that this agent cannot use have the name.
    Occupied,
}

/// Two folders of the pool.
#[derive(Debug, Clone)]
pub(super) struct Files {
    sandboxes: PathBuf,
    tombstones: PathBuf,
}

impl Files {
    /// Makes the folders, and removes tombstones that were not written whole.
    pub(super) fn open(pool: &Path) -> io::Result<Self> {
        let files = Self::of(pool);
        fs::create_dir_all(&files.sandboxes)?;
        fs::create_dir_all(&files.tombstones)?;
        // A file that is committed in the folders is only as durable as the folders.
        sync_dir(pool)?;
        for path in names(&files.tombstones).filter(|path| sandbox_of(path).is_none()) {
            // A crash cut the write: the order was not answered.
            fs::remove_file(path)?;
        }
        Ok(files)
    }

    /// Without making anything.
    pub(super) fn of(pool: &Path) -> Self {
        Self {
            sandboxes: pool.join("sandboxes"),
            tombstones: pool.join("tombstones"),
        }
    }

    pub(super) fn folder(&self, sandbox: SandboxId) -> PathBuf {
        self.sandboxes.join(sandbox.as_uuid().to_string())
    }

    fn tombstone(&self, sandbox: SandboxId) -> PathBuf {
        self.tombstones.join(sandbox.as_uuid().to_string())
    }

    pub(super) fn tombstone_paths(&self) -> impl Iterator<Item = PathBuf> {
        names(&self.tombstones)
    }

    pub(super) fn commit(&self, manifest: &Manifest) -> io::Result<()> {
        let folder = self.folder(manifest.sandbox);
        if !folder.exists() {
            fs::create_dir(&folder)?;
            sync_dir(&self.sandboxes)?;
        }
        write_durably(
            &folder.join(MANIFEST),
            &serde_json::to_vec_pretty(manifest)?,
        )
    }

    /// Commits the end of a sandbox. On a full disk the manifest is renamed instead, which needs no free block, so that the
    /// blocks of the sandbox can be freed.
    pub(super) fn write_tombstone(&self, tombstone: &Tombstone) -> io::Result<()> {
        match write_durably(&self.tombstone(tombstone.sandbox), &json(tombstone)?) {
            Err(error) if is_full(&error) && self.folder(tombstone.sandbox).exists() => {
                let folder = self.folder(tombstone.sandbox);
                let ended = folder.join(format!("{ENDED}{}", tombstone.reason()));
                fs::rename(folder.join(MANIFEST), ended)?;
                sync_dir(&folder)
            }
            other => other,
        }
    }

    pub(super) fn read_tombstone(&self, sandbox: SandboxId) -> Option<Tombstone> {
        let text = fs::read(self.tombstone(sandbox)).ok()?;
        let tombstone: Tombstone = serde_json::from_slice(&text).ok()?;
        Some(tombstone.for_reports())
    }

    /// A tombstone that cannot be read counts: tombstones are only written for sandboxes that ended.
    pub(super) fn has_ended(&self, sandbox: SandboxId) -> bool {
        self.tombstone(sandbox).exists() || ended_manifest(&self.folder(sandbox)).is_some()
    }

    pub(super) fn availability(&self, sandbox: SandboxId) -> Availability {
        if self.has_ended(sandbox) {
            let tombstone = self.read_tombstone(sandbox);
            let reason = tombstone.as_ref().map_or("destroyed", Tombstone::reason);
            Availability::Ended(reason.to_owned())
        } else if self.folder(sandbox).exists() {
            Availability::Occupied
        } else {
            Availability::Free
        }
    }

    /// Removes the files of a sandbox. Its tombstone was written before, unless its creation was never acknowledged. A renamed
    /// manifest becomes a tombstone as soon as the disk has a free block; the result is that tombstone.
    pub(super) fn remove(&self, manifest: &Manifest) -> io::Result<Option<Tombstone>> {
        let folder = self.folder(manifest.sandbox);
        let mut written = None;
        if let Some(ended) = ended_manifest(&folder) {
            for path in names(&folder).filter(|path| *path != ended) {
                fs::remove_file(path)?;
            }
            if !self.tombstone(manifest.sandbox).exists() {
                let tombstone = Tombstone::of(manifest);
                write_durably(&self.tombstone(tombstone.sandbox), &json(&tombstone)?)?;
                written = Some(tombstone);
            }
        }
        locule_disk::remove_tree(&folder)?;
        Ok(written)
    }

    /// Every sandbox folder, with what the folder holds.
    pub(super) fn read_all(&self) -> io::Result<Vec<(PathBuf, Entry)>> {
        let folders = fs::read_dir(&self.sandboxes)?.map(|entry| entry.map(|entry| entry.path()));
        folders
            .map(|folder| folder.map(|folder| (folder.clone(), self.classify(&folder))))
            .collect()
    }

    fn classify(&self, folder: &Path) -> Entry {
        let has_tombstone = sandbox_of(folder).is_some_and(|id| self.tombstone(id).exists());
        match read(folder) {
            Entry::Active(manifest) if has_tombstone => Entry::Destroyed(manifest),
            Entry::Unreadable(_) if has_tombstone => Entry::Leftover,
            entry @ (Entry::Active(_)
            | Entry::Destroyed(_)
            | Entry::Ended(_)
            | Entry::Leftover
            | Entry::Unreadable(_)) => entry,
        }
    }

    /// Every tombstone that can be read.
    pub(super) fn read_tombstones(&self) -> impl Iterator<Item = Tombstone> {
        let paths = self.tombstone_paths();
        paths.filter_map(|path| self.read_tombstone(sandbox_of(&path)?))
    }

    /// A tombstone that stays is removed after the next start.
    pub(super) fn remove_tombstones(&self, sandboxes: &[SandboxId]) {
        for sandbox in sandboxes {
            let _ = fs::remove_file(self.tombstone(*sandbox));
        }
    }
}

fn json(tombstone: &Tombstone) -> io::Result<Vec<u8>> {
    Ok(serde_json::to_vec_pretty(tombstone)?)
}

fn names(folder: &Path) -> impl Iterator<Item = PathBuf> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    entries.map(|entry| entry.path())
}

/// The sandbox that a path is named after. A file that is still being written has another name.
pub(super) fn sandbox_of(path: &Path) -> Option<SandboxId> {
    let name = path.file_name()?.to_str()?;
    format!("{}{name}", SandboxId::PREFIX).parse().ok()
}

fn ended_manifest(folder: &Path) -> Option<PathBuf> {
    names(folder).find(|path| reason_of(path).is_some())
}

fn reason_of(path: &Path) -> Option<&str> {
    path.file_name()?.to_str()?.strip_prefix(ENDED)
}

fn read(folder: &Path) -> Entry {
    let parse =
        |path: &Path| -> io::Result<Manifest> { Ok(serde_json::from_slice(&fs::read(path)?)?) };
    if let Some(ended) = ended_manifest(folder) {
        return match parse(&ended) {
            Ok(mut manifest) => {
                manifest.state = ManifestState::Stopped;
                manifest.reason = reason_of(&ended).map(str::to_owned);
                manifest.stopped_at = fs::metadata(&ended)
                    .and_then(|meta| meta.modified())
                    .ok()
                    .map(DateTime::from);
                Entry::Ended(Box::new(manifest))
            }
            Err(error) => Entry::Unreadable(error),
        };
    }
    match parse(&folder.join(MANIFEST)) {
        Ok(manifest) => Entry::Active(Box::new(manifest)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Entry::Leftover,
        Err(error) => Entry::Unreadable(error),
    }
}
