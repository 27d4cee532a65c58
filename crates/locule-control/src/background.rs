//! The tasks that run beside requests: one watch per host, and one task per periodic job.
//!
//! | task | period | in | does | does not |
//! |---|---|---|---|---|
//! | host links | 5 s | each process | read the addresses of all hosts | call a host |
//! | host watches | always | each process | start the watch of each host whose link is new | read the database |
//! | host watch | always | each process | write each report of a host at once | infer anything from a host that does not answer |
//! | host monitor | 15 s | one process | mark silent hosts and their sandboxes, pause what drained hosts run | call a host that is unreachable |
//! | sandbox sweep | 15 s | one process | compare the rows of hosts with what the hosts hold, unless nothing can have changed; reconcile what differs | destroy a sandbox that has no row |
//! | revocation | 5 s | each process | close the connections of callers that lost their right | end programs inside sandboxes |
//! | events | always | each process | tell the streams of teams what changes | keep an event for a stream that is away |
//! | credential use | 15 s | each process | write when API keys and logins were last used | check them: a request does |
//! | jobs | 5 s | each process | attempt the jobs that are due | touch a job that another process has leased |
//! | retention | 1 h | one process | purge accounts deleted 15 days ago, and sessions and invitations ended 30 days ago | touch sandboxes and teams |

pub(crate) mod cluster_jobs;
pub(crate) mod jobs;
pub(crate) mod passes;
pub(crate) mod periodic;
pub(crate) mod retention;

use crate::accounts::Accounts;
use crate::background::jobs::Jobs;
use crate::background::passes::{every, every_alone};
use crate::background::periodic::Pass;
use crate::events::Events;
use crate::hosts::{self, Hosts};
use crate::reconcile::monitor::Monitor;
use crate::reconcile::sweep::Sweep;
use crate::reconcile::watch;
use crate::sandboxes::Sandboxes;
use crate::teams::api_keys;

/// Starts all of them. They stop with the task set.
pub(crate) fn start(
    sandboxes: &Sandboxes,
    accounts: &Accounts,
    hosts: &Hosts,
    jobs: &Jobs,
    (monitor, sweep): (&Monitor, &Sweep),
) {
    let tasks = &sandboxes.core.tasks;
    let core_of = || sandboxes.core.clone();
    start_links(sandboxes, hosts);
    let owned = monitor.clone();
    let core = core_of();
    tasks.spawn(cluster_jobs::HOST_MONITOR.name, |stop| {
        every_alone(core, cluster_jobs::HOST_MONITOR, stop, async move || {
            owned.pass().await
        })
    });
    let owned = sweep.clone();
    let core = core_of();
    tasks.spawn(cluster_jobs::SANDBOX_SWEEP.name, |stop| {
        every_alone(core, cluster_jobs::SANDBOX_SWEEP, stop, async move || {
            owned.pass().await
        })
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
    tasks.spawn(cluster_jobs::RETENTION.name, |stop| {
        every_alone(core, cluster_jobs::RETENTION, stop, async move || {
            owned.purge_expired().await.map(|()| Pass::default())
        })
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
