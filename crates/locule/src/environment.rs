//! The only place of this binary that reads environment variables.

#![expect(
    clippy::disallowed_methods,
    reason = "this module is where the environment is read"
)]

use std::path::PathBuf;

use anyhow::{Context as _, bail};

fn text(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

/// What the control plane must be told.
pub(crate) struct ServeSecrets {
    pub(crate) database_url: String,
    pub(crate) platform_key: Vec<u8>,
    pub(crate) jwt_secret: Vec<u8>,
}

/// Names of the variables that carry secrets from `up` to `serve`.
pub(crate) const PLATFORM_KEY: &str = "LOCULE__SECRETS__PLATFORM_KEY";
pub(crate) const JWT_SECRET: &str = "LOCULE__SECRETS__JWT_SECRET";
pub(crate) const DATABASE_URL: &str = "DATABASE_URL";
pub(crate) const REDIS_URL: &str = "REDIS_URL";

pub(crate) fn database_url() -> Option<String> {
    text(DATABASE_URL)
}

pub(crate) fn redis_url() -> Option<String> {
    text(REDIS_URL)
}

/// Every problem at once.
pub(crate) fn serve_secrets() -> anyhow::Result<ServeSecrets> {
    let mut problems = Vec::new();
    let mut need = |name: &str| {
        text(name).unwrap_or_else(|| {
            problems.push(format!("{name} is not set"));
            String::new()
        })
    };
    let (database_url, platform_key, jwt_secret) =
        (need(DATABASE_URL), need(PLATFORM_KEY), need(JWT_SECRET));
    if !problems.is_empty() {
        bail!("{} (`locule up` sets them by itself)", problems.join("; "));
    }
    let key = |name: &str, value: &str| {
        let bytes = hex::decode(value).with_context(|| format!("{name} is not hexadecimal"))?;
        anyhow::ensure!(
            bytes.len() >= 32,
            "{name} must have 64 hexadecimal digits or more"
        );
        Ok(bytes)
    };
    Ok(ServeSecrets {
        platform_key: key(PLATFORM_KEY, &platform_key)?,
        jwt_secret: key(JWT_SECRET, &jwt_secret)?,
        database_url,
    })
}

/// What of the log is written; see the documentation of `tracing_subscriber::EnvFilter`.
pub(crate) const LOG: &str = "LOCULE_LOG";

pub(crate) fn log_filter() -> String {
    text(LOG).unwrap_or_else(|| "info".to_owned())
}

pub(crate) fn images() -> Option<PathBuf> {
    text("LOCULE_IMAGES").map(PathBuf::from)
}

/// The person behind `sudo`: user id, group id.
pub(crate) fn invoking_user() -> Option<(u32, u32)> {
    Some((
        text("SUDO_UID")?.parse().ok()?,
        text("SUDO_GID")?.parse().ok()?,
    ))
}

pub(crate) fn home() -> Option<PathBuf> {
    text("HOME").map(PathBuf::from)
}

/// Where a test says at which step a child is to die.
pub(crate) fn failpoints() -> Option<(&'static str, String)> {
    const VARIABLE: &str = "LOCULE_FAILPOINTS";
    text(VARIABLE)
        .filter(|_| cfg!(debug_assertions))
        .map(|file| (VARIABLE, file))
}

/// Where commands are looked for.
pub(crate) fn search_path() -> Vec<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let mut folders: Vec<PathBuf> = std::env::split_paths(&path).collect();
    folders.extend(["/usr/sbin", "/sbin", "/usr/bin", "/bin"].map(PathBuf::from));
    folders
}
