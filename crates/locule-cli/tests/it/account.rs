//! Logging in, and what is done with a login: teams, keys, the trail.

use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::process::Stdio;

use serde_json::Value;

use crate::program::{Ran, finish, program, run};
use crate::stub::Stub;
use crate::stub::people::{EMAIL, PASSWORD};

/// A home of one's own, and a server.
struct Desk {
    stub: Stub,
    home: tempfile::TempDir,
}

impl Desk {
    fn new() -> Self {
        Self {
            stub: Stub::start(),
            home: tempfile::tempdir().unwrap(),
        }
    }

    fn logged_in() -> Self {
        let desk = Self::new();
        let ran = desk.login(PASSWORD);
        assert_eq!(ran.code, 0, "{ran:?}");
        desk
    }

    fn login(&self, password: &str) -> Ran {
        let mut command = program(&["login", "--url", &self.stub.url, "--email", EMAIL]);
        command.env("HOME", self.home.path()).stdin(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let mut stdin = child.stdin.take().unwrap();
        stdin.write_all(format!("{password}\n").as_bytes()).unwrap();
        drop(stdin);
        finish(child)
    }

    fn run(&self, args: &[&str]) -> Ran {
        let mut command = program(args);
        command.env("HOME", self.home.path());
        run(command)
    }

    fn well(&self, args: &[&str]) -> String {
        let ran = self.run(args);
        assert_eq!(
            (ran.code, ran.stderr.as_str()),
            (0, ""),
            "{args:?}: {ran:?}"
        );
        ran.stdout
    }

    fn json(&self, args: &[&str]) -> Value {
        let mut args = args.to_vec();
        args.push("--json");
        serde_json::from_str(&self.well(&args)).unwrap()
    }

    fn fails(&self, args: &[&str], why: &str) {
        let ran = self.run(args);
        assert_eq!(ran.code, 1, "{args:?}: {ran:?}");
        assert!(ran.stderr.contains(why), "{args:?}: {ran:?}");
    }
}

#[test]
fn a_login_is_kept_for_its_owner_until_it_is_over() {
    let desk = Desk::new();
    desk.fails(&["whoami"], "you are not logged in: `locule login`");
    let wrong = desk.login("wrong");
    assert_eq!(
        (wrong.code, wrong.stderr.as_str()),
        (1, "error: the e-mail address or the password is wrong\n")
    );
    let ran = desk.login(PASSWORD);
    assert_eq!((ran.code, ran.stdout.as_str()), (0, ""), "{ran:?}");
    let kept = desk.home.path().join(".config/locule/login.json");
    assert_eq!(kept.metadata().unwrap().permissions().mode() & 0o777, 0o600);
    let who = desk.json(&["whoami"]);
    assert_eq!(
        (&who["email"], &who["team"], &who["role"]),
        (&EMAIL.into(), &"First".into(), &"owner".into())
    );
    assert!(desk.well(&["whoami"]).contains("First (owner)"));
    let mut elsewhere = program(&["whoami"]);
    elsewhere
        .env("HOME", desk.home.path())
        .env("LOCULE_URL", "http://127.0.0.1:1");
    assert!(run(elsewhere).stderr.contains("you are logged in at"));
    desk.stub.change(|seen| seen.people.logged_in = false);
    desk.fails(&["whoami"], "the login is over: `locule login`");
    desk.well(&["logout"]);
    assert!(!kept.exists());
    desk.fails(&["logout"], "you are not logged in");
    desk.fails(&["login"], "no server is known");
}

#[test]
fn the_local_servers_first_person_needs_no_password() {
    let desk = Desk::new();
    let folder = desk.home.path().join(".config/locule");
    std::fs::create_dir_all(&folder).unwrap();
    let credentials = desk.home.path().join("credentials.json");
    let text = serde_json::json!({ "url": desk.stub.url, "email": EMAIL, "password": PASSWORD, "api_key": "e2b_0" });
    std::fs::write(&credentials, text.to_string()).unwrap();
    let pointer = serde_json::json!({ "credentials": credentials });
    std::fs::write(folder.join("credentials.json"), pointer.to_string()).unwrap();
    assert_eq!(desk.json(&["login"])["email"], EMAIL);
    assert_eq!(desk.json(&["whoami"])["url"], desk.stub.url);
}

#[test]
fn a_team_is_made_used_filled_and_left() {
    let desk = Desk::logged_in();
    let listed = desk.well(&["team", "ls"]);
    let lines: Vec<&str> = listed.lines().map(str::trim).collect();
    assert_eq!(
        lines[1].split_whitespace().collect::<Vec<_>>(),
        ["*", "First", "aaaaaa-000001", "owner"]
    );
    let made = desk.well(&["team", "create", "Third"]);
    assert!(made.starts_with("team-"), "{made}");
    assert_eq!(desk.json(&["whoami"])["team"], "Third");
    desk.fails(
        &["team", "use", "Fourth"],
        "you are in no team called \"Fourth\"",
    );
    desk.well(&["team", "use", "aaaaaa-000002"]);
    assert_eq!(desk.json(&["whoami"])["team"], "Second");
    desk.well(&["team", "rename", "Renamed"]);
    desk.well(&["team", "add", "bob@locule.test"]);
    desk.well(&["team", "role", "BOB@locule.test", "admin"]);
    let members = desk.well(&["team", "members"]);
    assert!(
        members.contains("bob@locule.test") && members.contains("admin"),
        "{members}"
    );
    assert!(!members.contains('\u{1b}'), "{members:?}");
    desk.fails(
        &["team", "remove", "nobody@locule.test"],
        "is not in the team",
    );
    desk.well(&["team", "remove", "bob@locule.test"]);
    assert_eq!(desk.json(&["team", "members"]).as_array().unwrap().len(), 1);
    desk.fails(
        &["team", "delete", "First"],
        "the login is for another team",
    );
    desk.well(&["team", "delete", "Renamed"]);
    assert_eq!(desk.json(&["team", "ls"]).as_array().unwrap().len(), 2);
    desk.fails(&["team", "members"], "you are in no team");
    desk.well(&["team", "use", "Third"]);
    desk.well(&["team", "leave"]);
    assert_eq!(desk.json(&["team", "ls"]).as_array().unwrap().len(), 1);
}

#[test]
fn a_key_is_shown_once() {
    let desk = Desk::logged_in();
    let key = desk.well(&[
        "api-key",
        "create",
        "ci",
        "--scope",
        "read",
        "--expires-in",
        "2h",
    ]);
    assert_eq!(key.trim().len(), 44, "{key}");
    desk.stub.change(|seen| {
        let made = &seen.people.keys[0];
        assert_eq!(
            (made.name.as_str(), made.expires_at.is_some()),
            ("ci", true)
        );
    });
    let listed = desk.well(&["api-key", "ls"]);
    assert!(
        listed.contains("e2b_111111…")
            && listed.contains("read  ")
            && listed.contains("in 119m")
            && !listed.contains(key.trim()),
        "{listed}"
    );
    let keys = desk.json(&["api-key", "ls"]);
    let id = keys[0]["id"].as_str().unwrap();
    assert_eq!(desk.well(&["api-key", "revoke", id]).trim(), id);
    assert_eq!(desk.json(&["api-key", "ls"]), Value::Array(Vec::new()));
    assert_eq!(desk.run(&["api-key", "revoke", "nope"]).code, 2);
}

#[test]
fn the_trail_is_read_page_by_page() {
    let desk = Desk::logged_in();
    let shown = desk.well(&[
        "audit",
        "-n",
        "3",
        "--resource",
        "sandbox",
        "--action",
        "a&b",
    ]);
    assert_eq!(shown.lines().count(), 4, "{shown}");
    assert!(
        shown.contains("1970-01-01 00:00:00") && shown.contains("reason=idle"),
        "{shown}"
    );
    let queries = desk
        .stub
        .change(|seen| std::mem::take(&mut seen.people.queries));
    assert_eq!(queries, ["resource_type=sandbox&action=a%26b&limit=3"]);
    let all = desk.json(&["audit", "-n", "500"]);
    assert_eq!(all.as_array().unwrap().len(), 400);
    let queries = desk
        .stub
        .change(|seen| std::mem::take(&mut seen.people.queries));
    assert_eq!(
        queries,
        ["limit=200", "before=1&limit=200", "before=2&limit=100"]
    );
}
