//! The hosts and the periodic jobs of the cluster, as the database has them.

use chrono::{DateTime, Utc};
use locule_cli::age;
use locule_control::{Host, HostState, Overview, PeriodicTask};

use super::{Finding, Mark};

/// A job whose latest pass began this many periods ago is late. Short periods have a minute of patience.
const PERIODS: i32 = 3;
const PATIENCE: chrono::Duration = chrono::Duration::seconds(60);

pub(super) fn findings(overview: &Overview, now: DateTime<Utc>) -> Vec<Finding> {
    let jobs = overview.jobs.iter().map(|job| of_job(job, now));
    let mut all = vec![of_hosts(&overview.hosts, now)];
    all.extend(jobs);
    all
}

fn of_hosts(hosts: &[Host], now: DateTime<Utc>) -> Finding {
    let count = |state: HostState| hosts.iter().filter(|host| host.state == state).count();
    let cordoned = hosts.iter().filter(|host| host.cordoned).count();
    let mut parts = vec![match cordoned {
        0 => format!("{} online", count(HostState::Online)),
        cordoned => format!("{} online ({cordoned} cordoned)", count(HostState::Online)),
    }];
    if count(HostState::Pending) > 0 {
        parts.push(format!("{} pending", count(HostState::Pending)));
    }
    let away = hosts
        .iter()
        .filter(|host| host.state == HostState::Unreachable);
    parts.extend(away.map(|host| {
        let since = host.last_heartbeat_at.map_or_else(
            || "no heartbeat".to_owned(),
            |at| format!("last heartbeat {} ago", age(now - at)),
        );
        format!("{} at {} is unreachable: {since}", host.id, host.address)
    }));
    let mark = match (count(HostState::Online), count(HostState::Unreachable)) {
        (0, _) => Mark::Bad,
        (_, 0) => Mark::Good,
        _ => Mark::Warning,
    };
    let text = parts.join("; ");
    Finding {
        subject: "hosts".to_owned(),
        mark,
        text,
    }
}

fn of_job(job: &PeriodicTask, now: DateTime<Utc>) -> Finding {
    let finding = |mark, text| Finding {
        subject: job.name.clone(),
        mark,
        text,
    };
    let Some(started) = job.last_started_at else {
        let text = "has not run yet: start `locule serve`".to_owned();
        return finding(Mark::Warning, text);
    };
    let ago = now - started;
    let period = chrono::Duration::from_std(job.period).unwrap_or(chrono::Duration::MAX);
    let is_late = ago > (period * PERIODS).max(PATIENCE);
    let text = match job.pass {
        Some(pass) => format!(
            "{} ago: {} found, {} changed, {} failed",
            age(ago),
            pass.found,
            pass.changed,
            pass.failed
        ),
        None => format!("{} ago", age(ago)),
    };
    if let Some(error) = &job.last_error {
        return finding(Mark::Bad, format!("{text}; the pass failed: {error}"));
    }
    if is_late {
        let text = format!(
            "{text}; a pass is due every {}: is `locule serve` running?",
            age(period)
        );
        return finding(Mark::Bad, text);
    }
    let has_failures = job.pass.is_some_and(|pass| pass.failed > 0);
    finding(
        if has_failures {
            Mark::Warning
        } else {
            Mark::Good
        },
        text,
    )
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use locule_control::Pass;

    use super::*;

    fn at(seconds: i64) -> DateTime<Utc> {
        DateTime::UNIX_EPOCH + chrono::Duration::seconds(seconds)
    }

    fn job() -> PeriodicTask {
        PeriodicTask {
            name: "sandbox sweep".to_owned(),
            period: Duration::from_secs(15),
            last_started_at: Some(at(100)),
            last_finished_at: Some(at(101)),
            last_error: None,
            pass: Some(Pass {
                found: 7,
                changed: 1,
                failed: 0,
            }),
        }
    }

    #[test]
    fn a_job_is_told_with_its_age_and_what_it_did() {
        let found = of_job(&job(), at(112));
        assert!(found.mark == Mark::Good);
        assert_eq!(found.text, "12s ago: 7 found, 1 changed, 0 failed");
    }

    #[test]
    fn a_job_that_is_late_or_failed_is_wrong() {
        let late = of_job(&job(), at(161));
        assert!(
            late.mark == Mark::Bad && late.text.contains("every 15s"),
            "{}",
            late.text
        );
        let failed = PeriodicTask {
            last_error: Some("no database".to_owned()),
            ..job()
        };
        let failed = of_job(&failed, at(112));
        assert!(failed.mark == Mark::Bad && failed.text.ends_with("no database"));
        let never = PeriodicTask {
            last_started_at: None,
            ..job()
        };
        assert!(of_job(&never, at(112)).mark == Mark::Warning);
    }
}
