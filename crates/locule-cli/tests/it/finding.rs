//! Which server is meant, and one sentence for each way it can go wrong.

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::program::{Ran, program, run};
use crate::stub::{KEY, Stub};

const LS: &[&str] = &["sandbox", "ls", "-q"];

/// A home whose pointer leads to credentials of this content.
fn home(credentials: &str) -> tempfile::TempDir {
    let home = tempfile::tempdir().unwrap();
    let path = home.path().join("server.json");
    fs::write(&path, credentials).unwrap();
    point(
        home.path(),
        &serde_json::json!({ "credentials": path }).to_string(),
    );
    home
}

fn point(home: &Path, text: &str) {
    let folder = home.join(".config/locule");
    fs::create_dir_all(&folder).unwrap();
    fs::write(folder.join("credentials.json"), text).unwrap();
}

fn at(home: &Path) -> Command {
    let mut command = program(LS);
    command.env("HOME", home);
    command
}

fn with(variables: &[(&str, &str)]) -> Ran {
    let mut command = program(LS);
    command.envs(variables.iter().copied());
    run(command)
}

fn says(ran: &Ran, words: &str) {
    assert_eq!((ran.code, ran.stdout.as_str()), (1, ""), "{ran:?}");
    assert_eq!(ran.stderr.lines().count(), 1, "{ran:?}");
    assert!(ran.stderr.contains(words), "{words:?} is not in {ran:?}");
    assert!(!ran.stderr.contains("e2b_"), "a key is told: {ran:?}");
}

/// An address of this machine where nobody listens.
fn nobody() -> String {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    format!("http://{}", listener.local_addr().unwrap())
}

#[test]
fn the_last_local_server_is_found_by_its_credentials() {
    let stub = Stub::start();
    let id = stub.add(
        "sb-12345678-9dad-11d1-80b4-00c04fd430c8",
        locule_api::SandboxStatus::Running,
    );
    let home = home(&serde_json::json!({ "url": stub.url, "api_key": KEY }).to_string());
    let ran = run(at(home.path()));
    assert_eq!((ran.code, ran.stdout), (0, format!("{id}\n")));
}

#[test]
fn no_server_known_says_how_to_get_one() {
    let empty = tempfile::tempdir().unwrap();
    let ran = run(at(empty.path()));
    says(
        &ran,
        "no server is known: start one with `locule up`, or set LOCULE_URL and LOCULE_API_KEY",
    );
}

#[test]
fn a_server_that_is_gone_or_garbled_is_said() {
    let home = home("{}");
    says(
        &run(at(home.path())),
        "server.json is not what a server writes",
    );
    fs::remove_file(home.path().join("server.json")).unwrap();
    says(&run(at(home.path())), "the last local server is gone");
    point(home.path(), "no json");
    says(
        &run(at(home.path())),
        "credentials.json is not what a server writes",
    );
}

#[test]
fn a_local_server_that_does_not_run_is_to_be_started() {
    let url = nobody();
    let home = home(&serde_json::json!({ "url": url, "api_key": KEY }).to_string());
    let words = format!("error: no server answers at {url}: start it with `locule up`\n");
    says(&run(at(home.path())), &words);
    let ran = with(&[("LOCULE_URL", &url), ("LOCULE_API_KEY", KEY)]);
    says(
        &ran,
        "start it with `locule up` there, or correct LOCULE_URL",
    );
}

#[test]
fn a_key_is_never_sent_to_a_server_it_was_not_given_for() {
    let stub = Stub::start();
    let home = home(&serde_json::json!({ "url": nobody(), "api_key": KEY }).to_string());
    let mut command = at(home.path());
    command.env("LOCULE_URL", &stub.url);
    says(
        &run(command),
        "LOCULE_URL is set but LOCULE_API_KEY is not: set both, or neither",
    );
    assert_eq!(stub.change(|seen| seen.calls.len()), 0);
    says(
        &with(&[("LOCULE_API_KEY", KEY)]),
        "LOCULE_API_KEY is set but LOCULE_URL is not",
    );
}

#[test]
fn a_wrong_key_says_where_it_came_from() {
    let stub = Stub::start();
    let ran = with(&[("LOCULE_URL", &stub.url), ("LOCULE_API_KEY", "e2b_wrong")]);
    says(
        &ran,
        "the server does not accept this key: correct LOCULE_API_KEY",
    );
    let home = home(&serde_json::json!({ "url": stub.url, "api_key": "e2b_old" }).to_string());
    let ran = run(at(home.path()));
    says(&ran, "the server does not know the key in");
    says(&ran, "server.json");
}

#[test]
fn an_address_that_is_none_is_said() {
    for wrong in ["localhost:8000", "8000", "ftp://host", ""] {
        let ran = with(&[("LOCULE_URL", wrong), ("LOCULE_API_KEY", KEY)]);
        let words = if wrong.is_empty() {
            "LOCULE_API_KEY is set but"
        } else {
            "is not the address of a server"
        };
        says(&ran, words);
    }
}

#[test]
fn a_proxy_of_the_environment_is_not_asked_for_this_machine() {
    let stub = Stub::start();
    let mut command = stub.command(&["run", "--", "echo", "hi"]);
    for name in ["http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"] {
        command.env(name, nobody());
    }
    let ran = run(command);
    assert_eq!((ran.code, ran.stdout.as_str()), (0, "hi\n"), "{ran:?}");
}

#[test]
fn credentials_of_another_user_are_not_a_riddle() {
    use std::os::unix::fs::PermissionsExt as _;
    use std::os::unix::process::CommandExt as _;
    let home = home("{}");
    let path = home.path().join("server.json");
    fs::set_permissions(home.path(), fs::Permissions::from_mode(0o755)).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o000)).unwrap();
    // The superuser may read everything: it lends the program to somebody who may not.
    let program_copy = home.path().join("locule");
    fs::copy(env!("CARGO_BIN_EXE_locule-cli"), &program_copy).unwrap();
    let mut command = at(home.path());
    if nix::unistd::geteuid().is_root() {
        command = clone_of(&command, &program_copy);
        command.uid(65534).gid(65534);
    }
    says(
        &run(command),
        "it belongs to another user: run this as that user (or with sudo)",
    );
}

#[expect(clippy::disallowed_methods, reason = "the program from another place")]
fn clone_of(command: &Command, program: &Path) -> Command {
    let mut clone = Command::new(program);
    clone.args(command.get_args());
    for (name, value) in command.get_envs() {
        match value {
            Some(value) => clone.env(name, value),
            None => clone.env_remove(name),
        };
    }
    clone
        .stdin(std::process::Stdio::null())
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped());
    clone
}
