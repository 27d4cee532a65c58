//! How this process chooses hosts.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use locule_domain::{Candidate, Scheduler};
use locule_ids::HostId;
use tokio::sync::{Mutex, MutexGuard};

/// All hosts, as they were read at a moment of the monotonic clock, and as their locks have shown them since.
#[derive(Debug)]
pub(crate) struct Candidates {
    all: Vec<Candidate>,
    /// The names of the templates of each host.
    templates: HashMap<HostId, Vec<String>>,
    pub(crate) read_at: Duration,
}

impl Candidates {
    pub(crate) fn new(hosts: Vec<(Candidate, Vec<String>)>, read_at: Duration) -> Self {
        let by_host =
            |(candidate, templates): &(Candidate, Vec<String>)| (candidate.host, templates.clone());
        Self {
            templates: hosts.iter().map(by_host).collect(),
            all: hosts.into_iter().map(|(candidate, _)| candidate).collect(),
            read_at,
        }
    }

    /// All hosts as candidates for a sandbox of a template.
    pub(crate) fn for_template(&mut self, name: &str) -> &[Candidate] {
        for candidate in &mut self.all {
            let templates = self.templates.get(&candidate.host);
            candidate.has_template =
                templates.is_some_and(|templates| templates.iter().any(|known| known == name));
        }
        &self.all
    }
}

#[derive(Debug)]
pub(crate) struct Placer {
    pub(crate) scheduler: Scheduler,
    /// How long candidates are used before they are read again.
    pub(crate) kept_for: Duration,
    candidates: Mutex<Option<Candidates>>,
    /// Grows with each placement of this process.
    cursor: AtomicU64,
}

impl Placer {
    pub(crate) fn new(scheduler: Scheduler, kept_for: Duration) -> Self {
        Self {
            scheduler,
            kept_for,
            candidates: Mutex::default(),
            cursor: AtomicU64::new(0),
        }
    }

    pub(crate) fn next_cursor(&self) -> u64 {
        self.cursor.fetch_add(1, Ordering::Relaxed)
    }

    /// The candidates that were read last. While one create reads them again, the others wait. The caller holds no connection.
    pub(crate) async fn candidates(&self) -> MutexGuard<'_, Option<Candidates>> {
        self.candidates.lock().await
    }

    /// Replaces what is kept of a host by what the host's lock showed.
    pub(crate) async fn update(&self, seen: Candidate) {
        let mut kept = self.candidates().await;
        let mut all = kept.iter_mut().flat_map(|kept| &mut kept.all);
        if let Some(known) = all.find(|known| known.host == seen.host) {
            *known = seen;
        }
    }

    /// A host does not exist any more.
    pub(crate) async fn remove(&self, host: HostId) {
        if let Some(kept) = self.candidates().await.as_mut() {
            kept.all.retain(|known| known.host != host);
        }
    }
}
