//! The control plane with a thousand hosts and a hundred thousand sandboxes: passes over all of them, creates, lists, memory.
//!
//! The hosts are simulated in this process and answer at once, each at a socket of its own, by the calls that real host agents take. The
//! rows of the sandboxes are written by SQL; those whose creation is measured are created through the API.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use chrono::{DateTime, Utc};
use locule_base::tasks::Tasks;
use locule_e2e::api::{Api, bearer};
use locule_e2e::platform::{Options, Part, Platform};
use locule_e2e::screen::note;
use locule_e2e::statistics::{Figure, ratio};
use locule_e2e::{clock, host};
use locule_testkit::{Crowd, CrowdPlan};
use serde_json::json;
use tokio::runtime::Runtime;

use crate::rig::{section, small, succeeded};

/// The time between two heartbeats of a host.
const HEARTBEATS: Duration = Duration::from_secs(30);
/// Of the hosts, for each pass.
const CHANGED_PERCENT: usize = 1;
/// A pass compares less than this part of the rows once the fleet has settled: some hosts are due, whatever they report.
const SETTLED_PART: i64 = 20;
const CLIENTS: usize = 32;
/// A create commits its row, and the report of its host.
const COMMITS_OF_CREATE: f64 = 2.0;
const TIMEOUT: Duration = Duration::from_mins(1);
const SETTLED_TIMEOUT: Duration = Duration::from_mins(4);

/// How much of everything there is.
struct Size {
    hosts: usize,
    teams: usize,
    sandboxes_of_team: usize,
    passes: usize,
    lists: usize,
    create_seconds: usize,
}

impl Size {
    const WHOLE: Self = Self {
        hosts: 1000,
        teams: 100,
        sandboxes_of_team: 1000,
        passes: 6,
        lists: 300,
        create_seconds: 20,
    };
    const QUICK: Self = Self {
        hosts: 50,
        teams: 5,
        sandboxes_of_team: 1000,
        passes: 2,
        lists: 20,
        create_seconds: 3,
    };
}

/// A platform with its fleet.
struct Scale {
    platform: Platform,
    runtime: Runtime,
    crowd: Crowd,
    size: Size,
}

/// The processor time of the parts of the platform and of this process.
#[derive(Clone, Copy)]
struct Used {
    serve: Duration,
    postgres: Duration,
    own: Duration,
}

pub(crate) fn measure(options: Options, quick: bool) -> Result<Vec<Figure>> {
    section("scale: the fleet");
    let size = if quick { Size::QUICK } else { Size::WHOLE };
    let mut scale = Scale::start(options, size)?;
    let stop = AtomicBool::new(false);
    let figures = std::thread::scope(|scope| {
        let (stop, beating) = (&stop, &scale);
        let beats = scope.spawn(move || beating.send_heartbeats(stop));
        let figures = scale.figures();
        stop.store(true, Ordering::Relaxed);
        beats.join().ok().context("the heartbeats panicked")??;
        figures
    })?;
    scale.platform.stop()?;
    Ok(figures)
}

impl Scale {
    fn start(options: Options, size: Size) -> Result<Self> {
        locule_base::descriptors::raise().context("raise the limit of file descriptors")?;
        let platform = Platform::start(options)?;
        let sockets = Path::new("/run").join(format!("locule-scale-{}", std::process::id()));
        fs::create_dir_all(&sockets)?;
        let secret = |name: &str| -> Result<Vec<u8>> {
            let text = fs::read_to_string(platform.data().join("secrets").join(name))?;
            bytes(text.trim()).with_context(|| format!("the secret {name} is not hexadecimal"))
        };
        let plan = CrowdPlan {
            database_url: format!(
                "postgres://locule@localhost/locule?host=/run/locule-{}/postgres",
                platform.instance()?
            ),
            platform_key: secret("platform_key")?,
            jwt_secret: secret("jwt_secret")?,
            sockets: sockets.clone(),
            hosts: size.hosts,
            teams: size.teams,
            sandboxes_of_team: size.sandboxes_of_team,
        };
        cordon_own_hosts(&platform)?;
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .enable_all()
            .build()?;
        let tasks = Tasks::new();
        let crowd = runtime.block_on(Crowd::start(plan, &tasks));
        for entry in fs::read_dir(&sockets)? {
            // The control plane has a user of its own.
            fs::set_permissions(entry?.path(), fs::Permissions::from_mode(0o777))?;
        }
        let scale = Self {
            platform,
            runtime,
            crowd,
            size,
        };
        note("bench: the first heartbeats");
        for number in 0..scale.crowd.hosts.len() {
            scale.send_heartbeat(number)?;
        }
        Ok(scale)
    }

    fn figures(&self) -> Result<Vec<Figure>> {
        section("scale: passes over all hosts");
        let mut figures = vec![self.first_pass()?];
        section("scale: passes");
        figures.push(self.passes()?);
        section("scale: lists");
        figures.push(self.lists()?);
        let idle = self.memory()?;
        section("scale: creates");
        figures.push(self.creates()?);
        let peak = memory(self.serve()?, "VmHWM")?;
        let figure = Figure::new("control plane: resident memory", "MiB", vec![idle]);
        figures.push(figure.note(format!("{peak:.0} MiB at most since its start")));
        Ok(figures)
    }

    fn serve(&self) -> Result<u32> {
        self.platform.part(Part::Serve).context("the control plane")
    }

    fn memory(&self) -> Result<f64> {
        memory(self.serve()?, "VmRSS")
    }

    fn send_heartbeat(&self, number: usize) -> Result<()> {
        let host = &self.crowd.hosts[number];
        let mut api = Api::with(
            self.platform.address(),
            Some(("x-host-token", host.token.clone())),
            TIMEOUT,
        );
        let path = format!("/v1/hosts/{}/heartbeat", host.id);
        succeeded(api.post(&path, &host.heartbeat())?, "a heartbeat").map(drop)
    }

    /// Each host in turn, evenly.
    fn send_heartbeats(&self, stop: &AtomicBool) -> Result<()> {
        let count = u32::try_from(self.crowd.hosts.len())?;
        let mut next = clock::now();
        for number in (0..self.crowd.hosts.len()).cycle() {
            if stop.load(Ordering::Relaxed) {
                break;
            }
            self.send_heartbeat(number)?;
            next += HEARTBEATS / count;
            std::thread::sleep(clock::between(clock::now(), next));
        }
        Ok(())
    }

    /// The latest pass of a job that began after a moment: its duration in seconds, and the rows that it found.
    fn pass_after(&self, job: &str, after: DateTime<Utc>) -> Option<(DateTime<Utc>, f64, i64)> {
        let jobs = self.runtime.block_on(self.crowd.jobs());
        let job = jobs.into_iter().find(|one| one.name == job)?;
        let (started, finished) = (job.last_started_at?, job.last_finished_at?);
        let took = (finished - started).to_std().ok()?;
        (started > after).then_some((started, took.as_secs_f64(), job.counts.0))
    }

    /// Waits until the control plane has compared every row, and a pass asks only the hosts that have not been asked for minutes.
    fn first_pass(&self) -> Result<Figure> {
        let (mut last, mut longest) = (DateTime::UNIX_EPOCH, (0.0, 0));
        let settled = clock::until(SETTLED_TIMEOUT, || {
            let (started, took, found) = self.pass_after("sandbox sweep", last)?;
            last = started;
            note(&format!(
                "bench: a pass of {took:.2} s compared {found} rows"
            ));
            if found > longest.1 {
                longest = (took, found);
            }
            (found < longest.1 / SETTLED_PART).then_some(())
        });
        settled.context("the fleet does not settle")?;
        let figure = Figure::new(
            "pass of the sweep that asks every host",
            "s",
            vec![longest.0],
        );
        Ok(figure.note(format!("{} rows", longest.1)))
    }

    /// Passes of both jobs while one host in a hundred reports a change.
    fn passes(&self) -> Result<Figure> {
        let changed = (self.crowd.hosts.len() * CHANGED_PERCENT).div_ceil(100);
        let (mut took, mut found, mut last) = (Vec::new(), Vec::new(), now()?);
        let before = self.used()?;
        let begun = clock::now();
        let mut first = 0;
        while took.len() < self.size.passes {
            for number in first..first + changed {
                let number = number % self.crowd.hosts.len();
                self.crowd.hosts[number].change();
                self.send_heartbeat(number)?;
            }
            first += changed;
            let sweep = || self.pass_after("sandbox sweep", last);
            let (started, sweep, rows) =
                clock::until(TIMEOUT, sweep).context("a pass of the sweep")?;
            let monitor = || self.pass_after("host monitor", DateTime::UNIX_EPOCH);
            let (_, monitor, _) =
                clock::until(TIMEOUT, monitor).context("a pass of the monitor")?;
            last = started;
            took.push(sweep + monitor);
            found.push(rows);
        }
        let cores = self
            .used()?
            .since(before)
            .per(clock::since(begun).as_secs_f64());
        let longest = took.iter().copied().fold(0.0, f64::max);
        let name = format!("pass of sweep and monitor, {CHANGED_PERCENT} % of the hosts changed");
        let figure = Figure::new(&name, "s", took).at_most("longest", longest, 2.0);
        Ok(figure.note(format!(
            "{} hosts, {} sandboxes, {changed} hosts changed in each pass; rows compared: {found:?}; of a core, between the passes too: {cores}",
            self.crowd.hosts.len(),
            self.size.teams * self.size.sandboxes_of_team,
        )))
    }

    fn lists(&self) -> Result<Figure> {
        let (mut took, mut rows) = (Vec::new(), 0);
        for number in 0..self.size.lists + 5 {
            let key = &self.crowd.keys[number % self.crowd.keys.len()];
            let mut api = Api::new(self.platform.address(), key, TIMEOUT);
            api.warm_up()?;
            let answer = succeeded(api.get("/v1/sandboxes")?, "list")?;
            // The first ones fill caches.
            if number >= 5 {
                took.push(clock::milliseconds(answer.took));
            }
            rows = answer.json().as_array().map_or(0, Vec::len);
        }
        let figure = Figure::new("list of a team", "ms", took);
        let p99 = figure.p99();
        Ok(figure
            .at_most("p99 in ms", p99, 50.0)
            .note(format!("{rows} sandboxes in an answer")))
    }

    fn creates(&self) -> Result<Figure> {
        let floor = self
            .crowd
            .commits_per_second(CLIENTS / 2, Duration::from_secs(3));
        let floor = self.runtime.block_on(floor);
        let (done, stop) = (AtomicU64::new(0), AtomicBool::new(false));
        let (rates, used, took) = std::thread::scope(|scope| {
            let clients: Vec<_> = (0..CLIENTS)
                .map(|client| {
                    let (done, stop) = (&done, &stop);
                    scope.spawn(move || self.create_until(client, done, stop))
                })
                .collect();
            let measured = self.count_creates(&done);
            stop.store(true, Ordering::Relaxed);
            let mut took = Vec::new();
            for client in clients {
                took.extend(client.join().ok().context("a client panicked")??);
            }
            let (rates, used) = measured?;
            anyhow::Ok((rates, used, took))
        })?;
        let figure = Figure::new("creates", "creates/s", rates);
        let rate = figure.p50();
        let each = Figure::new("", "ms", took);
        Ok(figure
            .at_least("p50", rate, 150.0)
            .note(format!(
                "{CLIENTS} clients of {} teams, each create p50 {:.0} ms, p99 {:.0} ms",
                self.size.teams,
                each.p50(),
                each.p99()
            ))
            .note(format!("processor time of a create, in ms: {used}"))
            .note(format!(
                "floor: {floor:.0} bare commits of one row a second by {} connections; a create commits {COMMITS_OF_CREATE} times, {:.2} of the floor",
                CLIENTS / 2,
                ratio(rate * COMMITS_OF_CREATE, floor)
            )))
    }

    /// The creates of each second, and the processor time of one.
    fn count_creates(&self, done: &AtomicU64) -> Result<(Vec<f64>, String)> {
        // The first second is not measured.
        std::thread::sleep(Duration::from_secs(1));
        let (before, begun) = (self.used()?, done.load(Ordering::Relaxed));
        let (mut rates, mut last, mut at) = (Vec::new(), begun, clock::now());
        for _ in 0..self.size.create_seconds {
            std::thread::sleep(Duration::from_secs(1));
            let (count, now) = (done.load(Ordering::Relaxed), clock::now());
            let seconds = clock::between(at, now).as_secs_f64();
            rates.push(number(count - last) / seconds);
            (last, at) = (count, now);
        }
        let used = self.used()?.since(before);
        Ok((rates, used.per(number(last - begun) / 1000.0)))
    }

    /// Creates sandboxes of teams in turn. Returns the time of each create in milliseconds.
    fn create_until(&self, client: usize, done: &AtomicU64, stop: &AtomicBool) -> Result<Vec<f64>> {
        let keys = self.crowd.keys.iter().skip(client % self.crowd.keys.len());
        let mut apis: Vec<Api> = keys
            .step_by(CLIENTS)
            .map(|key| Api::new(self.platform.address(), key, TIMEOUT))
            .collect();
        let (mut took, request) = (Vec::new(), small());
        let count = apis.len();
        for number in (0..count).cycle() {
            if stop.load(Ordering::Relaxed) {
                break;
            }
            let answer = succeeded(apis[number].create(&request, None)?, "create")?;
            took.push(clock::milliseconds(answer.took));
            done.fetch_add(1, Ordering::Relaxed);
        }
        Ok(took)
    }

    fn used(&self) -> Result<Used> {
        let postgres = self.platform.part(Part::Postgres).context("PostgreSQL")?;
        let workers = host::children(postgres);
        let all = workers.into_iter().chain([postgres]);
        Ok(Used {
            serve: host::processor_time(self.serve()?),
            postgres: all.map(host::processor_time).sum(),
            own: host::processor_time(std::process::id()),
        })
    }
}

impl Used {
    fn since(self, before: Self) -> Self {
        Self {
            serve: clock::between(before.serve, self.serve),
            postgres: clock::between(before.postgres, self.postgres),
            own: clock::between(before.own, self.own),
        }
    }

    /// As text, divided by a number.
    fn per(self, number: f64) -> String {
        let part = |time: Duration| ratio(time.as_secs_f64(), number);
        format!(
            "control plane {:.2}, PostgreSQL {:.2}, clients and simulated hosts {:.2}",
            part(self.serve),
            part(self.postgres),
            part(self.own)
        )
    }
}

#[expect(clippy::cast_precision_loss, reason = "counts of a bench are small")]
fn number(count: u64) -> f64 {
    count as f64
}

fn now() -> Result<DateTime<Utc>> {
    let wall = clock::wall();
    DateTime::from_timestamp(i64::try_from(wall.as_secs())?, wall.subsec_nanos())
        .context("the time")
}

fn bytes(hexadecimal: &str) -> Option<Vec<u8>> {
    let pairs = (0..hexadecimal.len()).step_by(2);
    let byte = |at| u8::from_str_radix(hexadecimal.get(at..at + 2)?, 16).ok();
    pairs.map(byte).collect()
}

/// A line of the status of a process, in MiB.
fn memory(pid: u32, name: &str) -> Result<f64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix(name));
    let kib = line.and_then(|line| line.split_whitespace().nth(1));
    let kib: f64 = kib.context("the memory of a process")?.parse()?;
    Ok(kib / 1024.0)
}

/// Sandboxes are placed on simulated hosts only.
fn cordon_own_hosts(platform: &Platform) -> Result<()> {
    let credentials = platform.credentials()?;
    let mut anonymous = Api::with(platform.address(), None, TIMEOUT);
    let login = json!({ "email": credentials["email"], "password": credentials["password"] });
    let answer = succeeded(anonymous.post("/v1/auth/login", &login)?, "login")?.json();
    let token = answer["token"].as_str().context("a token")?;
    let mut api = Api::with(platform.address(), Some(bearer(token)), TIMEOUT);
    let listed = succeeded(api.get("/v1/hosts")?, "hosts")?.json();
    let hosts = listed.as_array().context("a list of hosts")?;
    ensure!(!hosts.is_empty(), "the platform has no host");
    for host in hosts {
        let id = host["id"].as_str().context("the id of a host")?;
        let body = json!({ "cordoned": true }).to_string();
        let path = format!("/v1/hosts/{id}");
        let answer = api.call("PATCH", &path, &[], "application/json", body.as_bytes())?;
        succeeded(answer, "cordon")?;
    }
    Ok(())
}
