//! Starting, following and ending processes.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hyper::StatusCode;
use serde_json::json;

use crate::agent::Agent;

#[tokio::test]
async fn both_outputs_and_the_exit_code_arrive() {
    let agent = Agent::start().await;
    let mut frames = agent
        .sh("printf out; printf err >&2; printf $GIVEN; exit 3")
        .await;
    assert!(frames.started().await > 0);
    let story = frames.story().await;
    assert_eq!(
        (story.stdout, story.stderr),
        (b"outyes".to_vec(), b"err".to_vec())
    );
    assert_eq!(story.ends.len(), 1);
    assert_eq!(story.ends[0]["exitCode"], 3);
    assert_eq!(story.ends[0]["exited"], true);
    assert_eq!(story.ends[0]["status"], "exit status 3");
    assert_eq!(story.error, None);
}

/// W-045: however short a process is, its output is whole and its end comes once.
#[tokio::test]
async fn a_thousand_short_processes_lose_nothing() {
    let agent = Agent::start().await;
    for round in 0..250 {
        let starts = (0..4).map(|lane| agent.sh_story(format!("printf {round}-{lane}")));
        for (lane, story) in futures::future::join_all(starts)
            .await
            .into_iter()
            .enumerate()
        {
            assert_eq!(story.stdout, format!("{round}-{lane}").into_bytes());
            assert_eq!(story.ends.len(), 1);
        }
    }
}

/// W-045: a slow reader holds its process up and gets every byte.
#[tokio::test]
async fn a_slow_reader_gets_every_byte() {
    let agent = Agent::start().await;
    let mut frames = agent.sh("head -c 33554432 /dev/zero").await;
    let pid = frames.started().await;
    // More than all buffers hold, and nobody reads: the process is still there, blocked, seen through another connection.
    let (_, list) = agent.call("/process.Process/List", &json!({})).await;
    assert_eq!(list["processes"][0]["pid"], pid);
    let story = frames.story().await;
    assert_eq!(story.stdout.len(), 32 * 1024 * 1024);
    assert_eq!(story.ends.len(), 1);
}

#[tokio::test]
async fn stdin_is_written_and_closed() {
    let agent = Agent::start().await;
    let body = json!({"process": {"cmd": "cat"}, "tag": "echo"});
    let mut frames = agent.stream("/process.Process/Start", &body, &[]).await;
    frames.started().await;
    let input = json!({"process": {"tag": "echo"}, "input": {"stdin": STANDARD.encode("hello")}});
    assert_eq!(
        agent.call("/process.Process/SendInput", &input).await.0,
        StatusCode::OK
    );
    let selector = json!({"process": {"tag": "echo"}});
    assert_eq!(
        agent.call("/process.Process/CloseStdin", &selector).await.0,
        StatusCode::OK
    );
    assert_eq!(frames.story().await.stdout, b"hello");
}

#[tokio::test]
async fn a_signal_reaches_the_whole_group_and_is_told() {
    let agent = Agent::start().await;
    let mut frames = agent.sh("sleep 1000 & wait").await;
    let pid = frames.started().await;
    let body = json!({"process": {"pid": pid}, "signal": "SIGNAL_SIGKILL"});
    assert_eq!(
        agent.call("/process.Process/SendSignal", &body).await.0,
        StatusCode::OK
    );
    let story = frames.story().await;
    assert_eq!(story.ends[0]["exitCode"], -1);
    assert_eq!(story.ends[0]["error"], "signal: killed");
    let (status, refusal) = agent.call("/process.Process/SendSignal", &body).await;
    assert_eq!(
        (status, refusal["code"].as_str()),
        (StatusCode::NOT_FOUND, Some("not_found"))
    );
}

#[tokio::test]
async fn a_process_past_its_deadline_is_killed() {
    let agent = Agent::start().await;
    let body = json!({"process": {"cmd": "sleep", "args": ["1000"]}, "stdin": false});
    let limit = [("connect-timeout-ms", "300")];
    let mut frames = agent.stream("/process.Process/Start", &body, &limit).await;
    let pid = frames.started().await;
    let story = frames.story().await;
    assert_eq!(story.error.unwrap()["code"], "deadline_exceeded");
    let body = json!({"process": {"pid": pid}});
    let mut again = agent.stream("/process.Process/Connect", &body, &[]).await;
    assert_eq!(again.started().await, pid);
    assert_eq!(again.story().await.ends[0]["error"], "signal: killed");
}

#[tokio::test]
async fn a_follower_who_comes_back_gets_what_it_missed() {
    let agent = Agent::start().await;
    let mut frames = agent.sh("printf 0123456789").await;
    let pid = frames.started().await;
    frames.story().await;
    let body = json!({"process": {"pid": pid}});
    let from = [("locule-offset", "4")];
    let mut again = agent.stream("/process.Process/Connect", &body, &from).await;
    again.started().await;
    assert_eq!(again.story().await.stdout, b"456789");
}

#[tokio::test]
async fn a_terminal_has_the_size_that_was_asked_for() {
    let agent = Agent::start().await;
    let body = json!({
        "process": {"cmd": "/bin/sh", "args": ["-c", "stty size"]},
        "pty": {"size": {"cols": 101, "rows": 37}},
    });
    let mut frames = agent.stream("/process.Process/Start", &body, &[]).await;
    frames.started().await;
    assert_eq!(frames.story().await.terminal, b"37 101\r\n");
}

#[tokio::test]
async fn a_missing_directory_is_an_invalid_argument() {
    let agent = Agent::start().await;
    let body = json!({"process": {"cmd": "true", "cwd": "/no/such"}});
    let mut frames = agent.stream("/process.Process/Start", &body, &[]).await;
    let error = frames.story().await.error.unwrap();
    assert_eq!(error["code"], "invalid_argument");
    assert_eq!(error["message"], "cwd '/no/such' does not exist");
}
