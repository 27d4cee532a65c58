//! Density: the memory of an idle sandbox, and the count of sandboxes until a create takes twice as long.

use std::fs;

use anyhow::{Context as _, Result};
use locule_e2e::host;
use locule_e2e::statistics::{Figure, percentile};

use crate::rig::{Rig, create, section, small};

/// The private pages of each VMM. The template snapshot, which all share, is reported separately.
pub(crate) fn memory(rig: &mut Rig) -> Result<()> {
    section("memory of idle sandboxes");
    let mut ids = Vec::new();
    for _ in 0..rig.n.max(2) {
        ids.push(rig.create(&small())?.id);
    }
    let (mut unique, mut proportional, mut golden) = (Vec::new(), Vec::new(), 0);
    for id in &ids {
        let vmm = host::manifest_state(&rig.pool, id)
            .and_then(|held| held.vmm)
            .context("the VMM of the sandbox")?;
        let (own, share) = host::unique_kib(vmm);
        unique.push(mebibytes(own));
        proportional.push(mebibytes(share));
        golden = golden.max(template_snapshot_bytes(vmm));
    }
    for id in &ids {
        rig.destroy(id)?;
    }
    let shared = format!(
        "the template snapshot's {} MiB, once per host, not included",
        golden >> 20
    );
    let figure = Figure::new(
        "unique memory per idle sandbox, VMM included",
        "MiB",
        unique,
    );
    rig.add(figure.note(shared));
    let name = format!(
        "proportional share (PSS) of {} idle sandboxes, each",
        ids.len()
    );
    rig.add(Figure::new(&name, "MiB", proportional));
    Ok(())
}

#[expect(
    clippy::cast_precision_loss,
    reason = "memory in KiB is far below 2^52"
)]
fn mebibytes(kib: u64) -> f64 {
    kib as f64 / 1024.0
}

/// The size of the memory file that this VMM maps.
fn template_snapshot_bytes(vmm: u32) -> u64 {
    let entries = fs::read_dir(format!("/proc/{vmm}/fd"))
        .into_iter()
        .flatten()
        .flatten();
    let memories = entries.filter(|entry| {
        fs::read_link(entry.path()).is_ok_and(|target| target.to_string_lossy().contains("memfd:"))
    });
    let sizes = memories.filter_map(|entry| rustix::fs::stat(entry.path()).ok());
    sizes
        .map(|stat| stat.st_blocks.unsigned_abs() * 512)
        .max()
        .unwrap_or(0)
}

/// Creates sandboxes until the p99 of the last creates is twice that of the first, a create is refused, or the cap is reached.
pub(crate) fn until_creates_double(
    rig: &mut Rig,
    name: &str,
    window: usize,
    cap: usize,
) -> Result<()> {
    section(name);
    let (mut ids, mut times) = (Vec::new(), Vec::new());
    let mut first = 0.0;
    let why = loop {
        if ids.len() >= cap {
            break format!("the cap of {cap} was reached first");
        }
        rig.api.warm_up()?;
        match create(&mut rig.api, &small()) {
            Ok(created) => {
                ids.push(created.id);
                times.push(created.first_exec_ms);
            }
            Err(error) => break format!("the next one was refused: {error:#}"),
        }
        if times.len() == window {
            first = percentile(&times, 99);
        }
        let last = percentile(&times[times.len().saturating_sub(window)..], 99);
        if times.len() >= 2 * window && last > 2.0 * first {
            break format!("p99 of the last {window} creates is {last:.0} ms");
        }
    };
    #[expect(clippy::cast_precision_loss, reason = "hundreds")]
    let count = ids.len() as f64;
    // Sandboxes of unanswered creates exist too.
    for row in rig.api.list()? {
        if let Some(id) = row["id"].as_str() {
            rig.destroy(id)?;
        }
    }
    let figure = Figure::new(name, "sandboxes", vec![count]);
    let figure = figure.note(format!(
        "p99 of the first {window} creates was {first:.0} ms; {why}"
    ));
    rig.add(figure);
    rig.add(Figure::new(
        &format!("{name}: create→first exec meanwhile"),
        "ms",
        times,
    ));
    Ok(())
}
