//! The host's calls: become this sandbox, hold still, go on; and what the guest knows of itself.

mod hooks;

use std::collections::BTreeMap;
use std::fs;
use std::os::fd::AsRawFd as _;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result};
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use locule_guest_api::FREEZE_TIMEOUT;
use locule_guest_api::control::{FreezeResponse, InitRequest, InitResponse, ThawRequest};
use nix::libc;
use serde_json::json;

use crate::agent::Guest;
use crate::boot::{USER_CGROUP, say};
use crate::identity::Identity;
use crate::paths::{read_small, write_small};
use crate::server::{Peer, refuse};

pub(crate) async fn init(
    State(guest): State<Arc<Guest>>,
    Extension(Peer(peer)): Extension<Peer>,
    Json(request): Json<InitRequest>,
) -> Response {
    // What was connected before a capture has no other end any more. Nobody listening is fine.
    let _ = guest.new_life.send(peer);
    let hooks = request.run_hooks;
    let worker = guest.clone();
    let answer = match apart(move || become_sandbox(&worker, request)).await {
        Ok(answer) => answer,
        Err(error) => return refuse(StatusCode::INTERNAL_SERVER_ERROR, format!("{error:#}")),
    };
    if hooks {
        hooks::run(&guest).await;
    }
    Json(answer).into_response()
}

/// Work for the host on a thread of its own. The shared ones may all be waiting for files of the user, which can be served by
/// a process that is frozen or never answers.
async fn apart<T: Send + 'static>(work: impl FnOnce() -> Result<T> + Send + 'static) -> Result<T> {
    let (done, result) = tokio::sync::oneshot::channel();
    std::thread::Builder::new()
        .name("control".to_owned())
        .spawn(move || {
            // Whoever asked may be gone.
            let _ = done.send(work());
        })
        .context("start a thread")?;
    result.await.context("the work panicked")?
}

/// Everything that must be new before any of the user's instructions run again, then the thaw.
fn become_sandbox(guest: &Guest, request: InitRequest) -> Result<InitResponse> {
    if guest.in_microvm {
        set_clock(request.timestamp_unix_nanos).context("set the clock")?;
        let entropy = STANDARD
            .decode(&request.entropy)
            .context("read the entropy")?;
        reseed(&entropy).context("reseed the random generator")?;
        set_names(&request.hostname);
    }
    let mut env = BTreeMap::from([("E2B_SANDBOX".to_owned(), "true".to_owned())]);
    env.insert("E2B_SANDBOX_ID".to_owned(), request.sandbox_id.clone());
    env.insert("E2B_TEMPLATE_ID".to_owned(), request.template_id.clone());
    env.insert("LOCULE_SANDBOX_ID".to_owned(), request.sandbox_id);
    env.extend(request.env_vars);
    let default_workdir = request.default_workdir.map(Into::into);
    let identity = Identity::new(env, request.default_user, default_workdir, request.hold);
    let cgroup = identity.cgroup();
    guest
        .identity
        .replace(request.new_control_key, request.access_token, identity);
    if guest.in_microvm {
        set_frozen(cgroup, false).context("thaw")?;
    }
    Ok(InitResponse {
        guest_version: env!("CARGO_PKG_VERSION").to_owned(),
        kernel_version: read_trimmed("/proc/sys/kernel/osrelease"),
        boot_id: read_trimmed("/proc/sys/kernel/random/boot_id"),
    })
}

fn read_trimmed(path: &str) -> String {
    fs::read_to_string(path)
        .map(|text| text.trim().to_owned())
        .unwrap_or_default()
}

fn set_clock(nanos: i64) -> Result<()> {
    let time = nix::sys::time::TimeSpec::new(
        nanos.div_euclid(1_000_000_000),
        nanos.rem_euclid(1_000_000_000),
    );
    nix::time::clock_settime(nix::time::ClockId::CLOCK_REALTIME, time)?;
    Ok(())
}

/// Credits fresh bytes and makes every CPU's generator start over from them: clones of one image must share nothing.
fn reseed(entropy: &[u8]) -> Result<()> {
    const RNDADDENTROPY: libc::c_ulong = 0x4008_5203;
    const RNDRESEEDCRNG: libc::c_ulong = 0x5207;
    let entropy = &entropy[..entropy.len().min(512)];
    anyhow::ensure!(entropy.len() >= 32, "less than 32 bytes");
    let length = i32::try_from(entropy.len())?;
    let mut request = Vec::with_capacity(8 + entropy.len());
    request.extend_from_slice(&(length * 8).to_ne_bytes());
    request.extend_from_slice(&length.to_ne_bytes());
    request.extend_from_slice(entropy);
    let device = fs::OpenOptions::new().write(true).open("/dev/urandom")?;
    // SAFETY: `request` is laid out as rand_pool_info: bits, bytes, then that many bytes; it lives through the call.
    #[expect(unsafe_code, reason = "ioctl")]
    let added = unsafe { libc::ioctl(device.as_raw_fd(), RNDADDENTROPY, request.as_ptr()) };
    nix::errno::Errno::result(added).context("add entropy")?;
    // SAFETY: takes no argument.
    #[expect(unsafe_code, reason = "ioctl")]
    let reseeded = unsafe { libc::ioctl(device.as_raw_fd(), RNDRESEEDCRNG) };
    nix::errno::Errno::result(reseeded).context("reseed")?;
    Ok(())
}

/// Best effort, each name for itself: an image with a read-only or strange /etc is still a sandbox.
fn set_names(hostname: &str) {
    let hosts = hosts_with(&read_small("/etc/hosts"), hostname);
    let names = [
        (
            "the host name",
            nix::unistd::sethostname(hostname).map_err(Into::into),
        ),
        (
            "/etc/hostname",
            write_small("/etc/hostname", &format!("{hostname}\n")),
        ),
        ("/etc/hosts", write_small("/etc/hosts", &hosts)),
        ("/etc/machine-id", set_machine_id()),
    ];
    for (what, done) in names {
        if let Err(error) = done {
            say(&format!("cannot set {what}: {error}"));
        }
    }
}

fn set_machine_id() -> std::io::Result<()> {
    let mut id = [0_u8; 16];
    rustix::rand::getrandom(&mut id, rustix::rand::GetRandomFlags::empty())?;
    write_small("/etc/machine-id", &format!("{}\n", hex::encode(id)))
}

/// The file with this machine's own line replaced; what the user added stays.
fn hosts_with(hosts: &str, hostname: &str) -> String {
    const OWN: &str = "127.0.1.1";
    let mut lines: Vec<&str> = hosts
        .lines()
        .filter(|line| line.split_whitespace().next() != Some(OWN))
        .collect();
    if !lines.iter().any(|line| line.starts_with("127.0.0.1")) {
        lines.insert(0, "127.0.0.1\tlocalhost");
    }
    let own = format!("{OWN}\t{hostname}");
    lines.push(&own);
    lines.join("\n") + "\n"
}

/// Frozen processes run no instruction until they are thawed. `false`: not all were frozen in time.
fn set_frozen(cgroup: &str, frozen: bool) -> Result<bool> {
    let started = nix::time::clock_gettime(nix::time::ClockId::CLOCK_MONOTONIC)?;
    let wanted = if frozen { "frozen 1" } else { "frozen 0" };
    fs::write(
        format!("{cgroup}/cgroup.freeze"),
        if frozen { "1" } else { "0" },
    )?;
    loop {
        let events = fs::read_to_string(format!("{cgroup}/cgroup.events"))?;
        if events.lines().any(|line| line == wanted) {
            return Ok(true);
        }
        let now = nix::time::clock_gettime(nix::time::ClockId::CLOCK_MONOTONIC)?;
        if Duration::from(now).saturating_sub(Duration::from(started)) > FREEZE_TIMEOUT {
            return Ok(false);
        }
        std::thread::sleep(Duration::from_millis(1));
    }
}

/// Holds the user's processes and writes the disk's dirty pages: what is captured next is consistent.
pub(crate) async fn freeze(State(guest): State<Arc<Guest>>) -> Response {
    let in_microvm = guest.in_microvm;
    let done = apart(move || {
        // The disk alone: another file system may be served by a process that is about to be frozen.
        let disk = fs::File::open("/")?;
        // Most of it while the user's processes still run, the rest when they cannot write any more.
        rustix::fs::syncfs(&disk)?;
        let frozen = !in_microvm || set_frozen(USER_CGROUP, true)?;
        rustix::fs::syncfs(&disk)?;
        Ok(FreezeResponse { frozen })
    });
    match done.await {
        Ok(answer) => Json(answer).into_response(),
        Err(error) => cannot("freeze", &error),
    }
}

pub(crate) async fn thaw(
    State(guest): State<Arc<Guest>>,
    Json(request): Json<ThawRequest>,
) -> Response {
    let in_microvm = guest.in_microvm;
    let done = apart(move || {
        if in_microvm {
            set_clock(request.timestamp_unix_nanos).context("set the clock")?;
            set_frozen(USER_CGROUP, false)?;
        }
        Ok(())
    });
    match done.await {
        Ok(()) => StatusCode::NO_CONTENT.into_response(),
        Err(error) => cannot("thaw", &error),
    }
}

pub(crate) async fn sync() -> Response {
    let done = apart(|| {
        rustix::fs::sync();
        Ok(())
    });
    match done.await {
        Ok(()) => StatusCode::NO_CONTENT.into_response(),
        Err(error) => cannot("sync", &error),
    }
}

fn cannot(what: &str, error: &anyhow::Error) -> Response {
    let message = format!("cannot {what}: {error:#}");
    refuse(StatusCode::INTERNAL_SERVER_ERROR, message)
}

pub(crate) async fn envs(State(guest): State<Arc<Guest>>) -> Json<BTreeMap<String, String>> {
    Json(guest.identity.snapshot().env)
}

/// Memory and disk in bytes; CPU since boot as a share of all CPUs.
pub(crate) async fn metrics() -> Response {
    let measured = tokio::task::spawn_blocking(|| {
        let memory = procfs_memory().unwrap_or_default();
        let disk = rustix::fs::statvfs("/").ok()?;
        let used = (disk.f_blocks - disk.f_bfree) * disk.f_frsize;
        Some(json!({
            "ts": nix::time::clock_gettime(nix::time::ClockId::CLOCK_REALTIME).ok()?.tv_sec(),
            "cpu_count": std::thread::available_parallelism().map_or(1, usize::from),
            "cpu_used_pct": cpu_used_percent().unwrap_or(0.0),
            "mem_total": memory.0, "mem_used": memory.0.saturating_sub(memory.1), "mem_cache": memory.2,
            "disk_used": used, "disk_total": disk.f_blocks * disk.f_frsize,
        }))
    });
    match measured.await {
        Ok(Some(metrics)) => Json(metrics).into_response(),
        _ => refuse(StatusCode::INTERNAL_SERVER_ERROR, "cannot measure"),
    }
}

/// Total, available and cached bytes.
fn procfs_memory() -> Option<(u64, u64, u64)> {
    let text = fs::read_to_string("/proc/meminfo").ok()?;
    let field = |name: &str| {
        let line = text.lines().find_map(|line| line.strip_prefix(name))?;
        line.trim_start_matches(':')
            .trim()
            .trim_end_matches(" kB")
            .parse::<u64>()
            .ok()
            .map(|kib| kib * 1024)
    };
    Some((field("MemTotal")?, field("MemAvailable")?, field("Cached")?))
}

fn cpu_used_percent() -> Option<f64> {
    let text = fs::read_to_string("/proc/stat").ok()?;
    let ticks: Vec<u64> = text
        .lines()
        .next()?
        .split_whitespace()
        .skip(1)
        .take(8)
        .map(|field| field.parse().unwrap_or(0))
        .collect();
    let (total, idle) = (ticks.iter().sum::<u64>(), ticks.get(3)? + ticks.get(4)?);
    #[expect(
        clippy::cast_precision_loss,
        reason = "a percentage of tick counts far below 2^52"
    )]
    let share = (total - idle) as f64 / total.max(1) as f64;
    Some((share * 1000.0).round() / 10.0)
}

#[cfg(test)]
mod tests {
    use super::hosts_with;

    #[test]
    fn what_the_user_added_to_hosts_outlives_a_new_name() {
        let first = hosts_with("", "sb-1");
        assert_eq!(first, "127.0.0.1\tlocalhost\n127.0.1.1\tsb-1\n");
        let second = hosts_with(&format!("{first}10.0.0.1 mine\n"), "sb-2");
        assert_eq!(
            second,
            "127.0.0.1\tlocalhost\n10.0.0.1 mine\n127.0.1.1\tsb-2\n"
        );
    }
}
