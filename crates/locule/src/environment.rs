//! The environment variables of the binary. No other module reads the environment.

#![expect(
    clippy::disallowed_methods,
    reason = "this module is where the environment is read"
)]

use std::net::IpAddr;
use std::path::PathBuf;

use anyhow::{Context as _, bail};
use locule_base::telemetry::LogFormat;
use locule_control::{
    GITHUB_TIMEOUT, GithubConfig, MailConfig, PeopleLimits, SchedulerKind, SignupPolicy,
};
use locule_http::{HttpConfig, ListenerLimits, Names, Origin};

fn text(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

/// Reads the file `.env` of the working directory, for a host agent. What the environment has already stays as it is (B-109).
pub(crate) fn load_dot_env() -> anyhow::Result<()> {
    match dotenvy::from_path(".env") {
        Err(dotenvy::Error::Io(error)) if error.kind() == std::io::ErrorKind::NotFound => Ok(()),
        loaded => loaded.context("read .env"),
    }
}

/// Whether the program is called as `locule agent`.
pub(crate) fn is_agent() -> bool {
    std::env::args_os()
        .nth(1)
        .is_some_and(|first| first == "agent")
}

/// The configuration of the control plane.
pub(crate) struct ServeSecrets {
    pub(crate) database_url: String,
    pub(crate) platform_key: Vec<u8>,
    pub(crate) jwt_secret: Vec<u8>,
    pub(crate) mail: Option<MailConfig>,
    pub(crate) github: Option<GithubConfig>,
    pub(crate) signup: SignupPolicy,
    pub(crate) scheduler: SchedulerKind,
    /// The URL at which browsers reach the API, if it is configured.
    pub(crate) public_url: Option<String>,
    pub(crate) limits: PeopleLimits,
    pub(crate) http: HttpConfig,
    pub(crate) listener: ListenerLimits,
}

/// The variables that pass secrets from `up` to `serve`.
pub(crate) const PLATFORM_KEY: &str = "LOCULE__SECRETS__PLATFORM_KEY";
pub(crate) const JWT_SECRET: &str = "LOCULE__SECRETS__JWT_SECRET";
/// How the owner of the tables connects, who migrates them.
pub(crate) const DATABASE_URL: &str = "DATABASE_URL";
/// How `serve` connects, where that is not the owner.
pub(crate) const SERVE_DATABASE_URL: &str = "LOCULE__DATABASE__URL";
/// The registration token of a host agent.
pub(crate) const REGISTER: &str = "LOCULE_REGISTER";
/// The control plane of a host agent, and how the two reach and know each other.
pub(crate) const SERVER: &str = "LOCULE_SERVER";
pub(crate) const CA_HASH: &str = "LOCULE_CA_HASH";
pub(crate) const ADDRESS: &str = "LOCULE_ADDRESS";
/// The listener for host agents on other machines: its address and its URL.
pub(crate) const HOSTS_LISTEN: &str = "LOCULE__HOSTS__LISTEN";
pub(crate) const HOSTS_URL: &str = "LOCULE__HOSTS__URL";
pub(crate) const REDIS_URL: &str = "REDIS_URL";
/// The URL at which browsers reach the API.
const PUBLIC_URL: &str = "LOCULE__HTTP__PUBLIC_URL";
/// Who may create an account: `invite`, `open` or `closed`.
const SIGNUP: &str = "LOCULE__AUTH__SIGNUP";
/// How the host of a new sandbox is chosen: `round_robin` or `least_loaded`.
const SCHEDULER: &str = "LOCULE__PLACEMENT__SCHEDULER";
/// The URL of the dashboard, where it differs from the URL of the API.
const DASHBOARD_URL: &str = "LOCULE__HTTP__DASHBOARD_URL";

pub(crate) fn database_url() -> Option<String> {
    text(DATABASE_URL)
}

pub(crate) fn serve_database_url() -> Option<String> {
    text(SERVE_DATABASE_URL)
}

pub(crate) fn redis_url() -> Option<String> {
    text(REDIS_URL)
}

/// The domain whose names are those of sandboxes.
const SANDBOX_DOMAIN: &str = "LOCULE__HTTP__SANDBOX_DOMAIN";
/// The origins whose pages may call the API, separated by commas.
const CORS_ORIGINS: &str = "LOCULE__HTTP__CORS_ORIGINS";

/// The names that the platform answers to, on a listener with this address.
pub(crate) fn names(listen: IpAddr) -> anyhow::Result<Names> {
    let url = |name: &'static str| {
        let url = text(name).map(|url| Origin::of_url(&url));
        url.transpose().context(name)
    };
    let origins = |list: String| {
        let origins = list.split(',').map(|origin| origin.trim().parse());
        origins.collect::<Result<Vec<Origin>, _>>()
    };
    let domain = text(SANDBOX_DOMAIN).map(|domain| domain.parse());
    Ok(Names {
        listen: Some(listen),
        public: url(PUBLIC_URL)?,
        dashboard: url(DASHBOARD_URL)?,
        sandbox_domain: domain.transpose().context(SANDBOX_DOMAIN)?,
        cors_origins: text(CORS_ORIGINS)
            .map(origins)
            .transpose()
            .context(CORS_ORIGINS)?,
    })
}

/// Reports every problem in one error.
pub(crate) fn serve_secrets() -> anyhow::Result<ServeSecrets> {
    let mut problems = Vec::new();
    let mut need = |name: &str| {
        text(name).unwrap_or_else(|| {
            problems.push(format!("{name} is not set"));
            String::new()
        })
    };
    let database_url = serve_database_url().unwrap_or_else(|| need(DATABASE_URL));
    let (platform_key, jwt_secret) = (need(PLATFORM_KEY), need(JWT_SECRET));
    if !problems.is_empty() {
        bail!("{} (`locule up` sets these variables)", problems.join("; "));
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
        mail: mail()?,
        github: github()?,
        scheduler: scheduler(text(SCHEDULER).as_deref())?,
        signup: parse_signup(text(SIGNUP).as_deref())?,
        public_url: text(PUBLIC_URL),
        limits: limits()?,
        database_url,
        http: http()?,
        listener: listener()?,
    })
}

fn scheduler(text: Option<&str>) -> anyhow::Result<SchedulerKind> {
    let Some(text) = text else {
        return Ok(SchedulerKind::DEFAULT);
    };
    let found = text.parse();
    found
        .map_err(|_| anyhow::anyhow!("{SCHEDULER} must be round_robin or least_loaded, not {text}"))
}

/// A proxy in front of the API writes the client's address into `X-Forwarded-For`.
const TRUST_FORWARDED_FOR: &str = "LOCULE__HTTP__TRUST_FORWARDED_FOR";
/// Memory for the bodies and outputs of all requests in progress, and for those of one team.
const MEMORY_MIB: &str = "LOCULE__HTTP__MEMORY_MIB";
const TEAM_MEMORY_MIB: &str = "LOCULE__HTTP__TEAM_MEMORY_MIB";
/// Requests of one team at a time, and requests to the ports of its sandboxes.
const TEAM_REQUESTS: &str = "LOCULE__HTTP__TEAM_REQUESTS";
const TEAM_PORT_REQUESTS: &str = "LOCULE__HTTP__TEAM_PORT_REQUESTS";
/// Connections at a time, and connections of one address.
const CONNECTIONS: &str = "LOCULE__HTTP__CONNECTIONS";
const ADDRESS_CONNECTIONS: &str = "LOCULE__HTTP__ADDRESS_CONNECTIONS";

fn http() -> anyhow::Result<HttpConfig> {
    let default = HttpConfig::default();
    let mib = |name, bytes: usize| Ok::<_, anyhow::Error>(positive(name, bytes >> 20)? << 20);
    Ok(HttpConfig {
        trust_forwarded_for: text(TRUST_FORWARDED_FOR).as_deref() == Some("true"),
        memory_bytes_max: mib(MEMORY_MIB, default.memory_bytes_max)?,
        team_memory_bytes_max: mib(TEAM_MEMORY_MIB, default.team_memory_bytes_max)?,
        team_requests_max: positive(TEAM_REQUESTS, default.team_requests_max)?,
        team_port_requests_max: positive(TEAM_PORT_REQUESTS, default.team_port_requests_max)?,
        ..default
    })
}

fn listener() -> anyhow::Result<ListenerLimits> {
    let default = ListenerLimits::default();
    Ok(ListenerLimits {
        connections_max: positive(CONNECTIONS, default.connections_max)?,
        address_connections_max: positive(ADDRESS_CONNECTIONS, default.address_connections_max)?,
        ..default
    })
}

/// A number of at least one, and small enough to be a number of MiB.
fn positive(name: &str, default: usize) -> anyhow::Result<usize> {
    parse_positive(name, text(name).as_deref(), default)
}

fn parse_positive(name: &str, text: Option<&str>, default: usize) -> anyhow::Result<usize> {
    let Some(text) = text else {
        return Ok(default);
    };
    let number = text
        .parse()
        .ok()
        .filter(|number| (1..1 << 40).contains(number));
    number.with_context(|| format!("{name} is not a number of 1 or more"))
}

/// Whether the control plane listens for host agents on other machines.
pub(crate) fn serves_hosts() -> bool {
    text(HOSTS_LISTEN).is_some()
}

/// The variables that `up` passes from its own environment to `serve`.
pub(crate) fn of_serve() -> impl Iterator<Item = (&'static str, String)> {
    let names = [
        PUBLIC_URL,
        DASHBOARD_URL,
        SIGNUP,
        SANDBOX_DOMAIN,
        CORS_ORIGINS,
        HOSTS_LISTEN,
        HOSTS_URL,
        TEAMS_OWNED,
        API_KEYS_PER_TEAM,
        MEMBERS_PER_TEAM,
        TRUST_FORWARDED_FOR,
        MEMORY_MIB,
        TEAM_MEMORY_MIB,
        TEAM_REQUESTS,
        TEAM_PORT_REQUESTS,
        CONNECTIONS,
        ADDRESS_CONNECTIONS,
        "SMTP_HOST",
        "SMTP_PORT",
        "SMTP_USERNAME",
        "SMTP_PASSWORD",
        "SMTP_FROM_EMAIL",
        "OAUTH_GITHUB_CLIENT_ID",
        "OAUTH_GITHUB_CLIENT_SECRET",
        "OAUTH_GITHUB_URL",
        "OAUTH_GITHUB_API_URL",
    ];
    names
        .into_iter()
        .filter_map(|name| Some((name, text(name)?)))
}

fn parse_signup(text: Option<&str>) -> anyhow::Result<SignupPolicy> {
    let Some(text) = text else {
        return Ok(SignupPolicy::Invite);
    };
    let policy = text.parse();
    policy.with_context(|| format!("{SIGNUP} is {text:?}: use invite, open or closed"))
}

const TEAMS_OWNED: &str = "LOCULE__LIMITS__TEAMS_OWNED";
const API_KEYS_PER_TEAM: &str = "LOCULE__LIMITS__API_KEYS_PER_TEAM";
const MEMBERS_PER_TEAM: &str = "LOCULE__LIMITS__MEMBERS_PER_TEAM";

/// What people may own; the default where a variable is not set.
fn limits() -> anyhow::Result<PeopleLimits> {
    let default = PeopleLimits::default();
    let limit = |name: &'static str, default| match text(name) {
        None => Ok(default),
        Some(value) => value
            .parse::<u32>()
            .with_context(|| format!("{name} is not a number")),
    };
    Ok(PeopleLimits {
        teams_owned_max: limit(TEAMS_OWNED, default.teams_owned_max)?,
        keys_per_team_max: limit(API_KEYS_PER_TEAM, default.keys_per_team_max)?,
        members_per_team_max: limit(MEMBERS_PER_TEAM, default.members_per_team_max)?,
    })
}

/// `None` where `SMTP_HOST` is not set.
fn mail() -> anyhow::Result<Option<MailConfig>> {
    let Some(host) = text("SMTP_HOST") else {
        return Ok(None);
    };
    let port = text("SMTP_PORT")
        .map(|port| port.parse::<u16>())
        .transpose();
    Ok(Some(MailConfig {
        host,
        port: port.context("SMTP_PORT is not a port number")?.unwrap_or(587),
        login: text("SMTP_USERNAME").zip(text("SMTP_PASSWORD")),
        from: text("SMTP_FROM_EMAIL").context("SMTP_HOST is set but SMTP_FROM_EMAIL is not")?,
        public_url: text(PUBLIC_URL)
            .context("SMTP_HOST is set but LOCULE__HTTP__PUBLIC_URL, the beginning of the links in e-mails, is not")?,
    }))
}

/// `None` where neither `OAUTH_GITHUB_CLIENT_ID` nor `OAUTH_GITHUB_CLIENT_SECRET` is set.
fn github() -> anyhow::Result<Option<GithubConfig>> {
    let (client_id, client_secret) = match (
        text("OAUTH_GITHUB_CLIENT_ID"),
        text("OAUTH_GITHUB_CLIENT_SECRET"),
    ) {
        (None, None) => return Ok(None),
        (Some(id), Some(secret)) => (id, secret),
        _ => bail!("set both OAUTH_GITHUB_CLIENT_ID and OAUTH_GITHUB_CLIENT_SECRET, or neither"),
    };
    let public_url = text(PUBLIC_URL).context("OAUTH_GITHUB_CLIENT_ID is set but LOCULE__HTTP__PUBLIC_URL, the URL at which browsers reach the API, is not")?;
    let own = text("OAUTH_GITHUB_URL");
    // The API of GitHub Enterprise Server.
    let own_api = own
        .as_ref()
        .map(|url| format!("{}/api/v3", url.trim_end_matches('/')));
    let api_url = text("OAUTH_GITHUB_API_URL").or(own_api);
    Ok(Some(GithubConfig {
        client_id,
        client_secret,
        url: own.unwrap_or_else(|| "https://github.com".to_owned()),
        api_url: api_url.unwrap_or_else(|| "https://api.github.com".to_owned()),
        dashboard_url: text(DASHBOARD_URL).unwrap_or_else(|| public_url.clone()),
        public_url,
        timeout: GITHUB_TIMEOUT,
    }))
}

/// The log filter, in the syntax of `tracing_subscriber::EnvFilter`.
const LOG: &str = "LOCULE_LOG";

pub(crate) fn log_filter() -> String {
    text(LOG).unwrap_or_else(|| "info".to_owned())
}

/// The format of log lines: `text` or `json`.
const LOG_FORMAT: &str = "LOCULE_LOG_FORMAT";

pub(crate) fn log_format() -> anyhow::Result<LogFormat> {
    parse_log_format(text(LOG_FORMAT).as_deref())
}

fn parse_log_format(text: Option<&str>) -> anyhow::Result<LogFormat> {
    let Some(text) = text else {
        return Ok(LogFormat::default());
    };
    text.parse().context(LOG_FORMAT)
}

/// The variables of logging that `up` passes to every process it starts.
pub(crate) fn of_logging() -> impl Iterator<Item = (&'static str, String)> {
    let format = text(LOG_FORMAT).map(|format| (LOG_FORMAT, format));
    [(LOG, log_filter())].into_iter().chain(format)
}

pub(crate) fn images() -> Option<PathBuf> {
    text("LOCULE_IMAGES").map(PathBuf::from)
}

/// The user id and group id of the user that called `sudo`.
pub(crate) fn invoking_user() -> Option<(u32, u32)> {
    Some((
        text("SUDO_UID")?.parse().ok()?,
        text("SUDO_GID")?.parse().ok()?,
    ))
}

pub(crate) fn home() -> Option<PathBuf> {
    text("HOME").map(PathBuf::from)
}

/// The file with which a test chooses the step at which a child kills itself.
pub(crate) fn failpoints() -> Option<(&'static str, String)> {
    const VARIABLE: &str = "LOCULE_FAILPOINTS";
    text(VARIABLE)
        .filter(|_| cfg!(debug_assertions))
        .map(|file| (VARIABLE, file))
}

/// The path of a program on the search path.
pub(crate) fn find_program(name: &str) -> Option<PathBuf> {
    let mut paths = search_path().into_iter().map(|folder| folder.join(name));
    paths.find(|path| path.is_file())
}

/// The folders that contain programs.
fn search_path() -> Vec<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let mut folders: Vec<PathBuf> = std::env::split_paths(&path).collect();
    folders.extend(["/usr/sbin", "/sbin", "/usr/bin", "/bin"].map(PathBuf::from));
    folders
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sign_up_needs_an_invitation_unless_the_environment_says_otherwise() {
        assert_eq!(parse_signup(None).unwrap(), SignupPolicy::Invite);
        for policy in SignupPolicy::ALL {
            assert_eq!(parse_signup(Some(policy.as_str())).unwrap(), *policy);
        }
        for wrong in ["Open", "true", "yes"] {
            let error = format!("{:#}", parse_signup(Some(wrong)).unwrap_err());
            assert!(error.contains("use invite, open or closed"), "{error}");
        }
    }

    #[test]
    fn a_limit_is_a_positive_number_or_its_default() {
        assert_eq!(parse_positive("X", None, 7).unwrap(), 7);
        assert_eq!(parse_positive("X", Some("12"), 7).unwrap(), 12);
        for wrong in ["0", "-1", "many", "1.5"] {
            let error = parse_positive("LOCULE__X", Some(wrong), 7).unwrap_err();
            assert!(error.to_string().contains("LOCULE__X"), "{error}");
        }
    }

    #[test]
    fn the_log_format_is_text_unless_the_environment_selects_json() {
        assert_eq!(parse_log_format(None).unwrap(), LogFormat::Text);
        assert_eq!(parse_log_format(Some("text")).unwrap(), LogFormat::Text);
        assert_eq!(parse_log_format(Some("json")).unwrap(), LogFormat::Json);
        let error = format!("{:#}", parse_log_format(Some("xml")).unwrap_err());
        assert!(error.contains("LOCULE_LOG_FORMAT"), "{error}");
        assert!(error.contains("use text or json"), "{error}");
    }
}
