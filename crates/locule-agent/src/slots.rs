//! Slots: small numbers that a running VM holds, and with them a user id, a namespace and a control socket.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};

use locule_net::SLOTS;

#[derive(Debug, Clone, Default)]
pub(crate) struct Slots(Arc<Mutex<Used>>);

#[derive(Debug, Default)]
struct Used {
    numbers: BTreeSet<u16>,
    /// No more are given out: the host stops, and a slot that is let go of may still have its VM.
    closed: bool,
}

/// A slot in use; given back when dropped.
#[derive(Debug)]
pub(crate) struct Slot {
    number: u16,
    slots: Slots,
}

impl Slots {
    /// The lowest free slot. `None`: all are in use.
    pub(crate) fn take(&self) -> Option<Slot> {
        let mut used = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if used.closed {
            return None;
        }
        let number = (0..SLOTS).find(|number| !used.numbers.contains(number))?;
        used.numbers.insert(number);
        Some(Slot {
            number,
            slots: self.clone(),
        })
    }

    /// From now on none is free: what is let go of keeps its VM for the next agent.
    pub(crate) fn close(&self) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).closed = true;
    }

    /// The slot that an adopted VM holds already. `None`: somebody else has it.
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
    fn a_dropped_slot_is_free_again_and_a_held_one_is_not() {
        let slots = Slots::default();
        let (first, second) = (slots.take().unwrap(), slots.take().unwrap());
        assert_eq!((first.number(), second.number()), (0, 1));
        assert!(slots.claim(1).is_none());
        drop(first);
        assert_eq!(slots.take().unwrap().number(), 0);
        drop(second);
        slots.close();
        assert!(slots.take().is_none(), "let go of is not free");
    }
}
