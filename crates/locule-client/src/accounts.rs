//! Logins, teams, API keys and the audit log.

use http::Method;
use locule_api::{
    AddMemberRequest, ApiKey, AuditPage, AuthResponse, CreateApiKeyRequest, CreatedSandboxes,
    LoginRequest, Me, Member, Role, SetRoleRequest, SignupRequest, SignupResponse,
    SwitchTeamRequest, TeamNameRequest, TeamWithRole,
};
use locule_ids::{ApiKeyId, TeamId, UserId};
use reqwest::Url;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::{Client, ClientError, READ_TIMEOUT, WORK_TIMEOUT, json};

/// Selects entries of the audit log. An empty list does not filter.
#[derive(Debug, Clone, Default)]
pub struct AuditFilter {
    pub resource_types: Vec<String>,
    pub actions: Vec<String>,
    /// Ids of resources.
    pub resources: Vec<String>,
    /// Ids of users and API keys.
    pub actors: Vec<String>,
    /// The earliest time of an entry, as RFC 3339.
    pub from: Option<String>,
    /// The time before which an entry is, as RFC 3339.
    pub to: Option<String>,
    pub limit: u32,
    /// The `next_before` of the previous page.
    pub before: Option<String>,
}

impl AuditFilter {
    fn query(&self) -> String {
        let resources = self.resource_types.iter().map(|one| ("resource_type", one));
        let actions = self.actions.iter().map(|one| ("action", one));
        let before = self.before.iter().map(|one| ("before", one));
        let limit = self.limit.to_string();
        let ids = self.resources.iter().map(|one| ("resource_id", one));
        let actors = self.actors.iter().map(|one| ("actor_id", one));
        let from = self.from.iter().map(|one| ("from", one));
        let to = self.to.iter().map(|one| ("to", one));
        let pairs = resources.chain(actions).chain(before);
        let pairs = pairs.chain(ids).chain(actors).chain(from).chain(to);
        let pairs = pairs.chain([("limit", &limit)]);
        // The URL exists only to encode the query.
        let url = Url::parse_with_params("http://server", pairs);
        url.ok()
            .and_then(|url| url.query().map(str::to_owned))
            .unwrap_or_default()
    }
}

impl Client {
    pub(crate) async fn read<T: DeserializeOwned>(&self, path: &str) -> Result<T, ClientError> {
        json(self.send_with_retries(self.read_request(path)).await?).await
    }

    /// Sends a change once: without a response it is unknown whether the change was carried out.
    pub(crate) async fn send_change(
        &self,
        method: Method,
        path: &str,
        body: Option<&impl Serialize>,
    ) -> Result<reqwest::Response, ClientError> {
        let request = self.request(method, path).timeout(WORK_TIMEOUT);
        let request = match body {
            Some(body) => request.json(body),
            None => request,
        };
        self.send(request).await
    }

    pub async fn login(&self, email: &str, password: &str) -> Result<AuthResponse, ClientError> {
        let body = LoginRequest {
            email: email.to_owned(),
            password: password.to_owned(),
        };
        let request = self.request(Method::POST, "/v1/auth/login");
        json(self.send(request.timeout(READ_TIMEOUT).json(&body)).await?).await
    }

    /// Creates an account. With an invitation the account is a member of the team that it is for.
    pub async fn sign_up(&self, account: &SignupRequest) -> Result<SignupResponse, ClientError> {
        let request = self.request(Method::POST, "/v1/auth/signup");
        json(
            self.send(request.timeout(READ_TIMEOUT).json(account))
                .await?,
        )
        .await
    }

    /// Ends this login, or every login of the account.
    pub async fn logout(&self, all: bool) -> Result<(), ClientError> {
        let path = format!("/v1/auth/logout?all={all}");
        self.send_change(Method::POST, &path, None::<&()>)
            .await
            .map(drop)
    }

    pub async fn me(&self) -> Result<Me, ClientError> {
        self.read("/v1/me").await
    }

    pub async fn list_teams(&self) -> Result<Vec<TeamWithRole>, ClientError> {
        self.read("/v1/teams").await
    }

    pub async fn create_team(&self, name: &str) -> Result<TeamWithRole, ClientError> {
        let body = TeamNameRequest {
            name: name.to_owned(),
        };
        json(
            self.send_change(Method::POST, "/v1/teams", Some(&body))
                .await?,
        )
        .await
    }

    /// Returns a session for another team of the account.
    pub async fn switch_team(&self, team_id: TeamId) -> Result<AuthResponse, ClientError> {
        let body = SwitchTeamRequest { team_id };
        let path = "/v1/auth/switch-team";
        json(self.send_change(Method::POST, path, Some(&body)).await?).await
    }

    pub async fn rename_team(&self, team: TeamId, name: &str) -> Result<(), ClientError> {
        let body = TeamNameRequest {
            name: name.to_owned(),
        };
        let path = format!("/v1/teams/{team}");
        self.send_change(Method::PATCH, &path, Some(&body))
            .await
            .map(drop)
    }

    pub async fn delete_team(&self, team: TeamId) -> Result<(), ClientError> {
        let path = format!("/v1/teams/{team}");
        self.send_change(Method::DELETE, &path, None::<&()>)
            .await
            .map(drop)
    }

    pub async fn leave_team(&self, team: TeamId) -> Result<(), ClientError> {
        let path = format!("/v1/teams/{team}/leave");
        self.send_change(Method::POST, &path, None::<&()>)
            .await
            .map(drop)
    }

    pub async fn list_members(&self, team: TeamId) -> Result<Vec<Member>, ClientError> {
        self.read(&format!("/v1/teams/{team}/members")).await
    }

    /// Invites a person to a team.
    pub async fn add_member(&self, team: TeamId, email: &str) -> Result<Member, ClientError> {
        let body = AddMemberRequest {
            email: email.to_owned(),
        };
        let path = format!("/v1/teams/{team}/members");
        json(self.send_change(Method::POST, &path, Some(&body)).await?).await
    }

    /// Accepts an invitation. `token` must be in a form that a path can hold, such as that of the platform's links.
    pub async fn accept_invitation(&self, token: &str) -> Result<TeamWithRole, ClientError> {
        let path = format!("/v1/invitations/{token}/accept");
        json(self.send_change(Method::POST, &path, None::<&()>).await?).await
    }

    pub async fn set_member_role(
        &self,
        team: TeamId,
        user: UserId,
        role: Role,
    ) -> Result<(), ClientError> {
        let path = format!("/v1/teams/{team}/members/{user}");
        let body = SetRoleRequest { role };
        self.send_change(Method::PATCH, &path, Some(&body))
            .await
            .map(drop)
    }

    /// Returns the sandboxes that the member created and that still exist.
    pub async fn remove_member(
        &self,
        team: TeamId,
        user: UserId,
    ) -> Result<CreatedSandboxes, ClientError> {
        let path = format!("/v1/teams/{team}/members/{user}");
        json(self.send_change(Method::DELETE, &path, None::<&()>).await?).await
    }

    pub async fn list_api_keys(&self) -> Result<Vec<ApiKey>, ClientError> {
        self.read("/v1/api-keys").await
    }

    pub async fn create_api_key(
        &self,
        request: &CreateApiKeyRequest,
    ) -> Result<ApiKey, ClientError> {
        json(
            self.send_change(Method::POST, "/v1/api-keys", Some(request))
                .await?,
        )
        .await
    }

    /// Returns the sandboxes that the key created and that still exist.
    pub async fn revoke_api_key(&self, id: ApiKeyId) -> Result<CreatedSandboxes, ClientError> {
        let path = format!("/v1/api-keys/{id}");
        json(self.send_change(Method::DELETE, &path, None::<&()>).await?).await
    }

    /// Lists the audit log, newest entry first.
    pub async fn list_audit(&self, filter: &AuditFilter) -> Result<AuditPage, ClientError> {
        self.read(&format!("/v1/audit-logs?{}", filter.query()))
            .await
    }
}
