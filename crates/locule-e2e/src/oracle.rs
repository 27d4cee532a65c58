//! What must be true of a sandbox, from what was acknowledged and nothing else. Pure.
//!
//! ```text
//! begin(order) ──► may be what it was, or what the order makes of it
//!    acknowledged ──► is what the order made of it, whatever else was under way before: a later order is never undone
//!    anything else ──► stays undecided: the order may still be carried out
//! ```

use std::collections::BTreeMap;

/// What a sandbox can be seen as.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Seen {
    Running,
    Paused,
    Gone,
}

/// What can be asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Order {
    Create,
    Pause,
    Resume,
    Kill,
}

impl Order {
    /// What it leads to.
    pub fn outcome(self) -> Seen {
        match self {
            Self::Create | Self::Resume => Seen::Running,
            Self::Pause => Seen::Paused,
            Self::Kill => Seen::Gone,
        }
    }
}

/// What is known of one sandbox.
#[derive(Debug, Clone, Default)]
pub struct Known {
    may_be: Vec<Seen>,
    /// Its VMM was killed while it may have been running.
    lost: bool,
    /// Files whose writing was acknowledged.
    files: BTreeMap<String, Vec<u8>>,
    /// The most work it was ever seen to have done.
    ticks: u64,
}

impl Known {
    /// A sandbox whose creation is about to be asked for.
    pub fn unborn() -> Self {
        Self {
            may_be: vec![Seen::Gone],
            ..Self::default()
        }
    }

    pub fn begin(&mut self, order: Order) {
        // What is gone stays gone, but one that was never there may come to be.
        if !self.may_be.contains(&order.outcome()) {
            self.may_be.push(order.outcome());
        }
    }

    pub fn acknowledged(&mut self, order: Order) {
        self.may_be = vec![order.outcome()];
        if self.lost && order != Order::Kill {
            self.may_be.push(Seen::Gone);
        }
    }

    /// Its VMM was, or may have been, killed.
    pub fn lose(&mut self) {
        self.lost = true;
        if !self.may_be.contains(&Seen::Gone) {
            self.may_be.push(Seen::Gone);
        }
    }

    /// The killed VMM was surely this sandbox's and nothing else was under way.
    pub fn lost_for_certain(&mut self) {
        self.lost = true;
        self.may_be = vec![Seen::Gone];
    }

    /// Something is wrong with it and was said: nothing more is expected of it.
    pub fn give_up(&mut self) {
        self.may_be = vec![Seen::Running, Seen::Paused, Seen::Gone];
        self.files.clear();
        self.ticks = 0;
    }

    /// The one thing it can be, if there is only one.
    pub fn certain(&self) -> Option<Seen> {
        match self.may_be.as_slice() {
            [one] => Some(*one),
            _ => None,
        }
    }

    /// Says what is wrong with seeing this. Gone is final; anything else that is allowed decides nothing, because an order
    /// under way may still be carried out.
    pub fn observe(&mut self, seen: Seen) -> Result<(), String> {
        if !self.may_be.contains(&seen) {
            return Err(format!("is {seen:?}, and may only be {:?}", self.may_be));
        }
        if seen == Seen::Gone {
            self.may_be = vec![Seen::Gone];
        }
        Ok(())
    }

    /// A file whose writing was acknowledged; each name is written once.
    pub fn wrote(&mut self, path: &str, content: &[u8]) {
        self.files.insert(path.to_owned(), content.to_vec());
    }

    pub fn files(&self) -> impl Iterator<Item = (&str, &[u8])> {
        let files = self.files.iter();
        files.map(|(path, content)| (path.as_str(), content.as_slice()))
    }

    /// A sandbox that was set back has done less than it was seen to have done.
    pub fn ticked(&mut self, ticks: u64) -> Result<(), String> {
        if ticks < self.ticks {
            return Err(format!(
                "was set back from tick {} to tick {ticks}",
                self.ticks
            ));
        }
        self.ticks = ticks;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn running() -> Known {
        let mut known = Known::unborn();
        known.begin(Order::Create);
        known.acknowledged(Order::Create);
        known
    }

    #[test]
    fn what_was_acknowledged_is_all_that_may_be_seen() {
        let mut known = running();
        known.observe(Seen::Running).unwrap();
        known.observe(Seen::Paused).unwrap_err();
        known.observe(Seen::Gone).unwrap_err();
    }

    #[test]
    fn an_order_without_an_answer_leaves_both_ends_open_until_a_later_one_is_acknowledged() {
        let mut known = running();
        known.begin(Order::Pause);
        for seen in [Seen::Running, Seen::Paused, Seen::Running] {
            known.observe(seen).unwrap();
        }
        assert_eq!(known.certain(), None);
        known.begin(Order::Resume);
        known.acknowledged(Order::Resume);
        known.observe(Seen::Paused).unwrap_err();
    }

    #[test]
    fn nobody_comes_back() {
        let mut known = running();
        known.begin(Order::Kill);
        known.observe(Seen::Gone).unwrap();
        known.observe(Seen::Running).unwrap_err();
        let mut known = running();
        known.lose();
        known.observe(Seen::Running).unwrap();
        known.observe(Seen::Gone).unwrap();
        known.observe(Seen::Running).unwrap_err();
    }

    #[test]
    fn work_that_was_seen_stays_done() {
        let mut known = running();
        known.ticked(5).unwrap();
        known.ticked(5).unwrap();
        known.ticked(4).unwrap_err();
    }
}
