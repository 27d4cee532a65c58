//! What uses a sandbox at this moment, for people who ask why it is not paused.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use locule_agent_api::{Holder, Purpose};

/// Purposes in one answer.
const HOLDERS_MAX: usize = 100;

/// The open uses that are activity, by a number that grows with each.
#[derive(Debug, Default)]
pub(super) struct Holders {
    next: u64,
    open: BTreeMap<u64, (Purpose, DateTime<Utc>)>,
}

impl Holders {
    /// The number of the new use.
    pub(super) fn begin(&mut self, purpose: Purpose, now: DateTime<Utc>) -> u64 {
        let number = self.next;
        self.next += 1;
        self.open.insert(number, (purpose, now));
        number
    }

    pub(super) fn set_purpose(&mut self, number: u64, purpose: Purpose) {
        if let Some((before, _)) = self.open.get_mut(&number) {
            *before = purpose;
        }
    }

    pub(super) fn end(&mut self, number: u64) {
        self.open.remove(&number);
    }

    /// Uses with the same purpose together, in the order of their beginnings.
    pub(super) fn grouped(&self) -> Vec<Holder> {
        let mut holders: Vec<Holder> = Vec::new();
        for (purpose, since) in self.open.values() {
            let same = holders.iter_mut().find(|holder| holder.purpose == *purpose);
            if let Some(same) = same {
                same.count += 1;
            } else if holders.len() < HOLDERS_MAX {
                holders.push(Holder {
                    purpose: purpose.clone(),
                    count: 1,
                    since: *since,
                });
            }
        }
        holders
    }
}
