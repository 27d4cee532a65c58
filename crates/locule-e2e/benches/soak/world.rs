//! Shared by all threads of a soak: the platform, the knowledge about every sandbox, the faults.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use anyhow::Result;
use locule_e2e::api::{Api, Credential};
use locule_e2e::clock;
use locule_e2e::oracle::Known;
use locule_e2e::platform::Platform;

/// Long enough for a pause on a busy machine without KVM.
const CALL_TIMEOUT: Duration = Duration::from_secs(90);
/// The soak stops after this many faults.
const FAULTS_MAX: usize = 50;

/// One sandbox and the knowledge about it. A thread that acts on the sandbox holds the lock.
pub(crate) type Shared = Arc<Mutex<Tracked>>;

#[derive(Debug)]
pub(crate) struct Tracked {
    pub(crate) label: String,
    /// Known after the response to a create or a list.
    pub(crate) id: Option<String>,
    pub(crate) known: Known,
}

pub(crate) struct World {
    pub(crate) platform: Mutex<Platform>,
    pub(crate) address: SocketAddr,
    pub(crate) instance: String,
    pub(crate) pool: PathBuf,
    pub(crate) stub: bool,
    pub(crate) stop: AtomicBool,
    /// Odd while a part is killed or restarting.
    epoch: AtomicU64,
    all: Mutex<BTreeMap<String, Shared>>,
    /// Sandboxes whose VMM was killed. Kept outside of their locks, which a worker may hold.
    lost: Mutex<BTreeSet<String>>,
    /// Credentials whose revocation was acknowledged, each with what was revoked.
    pub(crate) revoked: Mutex<Vec<(String, Credential)>>,
    counts: Mutex<BTreeMap<String, u64>>,
    faults: Mutex<Vec<String>>,
    begun: Duration,
    /// The highest count of extents of a snapshot.
    pub(crate) extents: AtomicU64,
    /// The longest time from an acknowledged revocation to its effect, without a kill meanwhile.
    slowest: Mutex<Duration>,
}

pub(crate) fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl World {
    pub(crate) fn new(platform: Platform, stub: bool) -> Result<Self> {
        Ok(Self {
            instance: platform.instance()?,
            pool: platform.pool(),
            address: platform.address(),
            platform: Mutex::new(platform),
            stub,
            stop: AtomicBool::new(false),
            epoch: AtomicU64::new(0),
            all: Mutex::default(),
            lost: Mutex::default(),
            revoked: Mutex::default(),
            counts: Mutex::default(),
            faults: Mutex::default(),
            begun: clock::now(),
            extents: AtomicU64::new(0),
            slowest: Mutex::default(),
        })
    }

    pub(crate) fn api(&self) -> Result<Api> {
        locked(&self.platform).api(CALL_TIMEOUT)
    }

    /// A client with another credential, or none.
    pub(crate) fn api_with(&self, credential: Option<Credential>) -> Api {
        Api::with(self.address, credential, CALL_TIMEOUT)
    }

    pub(crate) fn stopping(&self) -> bool {
        self.stop.load(Ordering::Acquire)
    }

    pub(crate) fn disturb(&self) {
        self.epoch.fetch_or(1, Ordering::AcqRel);
    }

    pub(crate) fn calm_again(&self) {
        self.epoch.fetch_add(1, Ordering::AcqRel);
    }

    /// A mark that stays the same while no part is killed; `None` while a part is down.
    pub(crate) fn quiet(&self) -> Option<u64> {
        let epoch = self.epoch.load(Ordering::Acquire);
        epoch.is_multiple_of(2).then_some(epoch)
    }

    pub(crate) fn track(&self, label: &str) -> Shared {
        let tracked = Arc::new(Mutex::new(Tracked {
            label: label.to_owned(),
            id: None,
            known: Known::before_create(),
        }));
        locked(&self.all).insert(label.to_owned(), tracked.clone());
        tracked
    }

    pub(crate) fn everything(&self) -> Vec<Shared> {
        locked(&self.all).values().cloned().collect()
    }

    pub(crate) fn by_label(&self, label: &str) -> Option<Shared> {
        locked(&self.all).get(label).cloned()
    }

    /// Records that the VMM of this sandbox is about to be killed.
    pub(crate) fn lose(&self, id: &str) {
        locked(&self.lost).insert(id.to_owned());
    }

    /// Whether the VMM was killed; also records it in the knowledge about the sandbox.
    pub(crate) fn is_lost(&self, tracked: &Tracked) -> bool {
        let lost = locked(&self.lost);
        tracked.id.as_ref().is_some_and(|id| lost.contains(id))
    }

    /// Notes how long a revocation took, unless parts were killed meanwhile.
    pub(crate) fn slowest_revocation(&self, took: Duration, undisturbed: bool) {
        let mut slowest = locked(&self.slowest);
        if undisturbed {
            *slowest = took.max(*slowest);
        }
    }

    pub(crate) fn count(&self, what: impl Into<String>) {
        *locked(&self.counts).entry(what.into()).or_default() += 1;
    }

    pub(crate) fn counts(&self) -> String {
        let counts = locked(&self.counts);
        let mut text = format!("{} s", clock::since(self.begun).as_secs());
        for (what, count) in counts.iter() {
            // Writing to a string does not fail.
            let _ = write!(text, ", {what} {count}");
        }
        let slowest = locked(&self.slowest).as_secs_f64();
        let _ = write!(text, ", slowest revocation {slowest:.1} s");
        text
    }

    pub(crate) fn fault(&self, what: &str) {
        let at = clock::since(self.begun).as_secs_f64();
        let mut faults = locked(&self.faults);
        if faults.len() < FAULTS_MAX {
            locule_e2e::screen::note(&format!("soak: FAULT at {at:.1} s: {what}"));
            faults.push(format!("at {at:.1} s: {what}"));
        }
    }

    pub(crate) fn faults(&self) -> Vec<String> {
        locked(&self.faults).clone()
    }
}
