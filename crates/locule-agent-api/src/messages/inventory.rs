//! A hash of everything that a host holds, which each heartbeat carries: two lists with the same hash lead to the same decisions.

use sha2::{Digest as _, Sha256};

use super::SandboxReport;

/// A hash of a list of reports, in any order: of every value that the control plane compares with a row. The moment of last use is left
/// out, because it changes while nothing else does. Values count as they are on the wire, so that both sides of the wire get the same hash.
pub fn inventory_hash<'a>(reports: impl IntoIterator<Item = &'a SandboxReport>) -> String {
    let mut lines: Vec<String> = reports.into_iter().map(line).collect();
    lines.sort_unstable();
    hex::encode(Sha256::digest(lines.concat()))
}

/// One report as a line of JSON: a text that contains a delimiter is not taken for two values.
fn line(report: &SandboxReport) -> String {
    let started_at = report.started_at.map_or(0, |time| time.timestamp_millis());
    let values = serde_json::json!([
        report.sandbox,
        report.generation,
        report.state,
        report.reason.as_deref().unwrap_or_default(),
        report.last_error.as_deref().unwrap_or_default(),
        report.guest_ip,
        report.host_ip,
        report.metadata,
        started_at,
        report.stored_bytes.unwrap_or_default(),
    ]);
    format!("{values}\n")
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use chrono::{DateTime, TimeDelta, Utc};
    use locule_domain::Timeouts;
    use locule_ids::{SandboxId, TeamId, TemplateId};

    use super::*;
    use crate::messages::ReportedState;
    use crate::proto::hostagent::v1 as wire;

    fn report(sandbox: SandboxId) -> SandboxReport {
        let now = DateTime::<Utc>::UNIX_EPOCH + TimeDelta::nanoseconds(1_234_567_890);
        SandboxReport {
            sandbox,
            generation: 1,
            state: ReportedState::Running,
            reason: None,
            last_error: None,
            team: TeamId::random(),
            template: "minimal".to_owned(),
            template_id: TemplateId::MINIMAL,
            vcpus: 1,
            memory_mib: 512,
            disk_size_mb: 5120,
            timeouts: Timeouts::default(),
            guest_ip: "169.254.0.21".to_owned(),
            host_ip: String::new(),
            metadata: BTreeMap::from(
                [("a", "1"), ("b", "2")].map(|(name, value)| (name.to_owned(), value.to_owned())),
            ),
            created_at: now,
            started_at: Some(now),
            last_active_at: Some(now),
            unresponsive: false,
            ready_ms: 1,
            stored_bytes: None,
        }
    }

    #[test]
    fn the_order_of_the_reports_and_the_way_over_the_wire_do_not_change_the_hash() {
        let [one, other] = [report(SandboxId::random()), report(SandboxId::random())];
        let hash = inventory_hash(&[one.clone(), other.clone()]);
        assert_eq!(inventory_hash(&[other.clone(), one.clone()]), hash);
        let received = [one, other].map(|report| {
            let sent = wire::SandboxInfo::from(report);
            SandboxReport::try_from(sent).unwrap()
        });
        assert_eq!(inventory_hash(&received), hash);
    }

    #[test]
    fn the_moment_of_last_use_does_not_change_the_hash_and_what_is_compared_with_rows_does() {
        type Change = fn(&mut SandboxReport);
        let first = report(SandboxId::random());
        let hash_after = |change: Change| {
            let mut changed = first.clone();
            change(&mut changed);
            inventory_hash([&changed])
        };
        let hash = inventory_hash([&first]);
        let later = |report: &mut SandboxReport| report.last_active_at = Some(DateTime::UNIX_EPOCH);
        assert_eq!(hash_after(later), hash);
        let changes: [Change; 10] = [
            |report| report.sandbox = SandboxId::random(),
            |report| report.generation = 2,
            |report| report.state = ReportedState::Paused,
            |report| report.reason = Some("idle".to_owned()),
            |report| report.last_error = Some("idle".to_owned()),
            |report| report.guest_ip.clear(),
            |report| report.host_ip.push('1'),
            |report| report.metadata.clear(),
            |report| report.started_at = None,
            |report| report.stored_bytes = Some(1),
        ];
        let mut hashes: Vec<String> = changes.into_iter().map(hash_after).collect();
        hashes.extend([
            hash,
            inventory_hash([]),
            inventory_hash([&first, &report(SandboxId::random())]),
        ]);
        let count = hashes.len();
        hashes.sort();
        hashes.dedup();
        assert_eq!(hashes.len(), count, "two of the lists have the same hash");
    }
}
