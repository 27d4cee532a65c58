//! What happens to a process, as messages of one stream.

use std::time::Duration;

use futures::{Stream, StreamExt as _, stream};
use locule_guest_api::proto::process as wire;
use locule_guest_api::proto::process::__buffa::oneof;
use locule_guest_api::rpc::ConnectError;
use nix::sys::signal::Signal;

use super::output::{Follower, Stream as Printed};
use super::{End, Event};

fn event(event: oneof::process_event::Event) -> wire::ProcessEvent {
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

fn printed(printed: Event) -> wire::ProcessEvent {
    use oneof::process_event::data_event::Output;
    let data = match printed {
        Event::Data(Printed::Stdout, bytes) => Output::Stdout(bytes.into()),
        Event::Data(Printed::Stderr, bytes) => Output::Stderr(bytes.into()),
        Event::Data(Printed::Terminal, bytes) => Output::Pty(bytes.into()),
        Event::End(End {
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

/// Number of the signal that ends a process past its deadline.
const KILLED: u32 = Signal::SIGKILL as u32;

fn passed(deadline: tokio::time::Instant) -> bool {
    deadline.elapsed() > Duration::ZERO
}

fn too_long() -> ConnectError {
    ConnectError::deadline_exceeded("the process took too long and was killed")
}

/// `start`, then everything the follower sees, `end` last; keepalives in between.
pub(super) fn events(
    pid: u32,
    follower: Follower,
    interval: Duration,
    deadline: Option<tokio::time::Instant>,
) -> impl Stream<Item = Result<wire::ProcessEvent, ConnectError>> + Send + 'static {
    let rest = stream::unfold(Some(follower), move |follower| async move {
        let mut follower = follower?;
        let expired = async {
            match deadline {
                Some(deadline) => tokio::time::sleep_until(deadline).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            biased;
            next = tokio::time::timeout(interval, follower.next()) => match next {
                Err(_) => Some((Ok(keepalive()), Some(follower))),
                Ok(None) => None,
                // The kill may be told before this stream's own timer rings.
                Ok(Some(Event::End(end))) if end.signal == KILLED && deadline.is_some_and(passed) => Some((Err(too_long()), None)),
                Ok(Some(last @ Event::End(_))) => Some((Ok(printed(last)), None)),
                Ok(Some(data)) => Some((Ok(printed(data)), Some(follower))),
            },
            () = expired => Some((Err(too_long()), None)),
        }
    });
    stream::once(async move { Ok(started(pid)) }).chain(rest)
}
