//! Slots: small numbers that a running VM holds, and with them a user id, a namespace and a control socket.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};

use locule_net::SLOTS;

#[derive(Debug, Clone, Default)]
pub(crate) struct Slots(Arc<Mutex<Used>>);

#[derive(Debug, Default)]
struct Used {
    numbers: BTreeSet<u16>,
    /// Slots with leftovers that could not be removed: given out only when no other slot is free.
    aside: BTreeSet<u16>,
    /// No more slots are given out: the host stops, and a detached VM may still use a slot that was dropped.
    closed: bool,
}

/// A slot in use; given back when dropped.
#[derive(Debug)]
pub(crate) struct Slot {
    number: u16,
    slots: Slots,
}

impl Slots {
    /// The lowest free slot, one that was not put aside if there is one. `None`: all are in use.
    pub(crate) fn take(&self) -> Option<Slot> {
        let mut used = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if used.closed {
            return None;
        }
        let free = || (0..SLOTS).filter(|number| !used.numbers.contains(number));
        let clean = free().find(|number| !used.aside.contains(number));
        let number = clean.or_else(|| free().next())?;
        used.numbers.insert(number);
        Some(Slot {
            number,
            slots: self.clone(),
        })
    }

    /// From now on no slot is free: a detached VM keeps its slot for the next agent.
    pub(crate) fn close(&self) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).closed = true;
    }

    /// Something of an earlier VM in the slot cannot be removed: other slots are given out first.
    pub(crate) fn put_aside(&self, number: u16) {
        let mut used = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        used.aside.insert(number);
    }

    /// The slot has no leftovers any more.
    pub(crate) fn set_clean(&self, number: u16) {
        let mut used = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        used.aside.remove(&number);
    }

    /// The slot that an adopted VM uses already. `None`: another VM has the slot.
    pub(crate) fn claim(&self, number: u16) -> Option<Slot> {
        let fresh = self
            .0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .numbers
            .insert(number);
        fresh.then(|| Slot {
            number,
            slots: self.clone(),
        })
    }
}

impl Slot {
    pub(crate) fn number(&self) -> u16 {
        self.number
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        self.slots
            .0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .numbers
            .remove(&self.number);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dropped_slot_is_free_again_and_a_slot_in_use_is_not() {
        let slots = Slots::default();
        let (first, second) = (slots.take().unwrap(), slots.take().unwrap());
        assert_eq!((first.number(), second.number()), (0, 1));
        assert!(slots.claim(1).is_none());
        drop(first);
        assert_eq!(slots.take().unwrap().number(), 0);
        drop(second);
        slots.close();
        assert!(slots.take().is_none(), "a closed set has no free slot");
    }

    /// One slot whose network could not be removed was given to every create.
    #[test]
    fn a_slot_that_was_put_aside_is_given_out_last() {
        let slots = Slots::default();
        slots.put_aside(0);
        let taken: Vec<Slot> = (1..SLOTS).map(|_| slots.take().unwrap()).collect();
        assert!(taken.iter().all(|slot| slot.number() != 0));
        assert_eq!(slots.take().unwrap().number(), 0);
        drop(taken);
        slots.set_clean(0);
        assert_eq!(slots.take().unwrap().number(), 0);
    }
}
