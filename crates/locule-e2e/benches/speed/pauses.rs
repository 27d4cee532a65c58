//! Pause and resume: how long the guest is stopped, with warm and cold page cache, after many generations, with much to write.

use std::fs::{self, File};
use std::io::{Read as _, Seek as _, SeekFrom};
use std::path::Path;

use anyhow::{Context as _, Result};
use locule_e2e::statistics::{Figure, percentile};
use locule_e2e::{clock, host};
use rustix::fs::Advice;
use serde_json::{Value, json};

use crate::rig::{Rig, section, small, succeeded};

/// Generations before an old sandbox is measured, and the count of measured generations.
const OLD: usize = 20;
const OLD_EACH: usize = 10;
/// The changes of a typical user between two pauses.
const SOME_WORK: &str = "head -c 4000000 /dev/urandom > /dev/shm/work";
const MUCH: usize = 500;

/// The times of one pause for its caller and in its host agent, in milliseconds.
#[derive(Debug, Clone, Default)]
struct Paused {
    call: f64,
    stopped: f64,
    fsync: f64,
    dirty_mb: f64,
}

/// The times of one resume: to its response, and to the end of the first command.
type Resumed = (f64, f64);

fn pause(rig: &mut Rig, id: &str) -> Result<Paused> {
    let log = rig.platform.log("agent");
    let from = fs::metadata(&log)?.len();
    rig.api.warm_up()?;
    let answer = succeeded(rig.api.pause(id)?, "pause")?;
    let line = image_line(&log, from, id)?;
    Ok(Paused {
        call: clock::milliseconds(answer.first_byte),
        stopped: field(&line, "stopped_us")? / 1000.0,
        fsync: field(&line, "fsync_us")? / 1000.0,
        dirty_mb: field(&line, "dirty_pages")? * 4096.0 / 1e6,
    })
}

/// The log line of the host agent about the snapshot that it wrote.
fn image_line(log: &Path, from: u64, id: &str) -> Result<String> {
    let mut file = File::open(log)?;
    file.seek(SeekFrom::Start(from))?;
    let mut text = String::new();
    file.read_to_string(&mut text)?;
    let line = text
        .lines()
        .find(|line| line.contains("stopped_us=") && line.contains(id));
    Ok(line.context("the host agent logged no times")?.to_owned())
}

fn field(line: &str, name: &str) -> Result<f64> {
    let (_, rest) = line.split_once(&format!("{name}=")).context("a field")?;
    let digits = rest.split_whitespace().next().unwrap_or_default();
    Ok(digits.parse()?)
}

fn resume(rig: &mut Rig, id: &str) -> Result<Resumed> {
    rig.api.warm_up()?;
    let begun = clock::now();
    let answer = succeeded(rig.api.resume(id)?, "resume")?;
    let asked = clock::now();
    let ran = succeeded(rig.api.exec(id, "/bin/true", &[])?, "exec")?;
    let whole = clock::between(begun, asked) + ran.first_byte;
    Ok((
        clock::milliseconds(answer.first_byte),
        clock::milliseconds(whole),
    ))
}

/// Drops the snapshot of the sandbox from the page cache: the pages of its files, and those of the pool file beneath them.
fn cool(rig: &Rig, id: &str) -> Result<()> {
    let held = host::manifest_state(&rig.pool, id).context("the paused sandbox")?;
    let image = held.image.context("the snapshot of the sandbox")?;
    let names =
        ["memory", "devices", "disk"].map(|what| held.folder.join(format!("{what}.{image}")));
    let beneath = rig.platform.data().join("agent/pool.xfs");
    for path in names.iter().chain([&beneath]).filter(|path| path.exists()) {
        let file = File::open(path)?;
        rustix::fs::fadvise(&file, 0, None, Advice::DontNeed)?;
    }
    Ok(())
}

fn add(rig: &mut Rig, what: &str, paused: &[Paused], resumed: &[Resumed], resume_name: &str) {
    let each = |part: fn(&Paused) -> f64| paused.iter().map(part).collect::<Vec<_>>();
    let allowed: Vec<f64> = paused
        .iter()
        .map(|one| one.stopped / (20.0 + one.dirty_mb))
        .collect();
    let dirty = percentile(&each(|one| one.dirty_mb), 50);
    if !paused.is_empty() {
        let stopped = Figure::new(
            &format!("pause{what}: stopped"),
            "ms",
            each(|one| one.stopped),
        )
        .at_most(
            "p50 of stopped / (20 ms + 1 ms per dirty MB)",
            percentile(&allowed, 50),
            1.0,
        )
        .note(format!("{dirty:.0} MB dirty"));
        rig.add(stopped);
        rig.add(Figure::new(
            &format!("pause{what}: fsync"),
            "ms",
            each(|one| one.fsync),
        ));
        rig.add(Figure::new(
            &format!("pause{what}: whole call"),
            "ms",
            each(|one| one.call),
        ));
    }
    let name = |which: &str| format!("resume{resume_name}{which}");
    rig.add(Figure::new(
        &name(""),
        "ms",
        resumed.iter().map(|one| one.0).collect(),
    ));
    rig.add(Figure::new(
        &name("→first exec"),
        "ms",
        resumed.iter().map(|one| one.1).collect(),
    ));
}

/// New sandboxes: each is paused and resumed once, so that every snapshot descends from the template snapshot.
pub(crate) fn young(rig: &mut Rig) -> Result<()> {
    section("pause and resume");
    let (mut paused, mut warm, mut cold) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..rig.n {
        let sandbox = rig.create(&small())?;
        rig.exec(&sandbox.id, SOME_WORK)?;
        paused.push(pause(rig, &sandbox.id)?);
        warm.push(resume(rig, &sandbox.id)?);
        pause(rig, &sandbox.id)?;
        cool(rig, &sandbox.id)?;
        cold.push(resume(rig, &sandbox.id)?);
        rig.destroy(&sandbox.id)?;
    }
    add(rig, "", &paused, &warm, ", warm page cache");
    add(rig, "", &[], &cold, ", cold page cache");
    Ok(())
}

/// Sandboxes after twenty pauses and resumes.
pub(crate) fn old(rig: &mut Rig) -> Result<()> {
    section("pause and resume at generation 20");
    let each = OLD_EACH.min(rig.n);
    let (mut paused, mut resumed) = (Vec::new(), Vec::new());
    for _ in 0..rig.n.div_ceil(each) {
        let sandbox = rig.create(&small())?;
        for generation in 1..OLD + each {
            rig.exec(&sandbox.id, SOME_WORK)?;
            let one = pause(rig, &sandbox.id)?;
            let back = resume(rig, &sandbox.id)?;
            if generation >= OLD {
                paused.push(one);
                resumed.push(back);
            }
        }
        rig.destroy(&sandbox.id)?;
    }
    add(
        rig,
        ", generation ≥ 20",
        &paused,
        &resumed,
        ", generation ≥ 20",
    );
    Ok(())
}

/// Half a gigabyte of changes since the last snapshot: in memory, and just written to a file.
pub(crate) fn much(rig: &mut Rig) -> Result<()> {
    section("pause and resume with 500 MB dirty");
    let request: Value = json!({ "memory_mb": 2048, "labels": { "purpose": "bench" } });
    for (what, target) in [
        ("in memory", "/dev/shm/much"),
        ("just written to disk", "/home/user/much"),
    ] {
        let (mut paused, mut resumed) = (Vec::new(), Vec::new());
        for _ in 0..rig.n {
            let sandbox = rig.create(&request)?;
            rig.exec(
                &sandbox.id,
                &format!("dd if=/dev/zero of={target} bs=1M count={MUCH} status=none"),
            )?;
            paused.push(pause(rig, &sandbox.id)?);
            resumed.push(resume(rig, &sandbox.id)?);
            rig.destroy(&sandbox.id)?;
        }
        let name = format!(", {MUCH} MB {what}");
        add(rig, &name, &paused, &resumed, &name);
    }
    Ok(())
}
