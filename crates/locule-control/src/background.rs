//! The tasks that run beside requests: one watch per host, and one task per periodic job.
//!
//! | task | period | does | does not |
//! |---|---|---|---|
//! | host links | 5 s | read the addresses of all hosts | call a host |
//! | host watches | always | start the watch of each host whose link is new | read the database |
//! | host watch | always | write each report of a host at once | infer anything from a host that does not answer |
//! | sandbox sweep | 15 s | compare every row with its host, and reconcile what differs | destroy a sandbox that has no row |
//! | revocation | 5 s | close the connections of callers that lost their right | end programs inside sandboxes |
//! | events | always | tell the streams of teams what changes | keep an event for a stream that is away |
//! | credential use | 15 s | write when API keys and logins were last used | check them: a request does |
//! | jobs | 5 s | attempt the jobs that are due | touch a job that another process has leased |
//! | retention | 1 h | purge accounts deleted 15 days ago, and sessions and invitations ended 30 days ago | touch sandboxes and teams |

pub(crate) mod jobs;
pub(crate) mod periodic;
pub(crate) mod retention;

use std::time::Duration;

use tokio_util::sync::CancellationToken;

use crate::accounts::Accounts;
use crate::background::jobs::Jobs;
use crate::core::Core;
use crate::events::Events;
use crate::hosts::{self, Hosts};
use crate::reconcile::{sweep, watch};
use crate::sandboxes::Sandboxes;
use crate::teams::api_keys;

/// Starts all of them. They stop with the task set.
pub(crate) fn start(sandboxes: &Sandboxes, accounts: &Accounts, hosts: &Hosts, jobs: &Jobs) {
    let tasks = &sandboxes.core.tasks;
    let core_of = || sandboxes.core.clone();
    start_links(sandboxes, hosts);
    let owned = sandboxes.clone();
    let core = core_of();
    tasks.spawn("sandbox sweep", |stop| {
        every(
            core,
            "sandbox sweep",
            sweep::PERIOD,
            stop,
            async move || sweep::once(&owned).await,
        )
    });
    start_revocation(sandboxes);
    let owned = accounts.clone();
    let core = core_of();
    tasks.spawn("credential use", |stop| {
        every(
            core,
            "credential use",
            api_keys::PERIOD,
            stop,
            async move || {
                owned.write_used_keys().await?;
                owned.write_used_sessions().await
            },
        )
    });
    let owned = accounts.clone();
    let core = core_of();
    tasks.spawn("retention", |stop| {
        every(
            core,
            "retention",
            retention::PERIOD,
            stop,
            async move || owned.purge_expired().await,
        )
    });
    let owned = jobs.clone();
    let core = core_of();
    tasks.spawn("jobs", |stop| {
        every(core, "jobs", jobs::PERIOD, stop, async move || {
            owned.run_due().await
        })
    });
}

/// Starts the task that follows the addresses of all hosts, and the task that watches each host from the moment at which its link is
/// made.
fn start_links(sandboxes: &Sandboxes, hosts: &Hosts) {
    let tasks = &hosts.core.tasks;
    let (owned, core) = (hosts.clone(), hosts.core.clone());
    tasks.spawn("host links", |stop| {
        every(
            core,
            "host links",
            hosts::LINKS_PERIOD,
            stop,
            async move || owned.refresh_links().await,
        )
    });
    let (sandboxes, hosts) = (sandboxes.clone(), hosts.clone());
    tasks.spawn("host watches", |stop| async move {
        loop {
            for watched in hosts.links.take_unwatched() {
                let sandboxes = sandboxes.clone();
                let tasks = &hosts.core.tasks;
                tasks.spawn("host watch", |stop| watch::run(sandboxes, watched, stop));
            }
            tokio::select! {
                () = stop.cancelled() => return Ok(()),
                () = hosts.links.made() => {}
            }
        }
    });
}

/// Starts the task that closes the connections of callers that lost their right.
pub(crate) fn start_revocation(sandboxes: &Sandboxes) {
    let owned = sandboxes.clone();
    let tasks = &sandboxes.core.tasks;
    tasks.spawn("revocation", |stop| owned.watch_revocations(stop));
}

/// Starts the task that tells the streams of teams what changes.
pub(crate) fn start_events(sandboxes: &Sandboxes, events: &Events) {
    let owned = events.clone();
    let tasks = &sandboxes.core.tasks;
    tasks.spawn("events", |stop| owned.run(stop));
}

/// Runs a job at once and then again and again, with a pause of `period` after each pass. A pass that fails is logged; the next
/// pass does its work.
async fn every<E: Into<anyhow::Error>>(
    core: Core,
    job: &'static str,
    period: Duration,
    stop: CancellationToken,
    pass: impl AsyncFn() -> Result<(), E>,
) -> anyhow::Result<()> {
    loop {
        core.periodic.begin(job, period, core.now());
        let failed = pass().await.err().map(Into::<anyhow::Error>::into);
        // Without the causes: those may have parts of a row or of an address.
        let shown = failed.as_ref().map(ToString::to_string);
        core.periodic.end(job, shown, core.now());
        if let Some(error) = failed {
            tracing::warn!(
                job,
                error = format!("{error:#}"),
                "a periodic job failed; its next pass tries again"
            );
        }
        tokio::select! {
            () = stop.cancelled() => return Ok(()),
            () = tokio::time::sleep(period) => {}
        }
    }
}
