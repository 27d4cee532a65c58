//! The guest agent: one async runtime, one listener.

use std::net::{Ipv4Addr, SocketAddr};
use std::process::ExitCode;

use anyhow::{Context as _, Result};

use crate::processes::FileLimits;
use crate::state::GuestState;
use crate::{console, server};

#[derive(Debug, Clone, Copy)]
pub(crate) struct Options {
    pub(crate) port: u16,
    /// See [`GuestState::in_microvm`].
    pub(crate) in_microvm: bool,
}

/// Serves until an error that the agent cannot recover from.
pub(crate) fn run(options: Options) -> ExitCode {
    match serve(options) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            console::log(&format!("the guest agent failed: {error:#}"));
            ExitCode::FAILURE
        }
    }
}

fn serve(options: Options) -> Result<()> {
    let file_limits = FileLimits::raise();
    if options.in_microvm {
        // When memory runs out, the kernel ends a process of the user and never the agent. Children set their own score.
        if let Err(error) = std::fs::write("/proc/self/oom_score_adj", "-1000") {
            console::log(&format!(
                "cannot set the agent's out-of-memory score: {error}"
            ));
        }
    }
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .max_blocking_threads(64)
        .enable_all()
        .build()
        .context("start the runtime")?;
    runtime.block_on(async {
        let address = SocketAddr::from((Ipv4Addr::UNSPECIFIED, options.port));
        let listener = tokio::net::TcpListener::bind(address)
            .await
            .with_context(|| format!("listen on {address}"))?;
        let state = GuestState::new(options.in_microvm, file_limits);
        console::log("the guest agent is ready");
        server::run(listener, state).await
    })
}
