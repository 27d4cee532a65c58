//! The measured platform, and the steps that all measurements share.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use locule_agent_api::{HostAgent as _, PoolLevel};
use locule_e2e::api::Api;
use locule_e2e::clock;
use locule_e2e::guest::Guest;
use locule_e2e::http::Answer;
use locule_e2e::platform::Platform;
use locule_e2e::screen::note;
use locule_e2e::statistics::Figure;
use serde_json::{Value, json};

/// A pause of half a gigabyte takes long.
const TIMEOUT: Duration = Duration::from_mins(5);

/// Longer than the creation of one pooled VM.
const STEADY_FOR: Duration = Duration::from_secs(2);

/// The platform and the figures of one run.
pub(crate) struct Rig {
    pub(crate) platform: Platform,
    pub(crate) api: Api,
    pub(crate) pool: PathBuf,
    pub(crate) instance: String,
    /// Count of samples of each figure.
    pub(crate) n: usize,
    pub(crate) figures: Vec<Figure>,
    /// Median of the floor, in milliseconds.
    pub(crate) floor_ms: f64,
}

/// The times from the request to the end of the first command.
#[derive(Debug, Clone)]
pub(crate) struct Created {
    pub(crate) id: String,
    /// From the first byte of the create to the first byte of the response that reports the end of `true`.
    pub(crate) first_exec_ms: f64,
    /// To the response of the create.
    pub(crate) create_ms: f64,
    /// The part of the host, as it reports it.
    pub(crate) ready_ms: f64,
}

impl Rig {
    pub(crate) fn new(platform: Platform, n: usize) -> Result<Self> {
        Ok(Self {
            api: platform.api(TIMEOUT)?,
            pool: platform.pool(),
            instance: platform.instance()?,
            platform,
            n,
            figures: Vec::new(),
            floor_ms: 0.0,
        })
    }

    pub(crate) fn another_api(&self) -> Result<Api> {
        let mut api = self.platform.api(TIMEOUT)?;
        api.warm_up()?;
        Ok(api)
    }

    pub(crate) fn restart_with(&mut self, warm: usize) -> Result<()> {
        self.platform.restart_with(warm)?;
        self.api = self.platform.api(TIMEOUT)?;
        Ok(())
    }

    pub(crate) fn create(&mut self, request: &Value) -> Result<Created> {
        self.api.warm_up()?;
        create(&mut self.api, request)
    }

    pub(crate) fn destroy(&mut self, id: &str) -> Result<()> {
        succeeded(self.api.destroy(id)?, "destroy").map(drop)
    }

    pub(crate) fn guest(&self, id: &str) -> Result<Guest> {
        Guest::of(&self.pool, &self.instance, id)
    }

    /// Runs a command that must succeed.
    pub(crate) fn exec(&mut self, id: &str, script: &str) -> Result<Answer> {
        let answer = succeeded(self.api.exec(id, "/bin/sh", &["-c", script])?, script)?;
        let ran = answer.json();
        ensure!(
            ran["exit_code"] == 0,
            "{script}: exit code {}: {}",
            ran["exit_code"],
            ran["stderr"]
        );
        Ok(answer)
    }

    pub(crate) fn add(&mut self, figure: Figure) {
        self.figures.push(figure);
    }
}

pub(crate) fn succeeded(answer: Answer, what: &str) -> Result<Answer> {
    ensure!(
        answer.is_success(),
        "{what} answered {}: {}",
        answer.status,
        answer.text()
    );
    Ok(answer)
}

/// Creates a sandbox and runs `true` over one connection.
pub(crate) fn create(api: &mut Api, request: &Value) -> Result<Created> {
    let begun = clock::now();
    let created = succeeded(api.create(request, None)?, "create")?;
    let create_ms = clock::milliseconds(created.first_byte);
    let sandbox = created.json();
    let id = sandbox["id"]
        .as_str()
        .context("the sandbox's id")?
        .to_owned();
    let asked = clock::now();
    let ran = succeeded(api.exec(&id, "/bin/true", &[])?, "exec")?;
    ensure!(ran.json()["exit_code"] == 0, "true failed: {}", ran.text());
    let ready_ms = sandbox["metadata"]["ready_ms"].as_str().unwrap_or("0");
    Ok(Created {
        id,
        first_exec_ms: clock::milliseconds(clock::between(begun, asked) + ran.first_byte),
        create_ms,
        ready_ms: ready_ms.parse().unwrap_or(0.0),
    })
}

/// Prints the name of the next measurement.
pub(crate) fn section(name: &str) {
    note(&format!("bench: {name}"));
}

/// The default sandbox.
pub(crate) fn small() -> Value {
    json!({ "labels": { "purpose": "bench" } })
}

/// Waits until the pool has `all` VMs, `warm` of them warm, and creates no more: that would be measured too.
pub(crate) fn wait_for_pool(rig: &Rig, warm: usize, all: usize) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let socket = PathBuf::from(format!("/run/locule-{}/agent.sock", rig.instance));
    let agent = locule_agent_api::Client::new(locule_agent_api::Connector::Unix(socket));
    let (mut seen, mut since) = ((0, 0), clock::now());
    let full = || {
        let host = runtime.block_on(agent.host()).ok()?;
        let count = |part: fn(&PoolLevel) -> u32| host.warm.iter().map(part).sum::<u32>();
        let now = (count(|stock| stock.warm), count(|stock| stock.restored));
        if now != seen {
            (seen, since) = (now, clock::now());
        }
        let is_full = now.0 as usize >= warm && (now.0 + now.1) as usize >= all;
        (is_full && clock::since(since) > STEADY_FOR).then_some(())
    };
    clock::until(Duration::from_mins(3), full)
        .with_context(|| format!("the warm pool does not reach {all} VMs with {warm} warm ones"))
}
