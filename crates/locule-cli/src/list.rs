//! Sandboxes as text: tables and details.

use chrono::{DateTime, TimeDelta, Utc};
use comfy_table::{Table, presets};
use locule_api::{
    Actor, ActorKind, Holder, HolderKind, OnTimeout, Sandbox, SandboxClock, SandboxStatus,
};

/// The status as the API writes it.
pub(crate) fn word(status: SandboxStatus) -> &'static str {
    match status {
        SandboxStatus::Pending => "pending",
        SandboxStatus::Starting => "starting",
        SandboxStatus::Running => "running",
        SandboxStatus::Paused => "paused",
        SandboxStatus::Missing => "missing",
        SandboxStatus::Stopped => "stopped",
        SandboxStatus::Error => "error",
    }
}

/// A duration in a single unit: seconds below 2 minutes, minutes below 2 hours, hours below 2 days.
pub fn age(since: TimeDelta) -> String {
    let seconds = since.num_seconds().max(0);
    match seconds {
        0..120 => format!("{seconds}s"),
        120..7_200 => format!("{}m", seconds / 60),
        7_200..172_800 => format!("{}h", seconds / 3_600),
        _ => format!("{}d", seconds / 86_400),
    }
}

pub(crate) fn table(sandboxes: &[Sandbox], now: DateTime<Utc>) -> String {
    let rows = sandboxes.iter().map(|sandbox| {
        [
            sandbox.id.to_string(),
            word(sandbox.status).to_owned(),
            sandbox.template.clone(),
            sandbox.vcpus.to_string(),
            format!("{} MiB", sandbox.memory_mb),
            age(now - sandbox.created_at),
        ]
    });
    columns(["ID", "STATUS", "TEMPLATE", "VCPUS", "MEMORY", "AGE"], rows)
}

/// Formats rows as a table with these headings.
pub(crate) fn columns<const N: usize>(
    headings: [&str; N],
    rows: impl Iterator<Item = [String; N]>,
) -> String {
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    table.set_header(headings);
    for row in rows {
        table.add_row(row);
    }
    for column in table.column_iter_mut() {
        column.set_padding((0, 2));
    }
    table
        .to_string()
        .lines()
        .map(str::trim_end)
        .collect::<Vec<_>>()
        .join("\n")
}

pub(crate) fn moment(at: DateTime<Utc>) -> String {
    at.format("%Y-%m-%d %H:%M:%S UTC").to_string()
}

/// The name of a user or key with its id, as far as they are known.
fn author(actor: &Actor) -> String {
    let kind = match actor.kind {
        ActorKind::User => "a user",
        ActorKind::ApiKey => "an API key",
        ActorKind::System => "the platform",
    };
    match (&actor.name, &actor.id) {
        (Some(name), Some(id)) => format!("{name} ({id})"),
        (Some(text), None) | (None, Some(text)) => text.clone(),
        (None, None) => kind.to_owned(),
    }
}

/// One use of a sandbox in words: `terminal pty-1a since …`.
fn holder(holder: &Holder) -> String {
    let kind = match holder.kind {
        HolderKind::Terminal => "terminal",
        HolderKind::Command => "command",
        HolderKind::ProcessStream => "stream of process",
        HolderKind::Transfer => "transfer",
        HolderKind::Port => "requests to port",
        HolderKind::Call => "call",
    };
    let pid = holder.pid.map(|pid| pid.to_string());
    let port = holder.port.map(|port| port.to_string());
    let name = holder.tag.clone().or(pid).or(port);
    let count = (holder.count > 1).then(|| format!("({})", holder.count));
    let since = format!("since {}", moment(holder.since));
    let words = [Some(kind.to_owned()), name, count, Some(since)];
    words.into_iter().flatten().collect::<Vec<_>>().join(" ")
}

pub(crate) fn details(
    sandbox: &Sandbox,
    clock: Option<&SandboxClock>,
    now: DateTime<Utc>,
) -> String {
    let created = format!(
        "{} ({} ago)",
        moment(sandbox.created_at),
        age(now - sandbox.created_at)
    );
    let idle = (sandbox.timeout_sec > 0).then(|| format!("paused after {} s", sandbox.timeout_sec));
    let is_paused = sandbox.on_timeout == OnTimeout::Pause;
    let at_expiry = if is_paused { "is paused" } else { "ends" };
    let expires = sandbox
        .expires_at
        .map(|at| format!("{} (it {at_expiry})", moment(at)));
    let pauses = clock.and_then(|clock| clock.idle.as_ref()?.pauses_at);
    let reach = if sandbox.public_traffic {
        "public"
    } else {
        "private"
    };
    let wakes = sandbox
        .auto_resume
        .then(|| "by requests to its ports".to_owned());
    let facts = [
        ("id", Some(sandbox.id.to_string())),
        ("status", Some(word(sandbox.status).to_owned())),
        ("reason", sandbox.status_reason.clone()),
        ("error", sandbox.last_error.clone()),
        ("template", Some(sandbox.template.clone())),
        ("vcpus", Some(sandbox.vcpus.to_string())),
        ("memory", Some(format!("{} MiB", sandbox.memory_mb))),
        ("disk", Some(format!("{} MiB", sandbox.disk_size_mb))),
        ("ports", Some(reach.to_owned())),
        ("host", sandbox.host_id.map(|host| host.to_string())),
        ("created", Some(created)),
        ("created by", Some(author(&sandbox.created_by))),
        ("started", sandbox.started_at.map(moment)),
        ("last active", sandbox.last_active_at.map(moment)),
        ("idle", idle),
        ("pauses", pauses.map(moment)),
        ("resumes", wakes),
        ("expires", expires),
        ("ended", sandbox.ended_at.map(moment)),
        ("ended by", sandbox.ended_by.as_ref().map(author)),
    ];
    let named = facts
        .into_iter()
        .filter_map(|(name, value)| Some((name.to_owned(), value?)));
    let holders = clock
        .map(|clock| clock.held_by.as_slice())
        .unwrap_or_default();
    let holders = holders
        .iter()
        .map(|one| ("in use by".to_owned(), holder(one)));
    let labels = sandbox
        .labels
        .iter()
        .map(|(name, value)| ("label".to_owned(), format!("{name}={value}")));
    let versions = sandbox
        .metadata
        .iter()
        .map(|(name, value)| (name.replace('_', " "), value.clone()));
    facts_as_lines(named.chain(holders).chain(labels).chain(versions))
}

/// Names and values, one pair a line.
pub(crate) fn facts_as_lines(facts: impl Iterator<Item = (String, String)>) -> String {
    facts
        .map(|(name, value)| format!("{name:<15} {value}"))
        .collect::<Vec<_>>()
        .join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_age_has_a_single_unit() {
        let shown = |seconds| age(TimeDelta::seconds(seconds));
        assert_eq!(shown(-5), "0s");
        assert_eq!(shown(119), "119s");
        assert_eq!(shown(120), "2m");
        assert_eq!(shown(7_200), "2h");
        assert_eq!(shown(200_000), "2d");
    }

    #[test]
    fn a_status_is_written_as_the_api_writes_it() {
        use SandboxStatus as S;
        for status in [
            S::Pending,
            S::Starting,
            S::Running,
            S::Paused,
            S::Missing,
            S::Stopped,
            S::Error,
        ] {
            assert_eq!(serde_json::to_value(status).unwrap(), word(status));
        }
    }
}
