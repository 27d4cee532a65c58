//! Hosts, for people.

use http::Method;
use locule_api::{
    AddHostTagRequest, CreateHostRequest, DrainHostRequest, DrainedHost, Host, HostDeletePreview,
    HostDrain, HostSandbox, ImportSandboxRequest, QuarantinedSandbox, UpdateHostRequest,
};
use locule_ids::{HostId, SandboxId, TeamId};
use reqwest::Url;
use serde::{Deserialize, Serialize};

use crate::{Client, ClientError, json};

/// A host, and what its machine needs to register.
#[derive(Clone, Serialize, Deserialize)]
pub struct HostToRegister {
    pub host: Host,
    pub registration_token: String,
    /// The hash of the CA by which a host agent knows the control plane. `None`: the server has no listener for other machines.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ca_hash: Option<String>,
    /// The URL that host agents on other machines call. `None`: the operator has set none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hosts_url: Option<String>,
}

impl std::fmt::Debug for HostToRegister {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("HostToRegister")
            .field("host", &self.host)
            .finish_non_exhaustive()
    }
}

impl Client {
    /// Creates a host whose agent registers with the returned token.
    pub async fn create_host(
        &self,
        request: &CreateHostRequest,
    ) -> Result<HostToRegister, ClientError> {
        let created = self.send_change(Method::POST, "/v1/hosts", Some(request));
        json(created.await?).await
    }

    /// The hosts that the account may see, oldest first.
    pub async fn list_hosts(&self) -> Result<Vec<Host>, ClientError> {
        self.read("/v1/hosts").await
    }

    pub async fn get_host(&self, id: HostId) -> Result<Host, ClientError> {
        self.read(&format!("/v1/hosts/{id}")).await
    }

    /// The sandboxes on a host, paused ones included.
    pub async fn list_host_sandboxes(&self, id: HostId) -> Result<Vec<HostSandbox>, ClientError> {
        self.read(&format!("/v1/hosts/{id}/sandboxes")).await
    }

    /// Creates a new registration token for a host that has not registered. Earlier ones become invalid.
    pub async fn create_host_token(&self, id: HostId) -> Result<HostToRegister, ClientError> {
        let path = format!("/v1/hosts/{id}/token");
        json(self.send_change(Method::POST, &path, None::<&()>).await?).await
    }

    /// Sets whether a host gets new sandboxes. `false` also ends a drain.
    pub async fn set_host_cordoned(&self, id: HostId, cordoned: bool) -> Result<Host, ClientError> {
        let path = format!("/v1/hosts/{id}");
        let body = UpdateHostRequest { cordoned };
        json(self.send_change(Method::PATCH, &path, Some(&body)).await?).await
    }

    /// Starts a drain, which cordons the host, or continues with another treatment of the running sandboxes.
    pub async fn drain_host(
        &self,
        id: HostId,
        running: HostDrain,
    ) -> Result<DrainedHost, ClientError> {
        let request = self.work_request(&format!("/v1/hosts/{id}/drain"));
        let request = request.json(&DrainHostRequest { running });
        json(self.send_with_retries(request).await?).await
    }

    /// Makes a host accept the database although the host has seen later writes: a backup was restored.
    pub async fn accept_database(&self, id: HostId) -> Result<Host, ClientError> {
        let request = self.work_request(&format!("/v1/hosts/{id}/accept-database"));
        json(self.send_with_retries(request).await?).await
    }

    /// The sandboxes that a host holds and that are not in the database.
    pub async fn list_host_quarantine(
        &self,
        id: HostId,
    ) -> Result<Vec<QuarantinedSandbox>, ClientError> {
        self.read(&format!("/v1/hosts/{id}/quarantine")).await
    }

    /// Adds a sandbox that a host holds to the database: paused, and of `team` where its own team does not exist any more.
    pub async fn import_sandbox(
        &self,
        id: HostId,
        sandbox: SandboxId,
        team: Option<TeamId>,
    ) -> Result<HostSandbox, ClientError> {
        let request = self.work_request(&format!("/v1/hosts/{id}/quarantine/{sandbox}/import"));
        let request = request.json(&ImportSandboxRequest { team_id: team });
        json(self.send(request).await?).await
    }

    /// What a deletion of a host would end.
    pub async fn preview_host_deletion(
        &self,
        id: HostId,
    ) -> Result<HostDeletePreview, ClientError> {
        self.read(&format!("/v1/hosts/{id}/delete-preview")).await
    }

    /// Deletes a host. `force`: also with sandboxes, which are ended.
    pub async fn delete_host(&self, id: HostId, force: bool) -> Result<(), ClientError> {
        let path = format!("/v1/hosts/{id}?force={force}");
        self.send_change(Method::DELETE, &path, None::<&()>)
            .await
            .map(drop)
    }

    /// The tags of a host, in alphabetical order.
    pub async fn list_host_tags(&self, id: HostId) -> Result<Vec<String>, ClientError> {
        self.read(&format!("/v1/hosts/{id}/tags")).await
    }

    /// Succeeds also if the host has the tag.
    pub async fn add_host_tag(&self, id: HostId, tag: &str) -> Result<(), ClientError> {
        let body = AddHostTagRequest {
            tag: tag.to_owned(),
        };
        let path = format!("/v1/hosts/{id}/tags");
        self.send_change(Method::POST, &path, Some(&body))
            .await
            .map(drop)
    }

    /// Succeeds also if the host does not have the tag.
    pub async fn remove_host_tag(&self, id: HostId, tag: &str) -> Result<(), ClientError> {
        let path = format!("/v1/hosts/{id}/tags/{}", segment(tag));
        self.send_change(Method::DELETE, &path, None::<&()>)
            .await
            .map(drop)
    }
}

/// Text as a segment of a path.
fn segment(text: &str) -> String {
    // The URL exists only to encode the text.
    let mut url = Url::parse("http://server").ok();
    if let Some(mut segments) = url.as_mut().and_then(|url| url.path_segments_mut().ok()) {
        segments.clear().push(text);
    }
    url.map(|url| url.path().trim_start_matches('/').to_owned())
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tag_cannot_leave_its_segment_of_the_path() {
        assert_eq!(segment("gpu"), "gpu");
        assert_eq!(segment("a b/c?d#e%"), "a%20b%2Fc%3Fd%23e%25");
    }
}
