//! What an image wants done in every new life.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use nix::sys::signal::Signal;
use tokio::time::Instant;

use crate::agent::Guest;
use crate::boot::say;
use crate::processes::{Event, Wanted};
use crate::users;

const FOLDER: &str = "/etc/locule/after-restore.d";
/// One hook may take this long; it is then killed and the next one runs.
const ONE_MAX: Duration = Duration::from_secs(10);
/// All of them; the host waits for them and gives up after 20 seconds.
const ALL_MAX: Duration = Duration::from_secs(15);

/// Runs the hooks in the order of their names, as root and otherwise as any process of the user: what they leave running is
/// frozen, limited and ended with the rest.
pub(super) async fn run(guest: &Guest) {
    let prepared = tokio::task::spawn_blocking(|| (hooks(), users::find("root"))).await;
    let Ok((hooks, Some(root))) = prepared else {
        return;
    };
    let identity = guest.identity.snapshot();
    let end = Instant::now() + ALL_MAX;
    for hook in hooks {
        let wanted = Wanted {
            command: hook.to_string_lossy().into_owned(),
            args: Vec::new(),
            envs: BTreeMap::new(),
            sandbox_env: identity.env.clone(),
            cgroup: identity.cgroup(),
            directory: PathBuf::from("/"),
            user: root.clone(),
            tag: None,
            stdin: false,
            terminal: None,
        };
        let (process, mut follower) = match guest.processes.start(wanted).await {
            Ok(started) => started,
            Err(error) => {
                say(&format!("cannot run {}: {error}", hook.display()));
                continue;
            }
        };
        let ended = async {
            loop {
                match follower.next().await {
                    Some(Event::Data(..)) => {}
                    Some(Event::End(end)) => return end.error,
                    None => return None,
                }
            }
        };
        let until = end.min(Instant::now() + ONE_MAX);
        match tokio::time::timeout_at(until, ended).await {
            Ok(None) => {}
            Ok(Some(error)) => say(&format!("{}: {error}", hook.display())),
            Err(_) => {
                process.signal(Signal::SIGKILL);
                say(&format!("{} took too long and was killed", hook.display()));
            }
        }
    }
}

fn hooks() -> Vec<PathBuf> {
    let mut hooks: Vec<_> = fs::read_dir(FOLDER)
        .into_iter()
        .flatten()
        .flatten()
        .map(|entry| entry.path())
        .filter(|path| is_executable(path))
        .collect();
    hooks.sort();
    hooks
}

fn is_executable(path: &Path) -> bool {
    fs::metadata(path).is_ok_and(|meta| meta.is_file() && meta.permissions().mode() & 0o111 != 0)
}
