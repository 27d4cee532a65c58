//! KVM when a guest really runs under it, else TCG, said aloud.
//!
//! That `/dev/kvm` opens proves nothing: some hosts have one that runs a stock kernel in an instruction emulator and
//! never gets through its first second. So a guest is started, and must say something.

use std::fmt;
use std::fs::File;
use std::io::Read as _;
use std::path::Path;
use std::str::FromStr;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::machine::VmmError;

/// What runs a guest's instructions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Accelerator {
    Kvm,
    Tcg,
}

impl fmt::Display for Accelerator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Kvm => "kvm",
            Self::Tcg => "tcg",
        })
    }
}

/// What the operator asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum AcceleratorWish {
    #[default]
    Auto,
    Kvm,
    Tcg,
}

impl FromStr for AcceleratorWish {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "auto" => Ok(Self::Auto),
            "kvm" => Ok(Self::Kvm),
            "tcg" => Ok(Self::Tcg),
            _ => Err("the accelerator is auto, kvm or tcg".to_owned()),
        }
    }
}

impl fmt::Display for AcceleratorWish {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Auto => "auto",
            Self::Kvm => "kvm",
            Self::Tcg => "tcg",
        })
    }
}

/// What is used, and why not the better one.
#[derive(Debug, Clone)]
pub struct AcceleratorChoice {
    pub accelerator: Accelerator,
    /// Why it is not KVM.
    pub why: Option<String>,
}

/// What the guest agent prints first; see the guest's boot.
const SIGN_OF_LIFE: &str = "locule-guest: booting";
const PROBE_TIMEOUT: Duration = Duration::from_secs(4);

/// Decides. Under `Kvm` a host that cannot is an error; under `Auto` it is a reason.
pub async fn choose(
    wish: AcceleratorWish,
    kernel: &Path,
    initramfs: &Path,
    scratch: &Path,
) -> Result<AcceleratorChoice, VmmError> {
    let kvm = match wish {
        AcceleratorWish::Tcg => Err("TCG was asked for".to_owned()),
        AcceleratorWish::Auto | AcceleratorWish::Kvm => probe_kvm(kernel, initramfs, scratch).await,
    };
    match (kvm, wish) {
        (Ok(()), _) => Ok(AcceleratorChoice {
            accelerator: Accelerator::Kvm,
            why: None,
        }),
        (Err(why), AcceleratorWish::Kvm) => Err(VmmError::Unusable(why)),
        (Err(why), _) => Ok(AcceleratorChoice {
            accelerator: Accelerator::Tcg,
            why: Some(why),
        }),
    }
}

/// Starts the real kernel under KVM and waits for the first words of the guest agent.
async fn probe_kvm(kernel: &Path, initramfs: &Path, scratch: &Path) -> Result<(), String> {
    if !Path::new("/dev/kvm").exists() {
        return Err("there is no /dev/kvm".to_owned());
    }
    let console = scratch.join("kvm-probe.console");
    let _ = std::fs::remove_file(&console);
    let run = locule_base::command::Command::new(crate::qemu::PROGRAM)
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
    let ended = loop {
        // Dropping the future kills the probe.
        match tokio::time::timeout(Duration::from_millis(50), &mut run).await {
            Ok(ended) => break Some(ended),
            Err(_) if said(&console) => break None,
            Err(_) => {}
        }
    };
    let spoke = said(&console);
    let _ = std::fs::remove_file(&console);
    match ended {
        _ if spoke => Ok(()),
        Some(Err(error)) => Err(format!("a probe guest under KVM did not run: {error}")),
        // It panicked or rebooted: `-no-reboot` makes that an orderly end.
        Some(Ok(_)) | None => Err("a probe guest under KVM ended without a word".to_owned()),
    }
}

fn said(console: &Path) -> bool {
    let mut text = Vec::new();
    let read = File::open(console).and_then(|file| file.take(1024 * 1024).read_to_end(&mut text));
    read.is_ok() && String::from_utf8_lossy(&text).contains(SIGN_OF_LIFE)
}
