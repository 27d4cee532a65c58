//! Sandboxes on a host that have no row, and their import: the row is made again from what the host has of the sandbox.
//!
//! On a host that a team brings, the team can write any record: the record becomes a sandbox of this team only, within the limits of a
//! request. The ports of an imported sandbox are private, because hosts do not know whether they were.

use std::collections::BTreeMap;
use std::time::Duration;

use chrono::{DateTime, Utc};
use locule_agent_api::{ReportedState, SandboxRecord, SandboxReport};
use locule_domain::{Desired, Limits, NewSandbox, Sandbox, SandboxState, Timeouts, is_safe_name};
use locule_ids::{HostId, SandboxId, TeamId};
use locule_store::hosts::Host;
use locule_store::sandboxes::{Creator, HostSandbox};
use locule_store::teams::Team;
use locule_store::{PgConnection, sandboxes, teams};

use crate::audit::{self, AuditEvent, SandboxAuditEvent};
use crate::caller::Person;
use crate::error::CommonError;
use crate::hosts::Hosts;
use crate::hosts::error::HostError;
use crate::hosts::links::HostLink;
use crate::reconcile::quarantine;
use crate::sandboxes::error::SandboxError;

/// The largest disk that a host may claim for a sandbox: 16 TiB.
const DISK_MIB_MAX: u32 = 1 << 24;

/// A sandbox that a host holds and that has no row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QuarantinedSandbox {
    pub id: SandboxId,
    /// `true` until the next sweep pauses the sandbox.
    pub is_running: bool,
    /// As the host says.
    pub team: TeamId,
    /// `None`: there is no such team, or the viewer may not know.
    pub team_name: Option<String>,
    pub template: String,
    pub vcpus: u32,
    pub memory_mib: u32,
    pub disk_size_mb: u32,
    pub stored_bytes: Option<u64>,
    pub created_at: DateTime<Utc>,
    pub last_active_at: Option<DateTime<Utc>>,
}

impl QuarantinedSandbox {
    fn new(report: SandboxReport, names: &BTreeMap<TeamId, String>) -> Self {
        Self {
            id: report.sandbox,
            is_running: report.state == ReportedState::Running,
            team: report.team,
            team_name: names.get(&report.team).cloned(),
            template: report.template,
            vcpus: report.vcpus,
            memory_mib: report.memory_mib,
            disk_size_mb: report.disk_size_mb,
            stored_bytes: report.stored_bytes,
            created_at: report.created_at,
            last_active_at: report.last_active_at,
        }
    }
}

impl Hosts {
    /// The sandboxes on a host that have no row, by id. A host that was never reached has none.
    pub async fn quarantine(
        &self,
        person: &Person,
        id: HostId,
    ) -> Result<Vec<QuarantinedSandbox>, HostError> {
        let mut conn = self.core.connection().await?;
        let host = self.seen_host(&mut conn, person, id).await?.host;
        drop(conn);
        let Some(link) = self.links.keep(id, &host.address) else {
            return Ok(Vec::new());
        };
        let reports = link.agent.list_sandboxes().await?;
        let mut conn = self.core.connection().await?;
        let mut held = quarantine::match_rows(&mut conn, &reports)
            .await?
            .without_row;
        held.sort_by_key(|report| report.sandbox);
        let mut teams_told: Vec<TeamId> = held.iter().map(|report| report.team).collect();
        // With invented records the operators of a host that a team brings could read the names of other teams.
        teams_told.retain(|team| host.team.is_none_or(|own| own == *team));
        let names = teams::names(&mut conn, &teams_told).await?;
        let listed = held.into_iter();
        Ok(listed
            .map(|report| QuarantinedSandbox::new(report, &names))
            .collect())
    }

    /// Makes the row of a sandbox again that a host holds. The sandbox is paused afterwards, and counts against the quota of its team
    /// without being refused by it. `team`: the team that gets the sandbox, where the sandbox's own is gone.
    pub async fn import_sandbox(
        &self,
        person: &Person,
        id: HostId,
        sandbox: SandboxId,
        team: Option<TeamId>,
    ) -> Result<HostSandbox, HostError> {
        let mut tx = self.core.transaction().await?;
        let host = self.changeable(&mut tx, person, id).await?;
        drop(tx);
        let link = self.links.keep(id, &host.address);
        let link = link.ok_or(SandboxError::not_found())?;
        let _order = self.sandboxes.lock(sandbox).await;
        if !self.sandboxes.is_host_comparable(&link).await? {
            return Err(HostError::conflict(
                "the database is older than the host, or is another database: a platform administrator must accept it first (`locule host accept-database`)",
            ));
        }
        let mut conn = self.core.connection().await?;
        refuse_known(&mut conn, sandbox).await?;
        drop(conn);
        let record = paused_record(&link, sandbox).await?;
        let report = record.report.clone();
        let limits = self.sandboxes.limits();
        check(&record, limits)?;
        let row = row(record, id, limits, self.core.now());
        let imported = self.insert_imported(person, row, &host, team).await?;
        tracing::info!(sandbox.id = %sandbox, host.id = %id, team.id = %imported.team, "a sandbox that had no row was imported");
        self.sandboxes.apply_report(id, &report).await?;
        Ok(imported)
    }

    async fn insert_imported(
        &self,
        person: &Person,
        mut row: Sandbox,
        host: &Host,
        named: Option<TeamId>,
    ) -> Result<HostSandbox, HostError> {
        let mut tx = self.core.transaction().await?;
        // A team is locked before its members.
        let team = lock_owner(&mut tx, host, row.team, named).await?;
        row.team = team.id;
        self.changeable(&mut tx, person, host.id).await?;
        refuse_known(&mut tx, row.id).await?;
        // The host does not know whose request created the sandbox.
        sandboxes::insert(&mut tx, &row, Creator::default()).await?;
        let event = SandboxAuditEvent::Import { host: host.id };
        let event = AuditEvent::Sandbox(row.id, &event);
        audit::write(&mut tx, &person.actor(), team.id, &event, self.core.now()).await?;
        self.core.commit(tx).await?;
        let number = |value: u32| i32::try_from(value).unwrap_or(i32::MAX);
        Ok(HostSandbox {
            id: row.id,
            state: row.state,
            team: team.id,
            team_name: team.name,
            template: row.template,
            vcpus: number(row.vcpus),
            memory_mib: number(row.memory_mib),
            disk_size_mb: number(row.disk_size_mb),
            created_at: row.created_at,
        })
    }
}

async fn refuse_known(conn: &mut PgConnection, id: SandboxId) -> Result<(), HostError> {
    match sandboxes::get(conn, id).await? {
        Some(_) => Err(HostError::conflict(
            "the sandbox is in the database: there is nothing to import",
        )),
        None => Ok(()),
    }
}

/// The team that gets an imported sandbox, locked. `told`: the team that the host names; `named`: the one that the request names.
async fn lock_owner(
    conn: &mut PgConnection,
    host: &Host,
    told: TeamId,
    named: Option<TeamId>,
) -> Result<Team, HostError> {
    if let Some(own) = host.team {
        // Whether another team exists is not for the operators of the host.
        if named.unwrap_or(told) != own {
            return Err(HostError::conflict(format!(
                "a host that a team brings gets sandboxes of this team only: name the team {own}"
            )));
        }
        let team = teams::lock(conn, own).await?;
        return team.ok_or_else(|| CommonError::NotFound { what: "team" }.into());
    }
    if let Some(team) = teams::lock(conn, told).await? {
        if named.is_some_and(|named| named != told) {
            return Err(HostError::conflict(format!(
                "the sandbox is of the team {told}, which exists: no other team can get the sandbox"
            )));
        }
        return Ok(team);
    }
    let Some(named) = named else {
        return Err(HostError::conflict(format!(
            "the team {told} of the sandbox does not exist: name the team that gets the sandbox"
        )));
    };
    let missing = || CommonError::Invalid(format!("the team {named} does not exist"));
    let team = teams::lock(conn, named).await?;
    Ok(team.ok_or_else(missing)?)
}

/// The record of a sandbox that is paused, or was running and is paused now.
async fn paused_record(link: &HostLink, id: SandboxId) -> Result<SandboxRecord, HostError> {
    let mut record = link.agent.sandbox_record(id).await?;
    if record.report.state == ReportedState::Running {
        record.report = quarantine::pause(link, &record.report).await?;
    }
    if record.report.sandbox != id || record.report.state != ReportedState::Paused {
        return Err(SandboxError::not_found().into());
    }
    Ok(record)
}

/// Checks the record as a request to create the sandbox is checked.
fn check(record: &SandboxRecord, limits: &Limits) -> Result<(), HostError> {
    let refused = |why: &str| {
        HostError::conflict(format!(
            "the host's record of the sandbox cannot become a row: {why}"
        ))
    };
    let report = &record.report;
    let asked = NewSandbox {
        template: report.template.clone(),
        vcpus: Some(report.vcpus),
        memory_mib: Some(report.memory_mib),
        timeout_sec: report.timeouts.timeout_sec,
        env: record.env.clone(),
        labels: record.labels.clone(),
        ..NewSandbox::default()
    };
    asked.check(limits).map_err(|why| refused(&why.0))?;
    if !is_safe_name(&record.default_user) {
        return Err(refused("the name of its default user is not a name"));
    }
    if !(1..=DISK_MIB_MAX).contains(&report.disk_size_mb) {
        return Err(refused("the size of its disk is out of range"));
    }
    if !(1..i64::MAX / 2).contains(&report.generation) {
        return Err(refused("its generation is out of range"));
    }
    Ok(())
}

/// The row that a record becomes, with times that a row can have.
fn row(record: SandboxRecord, host: HostId, limits: &Limits, now: DateTime<Utc>) -> Sandbox {
    let report = record.report;
    let created_at = report.created_at.clamp(DateTime::UNIX_EPOCH, now);
    let latest = now + limits.timeout_max;
    let end = report.timeouts.expires_at;
    let expires_at = end.map(|at| at.clamp(created_at, latest));
    let began = report.started_at.unwrap_or(created_at);
    Sandbox {
        id: report.sandbox,
        team: report.team,
        host: Some(host),
        state: SandboxState::Paused,
        desired: Desired::Paused,
        generation: report.generation,
        version: 1,
        status_reason: None,
        last_error: None,
        cleanup_pending: false,
        template: report.template,
        template_id: report.template_id,
        default_user: record.default_user,
        vcpus: report.vcpus,
        memory_mib: report.memory_mib,
        disk_size_mb: report.disk_size_mb,
        timeouts: Timeouts {
            expires_at,
            ..report.timeouts
        },
        timeout_given_sec: expires_at.map(|at| seconds(at - began, limits.timeout_max)),
        auto_resume: record.auto_resume,
        public_traffic: false,
        env: record.env,
        labels: record.labels,
        // The report that follows has the rest.
        guest_ip: String::new(),
        host_ip: String::new(),
        metadata: BTreeMap::new(),
        stored_bytes: 0,
        created_at,
        started_at: None,
        last_active_at: None,
        last_updated: now,
    }
}

/// The time from the last start to the end stands for the time that a request gave, which the host does not know.
fn seconds(time: chrono::Duration, longest: Duration) -> u32 {
    let longest = u32::try_from(longest.as_secs()).unwrap_or(u32::MAX);
    let given = u32::try_from(time.num_seconds().max(0)).unwrap_or(u32::MAX);
    given.min(longest)
}
