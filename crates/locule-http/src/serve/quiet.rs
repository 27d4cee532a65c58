//! Connections that wait for a request. There is room for so many; the one that has waited longest makes room for another.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio_util::sync::CancellationToken;

#[derive(Debug, Clone)]
pub(super) struct Quiet(Arc<Room>);

#[derive(Debug)]
struct Room {
    max: usize,
    waiting: Mutex<Waiting>,
}

#[derive(Debug, Default)]
struct Waiting {
    /// By the order in which they became quiet.
    by_turn: BTreeMap<u64, CancellationToken>,
    turn: u64,
}

/// One connection's place in the room, while it is quiet.
#[derive(Debug)]
pub(super) struct Place {
    room: Quiet,
    turn: Option<u64>,
    /// The connection must go.
    pub(super) evicted: CancellationToken,
}

impl Quiet {
    pub(super) fn new(max: usize) -> Self {
        Self(Arc::new(Room {
            max: max.max(1),
            waiting: Mutex::default(),
        }))
    }

    /// A new connection, which is quiet.
    pub(super) fn enter(&self) -> Place {
        let mut place = Place {
            room: self.clone(),
            turn: None,
            evicted: CancellationToken::new(),
        };
        place.be_quiet();
        place
    }

    pub(super) fn drop_oldest(&self) {
        if let Some((_, oldest)) = self.waiting().by_turn.pop_first() {
            oldest.cancel();
        }
    }

    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.0
            .waiting
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

impl Place {
    /// Waits for a request, again or still.
    pub(super) fn be_quiet(&mut self) {
        if self.turn.is_some() {
            return;
        }
        let mut waiting = self.room.waiting();
        waiting.turn += 1;
        let turn = waiting.turn;
        waiting.by_turn.insert(turn, self.evicted.clone());
        let too_many = waiting.by_turn.len() > self.room.0.max;
        drop(waiting);
        self.turn = Some(turn);
        if too_many {
            self.room.drop_oldest();
        }
    }

    /// A request is under way.
    pub(super) fn be_busy(&mut self) {
        if let Some(turn) = self.turn.take() {
            self.room.waiting().by_turn.remove(&turn);
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.be_busy();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_quiet_makes_room_and_the_busy_stay() {
        let quiet = Quiet::new(2);
        let mut places: Vec<Place> = (0..2).map(|_| quiet.enter()).collect();
        places[0].be_busy();
        places.extend((0..2).map(|_| quiet.enter()));
        let evicted: Vec<bool> = places
            .iter()
            .map(|place| place.evicted.is_cancelled())
            .collect();
        assert_eq!(evicted, [false, true, false, false]);
        places[0].be_quiet();
        assert!(places[2].evicted.is_cancelled() && !places[0].evicted.is_cancelled());
    }

    #[test]
    fn who_left_takes_no_room() {
        let quiet = Quiet::new(1);
        drop(quiet.enter());
        let stays = quiet.enter();
        assert!(!stays.evicted.is_cancelled());
    }
}
