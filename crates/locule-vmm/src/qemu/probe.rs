//! Selects KVM where a guest really runs under it, and TCG with a reason where it does not.
//!
//! A `/dev/kvm` that can be opened proves nothing: some hosts have a device that runs a stock kernel in an instruction
//! emulator and never completes the first second of its boot. The probe therefore boots a guest and waits for the first
//! line of the guest agent.

use std::fs::File;
use std::io::Read as _;
use std::path::Path;
use std::time::Duration;

use locule_base::command::Command;

use super::version::PROGRAM;
use crate::accelerator::{Accelerator, AcceleratorKind, AcceleratorSetting};
use crate::machine::VmmError;

/// The first line that the guest agent prints; see the guest's boot.
const FIRST_LINE: &str = "locule-guest: booting";
const PROBE_TIMEOUT: Duration = Duration::from_secs(4);

/// Selects the accelerator. A host without working KVM is an error under `Kvm`, and a reason to use TCG under `Auto`.
pub async fn choose_accelerator(
    setting: AcceleratorSetting,
    kernel: &Path,
    initramfs: &Path,
    scratch: &Path,
) -> Result<Accelerator, VmmError> {
    let kvm = match setting {
        AcceleratorSetting::Tcg => Err("the configuration selects TCG".to_owned()),
        AcceleratorSetting::Auto | AcceleratorSetting::Kvm => {
            probe_kvm(kernel, initramfs, scratch).await
        }
    };
    match (kvm, setting) {
        (Ok(()), _) => Ok(Accelerator {
            kind: AcceleratorKind::Kvm,
            reason: None,
        }),
        (Err(reason), AcceleratorSetting::Kvm) => Err(VmmError::Unusable(reason)),
        (Err(reason), _) => Ok(Accelerator {
            kind: AcceleratorKind::Tcg,
            reason: Some(reason),
        }),
    }
}

/// Boots the bundle's kernel under KVM and waits for the first line of the guest agent.
async fn probe_kvm(kernel: &Path, initramfs: &Path, scratch: &Path) -> Result<(), String> {
    if !Path::new("/dev/kvm").exists() {
        return Err("this host has no /dev/kvm".to_owned());
    }
    let console = scratch.join("kvm-probe.console");
    let _ = std::fs::remove_file(&console);
    let run = Command::new(PROGRAM)
        .args([
            "-M",
            "q35",
            "-accel",
            "kvm",
            "-cpu",
            "host",
            "-m",
            "256",
            "-nodefaults",
            "-no-user-config",
        ])
        .args([
            "-display",
            "none",
            "-no-reboot",
            "-append",
            "console=ttyS0 panic=-1",
        ])
        .arg("-kernel")
        .arg(kernel)
        .arg("-initrd")
        .arg(initramfs)
        .arg("-serial")
        .arg(format!("file:{}", console.display()))
        .timeout(PROBE_TIMEOUT)
        .run();
    let mut run = Box::pin(run);
    let exited = loop {
        // Dropping the future kills the probe.
        match tokio::time::timeout(Duration::from_millis(50), &mut run).await {
            Ok(exited) => break Some(exited),
            Err(_) if has_first_line(&console) => break None,
            Err(_) => {}
        }
    };
    let booted = has_first_line(&console);
    let _ = std::fs::remove_file(&console);
    match exited {
        _ if booted => Ok(()),
        Some(Err(error)) => Err(format!("the probe guest did not run under KVM: {error}")),
        // The guest panicked or rebooted: `-no-reboot` turns both into exit status 0.
        Some(Ok(_)) | None => Err("the probe guest printed nothing under KVM".to_owned()),
    }
}

fn has_first_line(console: &Path) -> bool {
    let mut text = Vec::new();
    let read = File::open(console).and_then(|file| file.take(1024 * 1024).read_to_end(&mut text));
    read.is_ok() && String::from_utf8_lossy(&text).contains(FIRST_LINE)
}
