//! The database goes back in time: sandboxes that were created since have no row. None is destroyed, and all can be imported.

use std::collections::BTreeSet;
use std::path::Path;

use locule_e2e::host;
use serde_json::Value;

use crate::platform::{Platform, stub_vmm, until};

/// Sandboxes that the backup does not have.
const SANDBOXES: usize = 6;
/// Of each sandbox, with a resume after each: with the creates, 102 acknowledged orders that the backup does not have.
const PAUSES: usize = 8;

fn started() -> Platform {
    let platform = Platform::start_with(&["--qemu", &stub_vmm(), "--warm", "0"]);
    platform.succeeds(&["login"]);
    platform
}

fn doctor(platform: &Platform, more: &[&str]) -> String {
    // Without --data-dir: `doctor` finds the platform that the user started last.
    platform.locule(&[&["doctor"], more].concat(), "").stdout
}

/// The sandboxes of which the host has files.
fn held(platform: &Platform) -> BTreeSet<String> {
    let pool = Path::new(&platform.data_dir()).join("agent/pool");
    let manifests = host::all_manifests(&pool);
    manifests.into_iter().map(|manifest| manifest.id).collect()
}

/// The ids and states of the sandboxes on the host that have no row.
fn quarantine(platform: &Platform, host: &str) -> Vec<(String, String)> {
    let shown = platform.succeeds(&["host", "show", "--json", host]).stdout;
    let shown: Value = serde_json::from_str(&shown).unwrap();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let held = shown["quarantine"].as_array().unwrap().iter();
    held.map(|one| (text(&one["id"]), text(&one["status"])))
        .collect()
}

/// Gives more than a hundred orders: each sandbox is created, and paused and resumed in turn, while the others are too.
fn give_orders(platform: &Platform) -> BTreeSet<String> {
    let give = || {
        let id = platform.create();
        for _ in 0..PAUSES {
            platform.succeeds(&["sandbox", "pause", &id]);
            platform.succeeds(&["sandbox", "resume", &id]);
        }
        id
    };
    std::thread::scope(|scope| {
        let given: Vec<_> = (0..SANDBOXES).map(|_| scope.spawn(give)).collect();
        given.into_iter().map(|one| one.join().unwrap()).collect()
    })
}

/// What must be true after the database went back, whichever way: `made` has no row any more.
fn nothing_is_lost(platform: &Platform, kept: &str, made: &BTreeSet<String>) {
    let host = platform.succeeds(&["host", "ls", "-q"]).stdout;
    let host = host.trim();
    let log = format!("{}/logs/serve.log", platform.data_dir());
    until("the log reports an older database", || {
        let log = std::fs::read_to_string(&log).unwrap();
        log.contains("the database is older than a host")
    });
    let mut all = made.clone();
    all.insert(kept.to_owned());
    assert_eq!(held(platform), all);
    let said = doctor(platform, &[]);
    assert!(said.contains("✗ database"), "{said}");
    assert!(said.contains("locule doctor --accept-database"), "{said}");
    let refused = platform.locule(&["host", "import", host, "--all"], "");
    assert_eq!(refused.code, 1, "{refused:?}");
    assert!(
        refused.stderr.contains("host accept-database"),
        "{refused:?}"
    );
    let unchanged = quarantine(platform, host);
    let ids: BTreeSet<String> = unchanged.iter().map(|(id, _)| id.clone()).collect();
    assert_eq!(ids, *made);
    assert!(
        unchanged.iter().all(|(_, status)| status == "running"),
        "{unchanged:?}"
    );

    let said = doctor(platform, &["--accept-database"]);
    assert!(said.contains("accepted"), "{said}");
    until("the sandboxes without a row are paused", || {
        let held = quarantine(platform, host);
        held.len() == made.len() && held.iter().all(|(_, status)| status == "paused")
    });
    assert_eq!(held(platform), all);
    let said = doctor(platform, &[]);
    assert!(said.contains("✓ database"), "{said}");
    assert!(
        said.contains(&format!("locule host import {host} --all")),
        "{said}"
    );

    let imported = platform.succeeds(&["host", "import", host, "--all"]).stdout;
    let imported: BTreeSet<String> = imported.lines().map(str::to_owned).collect();
    assert_eq!(imported, *made);
    assert_eq!(quarantine(platform, host), []);
    let said = doctor(platform, &[]);
    assert!(said.contains("✓ quarantine"), "{said}");
    for id in made {
        assert_eq!(platform.shown(id)["status"], "paused", "{id}");
    }
    let one = made.first().unwrap();
    platform.succeeds(&["sandbox", "resume", one]);
    assert_eq!(platform.shown(one)["status"], "running");
    assert_eq!(platform.shown(kept)["status"], "running");
    assert_eq!(held(platform), all);
}

#[test]
fn a_dump_that_is_restored_after_a_hundred_orders_loses_no_sandbox() {
    let platform = started();
    let kept = platform.create();
    platform.dump_database();
    let made = give_orders(&platform);
    platform.restore_dump();
    until("the platform is healthy", || platform.is_healthy());
    nothing_is_lost(&platform, &kept, &made);
    platform.stop();
}

#[test]
fn a_copy_of_the_cluster_that_is_put_back_after_a_hundred_orders_loses_no_sandbox() {
    let mut platform = started();
    let kept = platform.create();
    platform.kill_up();
    platform.copy_cluster();
    platform.start_again();
    let made = give_orders(&platform);
    platform.kill_up();
    platform.restore_cluster();
    platform.start_again();
    nothing_is_lost(&platform, &kept, &made);
    platform.stop();
}
