//! Kills the control plane at every step of every operation; the supervisor restarts it. An acknowledged operation holds, any
//! other operation has happened completely or not at all, and row and host agree.

use std::time::Duration;

use serde_json::Value;

use crate::platform::{Platform, Ran, until};

const PATIENCE: Duration = Duration::from_mins(1);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Operation {
    Create,
    Pause,
    Resume,
    Destroy,
}

impl Operation {
    const ALL: [Self; 4] = [Self::Create, Self::Pause, Self::Resume, Self::Destroy];

    fn group(self) -> &'static str {
        match self {
            Self::Create => "serve.create",
            Self::Pause => "serve.pause",
            Self::Resume => "serve.resume",
            Self::Destroy => "serve.destroy",
        }
    }

    /// The command, and the state after it; `None` when the sandbox is no longer listed.
    fn verb(self) -> (&'static str, Option<&'static str>) {
        match self {
            Self::Create => ("create", Some("running")),
            Self::Pause => ("pause", Some("paused")),
            Self::Resume => ("resume", Some("running")),
            Self::Destroy => ("kill", None),
        }
    }
}

/// The listed sandboxes with their states.
fn listed(platform: &Platform) -> Vec<(String, String)> {
    let listed = platform.succeeds(&["sandbox", "ls", "--json"]);
    let listed: Value = serde_json::from_str(&listed.stdout).unwrap();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let rows = listed.as_array().unwrap().iter();
    rows.map(|row| (text(&row["id"]), text(&row["status"])))
        .collect()
}

/// Kills the control plane at step `number`; `false` when there is no such step.
fn crash_at(platform: &Platform, operation: Operation, number: u32) -> bool {
    let (verb, done) = operation.verb();
    let id = match operation {
        Operation::Create => None,
        Operation::Pause | Operation::Destroy => Some(platform.create()),
        Operation::Resume => {
            let id = platform.create();
            platform.succeeds(&["sandbox", "pause", &id]);
            Some(id)
        }
    };
    let serve = platform.part("serve").unwrap();
    platform.arm(&format!("{} {number}", operation.group()));
    let arguments: Vec<&str> = ["sandbox", verb].into_iter().chain(id.as_deref()).collect();
    let ran = platform.locule(&arguments, "");
    platform.disarm();
    platform.within(PATIENCE, "the control plane is there", || {
        platform.is_healthy()
    });
    let crashed = platform.part("serve") != Some(serve);
    let Some(id) = id.clone() else {
        check_creation(platform, &ran);
        return crashed;
    };
    // A client without an answer repeats the operation, which may be done already.
    until("the operation is done", || {
        let state = listed(platform).into_iter().find(|(other, _)| *other == id);
        let state = state.map(|(_, state)| state);
        state.as_deref() == done || {
            platform.locule(&arguments, "");
            false
        }
    });
    if let Some(done) = done {
        until("row and host agree", || {
            listed(platform) == [(id.clone(), done.to_owned())]
        });
        platform.succeeds(&["sandbox", "kill", &id]);
    }
    until("nothing is left", || {
        listed(platform).is_empty() && platform.vmms() == 0
    });
    crashed
}

/// An acknowledged create exists. Any other create may exist, in any state, and can be destroyed.
fn check_creation(platform: &Platform, ran: &Ran) {
    if ran.code == 0 {
        let id = ran.stdout.trim();
        until("it runs", || {
            listed(platform) == [(id.to_owned(), "running".to_owned())] && platform.vmms() == 1
        });
    }
    for (id, _) in listed(platform) {
        platform.succeeds(&["sandbox", "kill", &id]);
    }
    until("nothing is left", || {
        listed(platform).is_empty() && platform.vmms() == 0
    });
}

#[test]
fn a_crash_of_the_control_plane_at_any_step_loses_no_acknowledged_change() {
    let mut platform = Platform::start_with(&["--warm", "0"]);
    let mut kills = 0;
    for operation in Operation::ALL {
        let mut number = 1;
        while crash_at(&platform, operation, number) {
            number += 1;
        }
        assert!(number > 3, "{operation:?} has its steps marked");
        kills += number - 1;
        // A part that exits five times in a minute is not restarted: the next operation gets a new supervisor.
        platform.interrupt();
        platform.start_again();
    }
    assert!(kills >= 12, "{kills} kills");
    platform.stop();
}
