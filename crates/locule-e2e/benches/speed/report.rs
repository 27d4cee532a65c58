//! The figures as lines on a terminal and as `docs/PERFORMANCE.md`.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result};
use locule_e2e::screen::{note, say};
use locule_e2e::statistics::{Bar, Figure, ratio};

/// The conditions of a figure besides the code.
#[derive(Debug)]
pub(crate) struct Setting {
    pub(crate) date: String,
    pub(crate) accelerator: String,
    pub(crate) kernel: String,
    pub(crate) guest_kernel: String,
    pub(crate) vmm: String,
    pub(crate) cpu: String,
    pub(crate) cpus: usize,
    pub(crate) load: f64,
    pub(crate) quick: bool,
}

/// What a run has measured, also when a part of it failed: the figures before the failure hold.
#[derive(Debug)]
pub(crate) struct Measured {
    pub(crate) setting: Setting,
    /// Median of the floor, in milliseconds.
    pub(crate) floor_ms: f64,
    pub(crate) figures: Vec<Figure>,
    /// The failed parts, each with its error.
    pub(crate) failures: Vec<String>,
}

impl Measured {
    pub(crate) fn new(setting: Setting) -> Self {
        Self {
            setting,
            floor_ms: 0.0,
            figures: Vec::new(),
            failures: Vec::new(),
        }
    }

    /// The figures of a part, whose other figures are missing when it failed.
    pub(crate) fn add(&mut self, part: &str, figures: Vec<Figure>, ended: Result<()>) {
        self.figures.extend(figures);
        if let Err(error) = ended {
            note(&format!("bench: {part}: {error:#}"));
            self.failures.push(format!("{part}: {error:#}"));
        }
    }
}

/// The reasons why figures miss their limits, as a profile showed: the beginning of the name, and the reason. An entry is
/// removed when its figure meets the limit again.
const REASONS: &[(&str, &str)] = &[(
    "burst of",
    "two thirds of a burst are not warm. Each of those takes about one floor of a core's time, most of which QEMU spends on \
     translating the guest's code for the first time (TCG; no cache of it survives a process), so with k warm machines a core the last \
     of a burst cannot be ready before 2k floors, and the cores are shared with the database and the clients",
)];

fn reason(figure: &Figure) -> &'static str {
    let known = REASONS
        .iter()
        .find(|(name, _)| figure.name.starts_with(name));
    known.map_or("not known yet: profile it", |(_, reason)| reason)
}

fn misses(figure: &Figure) -> bool {
    figure.bar.as_ref().is_some_and(|bar| !bar.passes())
}

/// Only durations can be compared with the floor.
fn to_floor(figure: &Figure, floor_ms: f64) -> String {
    if figure.unit == "ms" && floor_ms > 0.0 {
        format!("{:.2}", ratio(figure.p50(), floor_ms))
    } else {
        "–".to_owned()
    }
}

/// Prints one line for each figure.
pub(crate) fn print(measured: &Measured) {
    let (figures, setting) = (&measured.figures, &measured.setting);
    let width = figures
        .iter()
        .map(|figure| figure.name.chars().count())
        .max()
        .unwrap_or(0);
    for figure in figures {
        let [p50, p95, p99] = figure.percentiles();
        let bar = figure
            .bar
            .as_ref()
            .map_or_else(String::new, |bar| format!("  {}", bar.text()));
        say(&format!(
            "{:width$}  n {:>4}  p50 {p50:>7}  p95 {p95:>7}  p99 {p99:>7} {:<9} floor × {:>5}  {}, Linux {}{bar}",
            figure.name,
            figure.values.len(),
            figure.unit,
            to_floor(figure, measured.floor_ms),
            setting.accelerator,
            setting.kernel,
        ));
        for note in &figure.notes {
            say(&format!("{:width$}    {note}", ""));
        }
        if misses(figure) {
            say(&format!(
                "{:width$}    missed because: {}",
                "",
                reason(figure)
            ));
        }
    }
    let held: Vec<_> = figures
        .iter()
        .filter_map(|figure| figure.bar.as_ref())
        .collect();
    let passed = held.iter().filter(|bar| bar.passes()).count();
    say(&format!("{passed} of {} bars are met", held.len()));
}

/// Writes the document.
pub(crate) fn write(path: &Path, measured: &Measured) -> Result<()> {
    let text = document(measured)?;
    fs::write(path, text).with_context(|| format!("write {}", path.display()))?;
    say(&format!("written to {}", path.display()));
    Ok(())
}

fn document(measured: &Measured) -> Result<String> {
    let (figures, setting) = (&measured.figures, &measured.setting);
    let mut text = String::from(INTRODUCTION);
    if setting.quick {
        text += "**A trial of the bench itself, with few samples on a machine that may be busy. The figures mean nothing.**\n\n";
    }
    writeln!(
        text,
        "Measured {}, accelerator {}, host kernel {}, guest kernel {}, {}, {} × {}, load before the run {:.2}.\n",
        setting.date,
        setting.accelerator,
        setting.kernel,
        setting.guest_kernel,
        setting.vmm,
        setting.cpus,
        setting.cpu,
        setting.load
    )?;
    if !measured.failures.is_empty() {
        text += "**Not everything was measured. The figures that follow the failure in the same part are missing:**\n\n";
        for failure in &measured.failures {
            writeln!(text, "- {}", failure.lines().next().unwrap_or_default())?;
        }
        text += "\n";
    }
    text += "| what | n | p50 | p95 | p99 | unit | × floor | accelerator, kernel | bar |\n|---|--:|--:|--:|--:|---|--:|---|---|\n";
    for figure in figures {
        let [p50, p95, p99] = figure.percentiles();
        writeln!(
            text,
            "| {} | {} | {p50} | {p95} | {p99} | {} | {} | {}, {} | {} |",
            figure.name,
            figure.values.len(),
            figure.unit,
            to_floor(figure, measured.floor_ms),
            setting.accelerator,
            setting.kernel,
            figure.bar.as_ref().map(Bar::text).unwrap_or_default()
        )?;
    }
    text += "\n## Where the time goes\n\n";
    for figure in figures {
        for note in &figure.notes {
            writeln!(text, "- {}: {note}", figure.name)?;
        }
    }
    text += "\n## Missed bars\n\n";
    for figure in figures.iter().filter(|figure| misses(figure)) {
        writeln!(text, "- {}: {}", figure.name, reason(figure))?;
    }
    if !figures.iter().any(misses) {
        text += "None.\n";
    }
    Ok(text)
}

const INTRODUCTION: &str = "# Performance

Written by `make bench` on an idle machine; do not edit. Every figure is from one run.

- **floor**: from exec of QEMU to the first byte of the end event of `true`, from the guest agent over TCP from inside the namespace;
  the template snapshot, its disk, a tap and a running sandbox's own QEMU arguments, and nothing of the platform around it. The processes of
  a template snapshot are frozen until the guest agent has taken one `init`: that call is part of the floor.
- **create→first exec**: from the first byte of the `POST` to the first byte of the answer that tells the end of `true`, through the API.
- **pause, stopped**: from the order to stop to the image's files being written; fsync apart. **resume**: to the answer of the call.
- **exec**: `/bin/true`; direct is to the guest agent from inside the namespace.
- **files**: 64 MiB to and from `/home/user`; raw is a plain TCP program in the guest on the same disk.
- **a guest's own work**: the same command, sent the same way, to a sandbox and to a guest under a bare VMM.
- **another team**: create and exec of one team, alone and while another team holds 8 stalled uploads and 512 commands.
- **click on Launch→prompt in the page**: a new Chromium, a new team and a warm VM that is ready; from the click to the first character of the prompt.
- **unique memory**: private pages of a VMM; the template snapshot is counted once for the host.
- **pass, creates, list of a team, control plane**: one control plane with 1,000 simulated hosts, which answer at once at sockets of their own and
  send heartbeats, and 100,000 sandboxes of 100 teams; PostgreSQL with fsync. The rows are written by SQL; what is measured goes through the API.
- **sandboxes until creates take twice as long**: created and kept, until the p99 of the last creates is twice that of the first.

";
