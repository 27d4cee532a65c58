//! What the platform tells before a login.

use locule_control::SignupPolicy;
use locule_http::{HttpConfig, Names};
use serde_json::{Value, json};
use sqlx::PgPool;

use crate::app::App;
use crate::oauth::provider::Provider;

async fn info(app: &App) -> Value {
    let answer = app
        .without_credential("GET", "/v1/info", &Value::Null)
        .await;
    assert_eq!(answer.status, 200, "{}", answer.json);
    answer.json
}

#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn the_platform_says_before_a_login_what_it_offers(pool: PgPool) {
    let github = Provider::open().await.client("https://locule.test");
    let app = App::start_with(pool, |config| {
        config.accounts.github = Some(github);
        config.accounts.signup = SignupPolicy::Invite;
    })
    .await;
    let expected = json!({
        "version": env!("CARGO_PKG_VERSION"),
        "sign_up": "invitation",
        "mail": false,
        "providers": ["github"],
        "accelerator": "none",
    });
    assert_eq!(info(&app).await, expected);
}

#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn the_names_that_an_operator_sets_are_told(pool: PgPool) {
    let names = Names {
        public: Some("https://locule.test".parse().unwrap()),
        sandbox_domain: Some("sandboxes.test".parse().unwrap()),
        ..Names::default()
    };
    let http = HttpConfig {
        names,
        ..HttpConfig::default()
    };
    let app = App::start_within(pool, http).await;
    let told = info(&app).await;
    assert_eq!(told["sandbox_domain"], "sandboxes.test");
    assert_eq!(told["url"], "http://127.0.0.1:8000");
    assert_eq!(told["providers"], json!([]));
}
