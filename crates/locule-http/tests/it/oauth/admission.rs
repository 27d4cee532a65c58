//! The sign-up policy holds for GitHub too.

use locule_control::SignupPolicy;
use serde_json::json;
use sqlx::PgPool;

use super::browser::Browser;
use super::provider::ProviderAccount;
use super::{ADA, NONE, Scene};
use crate::app::{App, EMAIL};

const PAGE: &str = "/auth/github/callback";

async fn scene(pool: PgPool, policy: SignupPolicy) -> Scene {
    Scene::with(pool, |config| config.accounts.signup = policy).await
}

#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn a_sign_up_with_github_needs_an_invitation_of_the_verified_address(pool: PgPool) {
    let scene = scene(pool, SignupPolicy::Invite).await;
    let required = format!("{PAGE}?error=invitation_required");
    let come_in = async || scene.come_in(&mut Browser::new(), "signup").await;
    assert_eq!(come_in().await, required);
    let admin = scene.app.login(EMAIL).await;
    let invitation = scene.app.invite(&admin, ADA).await;
    // The invited address must be the one that GitHub has verified.
    for emails in [
        json!([{ "email": ADA, "primary": true, "verified": false }]),
        json!([{ "email": ADA, "primary": false, "verified": true }]),
    ] {
        scene.provider.logs_in(ProviderAccount {
            emails,
            ..ProviderAccount::new(1, ADA)
        });
        assert_eq!(come_in().await, format!("{PAGE}?error=no_verified_email"));
    }
    scene
        .provider
        .logs_in(ProviderAccount::new(2, "eve@locule.test"));
    assert_eq!(come_in().await, required);
    assert_eq!(scene.people().await, 1);
    scene.provider.logs_in(ProviderAccount::new(1, ADA));
    let ada = scene.signed_in(&mut Browser::new(), "signup").await;
    // The sign-up made no member: the person accepts the invitation.
    let teams = scene.app.by(&ada.token, "GET", "/v1/teams", &NONE).await;
    assert_eq!(teams.json.as_array().unwrap().len(), 1);
    let path = "/v1/users/search?email=ada@locule";
    let found = scene.app.by(&ada.token, "GET", path, &NONE).await;
    assert_eq!(found.json[0]["verified"], true);
    let joined = scene.app.accept(&ada, &invitation).await;
    assert_eq!(joined.json["id"], admin.team, "{}", joined.json);
}

#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn a_closed_platform_accepts_no_sign_up_with_github(pool: PgPool) {
    let scene = scene(pool, SignupPolicy::Closed).await;
    let admin = scene.app.login(EMAIL).await;
    scene.app.invite(&admin, ADA).await;
    let end = scene.come_in(&mut Browser::new(), "signup").await;
    assert_eq!(end, format!("{PAGE}?error=signup_closed"));
    assert_eq!(scene.people().await, 1);
}

/// The administrator's right is for the first account that there ever was, not for the first that is active now.
#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn a_sign_up_with_github_after_the_administrators_gives_no_right(pool: PgPool) {
    let scene = scene(pool, SignupPolicy::Open).await;
    leave_no_active_user(&scene.app).await;
    let ada = scene.signed_in(&mut Browser::new(), "signup").await;
    assert_eq!(scene.me(&ada.token).await["is_admin"], false);
}

async fn leave_no_active_user(app: &App) {
    sqlx::query("UPDATE users SET status = 'disabled'")
        .execute(&app.pool)
        .await
        .unwrap();
}
