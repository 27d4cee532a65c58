//! The ledger: one file per sandbox, written whole or not at all, that says everything a restarted agent must know.
//!
//! ```text
//! sandboxes/<uuid>/manifest.json   disk   disk.N memory.N devices.N   console.log vmm.log
//! sandboxes/<uuid>/ended-<reason>  the manifest of one that ended when the disk was full: renamed, which needs no room
//! tombstones/<uuid>                what is left of a sandbox that is gone, for seven days
//! ```
//!
//! The renamed manifest is the commit of every operation. A tombstone is what keeps a late or repeated order from bringing
//! a sandbox back.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use chrono::{DateTime, Utc};
use locule_agent_api::ReportedState;
use locule_disk::{is_full, sync_dir, write_durably};
use locule_ids::SandboxId;
use serde::{Deserialize, Serialize};

use crate::manifest::{Held, Manifest};

const MANIFEST: &str = "manifest.json";
const ENDED: &str = "ended-";
const TOMBSTONE_DAYS: i64 = 7;

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

    /// Whether its time is not over: older tombstones are removed.
    pub(crate) fn is_recent(&self, now: DateTime<Utc>) -> bool {
        now - self.at <= chrono::Duration::days(TOMBSTONE_DAYS)
    }

    /// Why it ended, as far as is known.
    pub(crate) fn reason(&self) -> &str {
        let reason = self.last.as_ref().and_then(|last| last.reason.as_deref());
        reason.unwrap_or("destroyed")
    }
}

/// What a sandbox's folder is.
#[derive(Debug)]
pub(crate) enum Entry {
    /// A sandbox of this host, unless it is buried.
    Held(Box<Manifest>),
    /// It ended; its tombstone is still to be written.
    Ended(Box<Manifest>),
    /// Nothing was promised to anybody: its creation never got as far as a manifest.
    Leftover,
    /// There is a manifest that this agent does not understand: somebody's sandbox, and not for this agent to judge.
    Unreadable(io::Error),
}

/// The ledger of one host: two folders of the pool.
#[derive(Debug, Clone)]
pub(crate) struct Ledger {
    sandboxes: PathBuf,
    tombstones: PathBuf,
}

impl Ledger {
    pub(crate) fn open(pool: &Path) -> io::Result<Self> {
        let ledger = Self::at(pool);
        fs::create_dir_all(&ledger.sandboxes)?;
        fs::create_dir_all(&ledger.tombstones)?;
        // What is committed in them is only as durable as they are.
        sync_dir(pool)?;
        for path in names(&ledger.tombstones).filter(|path| sandbox_of(path).is_none()) {
            // Half of a tombstone: whoever ordered it was never answered.
            fs::remove_file(path)?;
        }
        Ok(ledger)
    }

    /// Without making anything.
    pub(crate) fn at(pool: &Path) -> Self {
        Self {
            sandboxes: pool.join("sandboxes"),
            tombstones: pool.join("tombstones"),
        }
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
            sync_dir(&self.sandboxes)?;
        }
        write_durably(
            &folder.join(MANIFEST),
            &serde_json::to_vec_pretty(manifest)?,
        )
    }

    /// Commits the end of a sandbox: from here on it is gone, whatever of it is still to be cleaned up. On a full disk its
    /// manifest becomes the note of its end, which takes no room, so that the room it holds can come back.
    pub(crate) fn bury(&self, stone: &Tombstone) -> io::Result<()> {
        match write_durably(&self.tombstone(stone.sandbox), &json(stone)?) {
            Err(error) if is_full(&error) && self.folder(stone.sandbox).exists() => {
                let folder = self.folder(stone.sandbox);
                let note = folder.join(format!("{ENDED}{}", stone.reason()));
                fs::rename(folder.join(MANIFEST), note)?;
                sync_dir(&folder)
            }
            other => other,
        }
    }

    pub(crate) fn buried(&self, sandbox: SandboxId) -> Option<Tombstone> {
        serde_json::from_slice(&fs::read(self.tombstone(sandbox)).ok()?).ok()
    }

    /// One that cannot be read counts all the same: it was only ever written for a sandbox that is gone.
    pub(crate) fn is_buried(&self, sandbox: SandboxId) -> bool {
        self.tombstone(sandbox).exists() || note_of_the_end(&self.folder(sandbox)).is_some()
    }

    /// Removes a sandbox's files. Its tombstone (or the absence of a promise) was written before; a note of its end is made
    /// a tombstone as soon as there is room.
    pub(crate) fn remove(&self, manifest: &Manifest) -> io::Result<()> {
        let folder = self.folder(manifest.sandbox);
        if let Some(note) = note_of_the_end(&folder) {
            for path in names(&folder).filter(|path| *path != note) {
                fs::remove_file(path)?;
            }
            if !self.tombstone(manifest.sandbox).exists() {
                let stone = Tombstone::of(manifest);
                write_durably(&self.tombstone(stone.sandbox), &json(&stone)?)?;
            }
        }
        locule_disk::remove_tree(&folder)
    }

    /// Every sandbox folder with what it is.
    pub(crate) fn read_all(&self) -> io::Result<Vec<(PathBuf, Entry)>> {
        let folders = fs::read_dir(&self.sandboxes)?.map(|entry| entry.map(|entry| entry.path()));
        folders
            .map(|folder| folder.map(|folder| (folder.clone(), read(&folder))))
            .collect()
    }

    /// The recently ended, for those who missed the news. Older tombstones are removed.
    pub(crate) fn recently_buried(&self, now: DateTime<Utc>) -> Vec<Manifest> {
        let mut recent = Vec::new();
        for path in names(&self.tombstones).filter(|path| sandbox_of(path).is_some()) {
            let Some(stone) = fs::read(&path)
                .ok()
                .and_then(|text| serde_json::from_slice::<Tombstone>(&text).ok())
            else {
                continue;
            };
            if stone.is_recent(now) {
                recent.extend(stone.last);
            } else {
                // It can be removed as well the next time.
                let _ = fs::remove_file(&path);
            }
        }
        recent
    }
}

fn json(stone: &Tombstone) -> io::Result<Vec<u8>> {
    Ok(serde_json::to_vec_pretty(stone)?)
}

fn names(folder: &Path) -> impl Iterator<Item = PathBuf> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    entries.map(|entry| entry.path())
}

/// The sandbox that a path is named after. A file on its way to its name has another.
pub(crate) fn sandbox_of(path: &Path) -> Option<SandboxId> {
    let name = path.file_name()?.to_str()?;
    format!("{}{name}", SandboxId::PREFIX).parse().ok()
}

fn note_of_the_end(folder: &Path) -> Option<PathBuf> {
    names(folder).find(|path| reason_of(path).is_some())
}

fn reason_of(note: &Path) -> Option<&str> {
    note.file_name()?.to_str()?.strip_prefix(ENDED)
}

fn read(folder: &Path) -> Entry {
    let parse =
        |path: &Path| -> io::Result<Manifest> { Ok(serde_json::from_slice(&fs::read(path)?)?) };
    if let Some(note) = note_of_the_end(folder) {
        return match parse(&note) {
            Ok(mut manifest) => {
                manifest.held = Held::Stopped;
                manifest.reason = reason_of(&note).map(str::to_owned);
                manifest.stopped_at = fs::metadata(&note)
                    .and_then(|meta| meta.modified())
                    .ok()
                    .map(DateTime::from);
                Entry::Ended(Box::new(manifest))
            }
            Err(error) => Entry::Unreadable(error),
        };
    }
    match parse(&folder.join(MANIFEST)) {
        Ok(manifest) => Entry::Held(Box::new(manifest)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Entry::Leftover,
        Err(error) => Entry::Unreadable(error),
    }
}

/// What an agent that starts on a pool would take it for.
#[derive(Debug, Default)]
pub struct Findings {
    /// Sandboxes that it would hold, or end because their VM is gone.
    pub held: Vec<Finding>,
    /// Sandboxes that nothing brings back.
    pub buried: Vec<SandboxId>,
    /// Of those, the ones whose end it would tell.
    pub told: Vec<SandboxId>,
    /// Folders that it would leave alone.
    pub unreadable: Vec<PathBuf>,
}

/// One sandbox as its manifest has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    pub sandbox: SandboxId,
    /// Of the last order that was carried out.
    pub generation: i64,
    /// `None`: its creation was not finished.
    pub state: Option<ReportedState>,
    /// The image that it names.
    pub image: Option<u32>,
    pub folder: PathBuf,
}

/// Looks at a pool by the rules of adoption and changes nothing.
pub fn examine(pool: &Path) -> io::Result<Findings> {
    let ledger = Ledger::at(pool);
    let mut findings = Findings::default();
    for (folder, entry) in ledger.read_all()? {
        match entry {
            Entry::Held(manifest) if ledger.is_buried(manifest.sandbox) => {}
            Entry::Held(manifest) => findings.held.push(finding(&manifest, folder)),
            Entry::Ended(manifest) => findings.buried.push(manifest.sandbox),
            Entry::Leftover => {}
            Entry::Unreadable(_) => findings.unreadable.push(folder),
        }
    }
    let stones = names(&ledger.tombstones);
    findings
        .buried
        .extend(stones.filter_map(|path| sandbox_of(&path)));
    let told = ledger.recently_buried(DateTime::UNIX_EPOCH);
    findings.told = told.iter().map(|manifest| manifest.sandbox).collect();
    Ok(findings)
}

fn finding(manifest: &Manifest, folder: PathBuf) -> Finding {
    let (state, image) = match manifest.held {
        Held::Creating => (None, None),
        Held::Running { image, .. } => (Some(ReportedState::Running), image),
        Held::Resuming { image, .. } | Held::Paused { image } => {
            (Some(ReportedState::Paused), Some(image))
        }
        Held::Stopped => (Some(ReportedState::Stopped), None),
    };
    Finding {
        sandbox: manifest.sandbox,
        generation: manifest.generation,
        state,
        image,
        folder,
    }
}
