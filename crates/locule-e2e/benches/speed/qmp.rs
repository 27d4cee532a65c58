//! A minimal client of QEMU's control protocol for a restore, independent of the product.

use std::io::{self, BufRead as _, BufReader, IoSlice, Write as _};
use std::os::fd::{AsFd as _, BorrowedFd};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use locule_e2e::clock;
use rustix::net::{SendAncillaryBuffer, SendAncillaryMessage, SendFlags, sendmsg};
use serde_json::{Value, json};

const TIMEOUT: Duration = Duration::from_secs(30);

#[derive(Debug)]
pub(crate) struct Qmp(BufReader<UnixStream>);

impl Qmp {
    /// The socket listens before QEMU runs; the greeting arrives when it does.
    pub(crate) fn connect(socket: &Path) -> Result<Self> {
        let stream = UnixStream::connect(socket).context("connect to QEMU")?;
        stream.set_read_timeout(Some(TIMEOUT))?;
        let mut qmp = Self(BufReader::new(stream));
        qmp.line()?;
        qmp.run("qmp_capabilities", &json!({}), None)?;
        Ok(qmp)
    }

    fn line(&mut self) -> Result<Value> {
        let mut text = String::new();
        self.0.read_line(&mut text).context("read from QEMU")?;
        serde_json::from_str(&text).context("QEMU hung up")
    }

    pub(crate) fn run(
        &mut self,
        command: &str,
        arguments: &Value,
        descriptor: Option<BorrowedFd<'_>>,
    ) -> Result<Value> {
        let text = json!({ "execute": command, "arguments": arguments }).to_string() + "\n";
        match descriptor {
            Some(descriptor) => self.send(&text, descriptor)?,
            None => self.0.get_mut().write_all(text.as_bytes())?,
        }
        loop {
            let mut answer = self.line()?;
            if let Some(error) = answer.get("error") {
                bail!("QEMU refused {command}: {error}");
            }
            if let Some(value) = answer.get_mut("return") {
                return Ok(value.take());
            }
        }
    }

    fn send(&mut self, text: &str, descriptor: BorrowedFd<'_>) -> Result<()> {
        let descriptors = [descriptor];
        let mut space = [std::mem::MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
        let mut attached = SendAncillaryBuffer::new(&mut space);
        attached.push(SendAncillaryMessage::ScmRights(&descriptors));
        let stream = self.0.get_ref().as_fd();
        let sent = sendmsg(
            stream,
            &[IoSlice::new(text.as_bytes())],
            &mut attached,
            SendFlags::empty(),
        );
        if sent.map_err(io::Error::from)? < text.len() {
            bail!("QEMU does not read its control socket");
        }
        Ok(())
    }

    /// Loads the state of the devices.
    pub(crate) fn load(&mut self, state: BorrowedFd<'_>) -> Result<()> {
        self.run("getfd", &json!({ "fdname": "state" }), Some(state))?;
        self.run("migrate-incoming", &json!({ "uri": "fd:state" }), None)?;
        let loaded = clock::until(TIMEOUT, || {
            let status = self.run("query-status", &json!({}), None).ok()?;
            (status["status"] != "inmigrate").then_some(())
        });
        loaded.context("the state of the devices was not loaded in time")
    }
}
