//! `locule doctor`: checks this machine and the platform that runs on it.

mod cluster;
mod quarantine;

use std::path::{Path, PathBuf};

use locule_agent::{Config, Forwarding};
use locule_agent_api::{Client, Connector, HostAgent as _, HostInfo};
use locule_base::clock::{Clock as _, SystemClock};
use locule_base::errors::chain;
use serde_json::{Value, json};

use crate::up::invoker::last_data_dir;
use crate::up::{checks, database};
use crate::{environment, screen};

/// Where `locule up` keeps a platform that was given no other folder.
const DEFAULT_DATA_DIR: &str = "/var/lib/locule";
/// The file in the data directory of a platform that has the platform's part of machine-wide names.
const INSTANCE: &str = "instance";

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The data directory of the platform (default: of the platform that you started last, else /var/lib/locule)
    #[arg(long, env = "LOCULE_DATA_DIR")]
    data_dir: Option<PathBuf>,
    /// Print JSON
    #[arg(long)]
    json: bool,
    /// Accept a database that was restored from a backup: the control plane compares the sandboxes of this host with the database
    /// again, pauses those that have no row, and keeps them
    #[arg(long)]
    accept_database: bool,
}

/// The result of one check.
struct Finding {
    subject: String,
    mark: Mark,
    /// The state of the subject, and what to do where the state is not good.
    text: String,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Mark {
    Good,
    /// The platform works, with a limit that its owner must know.
    Warning,
    Bad,
}

impl Mark {
    fn sign(self) -> char {
        match self {
            Self::Good => '✓',
            Self::Warning => '!',
            Self::Bad => '✗',
        }
    }

    fn word(self) -> &'static str {
        match self {
            Self::Good => "well",
            Self::Warning => "warning",
            Self::Bad => "wrong",
        }
    }
}

impl Finding {
    fn of(subject: &str, state: Result<String, String>) -> Self {
        let (mark, text) = match state {
            Ok(text) => (Mark::Good, text),
            Err(text) => (Mark::Bad, text),
        };
        Self {
            subject: subject.to_owned(),
            mark,
            text,
        }
    }
}

/// Returns whether no check failed.
pub(crate) async fn run(args: Args) -> anyhow::Result<bool> {
    let mut findings = vec![programs()];
    if rustix::process::geteuid().is_root() {
        findings.push(forwarding(Forwarding::current().await));
    }
    let data_dir = args
        .data_dir
        .or_else(last_data_dir)
        .unwrap_or_else(|| PathBuf::from(DEFAULT_DATA_DIR));
    findings.push(images(&data_dir));
    let run_dir = run_dir(&data_dir);
    let host = match &run_dir {
        Err(why) => Err(why.clone()),
        Ok(run_dir) => host_of_agent(&run_dir.join("agent.sock")).await,
    };
    match (&host, &run_dir) {
        (Ok(host), Ok(run_dir)) => {
            findings.extend(of_host(host));
            // The database of a host that has joined a platform is on another machine.
            if is_platform(&data_dir) || environment::database_url().is_some() {
                findings.extend(of_database(run_dir, host, args.accept_database).await);
            }
        }
        (Err(why), _) | (_, Err(why)) => {
            findings.push(Finding::of("host agent", Err(why.clone())));
        }
    }
    let healthy = findings.iter().all(|finding| finding.mark != Mark::Bad);
    if args.json {
        screen::say(&serde_json::to_string_pretty(&as_json(
            &findings,
            host.ok().as_ref(),
        ))?);
    } else {
        for Finding {
            subject,
            mark,
            text,
        } in &findings
        {
            screen::say(&format!("{} {subject:<13} {text}", mark.sign()));
        }
    }
    Ok(healthy)
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

/// The images that were installed with the program, or those that the host agent has fetched into its data directory.
fn images(data_dir: &Path) -> Finding {
    let found = checks::find_images(None).or_else(|error| {
        let fetched = [data_dir.join("images"), data_dir.join("agent/images")];
        let mut fetched = fetched.into_iter();
        let fetched = fetched.find(|folder| folder.join("manifest.json").is_file());
        fetched.ok_or(error)
    });
    let state = found
        .map(|path| path.display().to_string())
        .map_err(|error| error.to_string());
    Finding::of("guest images", state)
}

/// What this machine passes on between its networks.
fn forwarding(found: Result<Forwarding, impl std::error::Error + 'static>) -> Finding {
    let state = match found {
        Ok(Forwarding::SandboxesOnly) => Ok(
            "of packets from and to sandboxes only: Locule turned it on, and drops all others. A program that was started later and needs \
             forwarding too, such as Docker, must be started before Locule, or set net.ipv4.ip_forward=1 at boot",
        ),
        Ok(Forwarding::OfMachine) => Ok(
            "was on before Locule: this machine's own rules decide about packets that are neither from nor to a sandbox",
        ),
        Ok(Forwarding::Off) => Ok("off"),
        Err(error) => Err(chain(&error)),
    };
    Finding::of("forwarding", state.map(str::to_owned))
}

async fn host_of_agent(socket: &Path) -> Result<HostInfo, String> {
    let host = client(socket).host().await;
    host.map_err(|error| format!("the host agent at {} does not answer ({error}): start the platform with `locule up`, and run `locule doctor` as root", socket.display()))
}

fn client(socket: &Path) -> Client {
    Client::new(Connector::Unix(socket.to_owned()))
}

/// The database, and what it says of the cluster.
async fn of_database(run_dir: &Path, host: &HostInfo, accept: bool) -> Vec<Finding> {
    let url = environment::database_url().unwrap_or_else(|| database::url(run_dir, "locule"));
    let pool = match locule_store::connect(&url) {
        Ok(pool) => pool,
        Err(error) => return vec![Finding::of("database", Err(chain(&error)))],
    };
    let checked = check_database(&pool, run_dir, host, accept).await;
    let mut findings = vec![Finding::of("database", checked)];
    if let Ok(overview) = locule_control::overview(&pool).await {
        let socket = run_dir.join("agent.sock");
        findings.push(quarantine::finding(&pool, &socket, &overview).await);
        findings.extend(cluster::findings(&overview, SystemClock::new().now()));
    }
    pool.close().await;
    findings
}

/// Compares the write counter of the database with the last write that the host has seen.
async fn check_database(
    pool: &locule_store::PgPool,
    run_dir: &Path,
    host: &HostInfo,
    accept: bool,
) -> Result<String, String> {
    let now = locule_control::database_mark(pool).await;
    let now = now.map_err(|error| chain(&error))?;
    let back = host.write_mark.as_ref();
    let back = back.filter(|seen| locule_control::is_older_than_host(seen, &now));
    match back {
        None => Ok(format!("at write {now}")),
        Some(_) if accept => {
            let host = client(&run_dir.join("agent.sock"));
            let accepted = host.accept_database(now.clone()).await;
            accepted.map_err(|error| chain(&error))?;
            Ok(format!("accepted at write {now}"))
        }
        Some(seen) => Err(format!(
            "the database is older than this host, or is another database: it is at write {now}, and the host has seen write {seen}. The control plane removes nothing from this host. Restore a newer backup, or run `locule doctor --accept-database`, which pauses and keeps the sandboxes that have no row"
        )),
    }
}

/// Whether a folder is the data directory of a platform that `locule up` runs.
fn is_platform(data_dir: &Path) -> bool {
    data_dir.join(INSTANCE).is_file()
}

/// The folder of the sockets of a platform, or of a host agent that has joined a platform.
fn run_dir(data_dir: &Path) -> Result<PathBuf, String> {
    let instance = match std::fs::read_to_string(data_dir.join(INSTANCE)) {
        Ok(instance) => instance.trim().to_owned(),
        Err(error) => {
            let folders = [data_dir.to_owned(), data_dir.join("agent")];
            let mut folders = folders.iter();
            let agent = folders.find(|folder| folder.join("pool").is_dir());
            let agent = agent.ok_or_else(|| format!(
                "{} is no data directory of a platform or of a host agent ({error}): start a platform with `locule up`, or name its data directory with --data-dir",
                data_dir.display()
            ))?;
            Config::instance_of(agent)
        }
    };
    Ok(PathBuf::from(format!("/run/locule-{instance}")))
}

/// Whether this program can work with the agent, and the agent with its sandboxes.
fn agent(host: &HostInfo) -> Result<String, String> {
    host.check_protocol().map_err(|error| error.to_string())?;
    if !host.ready {
        return Err("the agent is starting: run `locule doctor` again in a moment".to_owned());
    }
    Ok(format!(
        "version {}, {} cores, templates: {}",
        host.agent_version,
        host.cpu_cores,
        host.templates.join(", ")
    ))
}

fn of_host(host: &HostInfo) -> Vec<Finding> {
    let kvm = host.accelerator == "kvm";
    let accelerator = Finding {
        subject: "accelerator".to_owned(),
        mark: if kvm { Mark::Good } else { Mark::Warning },
        text: if kvm {
            format!("kvm ({})", host.vmm)
        } else {
            format!(
                "{} ({}): run trusted code only; use a host with KVM in production",
                host.accelerator, host.accelerator_reason
            )
        },
    };
    let memory = format!(
        "{} of {} MiB in use; above that limit the host pauses the sandbox that has been idle longest",
        host.memory_used_bytes >> 20,
        host.memory_limit_bytes >> 20
    );
    let disk = format!("{} MiB free in the pool", host.pool_free_bytes >> 20);
    vec![
        Finding::of("host agent", agent(host)),
        accelerator,
        Finding::of("memory", Ok(memory)),
        Finding::of("disk", Ok(disk)),
        Finding::of("warm pool", Ok(pool(host))),
    ]
}

/// The levels of the warm pool, and the memory that each VM costs.
fn pool(host: &HostInfo) -> String {
    let kinds: Vec<_> = host
        .warm
        .iter()
        .map(|kind| {
            let count = u64::from(kind.warm + kind.restored).max(1);
            format!(
                "{} ({} vCPU, {} MiB): {} warm, {} restored, {} MiB each, stopped until a create takes them",
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
        "empty".to_owned()
    } else {
        kinds.join("; ")
    }
}

fn as_json(findings: &[Finding], host: Option<&HostInfo>) -> Value {
    let all: Vec<_> = findings
        .iter()
        .map(|finding| json!({ "what": finding.subject, "state": finding.mark.word(), "text": finding.text }))
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forwarding_is_told_with_its_owner() {
        type Found = Result<Forwarding, std::io::Error>;
        let told = |found: Found| forwarding(found).text;
        assert!(told(Ok(Forwarding::SandboxesOnly)).contains("drops all others"));
        assert!(told(Ok(Forwarding::OfMachine)).contains("own rules decide"));
        assert_eq!(told(Ok(Forwarding::Off)), "off");
        let failed = forwarding(Found::Err(std::io::Error::other("no nft")));
        assert!(failed.mark == Mark::Bad && failed.text == "no nft");
    }

    #[test]
    fn an_agent_of_another_protocol_is_a_failed_check() {
        let mut host = HostInfo {
            protocol: locule_agent_api::PROTOCOL_VERSION,
            agent_version: "1".to_owned(),
            accelerator: "kvm".to_owned(),
            accelerator_reason: String::new(),
            vmm: "qemu".to_owned(),
            cpu_cores: 2,
            memory_mib: 1024,
            pool_free_bytes: 0,
            templates: vec!["minimal".to_owned()],
            warm: Vec::new(),
            memory_used_bytes: 0,
            memory_limit_bytes: 0,
            ready: true,
            write_mark: None,
        };
        assert_eq!(
            agent(&host).unwrap(),
            "version 1, 2 cores, templates: minimal"
        );
        host.protocol += 1;
        assert!(agent(&host).unwrap_err().contains("protocol version"));
        host.protocol -= 1;
        host.ready = false;
        assert!(agent(&host).unwrap_err().contains("the agent is starting"));
    }
}
