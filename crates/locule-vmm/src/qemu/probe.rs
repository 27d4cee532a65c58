//! Selects KVM where a guest really runs under it, and TCG with a reason where it does not.
//!
//! A `/dev/kvm` that can be opened proves nothing: some hosts have a device that runs a stock kernel in an instruction
//! emulator and never completes the first second of its boot. The probe therefore boots a guest and waits for the first
//! line of the guest agent. Its result is [`kept`] until the next boot of the machine.

mod kept;

use std::fs::File;
use std::io::Read as _;
use std::path::Path;
use std::time::Duration;

use locule_base::command::{Command, CommandError};

use self::kept::Outcome;
use super::version::PROGRAM;
use crate::accelerator::{Accelerator, AcceleratorKind, AcceleratorSetting};
use crate::machine::VmmError;

/// The first line that the guest agent prints; see the guest's boot.
const FIRST_LINE: &str = "locule-guest: booting";

/// How to find out whether KVM works.
#[derive(Debug, Clone, Copy)]
pub struct KvmProbe<'a> {
    pub kernel: &'a Path,
    pub initramfs: &'a Path,
    /// A folder for the console of the guest that is booted.
    pub scratch: &'a Path,
    /// Without a first line by then, KVM does not work.
    pub limit: Duration,
    /// The file that keeps the result. `None`: every call boots a guest.
    pub kept_in: Option<&'a Path>,
}

/// Selects the accelerator. A host without working KVM is an error under `Kvm`, and a reason to use TCG under `Auto`.
pub async fn choose_accelerator(
    setting: AcceleratorSetting,
    probe: KvmProbe<'_>,
) -> Result<Accelerator, VmmError> {
    let kvm = match setting {
        AcceleratorSetting::Tcg => Err("the configuration selects TCG".to_owned()),
        AcceleratorSetting::Auto => probe.result(false).await,
        // An operator that demands KVM may have mended what did not work before.
        AcceleratorSetting::Kvm => probe.result(true).await,
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

impl KvmProbe<'_> {
    async fn result(self, repeats_failures: bool) -> Result<(), String> {
        if !Path::new("/dev/kvm").exists() {
            return Err("this host has no /dev/kvm".to_owned());
        }
        let machine = kept::machine(PROGRAM.as_ref(), self.kernel, self.initramfs);
        let kept = self
            .kept_in
            .and_then(|file| kept::read(file, &machine, self.limit));
        let kept = kept.filter(|kept| *kept == Outcome::Works || !repeats_failures);
        let outcome = if let Some(outcome) = kept {
            outcome
        } else {
            let outcome = self.boot().await;
            if let Some(file) = self.kept_in
                && let Err(error) = kept::write(file, machine, outcome.clone())
            {
                tracing::warn!(file = %file.display(), %error, "the result of the KVM probe cannot be kept; the next start boots a guest again");
            }
            outcome
        };
        match outcome {
            Outcome::Works => Ok(()),
            Outcome::Fails { reason } => Err(reason),
            Outcome::TooSlow { limit } => Err(format!(
                "the probe guest printed nothing under KVM within {} s",
                limit.as_secs()
            )),
        }
    }

    /// Boots the bundle's kernel under KVM and waits for the first line of the guest agent.
    async fn boot(self) -> Outcome {
        let console = self.scratch.join("kvm-probe.console");
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
            .arg(self.kernel)
            .arg("-initrd")
            .arg(self.initramfs)
            .arg("-serial")
            .arg(format!("file:{}", console.display()))
            .timeout(self.limit)
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
            _ if booted => Outcome::Works,
            Some(Err(CommandError::TimedOut { .. })) => Outcome::TooSlow { limit: self.limit },
            Some(Err(error)) => Outcome::Fails {
                reason: format!("the probe guest did not run under KVM: {error}"),
            },
            // The guest panicked or rebooted: `-no-reboot` turns both into exit status 0.
            Some(Ok(_)) | None => Outcome::Fails {
                reason: "the probe guest printed nothing under KVM".to_owned(),
            },
        }
    }
}

fn has_first_line(console: &Path) -> bool {
    let mut text = Vec::new();
    let read = File::open(console).and_then(|file| file.take(1024 * 1024).read_to_end(&mut text));
    read.is_ok() && String::from_utf8_lossy(&text).contains(FIRST_LINE)
}
