//! The guest of the stub: answers the guest agent's calls as far as tests need them, with all its state in guest memory.
//!
//! The simulated guest agent of `locule-testkit` cannot replace it. A pause must save the state of this guest and a resume must
//! restore it, so all of it is in mapped guest memory and not in values of the process, and the stub VMM runs it in its own
//! process without an async runtime.

use std::fs::File;
use std::io::Write as _;
use std::os::fd::{BorrowedFd, RawFd};

use anyhow::{Context as _, Result, bail, ensure};
use locule_guest_api::control::{FreezeResponse, InitRequest, InitResponse};
use locule_guest_api::{ACCESS_TOKEN_HEADER, CONTROL_KEY_HEADER, CONTROL_PATHS};
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::arguments::Arguments;
use crate::http::{Answer, Request, Then};
use crate::log::log;
use crate::memory::Memory;
use crate::model::{self, Disk};

/// Offsets of the guest's state in guest memory.
const TICKS: usize = 0;
const STATE_LENGTH: usize = 8;
const STATE: usize = 16;
const STATE_BYTES_MAX: usize = 32 * 1024;
const FILL: usize = 16 << 20;

/// Every command but one succeeds without doing anything: `StartResponse { event: start { pid: 1 } }`, then
/// `{ event: end { exited: true } }`.
const STARTED: &[u8] = &[0x0a, 0x04, 0x0a, 0x02, 0x08, 0x01];
/// The command that does not end.
const HOLD: &[u8] = b"hold";
const ENDED: &[u8] = &[0x0a, 0x04, 0x1a, 0x02, 0x10, 0x01];

/// The state of the guest. It is stored in guest memory, so a restore brings back the state of the capture.
#[derive(Debug, Default, Clone, Serialize, Deserialize)]
struct State {
    control_key: Option<String>,
    access_token: Option<String>,
    sandbox_id: String,
    hostname: String,
    frozen: bool,
    misbehaviour: Misbehaviour,
    /// Mebibytes that are still to be written to the disk after the model's blocks.
    disk_fill_mib: u64,
    /// The clock and the entropy of the last `/init`.
    timestamp_unix_nanos: i64,
    entropy: String,
    hooks_run: u64,
}

/// The fault that a test made this guest simulate.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Misbehaviour {
    #[default]
    None,
    /// Accepts connections and never answers.
    Silent,
    /// Headers that never end.
    EndlessHeaders,
    /// A body of gigabytes.
    EndlessBody,
    /// A byte a second.
    Drip,
    /// Bytes that are not HTTP.
    Garbage,
    /// Well-formed answers of the wrong shape.
    WrongTypes,
    /// Closes the connection in the middle of an answer.
    HalfAnswer,
    /// The VMM refuses to save its devices.
    RefuseSave,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Machine {
    /// Waits for its device state.
    Incoming,
    Stopped,
    /// Stopped because its disk could not be written.
    IoError,
    Running,
}

/// The result of a tick.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Tick {
    Done,
    DiskFull,
}

#[derive(Debug)]
pub(crate) struct StubGuest {
    memory: Memory,
    disk: Disk,
    console: RawFd,
    machine: Machine,
}

/// The state of the devices: enough to notice device state that does not belong to the memory.
#[derive(Serialize, Deserialize)]
struct Devices {
    ticks: u64,
}

impl StubGuest {
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
            guest.set_state(&State::default());
            guest.print("locule-guest: booting")?;
        }
        Ok(guest)
    }

    pub(crate) fn runs(&self) -> bool {
        self.machine == Machine::Running
    }

    /// QEMU's name for the state of the machine.
    pub(crate) fn status(&self) -> &'static str {
        match self.machine {
            Machine::Incoming => "inmigrate",
            Machine::Stopped => "paused",
            Machine::IoError => "io-error",
            Machine::Running => "running",
        }
    }

    pub(crate) fn resume(&mut self) {
        self.machine = Machine::Running;
    }

    pub(crate) fn stop(&mut self) {
        self.machine = Machine::Stopped;
    }

    fn ticks(&self) -> u64 {
        self.memory.read_u64(TICKS)
    }

    /// Makes the model's next change, unless the user's processes are frozen. A write to a full disk stops the machine, and is
    /// repeated when the machine resumes.
    pub(crate) fn tick(&mut self) -> Tick {
        let mut state = self.state();
        if state.frozen {
            return Tick::Done;
        }
        let next = self.ticks() + 1;
        let filled = model::fill(state.disk_fill_mib, &self.disk);
        let done = filled.and_then(|()| model::apply(next, &mut self.memory, &self.disk));
        if let Err(error) = done {
            log(&format!("{error:#}"));
            self.machine = Machine::IoError;
            return Tick::DiskFull;
        }
        self.memory.write_u64(TICKS, next);
        if state.disk_fill_mib > 0 {
            state.disk_fill_mib -= 1;
            self.set_state(&state);
        }
        Tick::Done
    }

    fn state(&self) -> State {
        let length = usize::try_from(self.memory.read_u64(STATE_LENGTH)).unwrap_or(0);
        let text = self.memory.read(STATE, length.min(STATE_BYTES_MAX));
        serde_json::from_slice(&text).unwrap_or_default()
    }

    fn set_state(&mut self, state: &State) {
        let text = serde_json::to_vec(state).unwrap_or_default();
        assert!(
            text.len() <= STATE_BYTES_MAX,
            "the guest's state fits into its part of memory"
        );
        self.memory.write(STATE, &text);
        self.memory.write_u64(STATE_LENGTH, text.len() as u64);
    }

    fn print(&self, line: &str) -> Result<()> {
        // SAFETY: the driver passed the descriptor, and this process never closes it.
        #[expect(unsafe_code, reason = "a descriptor by number")]
        let console = unsafe { BorrowedFd::borrow_raw(self.console) };
        rustix::io::write(console, format!("{line}\n").as_bytes())
            .context("print to the console")?;
        Ok(())
    }

    pub(crate) fn misbehaviour(&self) -> Misbehaviour {
        self.state().misbehaviour
    }

    pub(crate) fn save_devices(&self, mut out: File) -> Result<()> {
        let stopped = matches!(self.machine, Machine::Stopped | Machine::IoError);
        ensure!(stopped, "the machine is running");
        if self.misbehaviour() == Misbehaviour::RefuseSave {
            bail!("the devices cannot be saved");
        }
        let state = Devices {
            ticks: self.ticks(),
        };
        out.write_all(&serde_json::to_vec(&state)?)
            .context("write the device state")
    }

    /// Refuses device state that was saved at another moment than guest memory.
    pub(crate) fn load_devices(&mut self, state: &File) -> Result<()> {
        let state: Devices = serde_json::from_reader(state).context("read the device state")?;
        let ticks = self.ticks();
        ensure!(
            state.ticks == ticks,
            "the device state is of tick {}, guest memory of tick {ticks}",
            state.ticks
        );
        self.machine = Machine::Stopped;
        Ok(())
    }

    /// Answers a request of the host or of a test.
    pub(crate) fn answer(&mut self, request: &Request) -> Answer {
        let mut state = self.state();
        let key = request.header(CONTROL_KEY_HEADER);
        if CONTROL_PATHS.contains(&request.path.as_str()) {
            let first = request.path == "/init" && state.control_key.is_none();
            if !first && (key.is_none() || key != state.control_key.as_deref()) {
                return Answer::error(401, "only the host may make control calls");
            }
        }
        match request.path.as_str() {
            "/health" => Answer::empty(204),
            "/init" => match serde_json::from_slice(&request.body) {
                Ok(init) => self.init(&mut state, init),
                Err(error) => Answer::error(400, &error.to_string()),
            },
            "/freeze" => {
                state.frozen = true;
                self.set_state(&state);
                Answer::json(&FreezeResponse { frozen: true })
            }
            "/thaw" => {
                state.frozen = false;
                self.set_state(&state);
                Answer::empty(204)
            }
            "/sync" => Answer::empty(204),
            _ if request.header(ACCESS_TOKEN_HEADER) != state.access_token.as_deref() => {
                Answer::error(401, "the access token is missing or wrong")
            }
            "/model" => self.model(&state),
            "/process.Process/Start" if request.body.windows(HOLD.len()).any(|at| at == HOLD) => {
                Answer::stream(&[STARTED], Then::Hold)
            }
            "/process.Process/Start" => Answer::stream(&[STARTED, ENDED], Then::Close),
            "/misbehave" => match serde_json::from_slice(&request.body) {
                Ok(misbehaviour) => {
                    state.misbehaviour = misbehaviour;
                    self.set_state(&state);
                    Answer::empty(204)
                }
                Err(error) => Answer::error(400, &error.to_string()),
            },
            "/fill" => match serde_json::from_slice(&request.body) {
                Ok(mebibytes) => self.fill(mebibytes),
                Err(error) => Answer::error(400, &error.to_string()),
            },
            "/use_disk" => match serde_json::from_slice(&request.body) {
                Ok(mebibytes) => {
                    state.disk_fill_mib = mebibytes;
                    self.set_state(&state);
                    Answer::empty(204)
                }
                Err(error) => Answer::error(400, &error.to_string()),
            },
            "/poweroff" => {
                // The host reads the console to tell an orderly end from a lost VM.
                let _ = self.print("reboot: Power down");
                std::process::exit(0)
            }
            _ => Answer::error(404, "the path is unknown"),
        }
    }

    /// Answers a request to the guest's web server: `/hang` never ends, an upgrade echoes.
    pub(crate) fn web(request: &Request) -> Answer {
        if request.header("upgrade").is_some() {
            return Answer::switched();
        }
        match request.path.as_str() {
            "/hang" => Answer::begun(),
            _ => Answer::json(&"ok"),
        }
    }

    /// Fills guest memory after the model's pages.
    fn fill(&mut self, mebibytes: usize) -> Answer {
        let end = (FILL + (mebibytes << 20)).min(self.memory.bytes());
        let block = vec![0xa5; 1 << 20];
        for at in (FILL..end).step_by(block.len()) {
            self.memory.write(at, &block[..block.len().min(end - at)]);
        }
        Answer::empty(204)
    }

    fn init(&mut self, state: &mut State, init: InitRequest) -> Answer {
        state.control_key = init.new_control_key.or_else(|| state.control_key.take());
        state.access_token = init.access_token.or_else(|| state.access_token.take());
        state.sandbox_id = init.sandbox_id;
        state.hostname = init.hostname;
        state.timestamp_unix_nanos = init.timestamp_unix_nanos;
        state.entropy = init.entropy;
        state.hooks_run += u64::from(init.run_hooks);
        state.frozen &= init.standby;
        self.set_state(state);
        Answer::json(&InitResponse {
            guest_version: env!("CARGO_PKG_VERSION").to_owned(),
            kernel_version: "stub".to_owned(),
            boot_id: "00000000-0000-4000-8000-000000000000".to_owned(),
        })
    }

    /// The state of the guest, and whether its memory and disk follow the rule.
    fn model(&self, state: &State) -> Answer {
        let ticks = self.ticks();
        let fault = model::check(ticks, &self.memory, &self.disk).err();
        Answer::json(&json!({
            "ticks": ticks,
            "fault": fault.map(|fault| format!("{fault:#}")),
            "sandbox_id": state.sandbox_id,
            "hostname": state.hostname,
            "frozen": state.frozen,
            "timestamp_unix_nanos": state.timestamp_unix_nanos.to_string(),
            "entropy": state.entropy,
            "hooks_run": state.hooks_run,
        }))
    }
}
