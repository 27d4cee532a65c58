//! What runs in the machine that is none: a guest agent that is just enough of one, with everything it knows in guest
//! memory.

use std::fs::File;
use std::io::Write as _;
use std::os::fd::{BorrowedFd, RawFd};

use anyhow::{Context as _, Result, bail, ensure};
use locule_guest_api::control::{FreezeResponse, InitRequest, InitResponse};
use locule_guest_api::{ACCESS_TOKEN_HEADER, CONTROL_KEY_HEADER, CONTROL_PATHS};
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::arguments::Arguments;
use crate::http::{Answer, Request};
use crate::memory::Memory;
use crate::model::{self, Disk};

/// Offsets in guest memory.
const TICKS: usize = 0;
const LIFE_LENGTH: usize = 8;
const LIFE: usize = 16;
const LIFE_BYTES_MAX: usize = 32 * 1024;
const FILL: usize = 16 << 20;

/// Every command does nothing, with success: `StartResponse { event: start { pid: 1 } }`, then `{ event: end { exited: true } }`.
const STARTED: &[u8] = &[0x0a, 0x04, 0x0a, 0x02, 0x08, 0x01];
const ENDED: &[u8] = &[0x0a, 0x04, 0x1a, 0x02, 0x10, 0x01];

/// What the guest knows of itself. Lives in guest memory: a restore brings back the one of the capture.
#[derive(Debug, Default, Clone, Serialize, Deserialize)]
struct Life {
    control_key: Option<String>,
    access_token: Option<String>,
    sandbox_id: String,
    hostname: String,
    frozen: bool,
    misbehaviour: Misbehaviour,
    /// Mebibytes that are still to be written to the disk, beyond what the model uses.
    disk_wanted: u64,
    /// Clock, entropy and hooks as the last `/init` brought them.
    timestamp_unix_nanos: i64,
    entropy: String,
    hooks_run: u64,
}

/// What a test told this guest to do wrong from now on.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Misbehaviour {
    #[default]
    None,
    /// Accepts connections and never says a word.
    Silent,
    /// Headers that never end.
    EndlessHeaders,
    /// A body of gigabytes.
    EndlessBody,
    /// A byte a second.
    Drip,
    /// Bytes that are no HTTP.
    Garbage,
    /// Well-formed answers of the wrong shape.
    WrongTypes,
    /// Hangs up in the middle of an answer.
    HalfAnswer,
    /// The VMM refuses to save its devices.
    RefuseSave,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Machine {
    /// Waits for its device state.
    Incoming,
    Stopped,
    /// Stopped by itself: its disk could not be written.
    IoError,
    Running,
}

/// What came of one step of the user's work.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Tick {
    Done,
    NoRoom,
}

#[derive(Debug)]
pub(crate) struct Guest {
    memory: Memory,
    disk: Disk,
    console: RawFd,
    machine: Machine,
}

/// The state of the devices: enough to notice when it does not belong to the memory.
#[derive(Serialize, Deserialize)]
struct Devices {
    ticks: u64,
}

impl Guest {
    pub(crate) fn new(arguments: &Arguments) -> Result<Self> {
        let memory = Memory::map(arguments.memory, arguments.memory_bytes, arguments.shared)?;
        let machine = if arguments.restore {
            Machine::Incoming
        } else {
            Machine::Running
        };
        let mut guest = Self {
            memory,
            disk: Disk(arguments.disk),
            console: arguments.console,
            machine,
        };
        if machine == Machine::Running {
            guest.set_life(&Life::default());
            guest.print("locule-guest: booting")?;
        }
        Ok(guest)
    }

    pub(crate) fn runs(&self) -> bool {
        self.machine == Machine::Running
    }

    /// The word that QEMU has for it.
    pub(crate) fn status(&self) -> &'static str {
        match self.machine {
            Machine::Incoming => "inmigrate",
            Machine::Stopped => "paused",
            Machine::IoError => "io-error",
            Machine::Running => "running",
        }
    }

    pub(crate) fn go_on(&mut self) {
        self.machine = Machine::Running;
    }

    pub(crate) fn stop(&mut self) {
        self.machine = Machine::Stopped;
    }

    fn ticks(&self) -> u64 {
        self.memory.read_u64(TICKS)
    }

    /// One step of the user's work; none while it is frozen. One whose write finds no room stops the machine, and is taken
    /// again when that goes on.
    pub(crate) fn tick(&mut self) -> Tick {
        let mut life = self.life();
        if life.frozen {
            return Tick::Done;
        }
        let next = self.ticks() + 1;
        let taken = model::take_up(life.disk_wanted, &self.disk);
        let done = taken.and_then(|()| model::apply(next, &mut self.memory, &self.disk));
        if let Err(error) = done {
            crate::say(&format!("{error:#}"));
            self.machine = Machine::IoError;
            return Tick::NoRoom;
        }
        self.memory.write_u64(TICKS, next);
        if life.disk_wanted > 0 {
            life.disk_wanted -= 1;
            self.set_life(&life);
        }
        Tick::Done
    }

    fn life(&self) -> Life {
        let length = usize::try_from(self.memory.read_u64(LIFE_LENGTH)).unwrap_or(0);
        let text = self.memory.read(LIFE, length.min(LIFE_BYTES_MAX));
        serde_json::from_slice(&text).unwrap_or_default()
    }

    fn set_life(&mut self, life: &Life) {
        let text = serde_json::to_vec(life).unwrap_or_default();
        assert!(
            text.len() <= LIFE_BYTES_MAX,
            "the guest's state fits its place"
        );
        self.memory.write(LIFE, &text);
        self.memory.write_u64(LIFE_LENGTH, text.len() as u64);
    }

    fn print(&self, line: &str) -> Result<()> {
        // SAFETY: open for the life of the process: the driver handed it over and nobody closes it.
        #[expect(unsafe_code, reason = "a descriptor by number")]
        let console = unsafe { BorrowedFd::borrow_raw(self.console) };
        rustix::io::write(console, format!("{line}\n").as_bytes())
            .context("print to the console")?;
        Ok(())
    }

    pub(crate) fn misbehaviour(&self) -> Misbehaviour {
        self.life().misbehaviour
    }

    pub(crate) fn save_devices(&self, mut out: File) -> Result<()> {
        let stands = matches!(self.machine, Machine::Stopped | Machine::IoError);
        ensure!(stands, "the machine is running");
        if self.misbehaviour() == Misbehaviour::RefuseSave {
            bail!("the devices cannot be saved");
        }
        let state = Devices {
            ticks: self.ticks(),
        };
        out.write_all(&serde_json::to_vec(&state)?)
            .context("write the device state")
    }

    /// Device state of another moment than the memory's would be corruption: it is refused.
    pub(crate) fn load_devices(&mut self, state: &File) -> Result<()> {
        let state: Devices = serde_json::from_reader(state).context("read the device state")?;
        let ticks = self.ticks();
        ensure!(
            state.ticks == ticks,
            "devices of tick {} with memory of tick {ticks}",
            state.ticks
        );
        self.machine = Machine::Stopped;
        Ok(())
    }

    /// Answers one request of the host, or of a test.
    pub(crate) fn answer(&mut self, request: &Request) -> Answer {
        let mut life = self.life();
        let key = request.header(CONTROL_KEY_HEADER);
        if CONTROL_PATHS.contains(&request.path.as_str()) {
            let first = request.path == "/init" && life.control_key.is_none();
            if !first && (key.is_none() || key != life.control_key.as_deref()) {
                return Answer::refusal(401, "control calls are the host's");
            }
        }
        match request.path.as_str() {
            "/health" => Answer::empty(204),
            "/init" => match serde_json::from_slice(&request.body) {
                Ok(init) => self.init(&mut life, init),
                Err(error) => Answer::refusal(400, &error.to_string()),
            },
            "/freeze" => {
                life.frozen = true;
                self.set_life(&life);
                Answer::json(&FreezeResponse { frozen: true })
            }
            "/thaw" => {
                life.frozen = false;
                self.set_life(&life);
                Answer::empty(204)
            }
            "/sync" => Answer::empty(204),
            _ if request.header(ACCESS_TOKEN_HEADER) != life.access_token.as_deref() => {
                Answer::refusal(401, "access token is missing or wrong")
            }
            "/model" => self.model(&life),
            "/process.Process/Start" => Answer::stream(&[STARTED, ENDED]),
            "/misbehave" => match serde_json::from_slice(&request.body) {
                Ok(wanted) => {
                    life.misbehaviour = wanted;
                    self.set_life(&life);
                    Answer::empty(204)
                }
                Err(error) => Answer::refusal(400, &error.to_string()),
            },
            "/fill" => match serde_json::from_slice(&request.body) {
                Ok(mebibytes) => self.fill(mebibytes),
                Err(error) => Answer::refusal(400, &error.to_string()),
            },
            "/use_disk" => match serde_json::from_slice(&request.body) {
                Ok(mebibytes) => {
                    life.disk_wanted = mebibytes;
                    self.set_life(&life);
                    Answer::empty(204)
                }
                Err(error) => Answer::refusal(400, &error.to_string()),
            },
            "/poweroff" => {
                // The console is how the host tells an orderly end from a lost VM.
                let _ = self.print("reboot: Power down");
                std::process::exit(0)
            }
            _ => Answer::refusal(404, "there is nothing here"),
        }
    }

    /// Takes up so much memory, beyond what the model uses.
    fn fill(&mut self, mebibytes: usize) -> Answer {
        let end = (FILL + (mebibytes << 20)).min(self.memory.bytes());
        let block = vec![0xa5; 1 << 20];
        for at in (FILL..end).step_by(block.len()) {
            self.memory.write(at, &block[..block.len().min(end - at)]);
        }
        Answer::empty(204)
    }

    fn init(&mut self, life: &mut Life, init: InitRequest) -> Answer {
        life.control_key = init.new_control_key.or_else(|| life.control_key.take());
        life.access_token = init.access_token.or_else(|| life.access_token.take());
        life.sandbox_id = init.sandbox_id;
        life.hostname = init.hostname;
        life.timestamp_unix_nanos = init.timestamp_unix_nanos;
        life.entropy = init.entropy;
        life.hooks_run += u64::from(init.run_hooks);
        life.frozen &= init.standby;
        self.set_life(life);
        Answer::json(&InitResponse {
            guest_version: env!("CARGO_PKG_VERSION").to_owned(),
            kernel_version: "stub".to_owned(),
            boot_id: "00000000-0000-4000-8000-000000000000".to_owned(),
        })
    }

    /// What the guest is, and whether its memory and disk are what they should be.
    fn model(&self, life: &Life) -> Answer {
        let ticks = self.ticks();
        let fault = model::check(ticks, &self.memory, &self.disk).err();
        Answer::json(&json!({
            "ticks": ticks,
            "fault": fault.map(|fault| format!("{fault:#}")),
            "sandbox_id": life.sandbox_id,
            "hostname": life.hostname,
            "frozen": life.frozen,
            "timestamp_unix_nanos": life.timestamp_unix_nanos.to_string(),
            "entropy": life.entropy,
            "hooks_run": life.hooks_run,
        }))
    }
}
