//! Tests of the standard streams of a process: whose they are, and when they end.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hyper::StatusCode;
use serde_json::{Value, json};

use crate::agent::{Agent, Frames};

/// Starts a script as a user without rights.
async fn as_daemon(agent: &Agent, script: &str, more: Value) -> Frames {
    let mut body = json!({"process": {"cmd": "/bin/sh", "args": ["-c", script], "cwd": "/"}});
    if let (Value::Object(body), Value::Object(more)) = (&mut body, more) {
        body.extend(more);
    }
    let user = format!("Basic {}", STANDARD.encode("daemon:"));
    let headers = [("authorization", &*user)];
    agent
        .stream("/process.Process/Start", &body, &headers)
        .await
}

#[tokio::test]
async fn an_ordinary_user_opens_its_own_streams_by_name() {
    let agent = Agent::start().await;
    let script = "cat /dev/stdin; echo out > /dev/stdout; echo err > /dev/stderr; echo by-fd > /proc/self/fd/1; id -u; stat -Lc %u:%g:%a /dev/fd/0";
    let mut frames = as_daemon(&agent, script, json!({"tag": "t"})).await;
    frames.started().await;
    let input = json!({"process": {"tag": "t"}, "input": {"stdin": STANDARD.encode("in\n")}});
    let (status, _) = agent.call("/process.Process/SendInput", &input).await;
    assert_eq!(status, StatusCode::OK);
    let selector = json!({"process": {"tag": "t"}});
    agent.call("/process.Process/CloseStdin", &selector).await;
    let transcript = frames.transcript().await;
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let daemon = "1:1:600";
    assert_eq!(
        (&*text(&transcript.stdout), &*text(&transcript.stderr)),
        (&*format!("in\nout\nby-fd\n1\n{daemon}\n"), "err\n"),
    );
    assert_eq!(transcript.ends[0]["status"], "exit status 0");
}

#[tokio::test]
async fn a_terminal_belongs_to_its_user_and_the_group_of_terminals() {
    let agent = Agent::start().await;
    let script = "echo x > $(tty) && echo y > /dev/stdout && stat -c %u:%a $(tty) && chmod 600 $(tty) && stat -c %a $(tty)";
    let mut frames = as_daemon(
        &agent,
        script,
        json!({"pty": {"size": {"cols": 80, "rows": 24}}}),
    )
    .await;
    frames.started().await;
    let transcript = frames.transcript().await;
    let text = String::from_utf8_lossy(&transcript.terminal).replace('\r', "");
    assert_eq!(text, "x\ny\n1:620\n600\n");
}

/// The helper prints once the shell is gone and its exit is known: `kill -0` finds it until then.
#[tokio::test]
async fn what_a_helper_prints_after_its_shell_has_exited_is_not_lost() {
    let agent = Agent::start().await;
    for (output, field) in [("", 0), (">&2", 1)] {
        let script = format!(
            "(while kill -0 $$ 2> /dev/null; do :; done; echo late {output}) & echo early {output}"
        );
        let transcript = agent.sh_transcript(script).await;
        let streams = [&transcript.stdout, &transcript.stderr];
        assert_eq!(streams[field], b"early\nlate\n");
        assert_eq!(transcript.ends[0]["status"], "exit status 0");
    }
}

#[tokio::test]
async fn output_through_a_process_substitution_is_complete() {
    let agent = Agent::start().await;
    for round in 0..20 {
        let script = format!("exec > >(tee /dev/null) 2>&1; echo line-{round}; echo reason");
        let body = json!({"process": {"cmd": "bash", "args": ["-c", script]}, "stdin": false});
        let mut frames = agent.stream("/process.Process/Start", &body, &[]).await;
        frames.started().await;
        let expected = format!("line-{round}\nreason\n");
        let stdout = frames.transcript().await.stdout;
        assert_eq!(String::from_utf8_lossy(&stdout), expected);
    }
}

/// A server that a script leaves behind keeps the output open for ever.
#[tokio::test]
async fn a_silent_child_that_keeps_the_output_delays_the_end_by_the_grace_only() {
    let agent = Agent::start().await;
    let mut frames = agent.sh("sleep 1000 & echo $!; exit 5").await;
    let group = frames.started().await;
    let transcript = frames.transcript().await;
    assert_eq!(transcript.ends[0]["exitCode"], 5);
    let group = nix::unistd::Pid::from_raw(i32::try_from(group).unwrap());
    nix::sys::signal::killpg(group, nix::sys::signal::Signal::SIGKILL).expect("the child runs on");
}
