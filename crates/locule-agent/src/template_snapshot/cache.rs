//! Which template snapshots a host has, and which of them it gives up. Changes no file.
//!
//! A snapshot that a VM uses stays: a pause of the VM's sandbox clones the snapshot's files, and the VM maps its memory. Of
//! the others the one that was used least recently goes first. A snapshot of a listed shape stays in any case.

use std::collections::HashMap;
use std::os::fd::OwnedFd;
use std::sync::{Arc, Weak};
use std::time::Duration;

use crate::template_use::TemplateUse;

/// Memory that grew by more than this share of what was loaded is loaded anew for the next VM.
const GROWTH_DIVISOR: u64 = 2;

/// What is kept at most.
#[derive(Debug, Clone, Copy)]
pub(super) struct Bounds {
    pub(super) snapshots: usize,
    pub(super) memory_bytes: u64,
    /// Memory that no VM has used for this long is given back.
    pub(super) idle: Duration,
}

/// The bound is reached, and every snapshot is in use or of a listed shape.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct AllInUse;

#[derive(Debug)]
pub(super) struct Cache {
    bounds: Bounds,
    entries: HashMap<String, Entry>,
    /// Memory that is loaded no more, and that VMs still map.
    replaced: Vec<Weak<OwnedFd>>,
    /// Grows with each use.
    uses: u64,
}

#[derive(Debug)]
struct Entry {
    files: Arc<()>,
    /// Held while the snapshot is taken or its memory is loaded.
    work: Arc<tokio::sync::Mutex<()>>,
    memory: Option<Loaded>,
    /// Set aside for memory that is being loaded.
    reserved_bytes: u64,
    is_listed: bool,
    last_use: u64,
}

/// The memory of a snapshot, in the memory of the host.
#[derive(Debug, Clone)]
struct Loaded {
    memfd: Arc<OwnedFd>,
    bytes: u64,
    control_key: String,
    idle_since: Option<Duration>,
}

/// A snapshot that is about to be used.
#[derive(Debug)]
pub(super) struct Entered {
    pub(super) files: Arc<()>,
    pub(super) work: Arc<tokio::sync::Mutex<()>>,
    /// Snapshots that went for it; their files are to be removed.
    pub(super) evicted: Vec<String>,
}

impl Entry {
    fn is_used(&self) -> bool {
        Arc::strong_count(&self.files) > 1
    }
}

impl Loaded {
    fn is_used(&self) -> bool {
        Arc::strong_count(&self.memfd) > 1
    }

    /// A page of a hole that a VM touches becomes a page of the memory, and stays as long as the memory does.
    fn has_grown(&self) -> bool {
        occupied_bytes(&self.memfd) > self.bytes + self.bytes / GROWTH_DIVISOR
    }
}

impl Cache {
    pub(super) fn new(bounds: Bounds) -> Self {
        Self {
            bounds,
            entries: HashMap::new(),
            replaced: Vec::new(),
            uses: 0,
        }
    }

    /// Lists a snapshot and begins a use of it. A snapshot that is not there yet takes the place of another when the host has as
    /// many as it may.
    pub(super) fn enter(&mut self, key: &str, is_listed: bool) -> Result<Entered, AllInUse> {
        let mut evicted = Vec::new();
        if !self.entries.contains_key(key) {
            evicted = self.evict_files(1);
            if self.entries.len() >= self.bounds.snapshots && !is_listed {
                return Err(AllInUse);
            }
        }
        let entry = self.touch(key);
        entry.is_listed |= is_listed;
        Ok(Entered {
            files: entry.files.clone(),
            work: entry.work.clone(),
            evicted,
        })
    }

    /// Lists a snapshot whose files are there, and begins a use of it: a VM of an earlier agent uses it.
    pub(super) fn adopt(&mut self, key: &str) -> TemplateUse {
        TemplateUse::new(self.touch(key).files.clone(), None)
    }

    /// Lists a snapshot whose files are there.
    pub(super) fn list(&mut self, key: &str, is_listed: bool) {
        self.touch(key).is_listed |= is_listed;
    }

    /// Whether a VM uses the snapshot.
    pub(super) fn is_used(&self, key: &str) -> bool {
        self.entries.get(key).is_some_and(Entry::is_used)
    }

    fn touch(&mut self, key: &str) -> &mut Entry {
        self.uses += 1;
        let entry = self.entries.entry(key.to_owned()).or_insert_with(|| Entry {
            files: Arc::default(),
            work: Arc::default(),
            memory: None,
            reserved_bytes: 0,
            is_listed: false,
            last_use: 0,
        });
        entry.last_use = self.uses;
        entry
    }

    /// Makes place for `more` snapshots. The files of the returned ones are to be removed.
    pub(super) fn evict_files(&mut self, more: usize) -> Vec<String> {
        let mut evicted = Vec::new();
        while self.entries.len() + more > self.bounds.snapshots {
            let unused = self.entries.iter();
            let unused = unused.filter(|(_, entry)| !entry.is_used() && !entry.is_listed);
            let Some(key) = unused
                .min_by_key(|(_, entry)| entry.last_use)
                .map(|(key, _)| key.clone())
            else {
                break;
            };
            self.entries.remove(&key);
            evicted.push(key);
        }
        evicted
    }

    /// The use that an operation began ended without a snapshot: there are no files to list.
    pub(super) fn withdraw(&mut self, key: &str, files: Arc<()>) {
        drop(files);
        if !self.is_used(key) {
            self.entries.remove(key);
        }
    }

    /// The loaded memory of a snapshot and its control key. `None`: the memory is to be loaded.
    pub(super) fn loaded(&mut self, key: &str) -> Option<(Arc<OwnedFd>, String)> {
        let entry = self.entries.get_mut(key)?;
        if entry.memory.as_ref()?.has_grown() {
            let grown = entry.memory.take()?;
            self.replaced.push(Arc::downgrade(&grown.memfd));
            return None;
        }
        let loaded = entry.memory.as_mut()?;
        loaded.idle_since = None;
        Some((loaded.memfd.clone(), loaded.control_key.clone()))
    }

    /// Sets space aside for the memory of a snapshot, which is then loaded and [put](Self::put). Memory that no VM uses is given back
    /// for it, that of the snapshot that was used least recently first.
    pub(super) fn reserve_memory(&mut self, key: &str, bytes: u64) -> Result<(), AllInUse> {
        if let Some(entry) = self.entries.get_mut(key) {
            entry.reserved_bytes = 0;
        }
        while self.loaded_bytes() + bytes > self.bounds.memory_bytes {
            let unused = self.entries.values_mut().filter(|entry| {
                let loaded = entry.memory.as_ref();
                !entry.is_listed && loaded.is_some_and(|loaded| !loaded.is_used())
            });
            match unused.min_by_key(|entry| entry.last_use) {
                Some(entry) => entry.memory = None,
                None => break,
            }
        }
        let fits = self.loaded_bytes() + bytes <= self.bounds.memory_bytes;
        match self.entries.get_mut(key) {
            Some(entry) if fits || entry.is_listed => {
                entry.reserved_bytes = bytes;
                Ok(())
            }
            _ => Err(AllInUse),
        }
    }

    /// The memory of a snapshot was loaded. `None`: its load failed.
    pub(super) fn put(&mut self, key: &str, loaded: Option<(Arc<OwnedFd>, String)>) {
        if let Some(entry) = self.entries.get_mut(key) {
            entry.reserved_bytes = 0;
            entry.memory = loaded.map(|(memfd, control_key)| Loaded {
                bytes: occupied_bytes(&memfd),
                memfd,
                control_key,
                idle_since: None,
            });
        }
    }

    /// Gives back memory that no VM has used for a while. That of a listed shape only where VMs made it larger.
    pub(super) fn give_back_idle_memory(&mut self, now: Duration) {
        let idle = self.bounds.idle;
        for entry in self.entries.values_mut() {
            let Some(loaded) = &mut entry.memory else {
                continue;
            };
            if loaded.is_used() || (entry.is_listed && !loaded.has_grown()) {
                loaded.idle_since = None;
            } else if now.saturating_sub(*loaded.idle_since.get_or_insert(now)) >= idle {
                entry.memory = None;
            }
        }
    }

    /// What the bound is about: memory as it was loaded, or will be. What VMs add to it is theirs.
    fn loaded_bytes(&self) -> u64 {
        let loaded = self.entries.values().map(|entry| {
            let loaded = entry.memory.as_ref().map_or(0, |loaded| loaded.bytes);
            entry.reserved_bytes.max(loaded)
        });
        loaded.sum()
    }

    /// The memory that all loaded snapshots occupy, with what VMs added to it.
    pub(super) fn bytes(&mut self) -> u64 {
        self.replaced.retain(|memfd| memfd.strong_count() > 0);
        let replaced = self.replaced.iter().filter_map(Weak::upgrade);
        let current = self
            .entries
            .values()
            .filter_map(|entry| entry.memory.as_ref());
        let current = current.map(|loaded| loaded.memfd.clone());
        replaced
            .chain(current)
            .map(|memfd| occupied_bytes(&memfd))
            .sum()
    }
}

fn occupied_bytes(memfd: &OwnedFd) -> u64 {
    rustix::fs::fstat(memfd).map_or(0, |stat| stat.st_blocks.unsigned_abs() * 512)
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAGES: u64 = 16;
    const BYTES: u64 = PAGES * 4096;

    fn cache(snapshots: usize, memories: u64) -> Cache {
        Cache::new(Bounds {
            snapshots,
            memory_bytes: memories * BYTES,
            idle: Duration::from_secs(30),
        })
    }

    fn memfd(pages: u64) -> Arc<OwnedFd> {
        let memfd = rustix::fs::memfd_create(c"test", rustix::fs::MemfdFlags::CLOEXEC).unwrap();
        fill(&memfd, pages);
        Arc::new(memfd)
    }

    fn fill(memfd: &OwnedFd, pages: u64) {
        for page in 0..pages {
            rustix::io::pwrite(memfd, &[1], page * 4096).unwrap();
        }
    }

    /// What a create does. The result is the use of its VM.
    fn create(cache: &mut Cache, key: &str) -> Result<(TemplateUse, Vec<String>), AllInUse> {
        let entered = cache.enter(key, false)?;
        if cache.loaded(key).is_none() {
            cache.reserve_memory(key, BYTES)?;
            cache.put(key, Some((memfd(PAGES), "key".to_owned())));
        }
        let (memory, _) = cache.loaded(key).unwrap();
        let used = TemplateUse::new(entered.files, Some(memory));
        Ok((used, entered.evicted))
    }

    /// Forty shapes of one team left forty snapshots and their memory for ever.
    #[test]
    fn forty_shapes_leave_the_host_within_its_bounds_and_listed_ones_stay() {
        let mut cache = cache(8, 4);
        cache.enter("listed", true).unwrap();
        cache.put("listed", Some((memfd(PAGES), String::new())));
        let mut files = std::collections::BTreeSet::from(["listed".to_owned()]);
        for at in 0..40 {
            let key = format!("{at}");
            let (used, evicted) = create(&mut cache, &key).unwrap();
            files.insert(key);
            files.retain(|key| !evicted.contains(key));
            assert!(files.len() <= 8 && cache.bytes() <= 4 * BYTES);
            drop(used);
        }
        assert_eq!(files.len(), 8);
        assert!(files.contains("listed") && files.contains("39") && !files.contains("0"));
        assert!(cache.loaded("listed").is_some());
    }

    #[test]
    fn a_snapshot_in_use_stays_and_a_host_full_of_them_refuses_another() {
        let mut cache = cache(2, 8);
        let first = create(&mut cache, "a").unwrap();
        let second = create(&mut cache, "b").unwrap();
        assert_eq!(create(&mut cache, "c").unwrap_err(), AllInUse);
        let adopted = cache.adopt("d");
        drop(second);
        drop(adopted);
        let (_, evicted) = create(&mut cache, "c").unwrap();
        assert_eq!(evicted, ["b", "d"]);
        assert!(cache.is_used("a"));
        drop(first);
    }

    #[test]
    fn memory_in_use_stays_and_a_listed_shape_is_loaded_beyond_the_bound() {
        let mut cache = cache(8, 1);
        let used = create(&mut cache, "a").unwrap();
        assert_eq!(create(&mut cache, "b").unwrap_err(), AllInUse);
        cache.enter("listed", true).unwrap();
        cache.reserve_memory("listed", BYTES).unwrap();
        cache.put("listed", None);
        drop(used);
        create(&mut cache, "b").unwrap();
        assert_eq!(cache.bytes(), BYTES);
    }

    #[test]
    fn memory_is_given_back_after_the_last_vm_ended() {
        let mut cache = cache(8, 8);
        let (used, _) = create(&mut cache, "a").unwrap();
        let after = |seconds| Duration::from_secs(seconds);
        cache.give_back_idle_memory(after(0));
        cache.give_back_idle_memory(after(100));
        assert_eq!(cache.bytes(), BYTES, "a VM uses it");
        drop(used);
        cache.give_back_idle_memory(after(110));
        cache.give_back_idle_memory(after(139));
        assert_eq!(cache.bytes(), BYTES, "a create may follow");
        cache.give_back_idle_memory(after(140));
        assert_eq!(cache.bytes(), 0);
        create(&mut cache, "a").unwrap();
    }

    /// A sandbox that wrote 600 MiB made an image of 133 MiB one of 723, for ever.
    #[test]
    fn memory_that_its_vms_made_larger_is_counted_and_ends_with_them() {
        let mut cache = cache(8, 8);
        let (used, _) = create(&mut cache, "a").unwrap();
        fill(&cache.loaded("a").unwrap().0, 3 * PAGES);
        assert_eq!(cache.bytes(), 3 * BYTES);
        let (next, _) = create(&mut cache, "a").unwrap();
        assert_eq!(
            cache.bytes(),
            4 * BYTES,
            "the next VM has memory that did not grow"
        );
        drop(used);
        assert_eq!(cache.bytes(), BYTES);
        drop(next);
    }

    #[test]
    fn memory_that_is_being_loaded_is_counted() {
        let mut cache = cache(8, 1);
        let _loading = cache.enter("a", false).unwrap();
        cache.reserve_memory("a", BYTES).unwrap();
        let _waiting = cache.enter("b", false).unwrap();
        assert_eq!(cache.reserve_memory("b", BYTES), Err(AllInUse));
        cache.put("a", None);
        cache.reserve_memory("b", BYTES).unwrap();
    }

    #[test]
    fn a_snapshot_that_could_not_be_taken_is_not_listed() {
        let mut cache = cache(1, 1);
        let (first, second) = (
            cache.enter("a", false).unwrap(),
            cache.enter("a", false).unwrap(),
        );
        cache.withdraw("a", first.files);
        assert!(cache.is_used("a"), "another create waits for it");
        cache.withdraw("a", second.files);
        assert_eq!(create(&mut cache, "b").unwrap().1, Vec::<String>::new());
    }
}
