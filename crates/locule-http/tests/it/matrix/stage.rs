//! The people, the team and the resources of a row.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, Mac as _};
use serde_json::{Value, json};
use sha2::Sha256;

use super::Who;
use super::rows::Row;
use crate::app::{App, Signed};

/// The users of all rows. Each row has a team of its own.
pub(super) struct Users {
    platform: Signed,
    owner: Signed,
    admin: Signed,
    member: Signed,
    removed: Signed,
    other: Signed,
}

impl Users {
    pub(super) async fn sign_up(app: &App) -> Self {
        let sign_up = async |name: &str| app.sign_up(&format!("{name}@matrix.test")).await;
        Self {
            platform: Signed::of(&json!({ "token": app.token })),
            owner: sign_up("owner").await,
            admin: sign_up("admin").await,
            member: sign_up("member").await,
            removed: sign_up("removed").await,
            other: sign_up("other").await,
        }
    }
}

/// The team of a row, its resources, and the token of every caller.
pub(super) struct Stage {
    pub(super) team: String,
    pub(super) sandbox: String,
    pub(super) key_id: String,
    pub(super) member: String,
    pub(super) removed: String,
    /// A host of the team, for rows about hosts.
    pub(super) host: String,
    pub(super) key: String,
    pub(super) tokens: Vec<(Who, String)>,
}

impl Stage {
    pub(super) async fn build(app: &App, users: &Users, row: &Row) -> Self {
        let ok = |answer: crate::app::Answer| {
            assert!(
                answer.status.is_success(),
                "{} {}",
                answer.status,
                answer.json
            );
            answer.json
        };
        let named = json!({ "name": "Matrix" });
        let made = app
            .by(&users.owner.token, "POST", "/v1/teams", &named)
            .await;
        let team = ok(made)["id"].as_str().unwrap().to_owned();
        let switch = async |who: &Signed| {
            let body = json!({ "team_id": team });
            let switched = app.by(&who.token, "POST", "/v1/auth/switch-team", &body);
            ok(switched.await)["token"].as_str().unwrap().to_owned()
        };
        let owner = switch(&users.owner).await;
        let members = format!("/v1/teams/{team}/members");
        let inviter = Signed::of(&json!({ "token": owner, "team_id": team }));
        for (name, who) in [
            ("admin", &users.admin),
            ("member", &users.member),
            ("removed", &users.removed),
        ] {
            app.join(&inviter, who, &format!("{name}@matrix.test"))
                .await;
        }
        let promote = format!("{members}/{}", users.admin.user);
        ok(app
            .by(&owner, "PATCH", &promote, &json!({ "role": "admin" }))
            .await);
        let (admin, member, removed) = (
            switch(&users.admin).await,
            switch(&users.member).await,
            switch(&users.removed).await,
        );
        let remove = format!("{members}/{}", users.removed.user);
        ok(app.by(&owner, "DELETE", &remove, &Value::Null).await);
        let key = ok(app.by(&owner, "POST", "/v1/api-keys", &json!({})).await);
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        // A team that may bring hosts has its sandboxes on these only: the sandbox comes before the host.
        let sandbox = ok(app.by(&owner, "POST", "/v1/sandboxes", &json!({})).await);
        let host = if row.path_template.starts_with("/v1/hosts") {
            new_host(app, &users.platform.token, &owner, &team).await
        } else {
            String::new()
        };
        let spare = ok(app.by(&owner, "POST", "/v1/api-keys", &json!({})).await);
        Self {
            sandbox: text(&sandbox["id"]),
            key_id: text(&spare["id"]),
            member: users.member.user.clone(),
            host,
            removed: users.removed.user.clone(),
            key: text(&key["key"]),
            tokens: vec![
                (Who::Host, as_host(&owner)),
                (Who::Removed, removed),
                (Who::Other, users.other.token.clone()),
                (Who::Platform, users.platform.token.clone()),
                (Who::Member, member),
                (Who::Admin, admin),
                (Who::Owner, owner),
            ],
            team,
        }
    }

    pub(super) fn header(&self, who: Who) -> Option<(&'static str, String)> {
        if who == Who::Key {
            return Some(("x-api-key", self.key.clone()));
        }
        let token = self.tokens.iter().find(|(whose, _)| *whose == who);
        token.map(|(_, token)| ("authorization", format!("Bearer {token}")))
    }
}

/// A host that a team brings, which a platform administrator allows before.
async fn new_host(app: &App, administrator: &str, owner: &str, team: &str) -> String {
    let (path, on) = (
        format!("/v1/admin/teams/{team}/byoc"),
        json!({ "enabled": true }),
    );
    let allowed = app.by(administrator, "PUT", &path, &on).await;
    assert_eq!(allowed.status, 204, "{}", allowed.json);
    let new = json!({ "type": "byoc", "team_id": team });
    let made = app.by(owner, "POST", "/v1/hosts", &new).await;
    assert_eq!(made.status, 201, "{}", made.json);
    made.json["host"]["id"].as_str().unwrap().to_owned()
}

/// A token with the same claims and a valid signature, whose type is `host`.
fn as_host(token: &str) -> String {
    let (header, rest) = token.split_once('.').unwrap();
    let claims = rest.split('.').next().unwrap();
    let mut claims: Value =
        serde_json::from_slice(&URL_SAFE_NO_PAD.decode(claims).unwrap()).unwrap();
    claims["typ"] = json!("host");
    let signed = format!("{header}.{}", URL_SAFE_NO_PAD.encode(claims.to_string()));
    let mut mac = Hmac::<Sha256>::new_from_slice(&[2; 32]).unwrap();
    mac.update(signed.as_bytes());
    let signature = URL_SAFE_NO_PAD.encode(mac.finalize().into_bytes());
    format!("{signed}.{signature}")
}
