//! Tests of a guest agent that is killed, under the supervisor that PID 1 is.

use hyper::StatusCode;
use locule_testkit::eventually;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::json;

use crate::agent::{Agent, KEY};

/// The agent's process, a child of the supervisor.
fn agent_of(supervisor: &Agent) -> Option<Pid> {
    let pid = supervisor.pid();
    let children = std::fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).ok()?;
    let first = children.split_whitespace().next()?.parse().ok()?;
    Some(Pid::from_raw(first))
}

async fn kill_agent(supervisor: &Agent) {
    let killed = agent_of(supervisor).unwrap();
    kill(killed, Signal::SIGKILL).unwrap();
    eventually("another agent runs", async || {
        agent_of(supervisor).is_some_and(|agent| agent != killed)
    })
    .await;
}

#[tokio::test]
async fn an_agent_that_was_killed_comes_back_with_its_identity() {
    let agent = Agent::supervised().await;
    assert_eq!(agent.init(None).await, StatusCode::OK);
    for _ in 0..3 {
        kill_agent(&agent).await;
        let transcript = agent.sh_transcript("echo $GIVEN".to_owned()).await;
        assert_eq!(transcript.stdout, b"yes\n", "the variables of the sandbox");
        assert_eq!(
            agent.init(None).await,
            StatusCode::UNAUTHORIZED,
            "a caller without the control key cannot take the guest over"
        );
    }
    assert_eq!(agent.init(Some(KEY)).await, StatusCode::OK);
}

#[tokio::test]
async fn a_process_from_before_the_restart_is_not_found_and_the_error_says_why() {
    let agent = Agent::supervised().await;
    assert_eq!(agent.init(None).await, StatusCode::OK);
    let mut frames = agent.sh("exec sleep 1000").await;
    let pid = frames.started().await;
    kill_agent(&agent).await;
    let body = json!({"process": {"pid": pid}});
    let mut again = agent.stream("/process.Process/Connect", &body, &[]).await;
    let error = again.transcript().await.error.unwrap();
    assert_eq!(error["code"], "not_found");
    let message = error["message"].as_str().unwrap();
    assert!(message.contains("the guest agent was killed"), "{message}");
    kill(Pid::from_raw(i32::try_from(pid).unwrap()), Signal::SIGKILL).unwrap();
}

/// The supervisor holds what the agent knows; the programs that the agent starts hold nothing of it.
#[tokio::test]
async fn a_program_has_no_descriptor_of_the_agent() {
    let agent = Agent::supervised().await;
    assert_eq!(agent.init(None).await, StatusCode::OK);
    let script = "for fd in /proc/$$/fd/*; do readlink $fd; done";
    let listed = agent.sh_transcript(script.to_owned()).await.stdout;
    let listed = String::from_utf8(listed).unwrap();
    assert!(listed.contains("pipe:"), "{listed}");
    for inherited in ["memfd", "socket:"] {
        assert!(!listed.contains(inherited), "{listed}");
    }
}
