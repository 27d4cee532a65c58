//! When credentials were last used. A request notes the use in memory, and a periodic job writes it, so that no request costs a write.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Mutex, PoisonError};

use chrono::{DateTime, Utc};

/// The last use of each credential since the last write.
#[derive(Debug)]
pub(crate) struct Uses<Id>(Mutex<HashMap<Id, DateTime<Utc>>>);

impl<Id> Default for Uses<Id> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<Id: Eq + Hash> Uses<Id> {
    pub(crate) fn note(&self, id: Id, now: DateTime<Utc>) {
        let mut noted = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        noted.insert(id, now);
    }

    /// Takes what was noted, to be written.
    pub(crate) fn take(&self) -> Vec<(Id, DateTime<Utc>)> {
        let mut noted = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        std::mem::take(&mut *noted).into_iter().collect()
    }
}
