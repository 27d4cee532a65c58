//! How a command finds its server, and the one-sentence message for each failure.

use std::fs;
use std::path::Path;
use std::process::Command;

use locule_domain::SandboxState;
use sqlx::PgPool;

use crate::platform::Platform;
use crate::program::{Ran, program, run};

/// A key of no server.
const KEY: &str = "e2b_0000000000000000000000000000000000000000";

const LS: &[&str] = &["sandbox", "ls", "-q"];

/// A home directory whose pointer names a credentials file with this content.
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
    assert!(
        !ran.stderr.contains("e2b_"),
        "the output contains a key: {ran:?}"
    );
}

/// An address of this machine without a listener.
fn closed_address() -> String {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    format!("http://{}", listener.local_addr().unwrap())
}

#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn without_variables_the_last_local_server_is_used(pool: PgPool) {
    let platform = Platform::start(pool).await;
    let id = platform
        .add(
            "sb-12345678-9dad-11d1-80b4-00c04fd430c8",
            SandboxState::Running,
        )
        .await;
    let home =
        home(&serde_json::json!({ "url": platform.url, "api_key": platform.key }).to_string());
    let ran = run(at(home.path()));
    assert_eq!((ran.code, ran.stdout), (0, format!("{id}\n")));
}

#[test]
fn without_a_server_the_message_says_how_to_get_one() {
    let empty = tempfile::tempdir().unwrap();
    let ran = run(at(empty.path()));
    says(
        &ran,
        "no server is configured: start one with `locule up`, or set LOCULE_URL and LOCULE_API_KEY",
    );
}

#[test]
fn a_missing_or_malformed_credentials_file_is_named() {
    let home = home("{}");
    says(&run(at(home.path())), "server.json is malformed");
    fs::remove_file(home.path().join("server.json")).unwrap();
    says(
        &run(at(home.path())),
        "the credentials of the last local server are gone",
    );
    point(home.path(), "no json");
    says(&run(at(home.path())), "credentials.json is malformed");
}

#[test]
fn for_a_server_that_does_not_run_the_message_says_how_to_start_it() {
    let url = closed_address();
    let home = home(&serde_json::json!({ "url": url, "api_key": KEY }).to_string());
    let words = format!("error: no server answers at {url}: start it with `locule up`\n");
    says(&run(at(home.path())), &words);
    let ran = with(&[("LOCULE_URL", &url), ("LOCULE_API_KEY", KEY)]);
    says(
        &ran,
        "start it there with `locule up`, or correct LOCULE_URL",
    );
}

#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn a_key_is_sent_only_to_the_server_that_it_belongs_to(pool: PgPool) {
    let platform = Platform::start(pool).await;
    let home = home(&serde_json::json!({ "url": closed_address(), "api_key": KEY }).to_string());
    let mut command = at(home.path());
    command.env("LOCULE_URL", &platform.url);
    says(
        &run(command),
        "LOCULE_URL is set but LOCULE_API_KEY is not: set both or neither",
    );
    assert_eq!(platform.change(|traffic| traffic.calls.len()), 0);
    says(
        &with(&[("LOCULE_API_KEY", KEY)]),
        "LOCULE_API_KEY is set but LOCULE_URL is not",
    );
}

#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn the_message_for_a_wrong_key_names_its_source(pool: PgPool) {
    let platform = Platform::start(pool).await;
    let ran = with(&[
        ("LOCULE_URL", &platform.url),
        ("LOCULE_API_KEY", "e2b_wrong"),
    ]);
    says(
        &ran,
        "the server does not accept this key: correct LOCULE_API_KEY",
    );
    let home = home(&serde_json::json!({ "url": platform.url, "api_key": "e2b_old" }).to_string());
    let ran = run(at(home.path()));
    says(&ran, "the server does not know the key in");
    says(&ran, "server.json");
}

#[test]
fn a_malformed_address_is_refused() {
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

#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn a_proxy_variable_is_ignored_for_a_local_server(pool: PgPool) {
    let platform = Platform::start(pool).await;
    let mut command = platform.command(&["run", "--", "echo", "hi"]);
    for name in ["http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"] {
        command.env(name, closed_address());
    }
    let ran = run(command);
    assert_eq!((ran.code, ran.stdout.as_str()), (0, "hi\n"), "{ran:?}");
}

#[test]
fn the_message_for_credentials_of_another_user_says_what_to_do() {
    use std::os::unix::fs::PermissionsExt as _;
    use std::os::unix::process::CommandExt as _;
    let home = home("{}");
    let path = home.path().join("server.json");
    fs::set_permissions(home.path(), fs::Permissions::from_mode(0o755)).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o000)).unwrap();
    // Root may read every file: the test runs a copy of the program as another user.
    let program_copy = home.path().join("locule");
    fs::copy(env!("CARGO_BIN_EXE_locule-cli"), &program_copy).unwrap();
    let mut command = at(home.path());
    if nix::unistd::geteuid().is_root() {
        command = clone_of(&command, &program_copy);
        command.uid(65534).gid(65534);
    }
    says(
        &run(command),
        "which belongs to another user: run this as that user (or with sudo)",
    );
}

#[expect(
    clippy::disallowed_methods,
    reason = "a copy of the program at another path"
)]
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
