//! Starting, following and ending processes.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hyper::StatusCode;
use locule_guest_api::{COMMAND_NOT_EXECUTABLE, COMMAND_NOT_FOUND};
use serde_json::{Value, json};

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
async fn a_program_that_cannot_be_started_is_refused_with_the_reason_as_a_detail() {
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
        let error = frames.story().await.error.unwrap();
        assert_eq!(error["code"], "invalid_argument", "{process}");
        assert_eq!(error["details"], details, "{process}");
    }
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

/// What a background child prints does not keep the end of its parent from being told.
#[tokio::test]
async fn a_child_that_prints_on_does_not_hold_back_the_end() {
    let agent = Agent::start().await;
    for output in ["", ">&2"] {
        let mut frames = agent.sh(&format!("yes {output} & echo $!; exit 4")).await;
        let pid = frames.started().await;
        let story = frames.story().await;
        assert_eq!(story.ends[0]["exitCode"], 4);
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

/// Behaviour 2.5: a follower learns where its bytes begin, and that those before are gone.
#[tokio::test]
async fn a_gap_in_a_replay_is_said() {
    const PRINTED: u64 = 3 * 1024 * 1024;
    let agent = Agent::start().await;
    let mut frames = agent.sh(&format!("head -c {PRINTED} /dev/zero")).await;
    assert_eq!(frames.offset, Some(0));
    let pid = frames.started().await;
    frames.story().await;
    let again = async |asked: Option<&str>| {
        let headers: Vec<_> = asked
            .iter()
            .map(|asked| ("locule-offset", *asked))
            .collect();
        let body = json!({"process": {"pid": pid}});
        let mut frames = agent
            .stream("/process.Process/Connect", &body, &headers)
            .await;
        let offset = frames.offset.unwrap();
        frames.started().await;
        (offset, frames.story().await.stdout.len() as u64)
    };
    let first_kept = PRINTED - 1024 * 1024;
    assert_eq!(again(Some("7")).await, (first_kept, PRINTED - first_kept));
    let late = PRINTED - 5;
    assert_eq!(again(Some(&late.to_string())).await, (late, 5));
    assert_eq!(again(Some("99999999")).await, (PRINTED, 0));
    assert_eq!(again(None).await, (PRINTED, 0));
}

#[tokio::test]
async fn an_offset_that_is_no_number_is_refused() {
    let agent = Agent::start().await;
    let mut frames = agent.sh("true").await;
    let body = json!({"process": {"pid": frames.started().await}});
    let headers = [("locule-offset", "-1")];
    let mut frames = agent
        .stream("/process.Process/Connect", &body, &headers)
        .await;
    assert_eq!(
        frames.story().await.error.unwrap()["code"],
        "invalid_argument"
    );
}

/// The offsets of a follower count both pipes in the order in which it got them.
#[tokio::test]
async fn a_replay_goes_on_exactly_where_a_follower_stopped() {
    let agent = Agent::start().await;
    let script = "for i in $(seq 2000); do echo $i; echo $i >&2; done";
    let mut frames = agent.sh(script).await;
    let pid = frames.started().await;
    let whole = frames.story().await;
    let body = json!({"process": {"pid": pid}});
    for seen in [1, 4999, 10_000] {
        let from = [("locule-offset", &*seen.to_string())];
        let mut again = agent.stream("/process.Process/Connect", &body, &from).await;
        again.started().await;
        let rest = again.story().await;
        let total = whole.stdout.len() + whole.stderr.len();
        assert_eq!(rest.stdout.len() + rest.stderr.len(), total - seen);
        assert!(whole.stdout.ends_with(&rest.stdout) && whole.stderr.ends_with(&rest.stderr));
    }
}

#[tokio::test]
async fn a_process_finds_only_the_documented_environment() {
    let agent = Agent::start().await;
    let body = json!({
        "process": {"cmd": "env", "envs": {"GIVEN": "by the call", "MORE": "1"}}, "stdin": false,
    });
    let mut frames = agent.stream("/process.Process/Start", &body, &[]).await;
    frames.started().await;
    let text = String::from_utf8(frames.story().await.stdout).unwrap();
    let mut names: Vec<&str> = text.lines().map(|l| l.split('=').next().unwrap()).collect();
    names.sort_unstable();
    let expected = [
        "E2B_SANDBOX",
        "E2B_SANDBOX_ID",
        "E2B_TEMPLATE_ID",
        "GIVEN",
        "HOME",
        "LOCULE_SANDBOX_ID",
        "LOGNAME",
        "MORE",
        "PATH",
        "USER",
    ];
    assert_eq!(names, expected);
    assert!(text.contains("GIVEN=by the call\n") && text.contains("E2B_SANDBOX=true\n"));
    assert!(text.contains(&format!("USER={}\n", crate::agent::me())));
}

#[tokio::test]
async fn what_cannot_be_started_is_an_invalid_argument() {
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
        let error = frames.story().await.error.unwrap();
        assert_eq!(error["code"], "invalid_argument", "{error}");
    }
    let (_, list) = agent.call("/process.Process/List", &json!({})).await;
    assert_eq!(list, json!({}));
}

/// Memory that runs out, and programs that count their descriptors, meet what a process should have, not what the agent has.
#[tokio::test]
async fn a_process_has_limits_of_its_own() {
    let agent = Agent::start().await;
    let script = "cat /proc/self/oom_score_adj; ulimit -Sn".to_owned();
    let story = agent.sh_story(script).await;
    assert_eq!(story.stdout, b"100\n1024\n");
    let own = std::fs::read_to_string(format!("/proc/{}/limits", agent.pid())).unwrap();
    let files = own
        .lines()
        .find(|l| l.starts_with("Max open files"))
        .unwrap();
    let soft: u64 = files.split_whitespace().nth(3).unwrap().parse().unwrap();
    assert!(soft > 1024, "{files}");
}

#[tokio::test]
async fn a_terminal_is_not_closed_like_a_pipe() {
    let agent = Agent::start().await;
    let body = json!({"process": {"cmd": "cat"}, "pty": {"size": {"cols": 80, "rows": 24}}});
    let mut frames = agent.stream("/process.Process/Start", &body, &[]).await;
    let pid = frames.started().await;
    let selector = json!({"process": {"pid": pid}});
    let (_, refusal) = agent.call("/process.Process/CloseStdin", &selector).await;
    assert_eq!(refusal["code"], "failed_precondition");
    let input = json!({"process": {"pid": pid}, "input": {"pty": STANDARD.encode("\x04")}});
    agent.call("/process.Process/SendInput", &input).await;
    assert_eq!(frames.story().await.ends[0]["status"], "exit status 0");
}
