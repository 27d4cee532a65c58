//! The guest agent: one async runtime, one listener.

use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::process::ExitCode;

use anyhow::{Context as _, Result};

use crate::identity::StoredIdentity;
use crate::processes::FileLimits;
use crate::state::GuestState;
use crate::{console, server};

/// Connections that wait to be accepted. While an agent is restarted all of them do.
const BACKLOG: i32 = 1024;

#[derive(Debug, Clone, Copy)]
pub(crate) struct Options {
    pub(crate) port: u16,
    /// See [`GuestState::in_microvm`].
    pub(crate) in_microvm: bool,
}

/// What one agent leaves to the next. PID 1 owns it.
#[derive(Debug)]
pub(crate) struct Inheritance {
    options: Options,
    listener: TcpListener,
    identity: StoredIdentity,
    /// Another agent ran before, and its processes are not known any more.
    pub(crate) restarted: bool,
}

impl Inheritance {
    /// The inheritance of the first agent: it listens, and there is no identity yet.
    pub(crate) fn new(options: Options) -> Result<Self> {
        let address = SocketAddr::from((Ipv4Addr::UNSPECIFIED, options.port));
        let listener = TcpListener::bind(address);
        let listener = listener.with_context(|| format!("listen on {address}"))?;
        rustix::net::listen(&listener, BACKLOG).context("lengthen the queue of connections")?;
        Ok(Self {
            options,
            listener,
            identity: StoredIdentity::new().context("make the file of the identity")?,
            restarted: false,
        })
    }
}

/// Serves until an error that the agent cannot recover from.
pub(crate) fn run(inheritance: &Inheritance) -> ExitCode {
    match serve(inheritance) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            console::log(&format!("the guest agent failed: {error:#}"));
            ExitCode::FAILURE
        }
    }
}

fn serve(inheritance: &Inheritance) -> Result<()> {
    let in_microvm = inheritance.options.in_microvm;
    let file_limits = FileLimits::raise();
    if in_microvm {
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
        let listener = inheritance.listener.try_clone().and_then(|listener| {
            listener.set_nonblocking(true)?;
            tokio::net::TcpListener::from_std(listener)
        });
        let identity = inheritance.identity.try_clone();
        let identity = identity.context("open the file of the identity")?;
        let state = GuestState::new(in_microvm, file_limits, identity, inheritance.restarted);
        console::log("the guest agent is ready");
        server::run(listener.context("open the listener")?, state).await
    })
}
