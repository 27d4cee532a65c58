//! Hosts as text: tables, details, and the command that registers a machine.

use chrono::{DateTime, Utc};
use locule_api::{Host, HostDrain, HostSandbox, HostStatus, HostType};
use locule_client::HostToRegister;

use crate::list::{age, columns, facts_as_lines, moment, word};
use crate::printer::{size, without_control_characters};

/// The status of a host, and whether new sandboxes are kept from it: `online, draining`.
pub(super) fn state(host: &Host) -> String {
    let status = match host.status {
        HostStatus::Pending => "pending",
        HostStatus::Online => "online",
        HostStatus::Unreachable => "unreachable",
    };
    let cordon = match host.drain {
        Some(_) => ", draining",
        None if host.cordoned => ", cordoned",
        None => "",
    };
    format!("{status}{cordon}")
}

fn kind(host: &Host) -> &'static str {
    match host.kind {
        HostType::Regular => "regular",
        HostType::Byoc => "byoc",
    }
}

fn team(host: &Host) -> Option<String> {
    let name = host.team_name.as_deref().map(without_control_characters);
    name.or_else(|| host.team_id.map(|id| id.to_string()))
}

/// The memory of sandboxes of the memory of the machine.
fn memory(host: &Host) -> String {
    let reserved = host.reserved_memory_mb;
    match host.memory_mb {
        Some(total) => format!("{reserved} of {total} MiB"),
        None => format!("{reserved} MiB"),
    }
}

pub(super) fn table(hosts: &[Host], now: DateTime<Utc>) -> String {
    let rows = hosts.iter().map(|host| {
        let heard = host
            .last_heartbeat_at
            .map(|at| format!("{} ago", age(now - at)));
        [
            host.id.to_string(),
            kind(host).to_owned(),
            state(host),
            team(host).unwrap_or_default(),
            host.running_sandboxes.to_string(),
            host.paused_sandboxes.to_string(),
            memory(host),
            heard.unwrap_or_else(|| "never".to_owned()),
        ]
    });
    columns(
        [
            "ID",
            "TYPE",
            "STATUS",
            "TEAM",
            "RUNNING",
            "PAUSED",
            "MEMORY",
            "HEARTBEAT",
        ],
        rows,
    )
}

pub(super) fn sandboxes(sandboxes: &[HostSandbox], now: DateTime<Utc>) -> String {
    let rows = sandboxes.iter().map(|sandbox| {
        let name = sandbox.team_name.as_deref().map(without_control_characters);
        [
            sandbox.id.to_string(),
            word(sandbox.status).to_owned(),
            name.unwrap_or_else(|| sandbox.team_id.to_string()),
            without_control_characters(&sandbox.template),
            sandbox.vcpus.to_string(),
            format!("{} MiB", sandbox.memory_mb),
            age(now - sandbox.created_at),
        ]
    });
    columns(
        ["ID", "STATUS", "TEAM", "TEMPLATE", "VCPUS", "MEMORY", "AGE"],
        rows,
    )
}

pub(super) fn details(host: &Host, tags: &[String], now: DateTime<Utc>) -> String {
    let drain = host.drain.map(|running| match running {
        HostDrain::Pause => "pauses running sandboxes".to_owned(),
        HostDrain::Wait => "waits for the end of running sandboxes".to_owned(),
    });
    let counts = format!(
        "{} running, {} paused",
        host.running_sandboxes, host.paused_sandboxes
    );
    let heard = host
        .last_heartbeat_at
        .map(|at| format!("{} ({} ago)", moment(at), age(now - at)));
    let created = format!(
        "{} ({} ago)",
        moment(host.created_at),
        age(now - host.created_at)
    );
    let free_memory = host.free_memory_mb.map(|mib| format!("{mib} MiB"));
    let free_disk = host
        .pool_free_bytes
        .and_then(|bytes| u64::try_from(bytes).ok())
        .map(size);
    let facts = [
        ("id", Some(host.id.to_string())),
        ("type", Some(kind(host).to_owned())),
        ("team", team(host)),
        ("status", Some(state(host))),
        ("drain", drain),
        ("sandboxes", Some(counts)),
        ("memory", Some(format!("{} for sandboxes", memory(host)))),
        ("free memory", free_memory),
        ("cores", host.cpu_cores.map(|cores| cores.to_string())),
        ("disk", host.disk_gb.map(|gib| format!("{gib} GiB"))),
        ("free disk", free_disk),
        ("architecture", host.arch.clone()),
        ("accelerator", host.accelerator.clone()),
        ("address", host.address.clone()),
        ("provider", host.provider.clone()),
        ("zone", host.availability_zone.clone()),
        ("agent", host.agent_version.clone()),
        (
            "heartbeat",
            Some(heard.unwrap_or_else(|| "never".to_owned())),
        ),
        ("created", Some(created)),
    ];
    let named = facts
        .into_iter()
        .filter_map(|(name, value)| Some((name.to_owned(), value?)));
    let tags = tags.iter().map(|tag| ("tag".to_owned(), tag.clone()));
    // Host agents and other people wrote some of the values.
    let clean = |(name, value): (String, String)| (name, without_control_characters(&value));
    facts_as_lines(named.chain(tags).map(clean))
}

/// The command that registers a machine, and what to know about the command.
pub(super) fn registration(created: &HostToRegister) -> (String, Vec<&'static str>) {
    let mut notes = Vec::new();
    let mut known = |value: Option<&String>, placeholder: &str, note: &'static str| {
        value.map_or_else(
            || {
                notes.push(note);
                placeholder.to_owned()
            },
            |value| quoted(value),
        )
    };
    let url = known(
        created.hosts_url.as_ref(),
        "URL",
        "URL is the URL of the control plane that the new machine can reach: this server does not know the URL",
    );
    let hash = known(
        created.ca_hash.as_ref(),
        "sha256:HASH",
        "HASH is the CA hash of the platform, in the log of the control plane: this server did not tell the CA hash",
    );
    notes.push("NAME:PORT is the address at which the control plane reaches the new machine");
    let token = quoted(&created.registration_token);
    let command = format!(
        "locule agent --server {url} --ca-hash {hash} --register {token} --address NAME:PORT"
    );
    (command, notes)
}

/// A value as one word of a shell.
fn quoted(value: &str) -> String {
    let value = without_control_characters(value);
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-._~:/@%+=".contains(c);
    if !value.is_empty() && value.chars().all(is_plain) {
        return value;
    }
    format!("'{}'", value.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_of_the_server_is_one_word_of_a_shell() {
        assert_eq!(
            quoted("https://locule.example:7443"),
            "https://locule.example:7443"
        );
        assert_eq!(quoted("sha256:0a"), "sha256:0a");
        assert_eq!(quoted("a; rm -r $HOME"), "'a; rm -r $HOME'");
        assert_eq!(quoted("a'b"), r"'a'\''b'");
        assert_eq!(quoted("http://[::1]:1"), "'http://[::1]:1'");
        assert_eq!(quoted(""), "''");
    }
}
