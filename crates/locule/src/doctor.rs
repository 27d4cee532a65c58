//! `locule doctor`: is this machine fit to run sandboxes, and how is the platform on it?

use std::path::{Path, PathBuf};

use locule_agent_api::{Client, Connector, HostAgent as _, HostInfo};
use serde_json::{Value, json};

use crate::screen;
use crate::up::checks;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The data directory of the platform
    #[arg(long, env = "LOCULE_DATA_DIR", default_value = "/var/lib/locule")]
    data_dir: PathBuf,
    /// As JSON
    #[arg(long)]
    json: bool,
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
    let host = match instance(&args.data_dir) {
        Err(why) => Err(why),
        Ok(socket) => Client::new(Connector::Unix(socket.clone()))
            .host()
            .await
            .map_err(|error| format!("the host agent at {} does not answer ({error}): is `locule up` running, and are you root?", socket.display())),
    };
    match &host {
        Err(why) => findings.push(Finding::of("host agent", Err(why.clone()))),
        Ok(host) => findings.extend(of_host(host)),
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

/// The agent's socket of an installation.
fn instance(data_dir: &Path) -> Result<PathBuf, String> {
    let path = data_dir.join("instance");
    let instance = std::fs::read_to_string(&path).map_err(|error| {
        format!(
            "there is no platform in {} ({error}): start one with `locule up`",
            data_dir.display()
        )
    })?;
    Ok(PathBuf::from(format!(
        "/run/locule-{}/agent.sock",
        instance.trim()
    )))
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
            let count = u64::from(kind.warm + kind.started).max(1);
            format!(
                "{} ({} vCPU, {} MiB): {} warm, {} started, {} MiB each, no CPU while they wait",
                kind.template,
                kind.vcpus,
                kind.memory_mib,
                kind.warm,
                kind.started,
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
                "warm": kind.warm, "started": kind.started, "unique_bytes": kind.unique_bytes })
        });
        kinds.collect::<Vec<_>>()
    });
    json!({ "findings": all, "warm_pool": warm,
        "memory_used_bytes": host.map(|host| host.memory_used_bytes), "memory_limit_bytes": host.map(|host| host.memory_limit_bytes) })
}
