//! The control socket: answers the QEMU driver's commands as QEMU does.

use std::collections::HashMap;
use std::fs::File;
use std::io::{IoSliceMut, Write as _};
use std::mem::MaybeUninit;
use std::os::fd::{FromRawFd as _, OwnedFd, RawFd};
use std::os::unix::net::{UnixListener, UnixStream};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use anyhow::{Context as _, Result, bail};
use rustix::net::{RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, recvmsg};
use serde_json::{Value, json};

use crate::guest::StubGuest;
use crate::log::log;

/// Writes to the connected driver: answers of the monitor, and events of the machine. Each line is written as a whole.
#[derive(Debug, Clone, Default)]
pub(crate) struct EventSink(Arc<Mutex<Option<UnixStream>>>);

impl EventSink {
    fn connected(&self) -> MutexGuard<'_, Option<UnixStream>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self, line: &Value) -> Result<()> {
        match self.connected().as_mut() {
            Some(stream) => Ok(stream.write_all(format!("{line}\n").as_bytes())?),
            None => Ok(()),
        }
    }

    /// Reports that the guest was stopped because its disk is full.
    pub(crate) fn report_disk_full(&self) {
        let data = json!({ "device": "", "node-name": "d0", "operation": "write", "action": "stop", "nospace": true,
            "reason": "No space left on device" });
        for event in [
            json!({ "event": "BLOCK_IO_ERROR", "data": data }),
            json!({ "event": "STOP" }),
        ] {
            // Without a connected driver the event is lost, as it is in QEMU.
            let _ = self.write(&event);
        }
    }
}

#[derive(Debug)]
pub(crate) struct Monitor {
    listener: UnixListener,
    guest: Arc<Mutex<StubGuest>>,
    events: EventSink,
    /// Descriptors of `getfd`, by name.
    named: HashMap<String, OwnedFd>,
    /// Descriptors of `add-fd`, by the number of their set.
    sets: HashMap<i64, OwnedFd>,
}

impl Monitor {
    pub(crate) fn new(control: RawFd, guest: Arc<Mutex<StubGuest>>, events: EventSink) -> Self {
        // SAFETY: the driver passed the descriptor for this purpose; nothing else in the process uses it.
        #[expect(unsafe_code, reason = "a descriptor by number")]
        let listener = unsafe { UnixListener::from_raw_fd(control) };
        Self {
            listener,
            guest,
            events,
            named: HashMap::new(),
            sets: HashMap::new(),
        }
    }

    fn guest(&self) -> MutexGuard<'_, StubGuest> {
        self.guest.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Serves one connection after the other: a restarted agent connects again.
    pub(crate) fn serve(mut self) -> Result<()> {
        self.listener
            .set_nonblocking(false)
            .context("set up the control socket")?;
        loop {
            let (stream, _) = self
                .listener
                .accept()
                .context("accept on the control socket")?;
            if let Err(error) = self.serve_connection(&stream) {
                log(&format!("a control connection failed: {error:#}"));
            }
            *self.events.connected() = None;
        }
    }

    fn serve_connection(&mut self, stream: &UnixStream) -> Result<()> {
        let greeting = json!({ "QMP": { "version": { "qemu": { "major": 1, "minor": 0 } }, "capabilities": [] } });
        *self.events.connected() = Some(stream.try_clone()?);
        self.events.write(&greeting)?;
        let mut pending = Vec::new();
        let mut descriptors = Vec::new();
        loop {
            while let Some(end) = pending.iter().position(|byte| *byte == b'\n') {
                let line: Vec<u8> = pending.drain(..=end).collect();
                let command: Value = serde_json::from_slice(&line).context("read a command")?;
                let name = command["execute"].as_str().unwrap_or_default().to_owned();
                let answer = match self.handle(&name, &command["arguments"], &mut descriptors) {
                    Ok(value) => json!({ "return": value, "id": command["id"] }),
                    Err(error) => {
                        let error =
                            json!({ "class": "GenericError", "desc": format!("{error:#}") });
                        json!({ "error": error, "id": command["id"] })
                    }
                };
                self.events.write(&answer)?;
                if name == "quit" {
                    std::process::exit(0);
                }
            }
            if receive(stream, &mut pending, &mut descriptors)? == 0 {
                return Ok(());
            }
        }
    }

    fn handle(
        &mut self,
        name: &str,
        arguments: &Value,
        descriptors: &mut Vec<OwnedFd>,
    ) -> Result<Value> {
        let text = |key: &str| arguments[key].as_str().unwrap_or_default();
        match name {
            "qmp_capabilities" | "quit" => {}
            "query-status" => {
                let guest = self.guest();
                return Ok(json!({ "status": guest.status(), "running": guest.runs() }));
            }
            "cont" => self.guest().resume(),
            "stop" => self.guest().stop(),
            "getfd" => {
                let fd = descriptors.pop().context("no descriptor came with getfd")?;
                self.named.insert(text("fdname").to_owned(), fd);
            }
            "migrate-incoming" => {
                let name = text("uri").strip_prefix("fd:").context("the uri")?;
                let fd = self
                    .named
                    .remove(name)
                    .context("there is no such descriptor")?;
                self.guest().load_devices(&File::from(fd))?;
            }
            "add-fd" => {
                let fd = descriptors
                    .pop()
                    .context("no descriptor came with add-fd")?;
                let set = 100 + i64::try_from(self.sets.len()).unwrap_or_default();
                self.sets.insert(set, fd);
                return Ok(json!({ "fdset-id": set }));
            }
            "remove-fd" => {
                let set = arguments["fdset-id"].as_i64().context("fdset-id")?;
                self.sets.remove(&set).context("there is no such set")?;
            }
            "xen-save-devices-state" => {
                let set = text("filename")
                    .rsplit('/')
                    .next()
                    .and_then(|set| set.parse().ok());
                let fd = set
                    .and_then(|set: i64| self.sets.get(&set))
                    .context("there is no such set")?;
                self.guest().save_devices(File::from(fd.try_clone()?))?;
            }
            "human-monitor-command" => {
                return Ok(json!(
                    " Block Name PSize\r\n m0 4 KiB 0x0\r\n pc.bios 4 KiB 0x0\r\n"
                ));
            }
            other => bail!("the command {other} is unknown"),
        }
        Ok(json!({}))
    }
}

/// Reads available bytes and descriptors. 0: the driver closed the connection.
fn receive(
    stream: &UnixStream,
    pending: &mut Vec<u8>,
    descriptors: &mut Vec<OwnedFd>,
) -> Result<usize> {
    let mut buffer = [0; 8192];
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(4))];
    let mut control = RecvAncillaryBuffer::new(&mut space);
    let mut parts = [IoSliceMut::new(&mut buffer)];
    let received = recvmsg(stream, &mut parts, &mut control, RecvFlags::CMSG_CLOEXEC)?;
    for message in control.drain() {
        if let RecvAncillaryMessage::ScmRights(fds) = message {
            descriptors.extend(fds);
        }
    }
    pending.extend_from_slice(&buffer[..received.bytes]);
    Ok(received.bytes)
}
