//! `/warm`: what the first command of a sandbox will run, run once ahead of time.
//!
//! A restored machine has an empty translation cache and cold pages: its first command would pay for that. The image's own
//! shell runs here, as the user that commands run as, while the user's processes stay frozen.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::http::StatusCode;
use locule_guest_api::DEFAULT_USER;

use crate::agent::Guest;
use crate::processes::{Event, Wanted};
use crate::users;

/// The shell as the SDKs start it, and the least there is.
const COMMANDS: [&[&str]; 2] = [&["/bin/bash", "-l", "-c", "true"], &["/bin/true"]];
/// A shell that does not end is no reason not to be warm.
const TIMEOUT: Duration = Duration::from_secs(10);

pub(crate) async fn warm(State(guest): State<Arc<Guest>>) -> StatusCode {
    let identity = guest.identity.snapshot();
    let name = identity.default_user.as_deref().unwrap_or(DEFAULT_USER);
    let Some(user) = users::find(name) else {
        return StatusCode::NO_CONTENT;
    };
    // Beside the user's cgroup, which is frozen: a process in it would never end.
    let processes = Arc::new(guest.processes.beside_the_cgroup());
    for command in COMMANDS {
        let wanted = Wanted {
            command: command[0].to_owned(),
            args: command[1..].iter().copied().map(str::to_owned).collect(),
            envs: BTreeMap::new(),
            sandbox_env: BTreeMap::new(),
            directory: "/".into(),
            user: user.clone(),
            tag: None,
            stdin: false,
            terminal: None,
        };
        let Ok((process, mut follower)) = processes.start(wanted).await else {
            continue;
        };
        let end = async {
            while let Some(event) = follower.next().await {
                if matches!(event, Event::End(_)) {
                    return;
                }
            }
        };
        if tokio::time::timeout(TIMEOUT, end).await.is_err() {
            process.signal(nix::sys::signal::Signal::SIGKILL);
        }
    }
    StatusCode::NO_CONTENT
}
