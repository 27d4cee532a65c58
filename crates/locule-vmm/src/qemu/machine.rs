//! A running QEMU process.

use std::fs::File;
use std::os::fd::AsFd as _;
use std::time::Duration;

use async_trait::async_trait;
use serde_json::{Value, json};

use crate::capture::{self, CaptureStats};
use crate::cgroup::Group;
use crate::machine::{Machine, VmmError, VmmHandle};
use crate::process::Process;
use crate::qmp::Qmp;

const COMMAND_TIMEOUT: Duration = Duration::from_secs(10);
/// Stopping flushes the guest's disk writes.
const STOP_TIMEOUT: Duration = Duration::from_mins(1);
const LOAD_TIMEOUT: Duration = Duration::from_secs(30);
const QUIT_TIMEOUT: Duration = Duration::from_secs(2);

#[derive(Debug)]
pub(super) struct QemuMachine {
    handle: VmmHandle,
    process: Process,
    qmp: Qmp,
    group: Option<Group>,
}

impl QemuMachine {
    pub(super) fn new(handle: VmmHandle, process: Process, qmp: Qmp, group: Option<Group>) -> Self {
        Self {
            handle,
            process,
            qmp,
            group,
        }
    }

    async fn status(&mut self) -> Result<String, VmmError> {
        let answer = self
            .qmp
            .run("query-status", json!({}), &[], COMMAND_TIMEOUT)
            .await?;
        Ok(answer
            .get("status")
            .and_then(Value::as_str)
            .unwrap_or_default()
            .to_owned())
    }
}

/// Refuses a QEMU whose guest can write memory outside its RAM: a capture would lose such memory.
pub(super) async fn check_memory_blocks(qmp: &mut Qmp) -> Result<(), VmmError> {
    let command = json!({ "command-line": "info ramblock" });
    let answer = qmp
        .run("human-monitor-command", command, &[], COMMAND_TIMEOUT)
        .await?;
    match unknown_memory_block(answer.as_str().unwrap_or_default()) {
        None => Ok(()),
        Some(block) => Err(VmmError::Unusable(format!(
            "QEMU has a memory block `{block}`, which a snapshot would not contain"
        ))),
    }
}

const GUEST_MEMORY: &str = "m0";
/// Firmware and tables: every VMM creates them anew, and the guest cannot write them.
const FIRMWARE_BLOCKS: [&str; 5] = [
    "pc.bios",
    "pc.rom",
    "/rom@etc/acpi/tables",
    "/rom@etc/table-loader",
    "/rom@etc/acpi/rsdp",
];

/// The first unexpected block of `info ramblock`. A list without guest memory also counts as unexpected.
fn unknown_memory_block(listing: &str) -> Option<String> {
    let names = || {
        let rows = listing.lines().skip(1);
        rows.filter_map(|row| row.split_whitespace().next())
    };
    if !names().any(|name| name == GUEST_MEMORY) {
        return Some("instead of guest memory".to_owned());
    }
    let unknown = names().find(|name| *name != GUEST_MEMORY && !FIRMWARE_BLOCKS.contains(name));
    unknown.map(str::to_owned)
}

#[async_trait]
impl Machine for QemuMachine {
    fn handle(&self) -> &VmmHandle {
        &self.handle
    }

    async fn load_devices(&mut self, state: File) -> Result<(), VmmError> {
        self.qmp
            .run(
                "getfd",
                json!({ "fdname": "state" }),
                &[state.as_fd()],
                COMMAND_TIMEOUT,
            )
            .await?;
        self.qmp
            .run(
                "migrate-incoming",
                json!({ "uri": "fd:state" }),
                &[],
                COMMAND_TIMEOUT,
            )
            .await?;
        let loaded = async {
            // QEMU sends no event that reliably marks the end of the load, which takes a few milliseconds.
            while self.status().await? == "inmigrate" {
                tokio::time::sleep(Duration::from_micros(500)).await;
            }
            Ok(())
        };
        tokio::time::timeout(LOAD_TIMEOUT, loaded)
            .await
            .map_err(|_| VmmError::Timeout {
                command: "migrate-incoming",
            })?
    }

    async fn save_devices(&mut self, out: File) -> Result<(), VmmError> {
        let answer = self
            .qmp
            .run("add-fd", json!({}), &[out.as_fd()], COMMAND_TIMEOUT)
            .await?;
        let set = answer.get("fdset-id").and_then(Value::as_i64).unwrap_or(-1);
        let filename = format!("/dev/fdset/{set}");
        let save = json!({ "filename": filename, "live": false });
        let saved = self
            .qmp
            .run("xen-save-devices-state", save, &[], LOAD_TIMEOUT)
            .await;
        // QEMU frees a descriptor set when its last descriptor is removed and nothing uses it.
        let removed = self
            .qmp
            .run(
                "remove-fd",
                json!({ "fdset-id": set }),
                &[],
                COMMAND_TIMEOUT,
            )
            .await;
        saved.and(removed).map(drop)
    }

    async fn cont(&mut self) -> Result<(), VmmError> {
        self.qmp
            .run("cont", json!({}), &[], COMMAND_TIMEOUT)
            .await
            .map(drop)
    }

    async fn stop(&mut self) -> Result<(), VmmError> {
        self.qmp
            .run("stop", json!({}), &[], STOP_TIMEOUT)
            .await
            .map(drop)
    }

    async fn is_running(&mut self) -> Result<bool, VmmError> {
        Ok(self.status().await? == "running")
    }

    fn disk_failed(&mut self) -> Result<bool, VmmError> {
        self.qmp.disk_failed()
    }

    async fn capture_memory(&mut self, image: File) -> Result<CaptureStats, VmmError> {
        // Pages that the guest writes behind the scan would be missing from the snapshot: corruption that shows much later.
        if self.is_running().await? {
            return Err(VmmError::CommandRefused {
                command: "capture",
                reason: "the VM is running".to_owned(),
            });
        }
        let (pid, memory) = (self.handle.pid, self.handle.memory);
        let copied =
            tokio::task::spawn_blocking(move || capture::capture(pid, memory, &image)).await;
        let copied = copied.map_err(|_| VmmError::Unusable("the capture panicked".to_owned()))?;
        Ok(copied?)
    }

    async fn exited(&mut self) {
        self.process.exited().await;
        self.group.iter().for_each(Group::remove);
    }

    async fn end(&mut self) -> Result<(), VmmError> {
        // The answer does not matter: only the exit of the process counts.
        let _ = self.qmp.run("quit", json!({}), &[], QUIT_TIMEOUT).await;
        if tokio::time::timeout(QUIT_TIMEOUT, self.process.exited())
            .await
            .is_err()
        {
            self.process.kill();
            self.process.exited().await;
        }
        self.group.iter().for_each(Group::remove);
        let _ = std::fs::remove_file(&self.handle.control);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LISTING: &str = "              Block Name    PSize  Offset\r
                  m0    4 KiB  0x0000000000000000\r
             pc.bios    4 KiB  0x0000000004000000\r
";

    #[test]
    fn a_memory_block_that_a_snapshot_would_not_contain_is_found() {
        assert_eq!(unknown_memory_block(LISTING), None);
        let graphics = format!("{LISTING}    vga.vram    4 KiB  0x0\r\n");
        assert_eq!(unknown_memory_block(&graphics).as_deref(), Some("vga.vram"));
        assert!(unknown_memory_block("").is_some());
        assert!(unknown_memory_block(&LISTING.replace("m0", "pc.ram")).is_some());
    }
}
