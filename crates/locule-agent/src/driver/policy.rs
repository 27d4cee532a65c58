//! What a sandbox does with an order, by its state and the order's generation. Pure.
//!
//! | order | running | paused | carried out already | older | destroyed |
//! |---|---|---|---|---|---|
//! | pause | pause | record | pause if it runs, else answer again | refuse | not found |
//! | resume | record | resume | answer again | refuse | not found |
//! | update | record | record | answer again | refuse | not found |
//! | destroy | destroy | destroy | destroy | refuse | not found |
//!
//! The manifest holds the generation of the last order that was carried out. A failed order can be given again; an older order
//! than the failed one cannot. An order that is given again does not undo what happened since: an idle sandbox that was paused
//! is not resumed by the order that resumed it before. A pause undoes nothing: what resumed the sandbox since would be an order of a
//! later generation. A sandbox that runs against its row, or without a row, is paused by an order of the generation that it is at.

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum OrderKind {
    Pause,
    Resume,
    Update,
    Destroy,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum State {
    Running,
    Paused,
    Destroyed,
}

/// Everything that decides about an order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct OrderPolicy {
    pub(super) state: State,
    /// The generation of the last order that was carried out.
    pub(super) carried_out: i64,
    /// The highest generation that was tried.
    pub(super) tried: i64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Decision {
    /// The order is older than `newest`.
    Refuse {
        newest: i64,
    },
    NotFound,
    /// The order was carried out before: its answer is the current report.
    AnswerAgain,
    Pause,
    Resume,
    Destroy,
    /// The sandbox is in the right state: only the manifest changes.
    Record,
}

impl OrderPolicy {
    pub(super) fn newest(self) -> i64 {
        self.carried_out.max(self.tried)
    }

    pub(super) fn decide(self, order: OrderKind, generation: i64) -> Decision {
        let newest = self.newest();
        let is_repeated = generation == self.carried_out
            && order != OrderKind::Destroy
            && (order, self.state) != (OrderKind::Pause, State::Running);
        match (order, self.state) {
            (_, State::Destroyed) => Decision::NotFound,
            _ if generation < newest => Decision::Refuse { newest },
            _ if is_repeated => Decision::AnswerAgain,
            (OrderKind::Pause, State::Running) => Decision::Pause,
            (OrderKind::Resume, State::Paused) => Decision::Resume,
            (OrderKind::Destroy, State::Running | State::Paused) => Decision::Destroy,
            (OrderKind::Pause, State::Paused)
            | (OrderKind::Resume, State::Running)
            | (OrderKind::Update, State::Running | State::Paused) => Decision::Record,
        }
    }

    /// The highest generation that was tried once this order has been decided. A destroy counts only when it was carried out.
    pub(super) fn tried_with(self, order: OrderKind, generation: i64) -> i64 {
        match order {
            OrderKind::Destroy => self.tried,
            OrderKind::Pause | OrderKind::Resume | OrderKind::Update => self.tried.max(generation),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const ORDERS: [OrderKind; 4] = [
        OrderKind::Pause,
        OrderKind::Resume,
        OrderKind::Update,
        OrderKind::Destroy,
    ];

    fn policy(state: State, carried_out: i64, tried: i64) -> OrderPolicy {
        OrderPolicy {
            state,
            carried_out,
            tried,
        }
    }

    impl OrderPolicy {
        /// As the driver carries out a decision, which succeeds or fails.
        fn carry_out(self, order: OrderKind, generation: i64, succeeds: bool) -> Self {
            let state = match self.decide(order, generation) {
                Decision::Refuse { .. } | Decision::NotFound => return self,
                Decision::AnswerAgain | Decision::Record => self.state,
                Decision::Pause => State::Paused,
                Decision::Resume => State::Running,
                Decision::Destroy => State::Destroyed,
            };
            let tried = self.tried_with(order, generation);
            if succeeds {
                Self {
                    state,
                    carried_out: generation,
                    tried,
                }
            } else {
                Self { tried, ..self }
            }
        }
    }

    #[test]
    fn a_newer_order_is_carried_out_by_the_state_of_the_sandbox() {
        let decide = |state, order| policy(state, 3, 3).decide(order, 4);
        let (running, paused) = (State::Running, State::Paused);
        assert_eq!(decide(running, OrderKind::Pause), Decision::Pause);
        assert_eq!(decide(paused, OrderKind::Pause), Decision::Record);
        assert_eq!(decide(running, OrderKind::Resume), Decision::Record);
        assert_eq!(decide(paused, OrderKind::Resume), Decision::Resume);
        for state in [running, paused] {
            assert_eq!(decide(state, OrderKind::Update), Decision::Record);
            assert_eq!(decide(state, OrderKind::Destroy), Decision::Destroy);
        }
    }

    #[test]
    fn an_order_older_than_a_failed_order_is_refused() {
        let after = policy(State::Running, 3, 3).carry_out(OrderKind::Pause, 7, false);
        for order in ORDERS {
            assert_eq!(after.decide(order, 6), Decision::Refuse { newest: 7 });
        }
        assert_eq!(after.decide(OrderKind::Pause, 7), Decision::Pause);
    }

    #[test]
    fn a_failed_destroy_changes_nothing() {
        let before = policy(State::Running, 3, 3);
        assert_eq!(before.carry_out(OrderKind::Destroy, 7, false), before);
    }

    fn any_state() -> impl Strategy<Value = State> {
        prop::sample::select(vec![State::Running, State::Paused])
    }

    /// Kind, generation, and whether carrying out the order succeeds.
    fn any_orders() -> impl Strategy<Value = Vec<(OrderKind, i64, bool)>> {
        let order = (
            prop::sample::select(ORDERS.to_vec()),
            1_i64..12,
            any::<bool>(),
        );
        prop::collection::vec(order, 0..40)
    }

    proptest! {
        #[test]
        fn generations_never_go_back(state in any_state(), orders in any_orders()) {
            let mut now = policy(state, 1, 1);
            for (order, generation, succeeds) in orders {
                let next = now.carry_out(order, generation, succeeds);
                prop_assert!(next.newest() >= now.newest());
                prop_assert!(next.carried_out >= now.carried_out);
                now = next;
            }
        }

        #[test]
        fn an_order_that_was_carried_out_is_answered_again_and_changes_nothing(
            state in any_state(), orders in any_orders(), order in prop::sample::select(ORDERS.to_vec())
        ) {
            let mut now = policy(state, 1, 1);
            for (order, generation, succeeds) in orders {
                now = now.carry_out(order, generation, succeeds);
            }
            let again = now.decide(order, now.carried_out);
            if now.state == State::Destroyed {
                prop_assert_eq!(again, Decision::NotFound);
            } else if now.carried_out < now.tried {
                prop_assert_eq!(again, Decision::Refuse { newest: now.tried });
            } else if order == OrderKind::Destroy {
                prop_assert_eq!(again, Decision::Destroy);
            } else if (order, now.state) == (OrderKind::Pause, State::Running) {
                prop_assert_eq!(again, Decision::Pause);
            } else {
                prop_assert_eq!(again, Decision::AnswerAgain);
                prop_assert_eq!(now.carry_out(order, now.carried_out, true), now);
            }
        }

        #[test]
        fn a_failed_order_can_be_given_again(
            state in any_state(), orders in any_orders(), order in prop::sample::select(ORDERS.to_vec())
        ) {
            let mut now = policy(state, 1, 1);
            for (order, generation, succeeds) in orders {
                now = now.carry_out(order, generation, succeeds);
            }
            let generation = now.newest() + 1;
            let first = now.decide(order, generation);
            prop_assert_eq!(now.carry_out(order, generation, false).decide(order, generation), first);
        }

        #[test]
        fn an_older_order_changes_nothing(
            state in any_state(), orders in any_orders(), order in prop::sample::select(ORDERS.to_vec()), age in 1_i64..10
        ) {
            let mut now = policy(state, 1, 1);
            for (order, generation, succeeds) in orders {
                now = now.carry_out(order, generation, succeeds);
            }
            let older = now.newest() - age;
            prop_assert_eq!(now.carry_out(order, older, true), now);
        }

        #[test]
        fn destroyed_is_final(state in any_state(), orders in any_orders()) {
            let mut now = policy(state, 1, 1);
            let mut was_destroyed = false;
            for (order, generation, succeeds) in orders {
                let decision = now.decide(order, generation);
                prop_assert_eq!(decision == Decision::NotFound, was_destroyed);
                now = now.carry_out(order, generation, succeeds);
                was_destroyed |= now.state == State::Destroyed;
                prop_assert_eq!(now.state == State::Destroyed, was_destroyed);
            }
        }
    }
}
