//! A request body that a client sends once, and that stays here until the host agent begins to read it. A request that the agent
//! refused before can be sent again.
//!
//! ```text
//! edge ── head, Expect: 100-continue ──► agent: refused?  ──► the body is still here
//!      ◄── 100 Continue ────────────────  admitted: reads the body
//! ```

use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};

use axum::body::Body;
use bytes::Bytes;
use http::{HeaderValue, Request, StatusCode, header};
use http_body::{Frame, SizeHint};
use hyper::ext::on_informational;
use tokio::sync::SetOnce;

/// The body, until an exchange takes it.
#[derive(Debug, Clone)]
pub(crate) struct Retained(Arc<Mutex<Option<Body>>>);

impl Retained {
    pub(crate) fn new(body: Body) -> Self {
        Self(Arc::new(Mutex::new(Some(body))))
    }

    /// Whether no exchange has taken the body.
    pub(crate) fn is_whole(&self) -> bool {
        self.lock().is_some()
    }

    /// The body for an exchange that is not repeated.
    pub(crate) fn take(&self) -> Option<Body> {
        self.lock().take()
    }

    /// Gives `request` a body that stays here until the server asks for it.
    pub(crate) fn attach(&self, request: Request<()>) -> Request<BodyOnRequest> {
        let size = {
            let body = self.lock();
            body.as_ref().map(http_body::Body::size_hint)
        };
        let size = size.unwrap_or_default();
        let is_empty = size.exact() == Some(0);
        let asked = Arc::new(SetOnce::new());
        let mut request = request.map(|()| BodyOnRequest {
            source: if is_empty { None } else { Some(self.clone()) },
            asked: Box::pin({
                let asked = asked.clone();
                async move {
                    asked.wait().await;
                }
            }),
            body: None,
            size,
        });
        if !is_empty {
            let expect = HeaderValue::from_static("100-continue");
            request.headers_mut().insert(header::EXPECT, expect);
            on_informational(&mut request, move |response| {
                if response.status() == StatusCode::CONTINUE {
                    asked.set(()).ok();
                }
            });
        }
        request
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Option<Body>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The body of one exchange.
pub(crate) struct BodyOnRequest {
    /// `None`: there is no body, or this exchange has it.
    source: Option<Retained>,
    asked: Pin<Box<dyn Future<Output = ()> + Send>>,
    body: Option<Body>,
    size: SizeHint,
}

impl http_body::Body for BodyOnRequest {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        if self.source.is_some() {
            ready!(self.asked.as_mut().poll(context));
            self.body = self.source.take().and_then(|source| source.take());
        }
        match self.body.as_mut() {
            Some(body) => Pin::new(body).poll_frame(context),
            None => Poll::Ready(None),
        }
    }

    fn is_end_stream(&self) -> bool {
        let body = self.body.as_ref();
        self.source.is_none() && body.is_none_or(http_body::Body::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        match &self.body {
            Some(body) => body.size_hint(),
            None => self.size,
        }
    }
}
