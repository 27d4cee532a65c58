//! The list of sandboxes with its filters and pages, and the clock of a sandbox.

use http::header;
use locule_api::{Sandbox, SandboxClock, SandboxStatus, UpdateSandboxRequest};
use locule_ids::SandboxId;
use reqwest::{Method, Response, Url};

use crate::{Client, ClientError, WORK_TIMEOUT, json};

/// Selects sandboxes. The default selects those that have not ended.
#[derive(Debug, Clone, Default)]
pub struct SandboxFilter {
    /// An empty list selects every status.
    pub statuses: Vec<SandboxStatus>,
    /// Sandboxes that ended lately are listed too.
    pub ended: bool,
    /// `name` or `name=value`; a sandbox must have all of them.
    pub labels: Vec<String>,
    pub template: Option<String>,
}

impl SandboxFilter {
    fn path(&self) -> String {
        let statuses = self.statuses.iter().map(|status| {
            let word = serde_json::to_value(status).unwrap_or_default();
            ("status", word.as_str().unwrap_or_default().to_owned())
        });
        let labels = self.labels.iter().map(|label| ("label", label.clone()));
        let template = self.template.iter().map(|name| ("template", name.clone()));
        let ended = self.ended.then(|| ("ended", "true".to_owned()));
        let pairs = statuses.chain(labels).chain(template).chain(ended);
        let mut path = "/v1/sandboxes".to_owned();
        // The URL exists only to encode the query.
        if let Ok(url) = Url::parse_with_params("http://server", pairs)
            && let Some(query) = url.query().filter(|query| !query.is_empty())
        {
            path.push('?');
            path.push_str(query);
        }
        path
    }
}

impl Client {
    /// The sandboxes that have not ended, newest first.
    pub async fn list_sandboxes(&self) -> Result<Vec<Sandbox>, ClientError> {
        self.find_sandboxes(&SandboxFilter::default()).await
    }

    /// The sandboxes that a filter selects, on all pages, newest first.
    pub async fn find_sandboxes(
        &self,
        filter: &SandboxFilter,
    ) -> Result<Vec<Sandbox>, ClientError> {
        let (mut sandboxes, mut path) = (Vec::new(), Some(filter.path()));
        while let Some(page) = path {
            let response = self.send_with_retries(self.read_request(&page)).await?;
            path = next_page(&response);
            sandboxes.extend(json::<Vec<Sandbox>>(response).await?);
        }
        Ok(sandboxes)
    }

    /// What will pause or end a sandbox, when, and what keeps it awake.
    pub async fn sandbox_clock(&self, id: SandboxId) -> Result<SandboxClock, ClientError> {
        let request = self.read_request(&format!("/v1/sandboxes/{id}/clock"));
        json(self.send_with_retries(request).await?).await
    }

    /// Changes what the request names.
    pub async fn update_sandbox(
        &self,
        id: SandboxId,
        request: &UpdateSandboxRequest,
    ) -> Result<Sandbox, ClientError> {
        let http = self.request(Method::PATCH, &format!("/v1/sandboxes/{id}"));
        json(self.send(http.timeout(WORK_TIMEOUT).json(request)).await?).await
    }
}

/// The path of the next page. A link to another place than the list is not followed: the key is for this server.
fn next_page(response: &Response) -> Option<String> {
    let link = response.headers().get(header::LINK)?.to_str().ok()?;
    let (address, relation) = link.split_once(">;")?;
    let path = address.strip_prefix('<')?;
    let is_next = relation.trim() == "rel=\"next\"" && path.starts_with("/v1/sandboxes?");
    is_next.then(|| path.to_owned())
}
