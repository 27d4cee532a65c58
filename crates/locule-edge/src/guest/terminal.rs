//! `process.Process` for a program in a terminal: input, the size of the window, and output from a position.

use bytes::Bytes;
use locule_agent_api::HolderKind;
use locule_guest_api::oneof;
use locule_guest_api::proto::process as wire;

use super::attached::attached;
use super::processes::{ProcessEvents, Selector, selector};
use super::window::WindowSize;
use super::{GuestClient, GuestError, unary};

impl GuestClient {
    /// Follows a process from a position in its output, or from now on. Returns the position of the first byte: a later one
    /// than the requested one when the guest agent no longer keeps that, an earlier one when the process has not printed that much.
    pub async fn connect_at(
        &self,
        process: &Selector,
        offset: Option<u64>,
    ) -> Result<(ProcessEvents, u64), GuestError> {
        let stream = self
            .follow(process, offset, process.purpose(HolderKind::Terminal))
            .await?;
        let first = stream.offset.unwrap_or_default();
        Ok((attached(self.clone(), stream, None), first))
    }

    /// Writes to a terminal. Returns when the terminal has accepted all bytes.
    pub async fn send_terminal_input(
        &self,
        process: &Selector,
        bytes: Bytes,
    ) -> Result<(), GuestError> {
        self.send_input(process, oneof::process_input::Input::Pty(bytes.into()))
            .await
    }

    /// Changes the size of a terminal's window. The program in it receives SIGWINCH.
    pub async fn resize(&self, process: &Selector, size: WindowSize) -> Result<(), GuestError> {
        let request = wire::UpdateRequest {
            process: selector(process).into(),
            pty: size.wire().into(),
            ..Default::default()
        };
        self.processes.update_with_options(request, unary()).await?;
        Ok(())
    }
}
