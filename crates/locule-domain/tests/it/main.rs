//! The laws of a sandbox's transitions, and the whole table of them.

mod oauth;
mod people;

use std::fmt::Write as _;
use std::path::Path;

use locule_domain::{
    Action, Desired, ErrorReason, SandboxEvent, SandboxState, StopReason, next_action,
};
use proptest::prelude::*;

fn states() -> Vec<SandboxState> {
    use SandboxState as S;
    let mut all = vec![S::Pending, S::Starting, S::Running, S::Paused, S::Missing];
    all.extend(
        StopReason::ALL
            .iter()
            .map(|reason| S::Stopped { reason: *reason }),
    );
    all.extend(
        ErrorReason::ALL
            .iter()
            .map(|reason| S::Error { reason: *reason }),
    );
    all
}

fn events() -> Vec<SandboxEvent> {
    let mut all = vec![
        SandboxEvent::Placed,
        SandboxEvent::Ran,
        SandboxEvent::Paused,
        SandboxEvent::HostLost,
    ];
    all.extend(
        StopReason::ALL
            .iter()
            .map(|reason| SandboxEvent::Stop(*reason)),
    );
    all.extend(
        ErrorReason::ALL
            .iter()
            .map(|reason| SandboxEvent::Fail(*reason)),
    );
    all
}

fn shown(state: SandboxState) -> String {
    state
        .reason()
        .map_or_else(|| state.to_string(), |reason| format!("{state}({reason})"))
}

#[test]
fn the_golden_table_of_transitions_is_up_to_date() {
    let mut table = String::new();
    for state in states() {
        for event in events() {
            let next = state
                .apply(event)
                .map_or_else(|_| "refused".to_owned(), shown);
            writeln!(table, "{} + {event:?} -> {next}", shown(state)).unwrap();
        }
    }
    for desired in Desired::ALL {
        for state in states() {
            writeln!(
                table,
                "{desired:?} of {} => {:?}",
                shown(state),
                next_action(desired, state)
            )
            .unwrap();
        }
    }
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("golden/transitions.txt");
    #[expect(
        clippy::disallowed_methods,
        reason = "how golden files are regenerated"
    )]
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::write(&path, &table).unwrap();
    }
    assert_eq!(
        std::fs::read_to_string(&path).unwrap(),
        table,
        "run `make golden` and read the difference"
    );
}

/// The events that follow an action on a host where nothing fails.
fn outcome(action: Action) -> Vec<SandboxEvent> {
    match action {
        Action::Place => vec![SandboxEvent::Placed],
        Action::Create => vec![SandboxEvent::Ran],
        Action::Pause => vec![SandboxEvent::Paused],
        Action::Resume => vec![SandboxEvent::Ran],
        Action::Destroy => vec![SandboxEvent::Stop(StopReason::Destroyed)],
    }
}

#[test]
fn every_desired_state_is_reached_within_a_few_steps() {
    for desired in Desired::ALL {
        // A host that is unreachable comes back by itself; no action is taken meanwhile.
        for start in states()
            .into_iter()
            .filter(|state| *state != SandboxState::Missing)
        {
            let mut state = start;
            for _ in 0..3 {
                let Some(action) = next_action(desired, state) else {
                    break;
                };
                for event in outcome(action) {
                    state = state.apply(event).unwrap();
                }
            }
            assert_eq!(
                next_action(desired, state),
                None,
                "{desired:?} from {start}"
            );
            let reached = state.is_final()
                || matches!(
                    (desired, state),
                    (Desired::Running, SandboxState::Running)
                        | (Desired::Paused, SandboxState::Paused)
                );
            assert!(reached, "{desired:?} from {start} ended in {state}");
        }
    }
}

fn any_event() -> impl Strategy<Value = SandboxEvent> {
    proptest::sample::select(events())
}

proptest! {
    #[test]
    fn an_ended_sandbox_changes_only_where_the_end_was_inferred(events in prop::collection::vec(any_event(), 0..40)) {
        let (mut state, mut ended) = (SandboxState::Pending, None);
        for event in events {
            state = state.apply(event).unwrap_or(state);
            if let Some(end) = ended {
                prop_assert_eq!(state, end);
            }
            if state.is_final() && !state.is_inferred() {
                ended = Some(state);
            }
        }
    }

    #[test]
    fn only_a_report_of_the_sandbox_undoes_an_inferred_end(event in any_event()) {
        for state in states().into_iter().filter(|state| state.is_final()) {
            let next = state.apply(event).unwrap_or(state);
            let undone = state.is_inferred() && matches!(event, SandboxEvent::Ran | SandboxEvent::Paused);
            prop_assert_eq!(!next.is_final(), undone, "{} + {:?}", state, event);
        }
    }

    #[test]
    fn a_refused_transition_names_its_state_and_event(event in any_event()) {
        for state in states() {
            if let Err(refused) = state.apply(event) {
                prop_assert_eq!((refused.state, refused.event), (state, event));
            }
        }
    }
}

#[test]
fn an_ended_sandbox_has_no_next_action() {
    for desired in Desired::ALL {
        for state in states().into_iter().filter(|state| state.is_final()) {
            assert_eq!(next_action(desired, state), None, "{desired:?} of {state}");
        }
    }
}

#[test]
fn a_sandbox_that_is_desired_gone_is_destroyed_in_every_state() {
    for state in states().into_iter().filter(|state| !state.is_final()) {
        assert_eq!(
            next_action(Desired::Gone, state),
            Some(Action::Destroy),
            "{state}"
        );
    }
}
