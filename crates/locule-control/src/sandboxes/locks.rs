//! One lock per sandbox: this process sends a sandbox's host one order at a time.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use locule_ids::SandboxId;

/// Proof that the holder may send orders about a sandbox.
pub(crate) type OrderGuard = tokio::sync::OwnedMutexGuard<()>;

#[derive(Debug, Default)]
pub(crate) struct Locks(Mutex<HashMap<SandboxId, Weak<tokio::sync::Mutex<()>>>>);

impl Locks {
    /// Waits until no other order about the sandbox is in progress.
    pub(crate) async fn lock(&self, sandbox: SandboxId) -> OrderGuard {
        self.lock_of(sandbox).lock_owned().await
    }

    /// As [`Self::lock`]; `None` while an order is in progress.
    pub(crate) fn try_lock(&self, sandbox: SandboxId) -> Option<OrderGuard> {
        self.lock_of(sandbox).try_lock_owned().ok()
    }

    fn lock_of(&self, sandbox: SandboxId) -> Arc<tokio::sync::Mutex<()>> {
        let mut locks = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        locks.retain(|_, lock| lock.strong_count() > 0);
        let known = locks.get(&sandbox).and_then(Weak::upgrade);
        let lock = known.unwrap_or_default();
        locks.insert(sandbox, Arc::downgrade(&lock));
        lock
    }
}
