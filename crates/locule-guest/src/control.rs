//! Control calls of the host: `/init`, `/freeze`, `/thaw`, `/sync`; and `/envs`, which clients may call.

mod hooks;
mod names;

use std::collections::BTreeMap;
use std::fs;
use std::os::fd::AsRawFd as _;
use std::sync::Arc;

use anyhow::{Context as _, Result};
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use locule_guest_api::control::{FreezeResponse, InitRequest, InitResponse, ThawRequest};
use nix::libc;

use crate::answer::{Peer, refuse};
use crate::cgroup::{USER_CGROUP, set_frozen};
use crate::identity::{SandboxIdentity, SharedIdentity};
use crate::ids;
use crate::state::GuestState;

pub(crate) async fn init(
    State(state): State<GuestState>,
    Extension(Peer(peer)): Extension<Peer>,
    Json(request): Json<InitRequest>,
) -> Response {
    // Peers of connections from before a capture no longer exist. Without any connection there is no receiver, which is fine.
    let _ = state.session_reset.send(peer);
    let hooks = request.run_hooks;
    let worker = state.clone();
    let answer = match on_own_thread(move || become_sandbox(&worker, request)).await {
        Ok(answer) => answer,
        Err(error) => return refuse(StatusCode::INTERNAL_SERVER_ERROR, format!("{error:#}")),
    };
    if hooks {
        hooks::run(&state.identity.snapshot(), &state.processes).await;
    }
    Json(answer).into_response()
}

/// Runs work for the host on a thread of its own. Every shared thread may be waiting for a file system that a user's process
/// serves, and that process may be frozen or never answer.
async fn on_own_thread<T: Send + 'static>(
    work: impl FnOnce() -> Result<T> + Send + 'static,
) -> Result<T> {
    let (done, result) = tokio::sync::oneshot::channel();
    std::thread::Builder::new()
        .name("control".to_owned())
        .spawn(move || {
            // The caller may have disconnected.
            let _ = done.send(work());
        })
        .context("start a thread")?;
    result.await.context("the work panicked")?
}

/// Renews everything that must be new before the user's processes run again, then thaws them.
fn become_sandbox(state: &GuestState, request: InitRequest) -> Result<InitResponse> {
    if state.in_microvm {
        set_clock(request.timestamp_unix_nanos).context("set the clock")?;
        let entropy = STANDARD
            .decode(&request.entropy)
            .context("read the entropy")?;
        reseed(&entropy).context("reseed the random generator")?;
        names::set(&request.hostname);
        // After a resume the guest is the sandbox already: an id that the user changed since stays.
        let id = &request.sandbox_id;
        if !id.is_empty() && *id != state.identity.snapshot().sandbox_id {
            ids::set(id);
        }
    }
    let mut env = BTreeMap::from([("E2B_SANDBOX".to_owned(), "true".to_owned())]);
    env.insert("E2B_SANDBOX_ID".to_owned(), request.sandbox_id.clone());
    env.insert("E2B_TEMPLATE_ID".to_owned(), request.template_id.clone());
    env.insert("LOCULE_SANDBOX_ID".to_owned(), request.sandbox_id.clone());
    env.extend(request.env_vars);
    let default_workdir = request.default_workdir.map(Into::into);
    let identity = SandboxIdentity::new(
        request.sandbox_id,
        env,
        request.default_user,
        default_workdir,
        request.standby,
    );
    let cgroup = identity.cgroup();
    state
        .identity
        .replace(request.new_control_key, request.access_token, identity);
    if state.in_microvm {
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

/// Credits fresh entropy and reseeds every CPU's generator from it: sandboxes restored from one snapshot must not share
/// random numbers.
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
    // SAFETY: `request` is laid out as rand_pool_info: bits, bytes, then that many bytes; it outlives the call.
    #[expect(unsafe_code, reason = "ioctl")]
    let added = unsafe { libc::ioctl(device.as_raw_fd(), RNDADDENTROPY, request.as_ptr()) };
    nix::errno::Errno::result(added).context("add entropy")?;
    // SAFETY: takes no argument.
    #[expect(unsafe_code, reason = "ioctl")]
    let reseeded = unsafe { libc::ioctl(device.as_raw_fd(), RNDRESEEDCRNG) };
    nix::errno::Errno::result(reseeded).context("reseed")?;
    Ok(())
}

/// Freezes the user's processes and writes the disk's dirty pages, so that a capture of memory and disk is consistent.
pub(crate) async fn freeze(State(state): State<GuestState>) -> Response {
    let in_microvm = state.in_microvm;
    let done = on_own_thread(move || {
        // Only the disk: another file system may be served by a process that is about to be frozen.
        let disk = fs::File::open("/")?;
        // Writes most pages while the user's processes still run, and the rest once they can no longer write.
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
    State(state): State<GuestState>,
    Json(request): Json<ThawRequest>,
) -> Response {
    let in_microvm = state.in_microvm;
    let done = on_own_thread(move || {
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
    let done = on_own_thread(|| {
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

pub(crate) async fn envs(
    State(identity): State<Arc<SharedIdentity>>,
) -> Json<BTreeMap<String, String>> {
    Json(identity.snapshot().env)
}
