//! The floor: the template snapshot restored by a bare QEMU, with the product's own arguments and nothing else of it.
//!
//! The arguments come from the command line of a running VMM. Memory, kernel and initramfs are its descriptors, opened again;
//! disk, tap, console and control socket are new ones of the same kind. There is no jail, no ledger and no API.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::os::fd::{AsFd as _, AsRawFd as _, OwnedFd};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use locule_e2e::guest::Guest;
use locule_e2e::{clock, host};
use locule_net::{HostNet, NetOptions, SandboxNet};
use rustix::io::FdFlags;
use serde_json::{Value, json};

use crate::qmp::Qmp;

const TOKEN: &str = "the-floor-has-a-token-of-its-own";
/// The instance in every machine-wide name of the floor.
const INSTANCE_LENGTH: usize = 8;

/// The inputs of every bare VMM.
#[derive(Debug)]
pub(crate) struct Floor {
    runtime: tokio::runtime::Runtime,
    net: HostNet,
    instance: String,
    folder: PathBuf,
    program: PathBuf,
    args: Vec<String>,
    /// The shared descriptors, by their numbers in the VMM that the arguments come from.
    shared: BTreeMap<i32, File>,
    golden: PathBuf,
    control_key: String,
    next_slot: u16,
}

/// The inputs of one start, which are prepared before the measurement.
#[derive(Debug)]
pub(crate) struct Prepared {
    slot: u16,
    args: Vec<String>,
    kept: Vec<OwnedFd>,
    socket: PathBuf,
    devices: File,
    guest: Guest,
    files: PathBuf,
}

/// A running bare VMM.
#[derive(Debug)]
pub(crate) struct Bare {
    pub(crate) guest: Guest,
    /// From exec of QEMU to the first byte of the end event of `true`.
    pub(crate) took: Duration,
    /// The parts of that time in milliseconds: process and control socket, devices, first response (init), command.
    pub(crate) parts: [f64; 4],
    child: Child,
    slot: u16,
    files: PathBuf,
}

impl Floor {
    /// Reads the arguments of a sandbox that was just restored from the template snapshot.
    pub(crate) fn learn(pool: &Path, id: &str, folder: &Path) -> Result<Self> {
        let held = host::manifest_state(pool, id).context("the sandbox to learn from")?;
        let vmm = held.vmm.context("the VMM of the sandbox")?;
        ensure!(
            held.image.is_none(),
            "the sandbox was not restored from a template snapshot"
        );
        let manifest: Value =
            serde_json::from_slice(&fs::read(held.folder.join("manifest.json"))?)?;
        let key = manifest["golden"]
            .as_str()
            .context("the template snapshot of the sandbox")?;
        let golden = pool.join("golden").join(key);
        let about: Value = serde_json::from_slice(&fs::read(golden.join("manifest.json"))?)?;
        let control_key = about["control_key"].as_str().context("the image's key")?;
        let args: Vec<String> = host::command(vmm).into_iter().skip(1).collect();
        let own = own_descriptors(&args)?;
        let mut shared = BTreeMap::new();
        for number in numbers(&args)
            .into_iter()
            .filter(|number| !own.contains(number))
        {
            let path = format!("/proc/{vmm}/fd/{number}");
            let file = File::options()
                .read(true)
                .write(is_memory(&path))
                .open(&path);
            shared.insert(number, file.with_context(|| format!("open {path}"))?);
        }
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        let instance = format!("{:0width$x}", std::process::id(), width = INSTANCE_LENGTH);
        let net = runtime.block_on(HostNet::open(&instance, folder, NetOptions::default()))?;
        Ok(Self {
            runtime,
            net,
            instance,
            // The folder is on the file system of the pool, where the disk can be reflinked.
            folder: pool.join("floor"),
            program: program_of(vmm)?,
            args,
            shared,
            golden,
            control_key: control_key.to_owned(),
            next_slot: 0,
        })
    }

    /// Prepares disk, network, console and control socket, which are not measured.
    pub(crate) fn prepare(&mut self) -> Result<Prepared> {
        let slot = self.next_slot;
        self.next_slot += 1;
        let files = self.folder.join(slot.to_string());
        fs::create_dir_all(&files)?;
        let disk = File::options()
            .read(true)
            .write(true)
            .create_new(true)
            .open(files.join("disk"))?;
        rustix::fs::ioctl_ficlone(&disk, File::open(self.golden.join("disk"))?)?;
        let net: SandboxNet = self.runtime.block_on(self.net.create(slot))?;
        let socket = PathBuf::from(format!("/run/locule-floor-{}-{slot}", self.instance));
        let _ = fs::remove_file(&socket);
        let listener = UnixListener::bind(&socket)?;
        let console = File::create(files.join("console.log"))?;
        let [disk_at, console_at, tap_at, control_at] = own_descriptors(&self.args)?;
        let mut kept: Vec<(i32, OwnedFd)> = vec![
            (disk_at, disk.into()),
            (console_at, console.into()),
            (tap_at, net.open_tap()?),
            (control_at, listener.into()),
        ];
        for (number, file) in &self.shared {
            kept.push((*number, file.as_fd().try_clone_to_owned()?));
        }
        let mut renamed = BTreeMap::new();
        for (number, descriptor) in &kept {
            // QEMU inherits the descriptor.
            rustix::io::fcntl_setfd(descriptor, FdFlags::empty())?;
            renamed.insert(*number, descriptor.as_raw_fd());
        }
        let args = rewritten(
            &self.args,
            &renamed,
            &format!("floor-{}-{slot}", self.instance),
        );
        Ok(Prepared {
            slot,
            args,
            kept: kept.into_iter().map(|(_, descriptor)| descriptor).collect(),
            socket,
            devices: File::open(self.golden.join("devices"))?,
            guest: Guest {
                namespace: host::namespace(&self.instance, slot),
                access_token: TOKEN.to_owned(),
            },
            files,
        })
    }

    /// Starts QEMU, and measures until the first byte of the end event of `true`.
    pub(crate) fn start(&self, prepared: Prepared) -> Result<Bare> {
        #[expect(clippy::disallowed_methods, reason = "QEMU with nothing around it")]
        let mut command = Command::new(&self.program);
        command
            .args(&prepared.args)
            .env_clear()
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(File::create(prepared.files.join("vmm.log"))?);
        let begun = clock::now();
        let child = command.spawn().context("start QEMU")?;
        let mut qmp = Qmp::connect(&prepared.socket)?;
        let started = clock::now();
        qmp.load(prepared.devices.as_fd())?;
        let loaded = clock::now();
        qmp.run("cont", &json!({}), None)?;
        self.init(&prepared.guest)?;
        let answered = clock::now();
        let ran = prepared.guest.run("/bin/true", &[])?;
        let ended = answered + ran.took;
        ensure!(ran.exit_code == 0, "true failed");
        drop(prepared.kept);
        let _ = fs::remove_file(&prepared.socket);
        let moments = [begun, started, loaded, answered, ended];
        let parts = [0, 1, 2, 3]
            .map(|at| clock::milliseconds(clock::between(moments[at], moments[at + 1])));
        Ok(Bare {
            guest: prepared.guest,
            took: clock::between(begun, ended),
            parts,
            child,
            slot: prepared.slot,
            files: prepared.files,
        })
    }

    /// Makes the guest a sandbox. The processes of a template snapshot are frozen, and its guest agent accepts no command before
    /// this call.
    fn init(&self, guest: &Guest) -> Result<()> {
        let request = json!({
            "newControlKey": self.control_key, "accessToken": TOKEN, "sandboxId": "floor", "templateId": "floor",
            "hostname": "floor", "envVars": {}, "timestampUnixNanos": clock::wall().as_nanos().to_string(),
            "entropy": STANDARD.encode([7; 32]), "runHooks": true,
        });
        let headers = [("locule-control-key", self.control_key.as_str())];
        let answer = guest.call("/init", &headers, &request)?;
        ensure!(
            answer.is_success(),
            "init answered {}: {}",
            answer.status,
            answer.text()
        );
        Ok(())
    }

    pub(crate) fn end(&self, mut bare: Bare) -> Result<()> {
        bare.child.kill()?;
        bare.child.wait()?;
        self.runtime.block_on(self.net.destroy(bare.slot))?;
        fs::remove_dir_all(&bare.files)?;
        Ok(())
    }

    /// Removes the network of the floor.
    pub(crate) fn close(self) -> Result<()> {
        self.runtime.block_on(self.net.close())?;
        let _ = fs::remove_dir_all(&self.folder);
        Ok(())
    }
}

/// The path of the program may differ in a jail; the installed program is the same file.
fn program_of(vmm: u32) -> Result<PathBuf> {
    let program = fs::read_link(format!("/proc/{vmm}/exe"))?;
    let installed = Path::new("/usr/bin/qemu-system-x86_64");
    Ok(if program.exists() {
        program
    } else {
        installed.to_owned()
    })
}

/// QEMU opens a sealed memory file for writing to map it; the seal forbids writes.
fn is_memory(path: &str) -> bool {
    fs::read_link(path).is_ok_and(|target| target.to_string_lossy().contains("memfd:"))
}

/// The number after `mark` at the beginning of an option or of the text.
fn number_after(text: &str, mark: &str) -> Option<i32> {
    let at = text.find(mark)?;
    let starts = at == 0 || text[..at].ends_with([',', '=']);
    let digits: String = text[at + mark.len()..]
        .chars()
        .take_while(char::is_ascii_digit)
        .collect();
    digits.parse().ok().filter(|_| starts)
}

const MARKS: [&str; 2] = ["fd=", "/proc/self/fd/"];

/// The descriptors in the arguments.
fn numbers(args: &[String]) -> Vec<i32> {
    args.iter()
        .flat_map(|arg| MARKS.iter().filter_map(|mark| number_after(arg, mark)))
        .collect()
}

/// The descriptors of disk, console, tap and control socket, of which each VMM has its own.
fn own_descriptors(args: &[String]) -> Result<[i32; 4]> {
    let find = |option: &str, mark: &str| {
        args.windows(2)
            .find(|pair| pair[0] == option && pair[1].contains(mark))
            .and_then(|pair| number_after(&pair[1], "fd="))
            .with_context(|| format!("the VMM has no {option} …{mark}…"))
    };
    Ok([
        find("-add-fd", "set=1")?,
        find("-add-fd", "set=2")?,
        find("-netdev", "tap")?,
        find("-chardev", "socket")?,
    ])
}

/// The arguments with replaced descriptors and another name.
fn rewritten(args: &[String], renamed: &BTreeMap<i32, i32>, name: &str) -> Vec<String> {
    let mut after_name = false;
    args.iter()
        .map(|arg| {
            if std::mem::replace(&mut after_name, arg == "-name") {
                return name.to_owned();
            }
            let mut arg = arg.clone();
            for mark in MARKS {
                if let Some(number) = number_after(&arg, mark)
                    && let Some(new) = renamed.get(&number)
                {
                    arg = arg.replace(&format!("{mark}{number}"), &format!("{mark}{new}"));
                }
            }
            arg
        })
        .collect()
}
