//! Creates and commands of one team, alone and while another team occupies as much of the control plane as it may.

use std::io::Write as _;
use std::net::TcpStream;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use locule_e2e::api::Api;
use locule_e2e::clock;
use locule_e2e::statistics::{Figure, ratio};
use serde_json::json;

use crate::rig::{Rig, create, section, small, succeeded};

const TIMEOUT: Duration = Duration::from_mins(2);
const UPLOADS: usize = 8;
const EXECS: usize = 512;
/// The commands run in so many sandboxes: one guest starts them slowly without KVM.
const SANDBOXES: usize = 2;
/// Commands for each create.
const COMMANDS: usize = 8;
const FILE_BYTES: usize = 100 << 20;
const SENT_BYTES: usize = 95 << 20;
/// What a stalled upload sends each second, so that it is not ended as too slow.
const TRICKLE_BYTES: usize = 4 * 1024;
/// After this time a refused upload is tried again, as its answer says.
const RETRY_SECONDS: u64 = 5;
const STEP: Duration = Duration::from_secs(1);

/// Measures the neighbour alone, then beside the greedy team.
pub(crate) fn beside_a_greedy_team(rig: &mut Rig) -> Result<()> {
    section("another team");
    let mut neighbour = rig.platform.another_team(TIMEOUT)?;
    let alone = rounds(&mut neighbour, rig.n)?;
    let mut sandboxes = Vec::new();
    for _ in 0..SANDBOXES {
        sandboxes.push(rig.create(&small())?.id);
    }
    let stop = AtomicBool::new(false);
    let greedy = &rig.another_api()?;
    let (beside, stalled) = std::thread::scope(|scope| -> Result<_> {
        let id = &sandboxes[0];
        let stop = &stop;
        let uploads: Vec<_> = (0..UPLOADS)
            .map(|_| scope.spawn(move || uploads(greedy, id, stop)))
            .collect();
        let beside = commands(rig, greedy, &sandboxes).and_then(|running| {
            let beside = rounds(&mut neighbour, rig.n)?;
            let ended = running.iter().filter(|stream| is_answered(stream)).count();
            ensure!(ended == 0, "{ended} of {EXECS} commands ended meanwhile");
            Ok(beside)
        });
        stop.store(true, Ordering::Release);
        let stalled = uploads.into_iter().map(|upload| upload.join().unwrap_or(0));
        let stalled: usize = stalled.sum();
        Ok((beside?, stalled))
    })?;
    for id in &sandboxes {
        rig.destroy(id)?;
    }
    ensure!(stalled > 0, "no upload stalled");
    for (name, alone, beside) in [
        ("create", alone.creates, beside.creates),
        ("exec", alone.execs, beside.execs),
    ] {
        let alone = Figure::new(&format!("{name} of a team alone"), "ms", alone);
        let beside = Figure::new(
            &format!(
                "{name} of a team beside one with {UPLOADS} stalled uploads and {EXECS} commands"
            ),
            "ms",
            beside,
        );
        let (p50, p99) = (
            ratio(beside.p50(), alone.p50()),
            ratio(beside.p99(), alone.p99()),
        );
        rig.add(alone);
        let beside = beside.at_most("p99 / p99 alone", p99, 2.0);
        rig.add(beside.note(format!("p50 / p50 alone = {p50:.2}")));
    }
    Ok(())
}

/// Milliseconds to the first byte of each answer.
struct Times {
    creates: Vec<f64>,
    execs: Vec<f64>,
}

fn rounds(api: &mut Api, n: usize) -> Result<Times> {
    let (mut creates, mut execs) = (Vec::new(), Vec::new());
    for round in 0..=n {
        api.warm_up()?;
        let sandbox = create(api, &small())?;
        let mut took = Vec::new();
        for _ in 0..COMMANDS {
            let ran = succeeded(api.exec(&sandbox.id, "/bin/true", &[])?, "exec")?;
            took.push(clock::milliseconds(ran.first_byte));
        }
        succeeded(api.destroy(&sandbox.id)?, "destroy")?;
        // The first fills caches.
        if round > 0 {
            creates.push(sandbox.create_ms);
            execs.extend(took);
        }
    }
    Ok(Times { creates, execs })
}

/// Starts the commands and waits until all of them run.
fn commands(rig: &mut Rig, greedy: &Api, sandboxes: &[String]) -> Result<Vec<TcpStream>> {
    let body = json!({ "cmd": "/bin/sleep", "args": ["3600"], "timeout_sec": 3600 }).to_string();
    let mut running = Vec::new();
    for id in sandboxes {
        let path = format!("/v1/sandboxes/{id}/exec");
        for _ in 0..EXECS / SANDBOXES {
            running.push(greedy.begin(&path, "application/json", body.len(), body.as_bytes())?);
        }
    }
    for id in sandboxes {
        let path = format!("/v1/sandboxes/{id}/processes");
        let all = clock::until(TIMEOUT, || {
            let answer = rig.api.get(&path).ok()?.json();
            let listed = answer
                .as_array()
                .or_else(|| answer["processes"].as_array())?;
            (listed.len() >= EXECS / SANDBOXES).then_some(())
        });
        all.with_context(|| format!("the commands do not all run in {id}"))?;
    }
    Ok(running)
}

/// Uploads to a sandbox, each of which stalls, until `stop`. Returns for how many seconds an upload was stalled and not refused.
fn uploads(api: &Api, id: &str, stop: &AtomicBool) -> usize {
    let mut stalled = 0;
    while !stop.load(Ordering::Acquire) {
        // A refused upload may end with a reset.
        let Ok(mut stream) = upload(api, id) else {
            pause(RETRY_SECONDS, stop);
            continue;
        };
        while !stop.load(Ordering::Acquire) {
            if is_answered(&stream) {
                pause(RETRY_SECONDS, stop);
                break;
            }
            if stream.write_all(&[b'x'; TRICKLE_BYTES]).is_err() {
                break;
            }
            stalled += 1;
            pause(1, stop);
        }
    }
    stalled
}

fn pause(seconds: u64, stop: &AtomicBool) {
    for _ in 0..seconds {
        if !stop.load(Ordering::Acquire) {
            std::thread::sleep(STEP);
        }
    }
}

/// An upload whose file comes before its path, without its end.
fn upload(api: &Api, id: &str) -> std::io::Result<TcpStream> {
    let part = b"--XX\r\ncontent-disposition: form-data; name=\"file\"; filename=\"file\"\r\n\r\n";
    let path = format!("/v1/sandboxes/{id}/files/write");
    let kind = "multipart/form-data; boundary=XX";
    let mut stream = api.begin(&path, kind, FILE_BYTES, part)?;
    let piece = vec![b'x'; 1 << 20];
    for _ in 0..SENT_BYTES / piece.len() {
        stream.write_all(&piece)?;
    }
    Ok(stream)
}

/// Whether the server has answered or has closed the connection.
fn is_answered(stream: &TcpStream) -> bool {
    let mut byte = [0];
    if stream.set_nonblocking(true).is_err() {
        return true;
    }
    let waits = matches!(stream.peek(&mut byte), Err(error) if error.kind() == std::io::ErrorKind::WouldBlock);
    stream.set_nonblocking(false).is_err() || !waits
}
