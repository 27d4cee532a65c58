//! Tests of watches, streamed and polled.

use std::path::Path;

use hyper::StatusCode;
use serde_json::{Value, json};

use crate::agent::{Agent, Frames};

const CREATE: &str = "EVENT_TYPE_CREATE";
const WRITE: &str = "EVENT_TYPE_WRITE";
const REMOVE: &str = "EVENT_TYPE_REMOVE";
const RENAME: &str = "EVENT_TYPE_RENAME";
const CHMOD: &str = "EVENT_TYPE_CHMOD";

/// A watch that the test polls.
struct Polled<'a> {
    agent: &'a Agent,
    id: String,
}

impl<'a> Polled<'a> {
    async fn create(agent: &'a Agent, request: &Value) -> Self {
        let method = "/filesystem.Filesystem/CreateWatcher";
        let (status, answer) = agent.call(method, request).await;
        assert_eq!(status, StatusCode::OK, "{answer}");
        let id = answer["watcherId"].as_str().unwrap().to_owned();
        Self { agent, id }
    }

    async fn call(&self, method: &str) -> (StatusCode, Value) {
        let method = format!("/filesystem.Filesystem/{method}");
        let body = json!({"watcherId": self.id});
        self.agent.call(&method, &body).await
    }

    async fn events(&self) -> Vec<Value> {
        let (status, answer) = self.call("GetWatcherEvents").await;
        assert_eq!(status, StatusCode::OK, "{answer}");
        answer["events"].as_array().cloned().unwrap_or_default()
    }

    async fn names_and_kinds(&self) -> Vec<(String, String)> {
        self.events().await.iter().map(name_and_kind).collect()
    }
}

fn name_and_kind(event: &Value) -> (String, String) {
    let text = |field: &str| event[field].as_str().unwrap_or_default().to_owned();
    (text("name"), text("type"))
}

fn pairs(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    let owned = |(name, kind): &(&str, &str)| ((*name).to_owned(), (*kind).to_owned());
    pairs.iter().map(owned).collect()
}

fn plain(folder: &Path) -> Value {
    json!({"path": folder})
}

fn recursive(folder: &Path) -> Value {
    json!({"path": folder, "recursive": true})
}

async fn stream(agent: &Agent, request: &Value, headers: &[(&str, &str)]) -> Frames {
    let method = "/filesystem.Filesystem/WatchDir";
    agent.stream(method, request, headers).await
}

/// The next event that is not a keepalive.
async fn next(frames: &mut Frames) -> (String, String) {
    loop {
        let (closing, message) = frames.next().await.unwrap();
        assert!(!closing, "{message}");
        if let Some(event) = message.get("filesystem") {
            return name_and_kind(event);
        }
    }
}

#[tokio::test]
async fn an_upload_produces_one_create_one_chmod_and_one_write_event() {
    let agent = Agent::start().await;
    let folder = tempfile::tempdir().unwrap();
    let watcher = Polled::create(&agent, &plain(folder.path())).await;
    agent.upload(&folder.path().join("f"), "hello", &[]).await;
    let expected = pairs(&[("f", CREATE), ("f", CHMOD), ("f", WRITE)]);
    assert_eq!(watcher.names_and_kinds().await, expected);
    assert_eq!(watcher.names_and_kinds().await, []);
}

/// A poll returns every event from before the call, without waiting.
#[tokio::test]
async fn a_poll_returns_the_events_from_before_it() {
    let agent = Agent::start().await;
    let folder = tempfile::tempdir().unwrap();
    let watcher = Polled::create(&agent, &plain(folder.path())).await;
    for round in 0..200 {
        let name = format!("f{round}");
        std::fs::File::create(folder.path().join(&name)).unwrap();
        assert_eq!(watcher.names_and_kinds().await, pairs(&[(&name, CREATE)]));
    }
}

#[tokio::test]
async fn a_rename_produces_events_for_the_old_and_the_new_name() {
    let agent = Agent::start().await;
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    std::fs::write(at("a"), "1").unwrap();
    let watcher = Polled::create(&agent, &plain(folder.path())).await;
    std::fs::rename(at("a"), at("b")).unwrap();
    std::fs::remove_file(at("b")).unwrap();
    let expected = pairs(&[("a", RENAME), ("b", CREATE), ("b", REMOVE)]);
    assert_eq!(watcher.names_and_kinds().await, expected);
}

#[tokio::test]
async fn a_new_directory_joins_a_recursive_watch_with_its_contents() {
    let agent = Agent::start().await;
    let folder = tempfile::tempdir().unwrap();
    let watcher = Polled::create(&agent, &recursive(folder.path())).await;
    for round in 0..100 {
        let name = format!("d{round}");
        std::fs::create_dir_all(folder.path().join(&name).join("e")).unwrap();
        std::fs::write(folder.path().join(&name).join("e/f"), "1").unwrap();
        let events = watcher.names_and_kinds().await;
        for path in [name.clone(), format!("{name}/e"), format!("{name}/e/f")] {
            let created = pairs(&[(&path, CREATE)]);
            let times = events.iter().filter(|event| **event == created[0]).count();
            assert_eq!(times, 1, "{path} in {events:?}");
        }
        assert!(events.contains(&pairs(&[(&format!("{name}/e/f"), WRITE)])[0]));
    }
}

#[tokio::test]
async fn a_moved_directory_is_watched_under_its_new_name_only() {
    let agent = Agent::start().await;
    let folder = tempfile::tempdir().unwrap();
    let elsewhere = tempfile::tempdir_in(folder.path().parent().unwrap()).unwrap();
    let at = |name: &str| folder.path().join(name);
    std::fs::create_dir_all(at("a/deep")).unwrap();
    let watcher = Polled::create(&agent, &recursive(folder.path())).await;
    std::fs::rename(at("a"), at("b")).unwrap();
    watcher.names_and_kinds().await;
    std::fs::write(at("b/deep/f"), "").unwrap();
    assert_eq!(
        watcher.names_and_kinds().await,
        pairs(&[("b/deep/f", CREATE)])
    );
    std::fs::rename(at("b"), elsewhere.path().join("b")).unwrap();
    watcher.names_and_kinds().await;
    std::fs::write(elsewhere.path().join("b/deep/g"), "").unwrap();
    assert_eq!(watcher.names_and_kinds().await, []);
}

#[tokio::test]
async fn a_watch_that_is_not_recursive_ignores_subdirectories() {
    let agent = Agent::start().await;
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("d")).unwrap();
    let watcher = Polled::create(&agent, &plain(folder.path())).await;
    std::fs::write(folder.path().join("d/f"), "1").unwrap();
    assert_eq!(watcher.names_and_kinds().await, []);
}

#[tokio::test]
async fn an_event_contains_the_entry_of_a_file_that_still_exists() {
    let agent = Agent::start().await;
    let folder = tempfile::tempdir().unwrap();
    let request = json!({"path": folder.path(), "includeEntry": true});
    let watcher = Polled::create(&agent, &request).await;
    let file = folder.path().join("f");
    agent.upload(&file, "hello", &[("x-metadata-k", "v")]).await;
    let events = watcher.events().await;
    let last = events.last().unwrap();
    assert_eq!(last["entry"]["path"], file.to_str().unwrap());
    assert_eq!(last["entry"]["size"], "5");
    assert_eq!(last["entry"]["metadata"], json!({"k": "v"}));
    std::fs::remove_file(&file).unwrap();
    let events = watcher.events().await;
    assert_eq!(events.last().unwrap().get("entry"), None);
}

#[tokio::test]
async fn a_watch_stream_begins_with_start_and_then_carries_the_events() {
    let agent = Agent::start().await;
    let folder = tempfile::tempdir().unwrap();
    let mut frames = stream(&agent, &recursive(folder.path()), &[]).await;
    let (_, first) = frames.next().await.unwrap();
    assert_eq!(first, json!({"start": {}}));
    std::fs::create_dir(folder.path().join("d")).unwrap();
    assert_eq!(next(&mut frames).await, pairs(&[("d", CREATE)])[0]);
    std::fs::write(folder.path().join("d/f"), "").unwrap();
    assert_eq!(next(&mut frames).await, pairs(&[("d/f", CREATE)])[0]);
    std::fs::remove_dir_all(folder.path()).unwrap();
    while next(&mut frames).await != pairs(&[(".", REMOVE)])[0] {}
}

#[tokio::test]
async fn an_idle_watch_stream_sends_keepalives_and_ends_at_its_deadline() {
    let agent = Agent::start().await;
    let folder = tempfile::tempdir().unwrap();
    let headers = [
        ("keepalive-ping-interval", "1"),
        ("connect-timeout-ms", "1500"),
    ];
    let mut frames = stream(&agent, &plain(folder.path()), &headers).await;
    frames.next().await.unwrap();
    let (_, message) = frames.next().await.unwrap();
    assert_eq!(message, json!({"keepalive": {}}));
    let (closing, message) = frames.next().await.unwrap();
    assert!(closing);
    assert_eq!(message["error"]["code"], "deadline_exceeded");
}

#[tokio::test]
async fn a_watch_of_an_invalid_path_is_refused_with_the_codes_that_clients_expect() {
    let agent = Agent::start().await;
    let method = "/filesystem.Filesystem/CreateWatcher";
    for (path, code) in [
        ("/etc/passwd", "invalid_argument"),
        ("/no/such", "not_found"),
    ] {
        let request = json!({"path": path});
        let (_, error) = agent.call(method, &request).await;
        assert_eq!(error["code"], code, "{path}");
        let (closing, message) = stream(&agent, &request, &[]).await.next().await.unwrap();
        assert!(closing);
        assert_eq!(message["error"]["code"], code, "{path}");
    }
}

#[tokio::test]
async fn a_removed_watcher_is_not_found() {
    let agent = Agent::start().await;
    let folder = tempfile::tempdir().unwrap();
    let watcher = Polled::create(&agent, &plain(folder.path())).await;
    assert_eq!(watcher.call("RemoveWatcher").await.0, StatusCode::OK);
    for method in ["RemoveWatcher", "GetWatcherEvents"] {
        let (status, error) = watcher.call(method).await;
        assert_eq!(status, StatusCode::NOT_FOUND);
        assert_eq!(error["code"], "not_found");
    }
}

/// Lost events are reported once, after the events from before them, and the watch then continues.
#[tokio::test]
async fn a_watch_whose_queue_overflows_reports_lost_events() {
    let agent = Agent::start().await;
    let folder = tempfile::tempdir().unwrap();
    let watcher = Polled::create(&agent, &plain(folder.path())).await;
    for number in 0..10_000 {
        std::fs::File::create(folder.path().join(number.to_string())).unwrap();
    }
    let events = watcher.names_and_kinds().await;
    assert!(events.len() < 10_000);
    assert_eq!(events[0], pairs(&[("0", CREATE)])[0]);
    let (_, error) = watcher.call("GetWatcherEvents").await;
    assert_eq!(error["code"], "data_loss");
    std::fs::File::create(folder.path().join("after")).unwrap();
    assert_eq!(watcher.names_and_kinds().await, pairs(&[("after", CREATE)]));
}

#[tokio::test]
async fn watches_are_limited_and_a_removed_watch_frees_its_slot() {
    let agent = Agent::start().await;
    let folder = tempfile::tempdir().unwrap();
    let method = "/filesystem.Filesystem/CreateWatcher";
    let request = plain(folder.path());
    let last = loop {
        let (status, answer) = agent.call(method, &request).await;
        if status != StatusCode::OK {
            assert_eq!(answer["code"], "resource_exhausted");
            break answer;
        }
        let id = answer["watcherId"].as_str().unwrap().to_owned();
        let agent = &agent;
        if id.ends_with('0') {
            let _ = Polled { agent, id }.call("RemoveWatcher").await;
        }
    };
    assert!(last["message"].as_str().unwrap().contains("remove one"));
}
