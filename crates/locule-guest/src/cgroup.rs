//! The two control groups that processes run in, and the freezer that stops a whole group at once.

use std::fs;
use std::time::Duration;

use anyhow::{Context as _, Result};
use locule_guest_api::FREEZE_TIMEOUT;

use crate::console;

/// The sandbox's processes: frozen before a capture, and limited together.
pub(crate) const USER_CGROUP: &str = "/sys/fs/cgroup/user";
/// Processes of a guest in standby, which is not a sandbox yet: they run while the user's processes stay frozen.
pub(crate) const STANDBY_CGROUP: &str = "/sys/fs/cgroup/standby";

/// Creates both groups in the mounted hierarchy and limits the user's.
pub(crate) fn create() -> Result<()> {
    for cgroup in [USER_CGROUP, STANDBY_CGROUP] {
        fs::create_dir_all(cgroup).with_context(|| format!("create {cgroup}"))?;
    }
    limit_users();
    Ok(())
}

/// Together the user's processes may neither take every process number nor, however many they are, more than half of the
/// CPU time while the agent has work to do. Best effort: a kernel without these controllers boots too.
fn limit_users() {
    for controller in ["+pids", "+cpu"] {
        if let Err(error) = fs::write("/sys/fs/cgroup/cgroup.subtree_control", controller) {
            console::log(&format!(
                "cannot enable the cgroup controller {controller}: {error}"
            ));
        }
    }
    let number = |path: &str| fs::read_to_string(path).ok()?.trim().parse::<u64>().ok();
    let limits = ["/proc/sys/kernel/threads-max", "/proc/sys/kernel/pid_max"];
    let most = limits.into_iter().filter_map(number).min();
    // A quarter stays for the kernel, PID 1 and the agent.
    let most = most.unwrap_or(4096) / 4 * 3;
    if let Err(error) = fs::write(format!("{USER_CGROUP}/pids.max"), most.to_string()) {
        console::log(&format!(
            "cannot limit the number of the user's processes: {error}"
        ));
    }
}

/// Freezes or thaws a group and waits until the kernel reports it. A frozen process runs no instruction until it is thawed.
/// `false`: not every process was frozen within the timeout.
pub(crate) fn set_frozen(cgroup: &str, frozen: bool) -> Result<bool> {
    let started = nix::time::clock_gettime(nix::time::ClockId::CLOCK_MONOTONIC)?;
    let expected = if frozen { "frozen 1" } else { "frozen 0" };
    fs::write(
        format!("{cgroup}/cgroup.freeze"),
        if frozen { "1" } else { "0" },
    )?;
    loop {
        let events = fs::read_to_string(format!("{cgroup}/cgroup.events"))?;
        if events.lines().any(|line| line == expected) {
            return Ok(true);
        }
        let now = nix::time::clock_gettime(nix::time::ClockId::CLOCK_MONOTONIC)?;
        if Duration::from(now).saturating_sub(Duration::from(started)) > FREEZE_TIMEOUT {
            return Ok(false);
        }
        std::thread::sleep(Duration::from_millis(1));
    }
}
