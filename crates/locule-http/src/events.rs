//! `GET /v1/events`: what changes in a team, as server-sent events.

use std::convert::Infallible;
use std::time::Duration;

use axum::body::Body;
use axum::extract::State;
use axum::response::{IntoResponse as _, Response};
use futures::stream;
use http::{HeaderName, HeaderValue, header};
use locule_api::{AuditEvent, ErrorBody, NoData, SandboxEvent, TeamEvent};
use locule_control::{Cut, Following};
use serde::Serialize;
use tokio::time::{Instant, Interval, MissedTickBehavior, interval_at};
use tokio_util::sync::CancellationToken;

use crate::caller::MayRead;
use crate::error::ApiError;
use crate::state::AppState;
use crate::times::seconds;

/// A stream without events sends a comment so often, so that proxies keep it and a client notices a lost connection.
const KEEP_ALIVE: Duration = Duration::from_secs(15);
/// Asks nginx to pass events on at once.
const ACCEL_BUFFERING: HeaderName = HeaderName::from_static("x-accel-buffering");

/// Follow the events of a team
///
/// Responds with a stream of server-sent events that tells what changes in the team: sandboxes, and for a login also members, API keys, the team and the audit log. The first event is `resync`: load what you show, then follow. Events are not kept: the stream sends `resync` again when events may be missing, and `Last-Event-ID` has no effect. A comment is sent every 15 seconds. When the caller loses its right, the stream ends with an event `error`, whose data is the body of an error response.
#[utoipa::path(get, path = "/v1/events", tag = "events",
    responses((status = 200, body = TeamEvent, content_type = "text/event-stream")))]
pub(crate) async fn follow_events(State(app): State<AppState>, caller: MayRead) -> Response {
    let state = Stream {
        cut: app.sandboxes.guard_caller(&caller.0, false),
        events: app.events.follow(&caller.0),
        stop: app.tasks.token(),
        keep_alive: keep_alive(),
    };
    let body = stream::unfold(Some(state), |state| async move {
        let mut state = state?;
        let (text, goes_on) = state.next().await?;
        Some((Ok::<_, Infallible>(text), goes_on.then_some(state)))
    });
    let mut response = Body::from_stream(body).into_response();
    let headers = response.headers_mut();
    for (name, value) in [
        (header::CONTENT_TYPE, "text/event-stream"),
        (header::CACHE_CONTROL, "private, no-store"),
        (ACCEL_BUFFERING, "no"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    response
}

fn keep_alive() -> Interval {
    let mut interval = interval_at(Instant::now() + KEEP_ALIVE, KEEP_ALIVE);
    interval.set_missed_tick_behavior(MissedTickBehavior::Delay);
    interval
}

struct Stream {
    events: Following,
    cut: Cut,
    stop: CancellationToken,
    keep_alive: Interval,
}

impl Stream {
    /// The next text to send, and whether the stream goes on after it. `None`: the stream has ended.
    async fn next(&mut self) -> Option<(String, bool)> {
        tokio::select! {
            biased;
            () = self.cut.cancelled() => Some((revoked(), false)),
            () = self.stop.cancelled() => None,
            event = self.events.next() => Some((text(event?), true)),
            _ = self.keep_alive.tick() => Some((": keep-alive\n\n".to_owned(), true)),
        }
    }
}

fn revoked() -> String {
    let error = ApiError::revoked();
    let body = ErrorBody::new(error.status_and_code().1, error.message());
    named("error", &body)
}

fn text(event: locule_control::TeamEvent) -> String {
    use locule_control::TeamEvent as Event;
    match event {
        Event::Resync => named("resync", &NoData {}),
        Event::Members => named("members", &NoData {}),
        Event::Keys => named("keys", &NoData {}),
        Event::Team => named("team", &NoData {}),
        Event::Audit(id) => named("audit", &AuditEvent { id }),
        Event::Sandbox {
            id,
            status,
            desired,
            at,
        } => {
            let at = seconds(at);
            let sandbox = SandboxEvent {
                id,
                status,
                desired,
                at,
            };
            named("sandbox", &sandbox)
        }
    }
}

/// One event. JSON has no line end outside of its texts, and escapes those inside.
fn named(event: &str, data: &impl Serialize) -> String {
    let data = serde_json::to_string(data).unwrap_or_default();
    format!("event: {event}\ndata: {data}\n\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_comment_is_due_15_seconds_after_the_last_one() {
        let mut due = keep_alive();
        let begun = Instant::now();
        for count in 1..3 {
            due.tick().await;
            assert_eq!(begun.elapsed(), KEEP_ALIVE * count);
        }
    }

    #[test]
    fn an_event_is_two_lines_and_an_empty_one() {
        let sandbox = locule_control::TeamEvent::Sandbox {
            id: "sb-6ba7b810-9dad-11d1-80b4-00c04fd430c8".parse().unwrap(),
            status: "running".to_owned(),
            desired: "paused".to_owned(),
            at: chrono::DateTime::UNIX_EPOCH,
        };
        let expected = "event: sandbox\ndata: {\"id\":\"sb-6ba7b810-9dad-11d1-80b4-00c04fd430c8\",\"status\":\"running\",\"desired\":\"paused\",\"at\":\"1970-01-01T00:00:00Z\"}\n\n";
        assert_eq!(text(sandbox), expected);
        let hidden = text(locule_control::TeamEvent::Audit(None));
        assert_eq!(hidden, "event: audit\ndata: {}\n\n");
    }
}
