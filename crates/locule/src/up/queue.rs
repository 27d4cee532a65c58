//! The private Redis of `locule up`. It wakes workers up; PostgreSQL holds every fact.

use std::time::Duration;

use anyhow::Context as _;
use nix::sys::signal::Signal;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::UnixStream;

use super::banner::Progress;
use super::layout::Layout;
use super::supervisor::{Service, Supervisor};
use crate::environment;

const PATIENCE: Duration = Duration::from_secs(30);

/// Starts Redis and returns its URL.
pub(super) async fn start(
    layout: &Layout,
    supervisor: &mut Supervisor,
    progress: &Progress,
) -> anyhow::Result<String> {
    let socket = layout.run_dir().join("redis/redis.sock");
    let folder = layout.folder("redis");
    let args = [
        "--port",
        "0",
        "--unixsocket",
        &socket.to_string_lossy(),
        "--unixsocketperm",
        // The folder of the socket is closed to others.
        "777",
    ];
    let mut args: Vec<String> = args.map(str::to_owned).into();
    args.extend(
        [
            "--dir",
            &folder.to_string_lossy(),
            "--appendonly",
            "yes",
            "--daemonize",
            "no",
            "--save",
            "",
        ]
        .map(str::to_owned),
    );
    let service = Service {
        name: "redis",
        program: environment::find_program("redis-server")
            .context("Redis is missing: apt-get install redis-server")?,
        args,
        environment: Vec::new(),
        user: Some(layout.users().redis),
        log: layout.log("redis"),
        oom_score_adj: super::supervisor::SPARED,
        stop: Signal::SIGTERM,
        on_exit_of_up: Signal::SIGTERM,
        ends_without: None,
    };
    supervisor.start(service)?;
    let answers = || async {
        let mut stream = UnixStream::connect(&socket).await.ok()?;
        stream.write_all(b"PING\r\n").await.ok()?;
        let mut answer = [0; 5];
        stream.read_exact(&mut answer).await.ok()?;
        (&answer == b"+PONG").then_some(())
    };
    progress
        .step("Redis", supervisor.until("redis", PATIENCE, answers))
        .await?;
    Ok(format!("unix://{}", socket.display()))
}
