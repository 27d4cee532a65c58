//! The calls by which a host agent gets the guest images from the control plane.

use bytes::Bytes;
use http::{Method, StatusCode, header};
use http_body_util::BodyExt as _;
use locule_agent_api::http1::ExchangeBody;
use locule_api::HostImage;

use super::client::{CallError, ControlPlane, TIME_LIMIT};

const PATH: &str = "/v1/hosts/images";

/// An image that arrives, from one of its bytes on.
#[derive(Debug)]
pub(super) struct Download {
    pub(super) starts_at: u64,
    body: ExchangeBody,
}

impl Download {
    /// The next bytes. `None` at the end.
    pub(super) async fn next(&mut self) -> Result<Option<Bytes>, CallError> {
        loop {
            let frame = tokio::time::timeout(TIME_LIMIT, self.body.frame()).await;
            let Some(frame) = frame.map_err(CallError::no_answer)? else {
                return Ok(None);
            };
            if let Ok(bytes) = frame.map_err(CallError::no_answer)?.into_data() {
                return Ok(Some(bytes));
            }
        }
    }
}

impl ControlPlane {
    /// The images that a host needs.
    pub(super) async fn list_images(&self, token: &str) -> Result<Vec<HostImage>, CallError> {
        let request = self.request(Method::GET, PATH, Some(token));
        let answer = self.whole(request, Bytes::new()).await?;
        serde_json::from_slice(&answer).map_err(CallError::no_answer)
    }

    /// Asks for an image from a byte on.
    pub(super) async fn download(
        &self,
        token: &str,
        sha256: &str,
        from: u64,
    ) -> Result<Download, CallError> {
        let path = format!("{PATH}/{sha256}");
        let mut request = self.request(Method::GET, &path, Some(token));
        if from > 0 {
            request = request.header(header::RANGE, format!("bytes={from}-"));
        }
        let answered = self.exchange(request, Bytes::new());
        let answered = tokio::time::timeout(TIME_LIMIT, answered).await;
        let response = answered.map_err(CallError::no_answer)??;
        let is_part = response.status() == StatusCode::PARTIAL_CONTENT;
        Ok(Download {
            starts_at: if is_part { from } else { 0 },
            body: response.into_body(),
        })
    }
}
