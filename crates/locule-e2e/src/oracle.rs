//! The allowed states of a sandbox, derived only from acknowledged orders. Pure.
//!
//! ```text
//! begin(order) ──► the old state or the outcome of the order
//!    acknowledged ──► the outcome of the order, also over earlier orders: a later order is never undone
//!    anything else ──► both stay allowed: the order may still be carried out
//! ```

use std::collections::BTreeMap;

/// The observable state of a sandbox.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Seen {
    Running,
    Paused,
    Gone,
}

/// An order to a sandbox.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Order {
    Create,
    Pause,
    Resume,
    Kill,
}

impl Order {
    /// The state that the order leads to.
    pub fn outcome(self) -> Seen {
        match self {
            Self::Create | Self::Resume => Seen::Running,
            Self::Pause => Seen::Paused,
            Self::Kill => Seen::Gone,
        }
    }
}

/// The knowledge about one sandbox.
#[derive(Debug, Clone, Default)]
pub struct Known {
    may_be: Vec<Seen>,
    /// Whether its VMM was killed while the sandbox may have been running.
    lost: bool,
    /// Files whose write was acknowledged.
    files: BTreeMap<String, Vec<u8>>,
    /// The highest tick that was observed.
    ticks: u64,
}

impl Known {
    /// A sandbox whose create is about to be sent.
    pub fn before_create() -> Self {
        Self {
            may_be: vec![Seen::Gone],
            ..Self::default()
        }
    }

    pub fn begin(&mut self, order: Order) {
        // A destroyed sandbox stays destroyed, but a new one may be created.
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

    /// The VMM was, or may have been, killed.
    pub fn lose(&mut self) {
        self.lost = true;
        if !self.may_be.contains(&Seen::Gone) {
            self.may_be.push(Seen::Gone);
        }
    }

    /// The VMM was certainly killed, and no order was in progress.
    pub fn lost_for_certain(&mut self) {
        self.lost = true;
        self.may_be = vec![Seen::Gone];
    }

    /// A fault was reported: every state is allowed from now on.
    pub fn give_up(&mut self) {
        self.may_be = vec![Seen::Running, Seen::Paused, Seen::Gone];
        self.files.clear();
        self.ticks = 0;
    }

    /// The only allowed state, if there is only one.
    pub fn certain(&self) -> Option<Seen> {
        match self.may_be.as_slice() {
            [one] => Some(*one),
            _ => None,
        }
    }

    /// Checks an observed state. `Gone` is final; any other allowed state decides nothing, because an order in progress may
    /// still be carried out.
    pub fn observe(&mut self, seen: Seen) -> Result<(), String> {
        if !self.may_be.contains(&seen) {
            return Err(format!("is {seen:?}, and may only be {:?}", self.may_be));
        }
        if seen == Seen::Gone {
            self.may_be = vec![Seen::Gone];
        }
        Ok(())
    }

    /// Records a file whose write was acknowledged. Each name is written once.
    pub fn wrote(&mut self, path: &str, content: &[u8]) {
        self.files.insert(path.to_owned(), content.to_vec());
    }

    pub fn files(&self) -> impl Iterator<Item = (&str, &[u8])> {
        let files = self.files.iter();
        files.map(|(path, content)| (path.as_str(), content.as_slice()))
    }

    /// Checks an observed tick: a sandbox never goes back in time.
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
        let mut known = Known::before_create();
        known.begin(Order::Create);
        known.acknowledged(Order::Create);
        known
    }

    #[test]
    fn only_the_acknowledged_state_may_be_observed() {
        let mut known = running();
        known.observe(Seen::Running).unwrap();
        known.observe(Seen::Paused).unwrap_err();
        known.observe(Seen::Gone).unwrap_err();
    }

    #[test]
    fn an_unacknowledged_order_allows_both_states_until_a_later_one_is_acknowledged() {
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
    fn a_gone_sandbox_never_comes_back() {
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
    fn observed_work_is_never_undone() {
        let mut known = running();
        known.ticked(5).unwrap();
        known.ticked(5).unwrap();
        known.ticked(4).unwrap_err();
    }
}
