//! The control socket: the commands that the QEMU driver gives, answered as QEMU does.

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

use crate::guest::Guest;

/// What speaks to whoever is connected: answers by the monitor, events by the machine. A line is never cut by another.
#[derive(Debug, Clone, Default)]
pub(crate) struct Voice(Arc<Mutex<Option<UnixStream>>>);

impl Voice {
    fn connected(&self) -> MutexGuard<'_, Option<UnixStream>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn say(&self, what: &Value) -> Result<()> {
        match self.connected().as_mut() {
            Some(stream) => Ok(stream.write_all(format!("{what}\n").as_bytes())?),
            None => Ok(()),
        }
    }

    /// The guest was stopped in the middle of a write.
    pub(crate) fn tell_of_no_room(&self) {
        let data = json!({ "device": "", "node-name": "d0", "operation": "write", "action": "stop", "nospace": true,
            "reason": "No space left on device" });
        for event in [
            json!({ "event": "BLOCK_IO_ERROR", "data": data }),
            json!({ "event": "STOP" }),
        ] {
            // Nobody connected, or somebody who has just left: there is nobody to tell.
            let _ = self.say(&event);
        }
    }
}

#[derive(Debug)]
pub(crate) struct Monitor {
    listener: UnixListener,
    guest: Arc<Mutex<Guest>>,
    voice: Voice,
    /// By name, as `getfd` gave them.
    named: HashMap<String, OwnedFd>,
    /// By number, as `add-fd` gave them.
    sets: HashMap<i64, OwnedFd>,
}

impl Monitor {
    pub(crate) fn new(control: RawFd, guest: Arc<Mutex<Guest>>, voice: Voice) -> Self {
        // SAFETY: the driver handed this descriptor over for this purpose; nothing else in the process uses it.
        #[expect(unsafe_code, reason = "a descriptor by number")]
        let listener = unsafe { UnixListener::from_raw_fd(control) };
        Self {
            listener,
            guest,
            voice,
            named: HashMap::new(),
            sets: HashMap::new(),
        }
    }

    fn guest(&self) -> MutexGuard<'_, Guest> {
        self.guest.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// One connection after the other: a restarted agent connects anew.
    pub(crate) fn serve(mut self) -> Result<()> {
        self.listener
            .set_nonblocking(false)
            .context("the control socket")?;
        loop {
            let (stream, _) = self.listener.accept().context("the control socket")?;
            if let Err(error) = self.converse(&stream) {
                crate::say(&format!("a control connection ended: {error:#}"));
            }
            *self.voice.connected() = None;
        }
    }

    fn converse(&mut self, stream: &UnixStream) -> Result<()> {
        let greeting = json!({ "QMP": { "version": { "qemu": { "major": 1, "minor": 0 } }, "capabilities": [] } });
        *self.voice.connected() = Some(stream.try_clone()?);
        self.voice.say(&greeting)?;
        let mut pending = Vec::new();
        let mut descriptors = Vec::new();
        loop {
            while let Some(end) = pending.iter().position(|byte| *byte == b'\n') {
                let line: Vec<u8> = pending.drain(..=end).collect();
                let command: Value = serde_json::from_slice(&line).context("read a command")?;
                let name = command["execute"].as_str().unwrap_or_default().to_owned();
                let answer = match self.obey(&name, &command["arguments"], &mut descriptors) {
                    Ok(value) => json!({ "return": value, "id": command["id"] }),
                    Err(error) => {
                        let error =
                            json!({ "class": "GenericError", "desc": format!("{error:#}") });
                        json!({ "error": error, "id": command["id"] })
                    }
                };
                self.voice.say(&answer)?;
                if name == "quit" {
                    std::process::exit(0);
                }
            }
            if receive(stream, &mut pending, &mut descriptors)? == 0 {
                return Ok(());
            }
        }
    }

    fn obey(
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
            "cont" => self.guest().go_on(),
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
            other => bail!("the command {other} is not known"),
        }
        Ok(json!({}))
    }
}

/// Reads what has come, descriptors beside it. 0: the other end hung up.
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
