//! The sandboxes on the host of this machine that are not in the database.

use std::path::Path;

use locule_agent_api::HostAgent as _;
use locule_base::errors::chain;
use locule_control::{HostAddress, Overview};
use locule_ids::SandboxId;

use super::{Finding, Mark, client};

const SUBJECT: &str = "quarantine";
/// More ids would hide the other findings.
const NAMED_MAX: usize = 5;

pub(super) async fn finding(
    pool: &locule_store::PgPool,
    socket: &Path,
    overview: &Overview,
) -> Finding {
    let reports = match client(socket).list_sandboxes().await {
        Ok(reports) => reports,
        Err(error) => return Finding::of(SUBJECT, Err(chain(&error))),
    };
    let held = match locule_control::quarantined(pool, reports).await {
        Ok(held) => held,
        Err(error) => return Finding::of(SUBJECT, Err(chain(&error))),
    };
    let address = HostAddress::unix(socket).map(|address| address.to_string());
    let mut hosts = overview.hosts.iter();
    let host = hosts.find(|host| address.as_ref().is_ok_and(|own| *own == host.address));
    let host = host.map_or_else(|| "HOST".to_owned(), |host| host.id.to_string());
    let ids: Vec<SandboxId> = held.iter().map(|report| report.sandbox).collect();
    told(&ids, &host)
}

fn told(ids: &[SandboxId], host: &str) -> Finding {
    if ids.is_empty() {
        let text = "every sandbox on this host is in the database".to_owned();
        return Finding::of(SUBJECT, Ok(text));
    }
    let named: Vec<String> = ids
        .iter()
        .take(NAMED_MAX)
        .map(ToString::to_string)
        .collect();
    let more = if ids.len() > NAMED_MAX { ", …" } else { "" };
    Finding {
        subject: SUBJECT.to_owned(),
        mark: Mark::Warning,
        text: format!(
            "{} on this host not in the database, and kept: {}{more}. `locule host import {host} --all` adds them to the database",
            if ids.len() == 1 {
                "1 sandbox is".to_owned()
            } else {
                format!("{} sandboxes are", ids.len())
            },
            named.join(", ")
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_quarantine_is_a_warning_that_names_its_sandboxes_and_the_command() {
        let ids: Vec<SandboxId> = (0..7).map(|_| SandboxId::random()).collect();
        let all = told(&ids, "host-1");
        assert!(all.mark == Mark::Warning);
        assert!(all.text.starts_with("7 sandboxes are"), "{}", all.text);
        assert!(all.text.contains(&ids[4].to_string()), "{}", all.text);
        assert!(!all.text.contains(&ids[5].to_string()), "{}", all.text);
        assert!(all.text.contains("`locule host import host-1 --all`"));
        assert!(told(&[], "host-1").mark == Mark::Good);
    }
}
