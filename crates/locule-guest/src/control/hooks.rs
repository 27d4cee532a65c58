//! The template's hooks, which run after each restore.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use nix::sys::signal::Signal;
use tokio::time::Instant;

use crate::console;
use crate::identity::SandboxIdentity;
use crate::processes::{ProcessEvent, Processes, SpawnSpec};
use crate::users;

const FOLDER: &str = "/etc/locule/after-restore.d";
/// Time limit of one hook; it is then killed and the next one runs.
const HOOK_TIMEOUT: Duration = Duration::from_secs(10);
/// Time limit of all hooks together. The host waits for them, and gives up after 20 seconds.
const HOOKS_TIMEOUT: Duration = Duration::from_secs(15);

/// Runs the hooks as root, in the order of their names. Apart from the user they run like any process of the sandbox: what
/// they leave running is frozen, limited and killed with the others.
pub(super) async fn run(identity: &SandboxIdentity, processes: &Arc<Processes>) {
    let prepared = tokio::task::spawn_blocking(|| (hooks(), users::find("root"))).await;
    let Ok((hooks, Some(root))) = prepared else {
        return;
    };
    let end = Instant::now() + HOOKS_TIMEOUT;
    for hook in hooks {
        let spec = SpawnSpec {
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
        let (process, mut follower) = match processes.start(spec).await {
            Ok(started) => started,
            Err(error) => {
                console::log(&format!("cannot run the hook {}: {error}", hook.display()));
                continue;
            }
        };
        let failure = async {
            loop {
                match follower.next().await {
                    Some(ProcessEvent::Data(..)) => {}
                    Some(ProcessEvent::End(end)) => return end.error,
                    None => return None,
                }
            }
        };
        let until = end.min(Instant::now() + HOOK_TIMEOUT);
        match tokio::time::timeout_at(until, failure).await {
            Ok(None) => {}
            Ok(Some(error)) => {
                console::log(&format!("the hook {} failed: {error}", hook.display()));
            }
            Err(_) => {
                process.signal(Signal::SIGKILL);
                console::log(&format!(
                    "the hook {} exceeded its time limit and was killed",
                    hook.display()
                ));
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
