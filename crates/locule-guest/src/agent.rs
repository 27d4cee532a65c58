//! The guest agent: one async runtime, one listener.

use std::net::{Ipv4Addr, SocketAddr};
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::{Context as _, Result};

use crate::filesystem::Watchers;
use crate::identity::SharedIdentity;
use crate::processes::{FileLimits, Processes};
use crate::{boot, server};

#[derive(Debug, Clone, Copy)]
pub(crate) struct Options {
    pub(crate) port: u16,
    /// `false` on an ordinary machine: no cgroup to freeze, no clock or name to set, and any peer counts as the host.
    pub(crate) in_microvm: bool,
}

/// What every request may need.
#[derive(Debug)]
pub(crate) struct Guest {
    pub(crate) in_microvm: bool,
    pub(crate) identity: SharedIdentity,
    pub(crate) processes: Arc<Processes>,
    pub(crate) watchers: Watchers,
    /// Rung when a new life begins, with the connection that began it: the others belong to the old one and are dropped.
    pub(crate) new_life: tokio::sync::broadcast::Sender<SocketAddr>,
}

/// Serves until something goes irrecoverably wrong.
pub(crate) fn run(options: Options) -> ExitCode {
    match serve(options) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            boot::say(&format!("the guest agent cannot go on: {error:#}"));
            ExitCode::FAILURE
        }
    }
}

fn serve(options: Options) -> Result<()> {
    let file_limits = FileLimits::raise();
    if options.in_microvm {
        // Memory that runs out costs a process of the user, not the way to it. Children set their own.
        if let Err(error) = std::fs::write("/proc/self/oom_score_adj", "-1000") {
            boot::say(&format!("cannot set the out-of-memory score: {error}"));
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
            .context("listen")?;
        let guest = Arc::new(Guest {
            in_microvm: options.in_microvm,
            identity: SharedIdentity::default(),
            processes: Arc::new(Processes::new(options.in_microvm, file_limits)),
            watchers: Watchers::default(),
            new_life: tokio::sync::broadcast::Sender::new(4),
        });
        boot::say("ready");
        server::run(listener, guest).await
    })
}
