//! Tests of starting, following, feeding and signalling processes.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hyper::StatusCode;
use locule_guest_api::{COMMAND_NOT_EXECUTABLE, COMMAND_NOT_FOUND};
use serde_json::{Value, json};

use crate::agent::Agent;

#[tokio::test]
async fn a_stream_carries_both_outputs_and_the_exit_code() {
    let agent = Agent::start().await;
    let mut frames = agent
        .sh("printf out; printf err >&2; printf $GIVEN; exit 3")
        .await;
    assert!(frames.started().await > 0);
    let transcript = frames.transcript().await;
    assert_eq!(
        (transcript.stdout, transcript.stderr),
        (b"outyes".to_vec(), b"err".to_vec())
    );
    assert_eq!(transcript.ends.len(), 1);
    assert_eq!(transcript.ends[0]["exitCode"], 3);
    assert_eq!(transcript.ends[0]["exited"], true);
    assert_eq!(transcript.ends[0]["status"], "exit status 3");
    assert_eq!(transcript.error, None);
}

/// W-045: the output of a very short process is complete, and its end is reported once.
#[tokio::test]
async fn a_thousand_short_processes_lose_no_output() {
    let agent = Agent::start().await;
    for round in 0..250 {
        let starts = (0..4).map(|lane| agent.sh_transcript(format!("printf {round}-{lane}")));
        for (lane, transcript) in futures::future::join_all(starts)
            .await
            .into_iter()
            .enumerate()
        {
            assert_eq!(transcript.stdout, format!("{round}-{lane}").into_bytes());
            assert_eq!(transcript.ends.len(), 1);
        }
    }
}

/// W-045: a follower that reads slowly blocks its process and gets every byte.
#[tokio::test]
async fn a_slow_follower_gets_every_byte() {
    let agent = Agent::start().await;
    let mut frames = agent.sh("head -c 33554432 /dev/zero").await;
    let pid = frames.started().await;
    // The output exceeds all buffers and is not read yet, so the process is blocked: another connection still lists it.
    let (_, list) = agent.call("/process.Process/List", &json!({})).await;
    assert_eq!(list["processes"][0]["pid"], pid);
    let transcript = frames.transcript().await;
    assert_eq!(transcript.stdout.len(), 32 * 1024 * 1024);
    assert_eq!(transcript.ends.len(), 1);
}

#[tokio::test]
async fn standard_input_can_be_written_and_closed() {
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
    assert_eq!(frames.transcript().await.stdout, b"hello");
}

#[tokio::test]
async fn a_signal_reaches_the_whole_process_group_and_is_reported_at_the_end() {
    let agent = Agent::start().await;
    let mut frames = agent.sh("sleep 1000 & wait").await;
    let pid = frames.started().await;
    let body = json!({"process": {"pid": pid}, "signal": "SIGNAL_SIGKILL"});
    assert_eq!(
        agent.call("/process.Process/SendSignal", &body).await.0,
        StatusCode::OK
    );
    let transcript = frames.transcript().await;
    assert_eq!(transcript.ends[0]["exitCode"], -1);
    assert_eq!(transcript.ends[0]["error"], "signal: killed");
    let (status, error) = agent.call("/process.Process/SendSignal", &body).await;
    assert_eq!(
        (status, error["code"].as_str()),
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
    let transcript = frames.transcript().await;
    assert_eq!(transcript.error.unwrap()["code"], "deadline_exceeded");
    let body = json!({"process": {"pid": pid}});
    let mut again = agent.stream("/process.Process/Connect", &body, &[]).await;
    assert_eq!(again.started().await, pid);
    assert_eq!(again.transcript().await.ends[0]["error"], "signal: killed");
}

#[tokio::test]
async fn a_start_that_fails_carries_the_reason_as_an_error_detail() {
    let agent = Agent::start().await;
    for (process, details) in [
        (
            json!({"cmd": "no-such-program"}),
            json!([{"type": COMMAND_NOT_FOUND, "value": ""}]),
        ),
        (
            json!({"cmd": "/etc"}),
            json!([{"type": COMMAND_NOT_EXECUTABLE, "value": ""}]),
        ),
        (
            json!({"cmd": "/etc/passwd"}),
            json!([{"type": COMMAND_NOT_EXECUTABLE, "value": ""}]),
        ),
        (json!({"cmd": "true", "cwd": "/nowhere"}), Value::Null),
    ] {
        let body = json!({"process": process});
        let mut frames = agent.stream("/process.Process/Start", &body, &[]).await;
        let error = frames.transcript().await.error.unwrap();
        assert_eq!(error["code"], "invalid_argument", "{process}");
        assert_eq!(error["details"], details, "{process}");
    }
}

#[tokio::test]
async fn a_follower_that_reconnects_gets_the_output_that_it_missed() {
    let agent = Agent::start().await;
    let mut frames = agent.sh("printf 0123456789").await;
    let pid = frames.started().await;
    frames.transcript().await;
    let body = json!({"process": {"pid": pid}});
    let from = [("locule-offset", "4")];
    let mut again = agent.stream("/process.Process/Connect", &body, &from).await;
    again.started().await;
    assert_eq!(again.transcript().await.stdout, b"456789");
}

#[tokio::test]
async fn a_terminal_has_the_requested_size() {
    let agent = Agent::start().await;
    let body = json!({
        "process": {"cmd": "/bin/sh", "args": ["-c", "stty size"]},
        "pty": {"size": {"cols": 101, "rows": 37}},
    });
    let mut frames = agent.stream("/process.Process/Start", &body, &[]).await;
    frames.started().await;
    assert_eq!(frames.transcript().await.terminal, b"37 101\r\n");
}

#[tokio::test]
async fn a_start_in_a_missing_directory_is_an_invalid_argument() {
    let agent = Agent::start().await;
    let body = json!({"process": {"cmd": "true", "cwd": "/no/such"}});
    let mut frames = agent.stream("/process.Process/Start", &body, &[]).await;
    let error = frames.transcript().await.error.unwrap();
    assert_eq!(error["code"], "invalid_argument");
    assert_eq!(error["message"], "cwd '/no/such' does not exist");
}

/// The output of a background child does not delay the end of its parent.
#[tokio::test]
async fn a_child_that_keeps_printing_does_not_delay_the_end_of_its_parent() {
    let agent = Agent::start().await;
    for output in ["", ">&2"] {
        let mut frames = agent.sh(&format!("yes {output} & echo $!; exit 4")).await;
        let pid = frames.started().await;
        let transcript = frames.transcript().await;
        assert_eq!(transcript.ends[0]["exitCode"], 4);
        let (status, _) = agent
            .call(
                "/process.Process/SendSignal",
                &json!({"process": {"pid": pid}, "signal": "SIGNAL_SIGKILL"}),
            )
            .await;
        assert_eq!(status, StatusCode::NOT_FOUND);
        nix::sys::signal::killpg(
            nix::unistd::Pid::from_raw(i32::try_from(pid).unwrap()),
            nix::sys::signal::Signal::SIGKILL,
        )
        .unwrap();
    }
}

/// Behaviour 2.5: a follower gets the offset of its first byte, so it notices that older bytes were dropped.
#[tokio::test]
async fn the_offset_of_a_replay_reveals_a_gap() {
    const PRINTED: u64 = 3 * 1024 * 1024;
    let agent = Agent::start().await;
    let mut frames = agent.sh(&format!("head -c {PRINTED} /dev/zero")).await;
    assert_eq!(frames.offset, Some(0));
    let pid = frames.started().await;
    frames.transcript().await;
    let connect = async |requested: Option<&str>| {
        let headers: Vec<_> = requested
            .iter()
            .map(|offset| ("locule-offset", *offset))
            .collect();
        let body = json!({"process": {"pid": pid}});
        let mut frames = agent
            .stream("/process.Process/Connect", &body, &headers)
            .await;
        let offset = frames.offset.unwrap();
        frames.started().await;
        (offset, frames.transcript().await.stdout.len() as u64)
    };
    let first_kept = PRINTED - 1024 * 1024;
    assert_eq!(connect(Some("7")).await, (first_kept, PRINTED - first_kept));
    let late = PRINTED - 5;
    assert_eq!(connect(Some(&late.to_string())).await, (late, 5));
    assert_eq!(connect(Some("99999999")).await, (PRINTED, 0));
    assert_eq!(connect(None).await, (PRINTED, 0));
}

#[tokio::test]
async fn an_offset_that_is_not_a_number_is_refused() {
    let agent = Agent::start().await;
    let mut frames = agent.sh("true").await;
    let body = json!({"process": {"pid": frames.started().await}});
    let headers = [("locule-offset", "-1")];
    let mut frames = agent
        .stream("/process.Process/Connect", &body, &headers)
        .await;
    assert_eq!(
        frames.transcript().await.error.unwrap()["code"],
        "invalid_argument"
    );
}

/// The offsets of a follower count the bytes of both pipes in the order in which they were streamed.
#[tokio::test]
async fn a_replay_continues_exactly_where_a_follower_stopped() {
    let agent = Agent::start().await;
    let script = "for i in $(seq 2000); do echo $i; echo $i >&2; done";
    let mut frames = agent.sh(script).await;
    let pid = frames.started().await;
    let whole = frames.transcript().await;
    let body = json!({"process": {"pid": pid}});
    for seen in [1, 4999, 10_000] {
        let from = [("locule-offset", &*seen.to_string())];
        let mut again = agent.stream("/process.Process/Connect", &body, &from).await;
        again.started().await;
        let rest = again.transcript().await;
        let total = whole.stdout.len() + whole.stderr.len();
        assert_eq!(rest.stdout.len() + rest.stderr.len(), total - seen);
        assert!(whole.stdout.ends_with(&rest.stdout) && whole.stderr.ends_with(&rest.stderr));
    }
}

#[tokio::test]
async fn a_process_has_only_the_documented_environment() {
    let agent = Agent::start().await;
    let body = json!({
        "process": {"cmd": "env", "envs": {"GIVEN": "by the call", "MORE": "1"}}, "stdin": false,
    });
    let mut frames = agent.stream("/process.Process/Start", &body, &[]).await;
    frames.started().await;
    let text = String::from_utf8(frames.transcript().await.stdout).unwrap();
    let mut names: Vec<&str> = text.lines().map(|l| l.split('=').next().unwrap()).collect();
    names.sort_unstable();
    let expected = [
        "E2B_SANDBOX",
        "E2B_SANDBOX_ID",
        "E2B_TEMPLATE_ID",
        "GIVEN",
        "HOME",
        "LANG",
        "LOCULE_SANDBOX_ID",
        "LOGNAME",
        "MORE",
        "PATH",
        "USER",
    ];
    assert_eq!(names, expected);
    assert!(text.contains("GIVEN=by the call\n") && text.contains("E2B_SANDBOX=true\n"));
    assert!(text.contains(&format!("USER={}\n", crate::agent::me())));
    assert!(text.contains("LANG=C.UTF-8\n"));
}

#[tokio::test]
async fn a_program_that_cannot_be_started_is_an_invalid_argument() {
    let agent = Agent::start().await;
    for process in [
        json!({"cmd": "no-such-command"}),
        json!({"cmd": "/etc/passwd"}),
        json!({"cmd": "/etc"}),
        json!({"cmd": "/etc/passwd/x"}),
        json!({"cmd": ""}),
        json!({"cmd": "true", "args": ["a\0b"]}),
        json!({"cmd": "true", "args": ["a".repeat(1024 * 1024)]}),
        json!({"cmd": "true", "envs": {"a=b": "c"}}),
    ] {
        let body = json!({"process": process});
        let mut frames = agent.stream("/process.Process/Start", &body, &[]).await;
        let error = frames.transcript().await.error.unwrap();
        assert_eq!(error["code"], "invalid_argument", "{error}");
    }
    let (_, list) = agent.call("/process.Process/List", &json!({})).await;
    assert_eq!(list, json!({}));
}

/// A process has the usual out-of-memory score and file limit, not those of the agent.
#[tokio::test]
async fn a_process_does_not_inherit_the_limits_of_the_agent() {
    let agent = Agent::start().await;
    let script = "cat /proc/self/oom_score_adj; ulimit -Sn".to_owned();
    let transcript = agent.sh_transcript(script).await;
    assert_eq!(transcript.stdout, b"100\n1024\n");
    let own = std::fs::read_to_string(format!("/proc/{}/limits", agent.pid())).unwrap();
    let files = own
        .lines()
        .find(|l| l.starts_with("Max open files"))
        .unwrap();
    let soft: u64 = files.split_whitespace().nth(3).unwrap().parse().unwrap();
    assert!(soft > 1024, "{files}");
}

#[tokio::test]
async fn the_input_of_a_terminal_cannot_be_closed() {
    let agent = Agent::start().await;
    let body = json!({"process": {"cmd": "cat"}, "pty": {"size": {"cols": 80, "rows": 24}}});
    let mut frames = agent.stream("/process.Process/Start", &body, &[]).await;
    let pid = frames.started().await;
    let selector = json!({"process": {"pid": pid}});
    let (_, error) = agent.call("/process.Process/CloseStdin", &selector).await;
    assert_eq!(error["code"], "failed_precondition");
    let input = json!({"process": {"pid": pid}, "input": {"pty": STANDARD.encode("\x04")}});
    agent.call("/process.Process/SendInput", &input).await;
    assert_eq!(frames.transcript().await.ends[0]["status"], "exit status 0");
}
