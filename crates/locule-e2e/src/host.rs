//! The resources of this machine that a platform uses: processes, namespaces, files, memory. Read from outside of it.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use serde_json::Value;

fn pids() -> impl Iterator<Item = u32> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok())
}

/// The command line of a process; empty when the process has exited.
pub fn command(pid: u32) -> Vec<String> {
    let text = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    text.split(|byte| *byte == 0)
        .filter(|part| !part.is_empty())
        .map(|part| String::from_utf8_lossy(part).into_owned())
        .collect()
}

/// The running children of a process.
pub fn children(parent: u32) -> Vec<u32> {
    pids()
        .filter(|pid| {
            let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
            let mut fields = stat
                .rsplit_once(')')
                .map(|(_, rest)| rest.split_whitespace())
                .into_iter()
                .flatten();
            let state = fields.next();
            state != Some("Z") && fields.next() == Some(&parent.to_string())
        })
        .collect()
}

/// The processor time that a process has used.
pub fn processor_time(pid: u32) -> Duration {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    let fields = stat.rsplit_once(')').map_or("", |(_, rest)| rest);
    let ticks = fields.split_whitespace().skip(11).take(2);
    let ticks: u64 = ticks.filter_map(|ticks| ticks.parse::<u64>().ok()).sum();
    Duration::from_millis(ticks * 1000 / rustix::param::clock_ticks_per_second().max(1))
}

/// The VMM processes of an instance, by slot.
pub fn vmms(instance: &str) -> BTreeMap<u16, u32> {
    let prefix = format!("locule-{instance}-");
    let slot = |pid| {
        let command = command(pid);
        let name = command.windows(2).find(|pair| pair[0] == "-name")?;
        // Options may follow the name of the machine.
        let name = name[1].split(',').next().unwrap_or_default();
        let name = name.strip_prefix("guest=").unwrap_or(name);
        name.strip_prefix(&prefix)?.parse().ok()
    };
    pids().filter_map(|pid| Some((slot(pid)?, pid))).collect()
}

/// The slots of an instance that have a network namespace.
pub fn namespaces(instance: &str) -> BTreeSet<u16> {
    numbered("/run/netns", &format!("locule-{instance}-"))
}

/// The slots of an instance that have a network interface on the host.
pub fn interfaces(instance: &str) -> BTreeSet<u16> {
    numbered("/sys/class/net", &format!("lc{instance}"))
}

/// The slots of an instance that have a control socket.
pub fn control_sockets(instance: &str) -> BTreeSet<u16> {
    let folder = format!("/run/locule-{instance}/vmm");
    names(Path::new(&folder))
        .iter()
        .filter_map(|name| name.strip_suffix(".qmp")?.parse().ok())
        .collect()
}

/// Count of loop devices on files in a folder.
pub fn loops_on(folder: &str) -> usize {
    let devices = names(Path::new("/sys/block"));
    let file =
        |device: &String| fs::read_to_string(format!("/sys/block/{device}/loop/backing_file"));
    let files = devices.iter().filter_map(|device| file(device).ok());
    files.filter(|file| file.contains(folder)).count()
}

fn numbered(folder: &str, prefix: &str) -> BTreeSet<u16> {
    names(Path::new(folder))
        .iter()
        .filter_map(|name| name.strip_prefix(prefix)?.parse().ok())
        .collect()
}

fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    entries
        .filter_map(|entry| entry.file_name().into_string().ok())
        .collect()
}

/// The path of a slot's network namespace.
pub fn namespace(instance: &str, slot: u16) -> PathBuf {
    PathBuf::from(format!("/run/netns/locule-{instance}-{slot}"))
}

/// The slots of the VMs in the warm pool.
pub fn pooled(pool: &Path) -> BTreeSet<u16> {
    names(&pool.join("warm"))
        .iter()
        .filter_map(|name| name.parse().ok())
        .collect()
}

/// The state of a sandbox in its manifest on the host.
#[derive(Debug, Clone)]
pub struct ManifestState {
    pub id: String,
    /// `running`, `paused`, …
    pub is: String,
    pub slot: Option<u16>,
    pub vmm: Option<u32>,
    pub image: Option<u64>,
    pub access_token: String,
    pub folder: PathBuf,
}

/// Reads the manifest of a sandbox; `None` when there is no readable manifest.
pub fn manifest_state(pool: &Path, id: &str) -> Option<ManifestState> {
    let folder = pool.join("sandboxes").join(id.strip_prefix("sb-")?);
    let text = fs::read(folder.join("manifest.json")).ok()?;
    let manifest: Value = serde_json::from_slice(&text).ok()?;
    let held = &manifest["held"];
    Some(ManifestState {
        id: id.to_owned(),
        is: held["is"].as_str()?.to_owned(),
        slot: held["slot"].as_u64().and_then(|slot| slot.try_into().ok()),
        vmm: held["vmm"]["pid"]
            .as_u64()
            .and_then(|pid| pid.try_into().ok()),
        image: held["image"].as_u64(),
        access_token: manifest["access_token"].as_str()?.to_owned(),
        folder,
    })
}

/// The manifests of sandboxes without a tombstone.
pub fn all_manifests(pool: &Path) -> Vec<ManifestState> {
    let ids = names(&pool.join("sandboxes"));
    ids.iter()
        .filter(|id| !pool.join("tombstones").join(id).exists())
        .filter_map(|id| manifest_state(pool, &format!("sb-{id}")))
        .collect()
}

/// Count of sandbox folders, with or without a manifest.
pub fn folders(pool: &Path) -> usize {
    names(&pool.join("sandboxes")).len()
}

/// Count of open descriptors of a process.
pub fn descriptors(pid: u32) -> usize {
    names(Path::new(&format!("/proc/{pid}/fd"))).len()
}

/// Count of threads of a process.
pub fn threads(pid: u32) -> usize {
    names(Path::new(&format!("/proc/{pid}/task"))).len()
}

/// The private memory of a process.
pub fn private_kib(pid: u32) -> u64 {
    let text = fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).unwrap_or_default();
    ["Private_Clean", "Private_Dirty"]
        .iter()
        .map(|name| kib(&text, name))
        .sum()
}

/// The value of a line `Name:  123 kB`.
pub fn kib(text: &str, name: &str) -> u64 {
    let line = text.lines().find_map(|line| line.strip_prefix(name));
    line.and_then(|rest| {
        rest.trim_start_matches(':')
            .split_whitespace()
            .next()?
            .parse()
            .ok()
    })
    .unwrap_or(0)
}

/// Memory that is freed when this VMM exits: its private pages, without the pages of the template snapshot, which are counted
/// once per host. The second number is the sum of proportional shares, for comparison.
pub fn unique_kib(vmm: u32) -> (u64, u64) {
    let text = fs::read_to_string(format!("/proc/{vmm}/smaps")).unwrap_or_default();
    let (mut unique, mut proportional, mut template_snapshot) = (0, 0, false);
    for line in text.lines() {
        // A mapping begins with its addresses in lower-case hexadecimal digits, a field with a capital.
        if line.starts_with(|first: char| first.is_ascii_digit() || first.is_ascii_lowercase()) {
            template_snapshot = line.contains("/memfd:");
        } else if line.starts_with("Private_Dirty:")
            || (line.starts_with("Private_Clean:") && !template_snapshot)
        {
            unique += kib(line, "Private_Dirty") + kib(line, "Private_Clean");
        } else if line.starts_with("Pss:") {
            proportional += kib(line, "Pss");
        }
    }
    (unique, proportional)
}

/// Whether the kernel's packet filter still has rules of an instance.
pub fn has_rules(instance: &str) -> bool {
    #[expect(
        clippy::disallowed_methods,
        reason = "a tool for developers runs a system program"
    )]
    let output = Command::new("nft").args(["list", "tables"]).output();
    let tables = output.map(|output| output.stdout).unwrap_or_default();
    String::from_utf8_lossy(&tables).contains(&format!("locule_{instance}"))
}

/// Count of extents of a file; `None` when it is unknown.
pub fn extents(file: &Path) -> Option<u64> {
    #[expect(
        clippy::disallowed_methods,
        reason = "a tool for developers runs a system program"
    )]
    let output = Command::new("filefrag").arg(file).output().ok()?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    text.rsplit(": ")
        .next()?
        .split_whitespace()
        .next()?
        .parse()
        .ok()
}

/// Bytes and files in use on the file system of a folder.
pub fn used(folder: &Path) -> (u64, u64) {
    rustix::fs::statvfs(folder).map_or((0, 0), |stat| {
        (
            (stat.f_blocks - stat.f_bfree) * stat.f_frsize,
            stat.f_files - stat.f_ffree,
        )
    })
}

/// The load average of the last minute.
pub fn load() -> f64 {
    let text = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    text.split_whitespace()
        .next()
        .and_then(|load| load.parse().ok())
        .unwrap_or(f64::INFINITY)
}

/// The release of the running kernel.
pub fn kernel() -> String {
    let text = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    text.trim().to_owned()
}

pub fn cpus() -> usize {
    std::thread::available_parallelism().map_or(1, std::num::NonZero::get)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_and_its_child_are_found() {
        let own = std::process::id();
        assert!(!command(own).is_empty());
        assert!(descriptors(own) >= 3 && threads(own) >= 1 && private_kib(own) > 100);
        assert!(unique_kib(own).0 > 100);
        assert!(command(u32::MAX).is_empty());
    }

    #[test]
    fn a_field_is_matched_by_its_whole_name() {
        let text = "Private_Clean:         12 kB\nPrivate_Dirty:          3 kB\n";
        assert_eq!(kib(text, "Private_Dirty"), 3);
        assert_eq!(kib(text, "Swap"), 0);
    }
}
