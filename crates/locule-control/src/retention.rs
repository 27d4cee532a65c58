//! What is forgotten by and by: people who deleted their accounts, logins that are over.

use std::time::Duration;

use locule_store::{sessions, users};
use tokio_util::sync::CancellationToken;

use crate::control::Control;
use crate::error::ControlError;

const PERIOD: Duration = Duration::from_hours(1);
const PEOPLE_DAYS: i64 = 15;
const SESSION_DAYS: i64 = 30;
const PEOPLE_AT_ONCE: i64 = 100;

/// The first pass is at the start (W-026).
pub(crate) async fn run(control: Control, stop: CancellationToken) -> anyhow::Result<()> {
    loop {
        if let Err(error) = control.forget_what_is_over().await {
            let error = locule_base::errors::chain(&error);
            tracing::warn!(error, "what is over is not forgotten yet; tried again");
        }
        tokio::select! {
            () = stop.cancelled() => return Ok(()),
            () = tokio::time::sleep(PERIOD) => {}
        }
    }
}

impl Control {
    /// One pass.
    pub async fn forget_what_is_over(&self) -> Result<(), ControlError> {
        let now = self.now();
        let mut tx = self.transaction().await?;
        users::purge(
            &mut tx,
            now - chrono::Duration::days(PEOPLE_DAYS),
            PEOPLE_AT_ONCE,
        )
        .await?;
        sessions::purge(&mut tx, now - chrono::Duration::days(SESSION_DAYS)).await?;
        self.commit(tx).await
    }
}
