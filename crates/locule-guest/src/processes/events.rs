//! The events of a process, as messages of one response stream.

use std::sync::Arc;
use std::time::Duration;

use futures::{Stream, StreamExt as _, stream};
use locule_guest_api::oneof;
use locule_guest_api::proto::process as wire;
use locule_guest_api::rpc::ConnectError;
use nix::sys::signal::Signal;

use super::exit::ProcessEnd;
use super::output::{Follower, ProcessEvent};
use super::scrollback::OutputStream;
use super::table::Process;

fn event(event: oneof::ProcessEventKind) -> wire::ProcessEvent {
    wire::ProcessEvent {
        event: Some(event),
        ..Default::default()
    }
}

fn started(pid: u32) -> wire::ProcessEvent {
    event(
        wire::process_event::StartEvent {
            pid,
            ..Default::default()
        }
        .into(),
    )
}

fn keepalive() -> wire::ProcessEvent {
    event(wire::process_event::KeepAlive::default().into())
}

fn message(from: ProcessEvent) -> wire::ProcessEvent {
    use oneof::process_event::data_event::Output;
    let data = match from {
        ProcessEvent::Data(OutputStream::Stdout, bytes) => Output::Stdout(bytes.into()),
        ProcessEvent::Data(OutputStream::Stderr, bytes) => Output::Stderr(bytes.into()),
        ProcessEvent::Data(OutputStream::Terminal, bytes) => Output::Pty(bytes.into()),
        ProcessEvent::End(ProcessEnd {
            exit_code,
            exited,
            status,
            error,
            signal,
        }) => {
            let end = wire::process_event::EndEvent {
                exit_code,
                exited,
                status,
                error,
                signal,
                ..Default::default()
            };
            return event(end.into());
        }
    };
    event(
        wire::process_event::DataEvent {
            output: Some(data),
            ..Default::default()
        }
        .into(),
    )
}

/// The signal that kills a process at its deadline.
const KILLED: u32 = Signal::SIGKILL as u32;

fn passed(deadline: tokio::time::Instant) -> bool {
    deadline.elapsed() > Duration::ZERO
}

fn timed_out() -> ConnectError {
    ConnectError::deadline_exceeded("the process exceeded its time limit and was killed")
}

/// `start` first, then what the follower gets, `end` last; keepalives in between.
pub(super) fn events(
    process: Arc<Process>,
    follower: Follower,
    interval: Duration,
    deadline: Option<tokio::time::Instant>,
) -> impl Stream<Item = Result<wire::ProcessEvent, ConnectError>> + Send + 'static {
    let pid = process.pid;
    let rest = stream::unfold(Some((process, follower)), move |following| async move {
        let (process, mut follower) = following?;
        let expired = async {
            match deadline {
                Some(deadline) => tokio::time::sleep_until(deadline).await,
                None => std::future::pending().await,
            }
            // Its last output is being read, and its end follows.
            if process.output.exited() {
                std::future::pending::<()>().await;
            }
        };
        tokio::select! {
            biased;
            next = tokio::time::timeout(interval, follower.next()) => match next {
                Err(_) => Some((Ok(keepalive()), Some((process, follower)))),
                Ok(None) => None,
                // The end by the kill may arrive before this stream's own timer fires.
                Ok(Some(ProcessEvent::End(end))) if end.signal == KILLED && deadline.is_some_and(passed) => Some((Err(timed_out()), None)),
                Ok(Some(last @ ProcessEvent::End(_))) => Some((Ok(message(last)), None)),
                Ok(Some(data)) => Some((Ok(message(data)), Some((process, follower)))),
            },
            () = expired => Some((Err(timed_out()), None)),
        }
    });
    stream::once(async move { Ok(started(pid)) }).chain(rest)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::os::unix::process::ExitStatusExt as _;

    use oneof::ProcessEventKind as Kind;

    use super::super::input::Input;
    use super::super::output::Output;
    use super::super::scrollback::Budget;
    use super::super::spawn::SpawnSpec;
    use super::*;
    use crate::users::User;

    fn process() -> Arc<Process> {
        let user = User {
            name: String::new(),
            uid: 0,
            gid: 0,
            groups: Vec::new(),
            home: "/".into(),
        };
        let spec = SpawnSpec {
            command: String::new(),
            args: Vec::new(),
            envs: BTreeMap::new(),
            sandbox_env: BTreeMap::new(),
            cgroup: "",
            directory: "/".into(),
            user,
            tag: None,
            stdin: false,
            terminal: None,
        };
        Arc::new(Process {
            pid: 1,
            spec,
            output: Output::new(Budget::default()),
            input: Input::Pipe(tokio::sync::Mutex::default()),
        })
    }

    /// The time limit passes while the last output of the process is read.
    #[tokio::test]
    async fn a_process_that_exited_before_its_deadline_has_not_exceeded_it() {
        let process = process();
        let follower = process.output.follow(None);
        process.output.set_exited();
        let passed = tokio::time::Instant::now();
        let silence = Duration::from_millis(1);
        let mut events = Box::pin(events(process.clone(), follower, silence, Some(passed)).skip(1));
        let mut next = async || events.next().await.unwrap().unwrap().event.unwrap();
        assert!(matches!(next().await, Kind::Keepalive(_)));
        let end = ProcessEnd::from(Ok(std::process::ExitStatus::from_raw(0)));
        process.output.publish(ProcessEvent::End(end)).await;
        while !matches!(next().await, Kind::End(_)) {}
    }
}
