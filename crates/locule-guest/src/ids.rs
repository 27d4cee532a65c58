//! Ids by which programs recognize the machine: machine id and boot id. Both follow from the sandbox's id, so they stay through
//! pauses, and no other sandbox of the same snapshot has them.

use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt as _;

use nix::mount::{MsFlags, mount};
use sha2::{Digest as _, Sha256};

use crate::console;
use crate::paths::{read_small, write_small};

const BOOT_ID: &str = "/proc/sys/kernel/random/boot_id";
/// Mounted over the kernel's own, which is the same in each restore of a snapshot.
const OWN_BOOT_ID: &str = "/run/locule/boot_id";

/// Creates the files of both ids when the template boots. Each restore of the template's snapshot then overwrites two files: after
/// a restore the emulator translates every instruction again, so a mount there takes tens of milliseconds.
pub(crate) fn prepare() {
    let booted = read_small(BOOT_ID);
    report("the boot id", mount_boot_id(booted.trim()));
    report("the machine id", write_machine_id(booted.trim()));
}

/// Sets both ids. Best effort, each on its own.
pub(crate) fn set(sandbox_id: &str) {
    report("the machine id", write_machine_id(sandbox_id));
    report("the boot id", write_boot_id(sandbox_id));
}

fn report(what: &str, done: io::Result<()>) {
    if let Err(error) = done {
        console::log(&format!("cannot set {what}: {error}"));
    }
}

fn write_machine_id(of: &str) -> io::Result<()> {
    let id = hex::encode(derive("machine-id", of));
    write_small("/etc/machine-id", &format!("{id}\n"))
}

fn write_boot_id(sandbox_id: &str) -> io::Result<()> {
    let id = hyphenated(derive("boot-id", sandbox_id));
    // The kernel's own file refuses the write: a user has unmounted the guest's.
    write_small(BOOT_ID, &format!("{id}\n")).or_else(|_| mount_boot_id(&id))
}

fn mount_boot_id(id: &str) -> io::Result<()> {
    fs::create_dir_all("/run/locule")?;
    let _ = fs::remove_file(OWN_BOOT_ID);
    write_small(OWN_BOOT_ID, &format!("{id}\n"))?;
    fs::set_permissions(OWN_BOOT_ID, fs::Permissions::from_mode(0o444))?;
    mount(
        Some(OWN_BOOT_ID),
        BOOT_ID,
        None::<&str>,
        MsFlags::MS_BIND,
        None::<&str>,
    )?;
    Ok(())
}

/// A random-looking UUID (version 4) that follows from the sandbox's id.
fn derive(what: &str, sandbox_id: &str) -> [u8; 16] {
    let digest: [u8; 32] = Sha256::digest(format!("locule {what} {sandbox_id}")).into();
    let mut id = [0; 16];
    id.copy_from_slice(&digest[..16]);
    id[6] = id[6] & 0x0f | 0x40;
    id[8] = id[8] & 0x3f | 0x80;
    id
}

fn hyphenated(id: [u8; 16]) -> String {
    let text = hex::encode(id);
    [
        &text[..8],
        &text[8..12],
        &text[12..16],
        &text[16..20],
        &text[20..],
    ]
    .join("-")
}

#[cfg(test)]
mod tests {
    use super::{derive, hyphenated};

    #[test]
    fn ids_stay_with_a_sandbox_and_differ_between_sandboxes_and_kinds() {
        assert_eq!(derive("boot-id", "a"), derive("boot-id", "a"));
        assert_ne!(derive("boot-id", "a"), derive("boot-id", "b"));
        assert_ne!(derive("boot-id", "a"), derive("machine-id", "a"));
        let text = hyphenated(derive("boot-id", "a"));
        let lengths: Vec<_> = text.split('-').map(str::len).collect();
        assert_eq!(lengths, [8, 4, 4, 4, 12]);
        assert_eq!((&text[14..15], text.len()), ("4", 36));
    }
}
