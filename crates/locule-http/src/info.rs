//! `GET /v1/info`.

use axum::Json;
use axum::extract::State;
use locule_api::{PlatformInfo, SignUp};
use locule_control::SignupPolicy;

use crate::need::Public;
use crate::state::AppState;

/// Get information about the platform
///
/// Requires no login. A page that offers a login learns here what the platform offers.
#[utoipa::path(get, path = "/v1/info", tag = "service", security(()),
    responses((status = 200, body = PlatformInfo)))]
pub(crate) async fn get_info(State(app): State<AppState>, _: Public) -> Json<PlatformInfo> {
    let options = app.accounts.sign_in_options();
    let names = &app.config.names;
    let domain = names.sandbox_domain.as_ref();
    Json(PlatformInfo {
        version: app.config.version.clone(),
        sign_up: match options.sign_up {
            SignupPolicy::Open => SignUp::Open,
            SignupPolicy::Invite => SignUp::Invitation,
            SignupPolicy::Closed => SignUp::Closed,
        },
        mail: options.mail,
        providers: options.providers.into_iter().map(str::to_owned).collect(),
        sandbox_domain: domain.map(|domain| domain.as_str().to_owned()),
        accelerator: app.sandboxes.accelerator().await,
        url: names
            .public
            .is_some()
            .then(|| options.public_url.to_owned()),
    })
}
