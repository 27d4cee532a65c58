//! The commands about hosts. The platform has one host, which is online.

use locule_domain::SandboxState::{Paused, Running};
use locule_ids::HostId;
use serde_json::{Value, json};
use sqlx::PgPool;

use crate::desk::Desk;
use crate::program::Running as RunningProgram;

const RUNS: &str = "sb-12345678-9dad-11d1-80b4-00c04fd430c8";
const STAYS: &str = "sb-12995678-9dad-11d1-80b4-00c04fd430c8";
/// No host has this id.
const UNKNOWN: &str = "host-00000000-0000-4000-8000-000000000000";

/// The administrator's desk, and the platform's host.
async fn desk(pool: PgPool) -> (Desk, String) {
    let desk = Desk::of_the_administrator(pool).await;
    let listed = desk.succeeds(&["host", "ls", "-q"]);
    let host = listed.trim().to_owned();
    host.parse::<HostId>().unwrap();
    (desk, host)
}

/// As [`desk`], with a running and a paused sandbox on the host.
async fn desk_with_sandboxes(pool: PgPool) -> (Desk, String) {
    let (desk, host) = desk(pool).await;
    desk.platform.add(RUNS, Running).await;
    desk.platform.add(STAYS, Paused).await;
    (desk, host)
}

/// The word after `flag`.
fn word_after<'a>(command: &'a str, flag: &str) -> &'a str {
    let mut words = command.split_whitespace().skip_while(|word| *word != flag);
    words.nth(1).unwrap()
}

fn wait_for_message(running: &mut RunningProgram, expected: &str) {
    loop {
        let message = running.message();
        assert!(!message.is_empty(), "ended without {expected:?}");
        if message == expected {
            return;
        }
    }
}

#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn add_and_token_print_the_command_for_the_new_machine(pool: PgPool) {
    let (desk, _) = desk(pool).await;
    let added = desk.run(&["host", "add", "--provider", "hetzner", "--zone", "fsn1"]);
    assert_eq!(added.code, 0, "{added:?}");
    let command = added.stdout.trim_end();
    assert!(
        command.starts_with("locule agent --server ") && command.ends_with(" --address NAME:PORT"),
        "{command}"
    );
    assert!(added.stderr.contains("within an hour"), "{added:?}");
    let hosts = desk.json(&["host", "ls"]);
    let id = hosts[1]["id"].as_str().unwrap();
    assert!(added.stderr.contains(id), "{added:?}");
    assert_eq!(
        (&hosts[1]["provider"], &hosts[1]["availability_zone"]),
        (&json!("hetzner"), &json!("fsn1"))
    );
    let renewed = desk.run(&["host", "token", &id[..13]]);
    let (token, other) = (
        word_after(command, "--register"),
        word_after(&renewed.stdout, "--register"),
    );
    assert!(token.len() == 64 && other.len() == 64 && token != other);
    let again = desk.json(&["host", "token", id]);
    assert_eq!(again["host"]["id"], id);
    assert_eq!(again["registration_token"].as_str().unwrap().len(), 64);
    let online = hosts[0]["id"].as_str().unwrap();
    desk.fails(
        &["host", "token", online],
        "only a host that is pending can register",
    );
}

#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn a_host_of_a_team_names_its_team(pool: PgPool) {
    let (desk, _) = desk(pool).await;
    let team = &desk.first.team;
    desk.fails(
        &["host", "add", "--team", team],
        "the team may not bring its own hosts",
    );
    desk.platform
        .sql("UPDATE teams SET is_byoc = TRUE WHERE name = 'First'")
        .await;
    let added = desk.json(&["host", "add", "--team", team]);
    assert_eq!(
        (&added["host"]["type"], &added["host"]["team_id"]),
        (&json!("byoc"), &json!(team))
    );
    let listed = desk.succeeds(&["host", "ls"]);
    let last = listed.lines().last().unwrap();
    let words: Vec<&str> = last.split_whitespace().collect();
    assert_eq!(words[1..4], ["byoc", "pending", "First"], "{listed}");
    desk.fails(
        &["host", "add", "--team", "Second"],
        "no team of this account is called \"Second\"",
    );
}

#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn a_person_without_rights_sees_no_host_and_adds_none(pool: PgPool) {
    let desk = Desk::logged_in(pool).await;
    assert_eq!(desk.json(&["host", "ls"]), json!([]));
    desk.fails(&["host", "add"], "error: ");
    desk.fails(
        &["host", "show", UNKNOWN],
        "`locule host ls` lists the hosts",
    );
    desk.fails(
        &["host", "show", "12"],
        "no host has an id that begins with \"12\"",
    );
}

#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn show_lists_what_a_host_has(pool: PgPool) {
    let (desk, host) = desk_with_sandboxes(pool).await;
    desk.succeeds(&["host", "tags", &host, "--add", "a/b c", "--add", "gpu"]);
    let tags = desk.succeeds(&["host", "tags", &host, "--remove", "a/b c", "--add", "ssd"]);
    assert_eq!(tags, "gpu\nssd\n");
    // The words of host agents and of other people must not control the terminal.
    desk.platform
        .sql("UPDATE hosts SET arch = E'x\\x1b[2J', memory_mb = 16384, report = '{\"free_memory_mib\": 9000, \"pool_free_bytes\": 3221225472}'")
        .await;
    let shown = desk.succeeds(&["host", "show", &host[..13]]);
    let facts: Vec<String> = shown
        .lines()
        .map(|line| line.split_whitespace().collect::<Vec<_>>().join(" "))
        .collect();
    for fact in [
        "status online",
        "sandboxes 1 running, 1 paused",
        "free memory 9000 MiB",
        "free disk 3.0 GiB",
        "tag ssd",
    ] {
        assert!(facts.iter().any(|line| line == fact), "{fact}: {shown}");
    }
    assert!(shown.contains("of 16384 MiB for sandboxes"), "{shown}");
    assert!(shown.contains(RUNS) && shown.contains(STAYS), "{shown}");
    assert!(!shown.contains('\u{1b}'), "{shown:?}");
    let shown = desk.json(&["host", "show", &host]);
    assert_eq!(shown["tags"], json!(["gpu", "ssd"]));
    assert_eq!(shown["sandboxes"].as_array().unwrap().len(), 2);
    assert_eq!(shown["running_sandboxes"], 1);
}

#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn a_cordon_is_shown_until_it_ends(pool: PgPool) {
    let (desk, host) = desk(pool).await;
    assert_eq!(
        desk.succeeds(&["host", "cordon", &host]),
        format!("{host}\n")
    );
    let listed = desk.succeeds(&["host", "ls"]);
    assert!(listed.contains("online, cordoned"), "{listed}");
    let ran = desk.run(&["host", "uncordon", UNKNOWN, &host, "--json"]);
    assert_eq!(ran.code, 1, "{ran:?}");
    assert!(ran.stderr.contains(UNKNOWN), "{ran:?}");
    let done: Value = serde_json::from_str(&ran.stdout).unwrap();
    assert_eq!(
        (&done[0]["id"], &done[0]["cordoned"]),
        (&json!(host), &json!(false))
    );
}

#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn a_drain_says_what_it_will_do_and_waits_for_running_sandboxes(pool: PgPool) {
    let (desk, host) = desk_with_sandboxes(pool).await;
    assert_eq!(
        desk.run(&["host", "drain", &host]).code,
        2,
        "how is not said"
    );
    let preview = desk.run(&["host", "drain", &host, "--pause", "--preview"]);
    assert!(
        preview.stderr.starts_with(
            "the host gets no new sandboxes; 1 running sandbox is paused; 1 paused sandbox stays on the host\n"
        ) && preview.stderr.contains(RUNS),
        "{preview:?}"
    );
    assert_eq!(desk.json(&["host", "show", &host])["cordoned"], false);
    let detached = desk.run(&["host", "drain", &host, "--wait", "--detach", "--json"]);
    let drained: Value = serde_json::from_str(&detached.stdout).unwrap();
    assert_eq!(drained["host"]["drain"], "wait", "{detached:?}");
    let mut drain = desk.begin(&["host", "drain", &host, "--wait", "--json"]);
    wait_for_message(&mut drain, "1 sandbox still runs\n");
    desk.platform.succeeds(&["sandbox", "pause", RUNS]);
    let ran = drain.finish();
    assert_eq!(ran.code, 0, "{ran:?}");
    assert!(
        ran.stderr
            .ends_with("2 paused sandboxes stay on the host\n"),
        "{ran:?}"
    );
    let drained: Value = serde_json::from_str(&ran.stdout).unwrap();
    assert_eq!(drained["host"]["cordoned"], true, "{ran:?}");
    let listed = desk.succeeds(&["host", "ls"]);
    assert!(listed.contains("online, draining"), "{listed}");
    desk.succeeds(&["host", "uncordon", &host]);
    let listed = desk.succeeds(&["host", "ls"]);
    assert!(!listed.contains("draining"), "{listed}");
}

#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn a_drain_that_another_person_ends_is_not_waited_for(pool: PgPool) {
    let (desk, host) = desk_with_sandboxes(pool).await;
    let mut drain = desk.begin(&["host", "drain", &host, "--wait"]);
    wait_for_message(&mut drain, "1 sandbox still runs\n");
    desk.succeeds(&["host", "uncordon", &host]);
    let ran = drain.finish();
    assert_eq!(ran.code, 1, "{ran:?}");
    assert!(
        ran.stderr
            .contains("the drain was ended while 1 sandbox runs"),
        "{ran:?}"
    );
}

#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn a_host_with_sandboxes_is_deleted_only_by_its_complete_id(pool: PgPool) {
    let (desk, host) = desk_with_sandboxes(pool).await;
    let refused = desk.run(&["host", "rm", &host[..13]]);
    assert_eq!(refused.code, 1, "{refused:?}");
    assert!(
        refused.stderr.contains(RUNS) && refused.stderr.contains(&format!("rm {host} --force")),
        "{refused:?}"
    );
    desk.fails(
        &["host", "rm", &host[..13], "--force"],
        "--force needs the complete id",
    );
    assert_eq!(
        desk.succeeds(&["host", "rm", &host, "--force"]),
        format!("{host}\n")
    );
    assert_eq!(desk.json(&["host", "ls"]), json!([]));
    desk.run(&["host", "add"]);
    let added = desk.succeeds(&["host", "ls", "-q"]);
    let added = added.trim();
    assert_eq!(desk.json(&["host", "rm", added]), json!({ "id": added }));
}

#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn sandboxes_that_are_not_in_the_database_are_shown_and_imported(pool: PgPool) {
    let (desk, host) = desk_with_sandboxes(pool).await;
    let nothing = desk.run(&["host", "import", &host, "--all"]);
    assert_eq!((nothing.code, nothing.stdout.as_str()), (0, ""));
    assert!(
        nothing
            .stderr
            .contains("every sandbox on the host is in the database")
    );
    assert_eq!(
        desk.run(&["host", "import", &host]).code,
        2,
        "which is not said"
    );

    desk.platform.sql("DELETE FROM sandboxes").await;
    let shown = desk.succeeds(&["host", "show", &host]);
    let told = format!("not in the database (`locule host import {host} --all`");
    assert!(shown.contains(&told), "{shown}");
    assert!(shown.contains(RUNS) && shown.contains(STAYS), "{shown}");
    let json = desk.json(&["host", "show", &host]);
    assert_eq!(json["quarantine"].as_array().map(Vec::len), Some(2));

    desk.fails(
        &["host", "import", &host, "12"],
        "the ids of several sandboxes begin with \"12\"",
    );
    desk.fails(
        &["host", "import", &host, UNKNOWN],
        "that is not in the database",
    );
    let imported = desk.json(&["host", "import", &host, "1234"]);
    assert_eq!(
        (&imported[0]["id"], &imported[0]["status"]),
        (&json!(RUNS), &json!("paused"))
    );
    // The database is the one that the host knows: nothing is to be accepted.
    let accepted = desk.run(&["host", "accept-database", UNKNOWN, &host]);
    assert_eq!((accepted.code, accepted.stdout), (1, format!("{host}\n")));
    let imported = desk.succeeds(&["host", "import", &host, "--all"]);
    assert_eq!(imported, format!("{STAYS}\n"));
    let shown = desk.json(&["host", "show", &host]);
    assert_eq!(shown["quarantine"], json!([]));
    assert_eq!(shown["paused_sandboxes"], 2);
    desk.platform.succeeds(&["sandbox", "resume", RUNS]);
}
