//! `locule doctor`: is this machine fit to run sandboxes, and how is the platform on it?

use std::path::{Path, PathBuf};

use locule_agent_api::{Client, Connector, HostAgent as _, HostInfo};
use locule_base::errors::chain;
use serde_json::{Value, json};

use crate::up::{checks, database};
use crate::{environment, screen};

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The data directory of the platform
    #[arg(long, env = "LOCULE_DATA_DIR", default_value = "/var/lib/locule")]
    data_dir: PathBuf,
    /// As JSON
    #[arg(long)]
    json: bool,
    /// Take the database for what it is after it went back in time: what this host holds is measured by it again
    #[arg(long)]
    accept_database: bool,
}

/// One thing that was looked at.
struct Finding {
    what: &'static str,
    mark: Mark,
    /// How it is; where it is not well, what to do.
    text: String,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Mark {
    Well,
    /// It works, and somebody should know.
    Warning,
    Wrong,
}

impl Mark {
    fn sign(self) -> char {
        match self {
            Self::Well => '✓',
            Self::Warning => '!',
            Self::Wrong => '✗',
        }
    }

    fn word(self) -> &'static str {
        match self {
            Self::Well => "well",
            Self::Warning => "warning",
            Self::Wrong => "wrong",
        }
    }
}

impl Finding {
    fn of(what: &'static str, state: Result<String, String>) -> Self {
        let (mark, text) = match state {
            Ok(text) => (Mark::Well, text),
            Err(text) => (Mark::Wrong, text),
        };
        Self { what, mark, text }
    }
}

/// `true`: nothing is wrong.
pub(crate) async fn run(args: Args) -> anyhow::Result<bool> {
    let mut findings = vec![programs(), images()];
    let run_dir = run_dir(&args.data_dir);
    let host = match &run_dir {
        Err(why) => Err(why.clone()),
        Ok(run_dir) => look_at_host(&run_dir.join("agent.sock")).await,
    };
    match (&host, &run_dir) {
        (Ok(host), Ok(run_dir)) => {
            findings.extend(of_host(host));
            let looked = look_at_database(run_dir, host, args.accept_database).await;
            findings.push(Finding::of("database", looked));
        }
        (Err(why), _) | (_, Err(why)) => {
            findings.push(Finding::of("host agent", Err(why.clone())));
        }
    }
    let well = findings.iter().all(|finding| finding.mark != Mark::Wrong);
    if args.json {
        screen::say(&serde_json::to_string_pretty(&as_json(
            &findings,
            host.ok().as_ref(),
        ))?);
    } else {
        for Finding { what, mark, text } in &findings {
            screen::say(&format!("{} {what:<13} {text}", mark.sign()));
        }
    }
    Ok(well)
}

fn programs() -> Finding {
    let missing = checks::missing_packages();
    let state = if missing.is_empty() {
        Ok("everything needed is installed".to_owned())
    } else {
        Err(format!("missing: apt-get install {}", missing.join(" ")))
    };
    Finding::of("programs", state)
}

fn images() -> Finding {
    let found = checks::find_images(None);
    let state = found
        .map(|path| path.display().to_string())
        .map_err(|error| error.to_string());
    Finding::of("guest images", state)
}

async fn look_at_host(socket: &Path) -> Result<HostInfo, String> {
    let host = client(socket).host().await;
    host.map_err(|error| format!("the host agent at {} does not answer ({error}): is `locule up` running, and are you root?", socket.display()))
}

fn client(socket: &Path) -> Client {
    Client::new(Connector::Unix(socket.to_owned()))
}

/// Whether the database is as far as the host has seen it.
async fn look_at_database(run_dir: &Path, host: &HostInfo, accept: bool) -> Result<String, String> {
    let url = environment::database_url().unwrap_or_else(|| database::url(run_dir, "locule"));
    let pool = locule_store::connect(&url).map_err(|error| chain(&error))?;
    let now = locule_control::database_mark(&pool).await;
    pool.close().await;
    let now = now.map_err(|error| chain(&error))?;
    let back = host.write_mark.as_ref();
    let back = back.filter(|seen| locule_control::went_back_in_time(seen, &now));
    match back {
        None => Ok(format!("write {now}")),
        Some(_) if accept => {
            let host = client(&run_dir.join("agent.sock"));
            let accepted = host.accept_database(now.clone()).await;
            accepted.map_err(|error| chain(&error))?;
            Ok(format!("write {now}, accepted"))
        }
        Some(seen) => Err(format!(
            "it went back in time: it is at write {now}, and this host has seen {seen}. Nothing is cleaned up by it here. Restore a newer backup, or run `locule doctor --accept-database`: then sandboxes that have no row are paused and kept"
        )),
    }
}

/// Where the sockets of an installation are.
fn run_dir(data_dir: &Path) -> Result<PathBuf, String> {
    let path = data_dir.join("instance");
    let instance = std::fs::read_to_string(&path).map_err(|error| {
        format!(
            "there is no platform in {} ({error}): start one with `locule up`",
            data_dir.display()
        )
    })?;
    Ok(PathBuf::from(format!("/run/locule-{}", instance.trim())))
}

fn of_host(host: &HostInfo) -> Vec<Finding> {
    let kvm = host.accelerator == "kvm";
    let accelerator = Finding {
        what: "accelerator",
        mark: if kvm { Mark::Well } else { Mark::Warning },
        text: if kvm {
            format!("kvm ({})", host.vmm)
        } else {
            format!(
                "{} ({}): for development and trusted code only; production needs KVM",
                host.accelerator, host.accelerator_reason
            )
        },
    };
    let ready = if host.ready {
        Ok(format!(
            "version {}, {} cores, templates: {}",
            host.agent_version,
            host.cpu_cores,
            host.templates.join(", ")
        ))
    } else {
        Err("it is starting; look again in a moment".to_owned())
    };
    let memory = format!(
        "{} of {} MiB in use; above that the longest idle sandbox is paused",
        host.memory_used_bytes >> 20,
        host.memory_limit_bytes >> 20
    );
    let disk = format!("{} MiB free in the pool", host.pool_free_bytes >> 20);
    vec![
        Finding::of("host agent", ready),
        accelerator,
        Finding::of("memory", Ok(memory)),
        Finding::of("disk", Ok(disk)),
        Finding::of("warm pool", Ok(pool(host))),
    ]
}

/// What waits, and what it costs.
fn pool(host: &HostInfo) -> String {
    let kinds: Vec<_> = host
        .warm
        .iter()
        .map(|kind| {
            let count = u64::from(kind.warm + kind.restored).max(1);
            format!(
                "{} ({} vCPU, {} MiB): {} warm, {} started, {} MiB each, no CPU while they wait",
                kind.template,
                kind.vcpus,
                kind.memory_mib,
                kind.warm,
                kind.restored,
                (kind.unique_bytes / count) >> 20
            )
        })
        .collect();
    if kinds.is_empty() {
        "nothing waits".to_owned()
    } else {
        kinds.join("; ")
    }
}

fn as_json(findings: &[Finding], host: Option<&HostInfo>) -> Value {
    let all: Vec<_> = findings
        .iter()
        .map(|finding| json!({ "what": finding.what, "state": finding.mark.word(), "text": finding.text }))
        .collect();
    let warm = host.map(|host| {
        let kinds = host.warm.iter().map(|kind| {
            json!({ "template": kind.template, "vcpus": kind.vcpus, "memory_mib": kind.memory_mib,
                "warm": kind.warm, "started": kind.restored, "unique_bytes": kind.unique_bytes })
        });
        kinds.collect::<Vec<_>>()
    });
    json!({ "findings": all, "warm_pool": warm,
        "memory_used_bytes": host.map(|host| host.memory_used_bytes), "memory_limit_bytes": host.map(|host| host.memory_limit_bytes) })
}
